#include "cluster/lsn.h"

#include <inttypes.h>
#include <stdio.h>

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

/* Reads the digits at text[*at..size); false unless there are 1 to 8 of them. */
static bool read_half(const char *text, size_t size, size_t *at, uint64_t *half)
{
    size_t start = *at;

    *half = 0;
    while (*at < size && digit_value(text[*at]) >= 0) {
        if (*at - start == 8) {
            return false;
        }
        *half = *half << 4 | (uint64_t)digit_value(text[*at]);
        (*at)++;
    }
    return *at > start;
}

bool lsn_parse(const char *text, size_t size, uint64_t *lsn)
{
    uint64_t high, low;
    size_t at = 0;

    if (!read_half(text, size, &at, &high) || at == size || text[at] != '/') {
        return false;
    }
    at++;
    if (!read_half(text, size, &at, &low) || at != size) {
        return false;
    }
    *lsn = high << 32 | low;
    return true;
}

const char *lsn_print(char buffer[LSN_TEXT_SIZE], uint64_t lsn)
{
    snprintf(buffer, LSN_TEXT_SIZE, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return buffer;
}

uint64_t lsn_bytes_behind(uint64_t lsn, uint64_t ahead)
{
    return ahead > lsn ? ahead - lsn : 0;
}
