#include "config/address.h"

#include <string.h>

enum { IPV4_SIZE = 4, IPV6_SIZE = 16, GROUPS = 8, TEXT_SIZE = 64 };

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct hba_address address_unmapped(const struct hba_address *address)
{
    struct hba_address result = {.size = IPV4_SIZE};

    if (address->size != IPV6_SIZE ||
        memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) != 0) {
        return *address;
    }
    memcpy(result.bytes, address->bytes + sizeof mapped_prefix, IPV4_SIZE);
    return result;
}

/* A whole number of at most `max`, without leading zeros; `*at` ends behind it. */
static bool read_number(const char **at, unsigned max, unsigned *number)
{
    const char *start = *at;
    unsigned value = 0;

    for (; **at >= '0' && **at <= '9' && *at - start < 3; (*at)++) {
        value = value * 10 + (unsigned)(**at - '0');
    }
    if (*at == start || value > max || (*start == '0' && *at - start > 1)) {
        return false;
    }
    *number = value;
    return true;
}

static bool read_ipv4(const char *text, unsigned char bytes[IPV4_SIZE])
{
    for (int i = 0; i < IPV4_SIZE; i++) {
        unsigned number = 0;
        if ((i > 0 && *text++ != '.') || !read_number(&text, 255, &number)) {
            return false;
        }
        bytes[i] = (unsigned char)number;
    }
    return *text == '\0';
}

/* Up to four hexadecimal digits. */
static bool read_group(const char **at, unsigned *group)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *start = *at, *digit;

    *group = 0;
    for (; **at != '\0' && (digit = strchr(digits, **at)) != NULL && *at - start < 4; (*at)++) {
        *group = *group * 16 + (unsigned)((digit - digits) % 16);
    }
    return *at > start;
}

static bool read_ipv6(const char *text, unsigned char bytes[IPV6_SIZE])
{
    size_t count = 0, gap = IPV6_SIZE + 1; /* bytes so far; where "::" stood */

    memset(bytes, 0, IPV6_SIZE);
    if (text[0] == ':' && text[1] != ':') {
        return false;
    }
    while (*text != '\0') {
        unsigned group = 0;
        if (text[0] == ':' && text[1] == ':') {
            if (gap <= IPV6_SIZE) {
                return false;
            }
            gap = count;
            text += 2;
            continue;
        }
        text += *text == ':';
        if (count + IPV4_SIZE <= IPV6_SIZE && read_ipv4(text, bytes + count)) {
            count += IPV4_SIZE;
            break;
        }
        if (count + 2 > IPV6_SIZE || !read_group(&text, &group) ||
            (*text != '\0' && *text != ':')) {
            return false;
        }
        bytes[count++] = (unsigned char)(group >> 8);
        bytes[count++] = (unsigned char)group;
    }
    if (gap > IPV6_SIZE) {
        return count == IPV6_SIZE;
    }
    if (count > IPV6_SIZE - 2) { /* "::" stands for one group at least */
        return false;
    }
    memmove(bytes + gap + (IPV6_SIZE - count), bytes + gap, count - gap);
    memset(bytes + gap, 0, IPV6_SIZE - count);
    return true;
}

/* As it is written, not unmapped. */
static bool read_address(const char *text, struct hba_address *address)
{
    unsigned char bytes[IPV6_SIZE];
    bool is_ipv4 = read_ipv4(text, bytes);

    if (!is_ipv4 && !read_ipv6(text, bytes)) {
        return false;
    }
    *address = (struct hba_address){.size = is_ipv4 ? IPV4_SIZE : IPV6_SIZE};
    memcpy(address->bytes, bytes, address->size);
    return true;
}

bool address_parse(const char *text, struct hba_address *address)
{
    struct hba_address read;

    if (!read_address(text, &read)) {
        return false;
    }
    *address = address_unmapped(&read);
    return true;
}

static struct hba_address make_mask(unsigned size, unsigned bits)
{
    struct hba_address mask = {.size = size};

    for (unsigned i = 0; i < bits; i++) {
        mask.bytes[i / 8] |= (unsigned char)(0x80U >> (i % 8));
    }
    return mask;
}

bool address_parse_network(const char *text, struct address_network *network, bool *has_prefix)
{
    char copy[TEXT_SIZE];
    struct hba_address address;
    const char *slash = strchr(text, '/');
    size_t size = slash != NULL ? (size_t)(slash - text) : strlen(text);

    if (size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (!read_address(copy, &address)) {
        return false;
    }
    unsigned bits = address.size * 8;
    const char *prefix = slash != NULL ? slash + 1 : "";
    if (slash != NULL && (!read_number(&prefix, bits, &bits) || *prefix != '\0')) {
        return false;
    }
    network->address = address_unmapped(&address);
    if (network->address.size != address.size) {
        if (bits < 8 * sizeof mapped_prefix) { /* holds more than the mapped ones: stays IPv6 */
            network->address = address;
        } else {
            bits -= 8 * (unsigned)sizeof mapped_prefix;
        }
    }
    network->mask = make_mask(network->address.size, bits);
    *has_prefix = slash != NULL;
    return true;
}

bool address_is_in(const struct hba_address *address, const struct address_network *network)
{
    const struct hba_address plain = address_unmapped(address);

    if (plain.size != network->address.size) {
        return false;
    }
    for (unsigned i = 0; i < plain.size; i++) {
        unsigned difference = plain.bytes[i] ^ network->address.bytes[i];
        if ((difference & network->mask.bytes[i]) != 0) {
            return false;
        }
    }
    return true;
}
