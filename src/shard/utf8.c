#include "shard/utf8.h"

#include <stdint.h>
#include <string.h>

/* The bytes of the character that begins at bytes[0]; 0 when it is not valid. */
static size_t character_size(const unsigned char *bytes, size_t left)
{
    /* Table 3-7 of the Unicode standard: the range of the second byte depends
     * on the first; the others are 80..BF. */
    static const struct {
        unsigned char first_min, first_max, second_min, second_max, size;
    } rows[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    size_t row = 0, row_count = sizeof rows / sizeof rows[0];

    while (row < row_count && (bytes[0] < rows[row].first_min || bytes[0] > rows[row].first_max)) {
        row++;
    }
    if (row == row_count || rows[row].size > left) {
        return 0;
    }
    if (rows[row].size > 1 &&
        (bytes[1] < rows[row].second_min || bytes[1] > rows[row].second_max)) {
        return 0;
    }
    for (size_t i = 2; i < rows[row].size; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return rows[row].size;
}

/* Whether 8 bytes are all in 01..7F, which most keys are from end to end. */
static bool are_plain(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    uint64_t high = UINT64_C(0x8080808080808080), ones = UINT64_C(0x0101010101010101);
    return ((word | (word - ones)) & high) == 0;
}

bool utf8_is_valid(const char *bytes, size_t size)
{
    size_t at = 0;
    while (at < size) {
        if (size - at >= 8 && are_plain(bytes + at)) {
            at += 8;
            continue;
        }
        size_t step = character_size((const unsigned char *)bytes + at, size - at);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

size_t utf8_prefix(const char *bytes, size_t size, size_t characters)
{
    for (size_t at = 0; at < size; at++) {
        bool is_start = ((unsigned char)bytes[at] & 0xc0) != 0x80;
        if (is_start && characters-- == 0) {
            return at;
        }
    }
    return size;
}
