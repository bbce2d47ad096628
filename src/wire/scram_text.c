#include "wire/scram_text.h"

#include <assert.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/memxor.h>
#include <nettle/sha2.h>
#include <string.h>

static_assert(SCRAM_KEY_SIZE == SHA256_DIGEST_SIZE);

void scram_read_begin(struct scram_reader *reader, const char *text, size_t size)
{
    *reader = (struct scram_reader){.at = text, .end = text + size, .has_more = true};
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

bool scram_read_any(struct scram_reader *reader, char *name, struct scram_span *value)
{
    const char *at = reader->at;
    if (!reader->has_more || reader->end - at < 2 || !is_letter(at[0]) || at[1] != '=') {
        return false;
    }
    const char *begin = at + 2;
    const char *comma = memchr(begin, ',', (size_t)(reader->end - begin));
    const char *end = comma == NULL ? reader->end : comma;

    *name = at[0];
    *value = (struct scram_span){.bytes = begin, .size = (size_t)(end - begin)};
    reader->at = comma == NULL ? end : end + 1;
    reader->has_more = comma != NULL;
    return true;
}

bool scram_read(struct scram_reader *reader, char name, struct scram_span *value)
{
    char found;
    return scram_read_any(reader, &found, value) && found == name;
}

bool scram_read_end(const struct scram_reader *reader)
{
    return !reader->has_more;
}

bool scram_span_is(const struct scram_span *span, const char *text)
{
    return span->size == strlen(text) && memcmp(span->bytes, text, span->size) == 0;
}

bool scram_span_is_nonce(const struct scram_span *span)
{
    for (size_t i = 0; i < span->size; i++) {
        if (span->bytes[i] < 0x21 || span->bytes[i] > 0x7e) {
            return false;
        }
    }
    return span->size > 0;
}

bool scram_decode(const struct scram_span *text, unsigned char *bytes, size_t bytes_max,
                  size_t *size)
{
    unsigned char decoded[BASE64_DECODE_LENGTH(SCRAM_TEXT_MAX)];
    struct base64_decode_ctx base64;
    size_t count = sizeof decoded;

    if (text->size > SCRAM_TEXT_MAX) {
        return false;
    }
    base64_decode_init(&base64);
    bool is_right = base64_decode_update(&base64, &count, decoded, text->size, text->bytes) != 0 &&
                    base64_decode_final(&base64) != 0 && count <= bytes_max &&
                    BASE64_ENCODE_RAW_LENGTH(count) == text->size; /* it passes over blanks */
    if (is_right) {
        memcpy(bytes, decoded, count);
        *size = count;
    }
    explicit_bzero(decoded, sizeof decoded);
    return is_right;
}

const char *scram_encode(const void *bytes, size_t size, char text[SCRAM_ENCODED_MAX])
{
    assert(BASE64_ENCODE_RAW_LENGTH(size) < SCRAM_ENCODED_MAX);
    base64_encode_raw(text, size, bytes);
    text[BASE64_ENCODE_RAW_LENGTH(size)] = '\0';
    return text;
}

bool scram_read_number(const struct scram_span *text, unsigned max, unsigned *number)
{
    unsigned result = 0;

    assert(max >= 9);
    for (size_t i = 0; i < text->size; i++) {
        unsigned digit = (unsigned)(text->bytes[i] - '0');
        if (digit > 9 || result > (max - digit) / 10) {
            return false;
        }
        result = result * 10 + digit;
    }
    if (result == 0) {
        return false;
    }
    *number = result;
    return true;
}

bool scram_malformed(struct error *err, const char *what)
{
    return error_set(err, "08P01", "malformed SCRAM message: %s", what);
}

bool scram_check_text(const char *message, size_t size, struct error *err)
{
    if (size >= SCRAM_TEXT_MAX) {
        return scram_malformed(err, "it is too long");
    }
    if (memchr(message, '\0', size) != NULL) {
        return scram_malformed(err, "it has a zero byte");
    }
    return true;
}

void scram_hmac(const unsigned char key[SCRAM_KEY_SIZE], const char *text,
                unsigned char mac[SCRAM_KEY_SIZE])
{
    struct hmac_sha256_ctx hmac;

    hmac_sha256_set_key(&hmac, SCRAM_KEY_SIZE, key);
    hmac_sha256_update(&hmac, strlen(text), (const unsigned char *)text);
    hmac_sha256_digest(&hmac, SCRAM_KEY_SIZE, mac);
    explicit_bzero(&hmac, sizeof hmac);
}

void scram_hash(const unsigned char key[SCRAM_KEY_SIZE], unsigned char hash[SCRAM_KEY_SIZE])
{
    struct sha256_ctx sha256;

    sha256_init(&sha256);
    sha256_update(&sha256, SCRAM_KEY_SIZE, key);
    sha256_digest(&sha256, SCRAM_KEY_SIZE, hash);
    explicit_bzero(&sha256, sizeof sha256);
}

static void add(struct hmac_sha256_ctx *hmac, const char *bytes, size_t size)
{
    hmac_sha256_update(hmac, size, (const unsigned char *)bytes);
}

void scram_sign(const unsigned char key[SCRAM_KEY_SIZE], const char *client_first_bare,
                const struct scram_span *server_first, const struct scram_span *client_final,
                unsigned char signature[SCRAM_KEY_SIZE])
{
    struct hmac_sha256_ctx hmac;

    hmac_sha256_set_key(&hmac, SCRAM_KEY_SIZE, key);
    add(&hmac, client_first_bare, strlen(client_first_bare));
    add(&hmac, ",", 1);
    add(&hmac, server_first->bytes, server_first->size);
    add(&hmac, ",", 1);
    add(&hmac, client_final->bytes, client_final->size);
    hmac_sha256_digest(&hmac, SCRAM_KEY_SIZE, signature);
    explicit_bzero(&hmac, sizeof hmac);
}

void scram_xor(unsigned char a[SCRAM_KEY_SIZE], const unsigned char b[SCRAM_KEY_SIZE])
{
    memxor(a, b, SCRAM_KEY_SIZE);
}

const char *scram_binding(const char *gs2, const unsigned char *end_point, size_t end_point_size,
                          char text[SCRAM_ENCODED_MAX])
{
    struct base64_encode_ctx base64;
    size_t gs2_size = strlen(gs2);

    assert(BASE64_ENCODE_RAW_LENGTH(gs2_size + end_point_size) < SCRAM_ENCODED_MAX);
    base64_encode_init(&base64);
    size_t size = base64_encode_update(&base64, text, gs2_size, (const unsigned char *)gs2);
    size += base64_encode_update(&base64, text + size, end_point_size, end_point);
    size += base64_encode_final(&base64, text + size);
    text[size] = '\0';
    return text;
}
