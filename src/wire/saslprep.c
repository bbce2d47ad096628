#include "wire/saslprep.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <stringprep.h>

struct code_points {
    uint32_t *codes; /* owned */
    size_t count;
};

static void wipe_and_free(void *memory, size_t size)
{
    if (memory != NULL) {
        explicit_bzero(memory, size);
        free(memory);
    }
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80) {
        text++;
    }
    return *text == '\0';
}

/* Ends with an element of zeros; one whose end is 0 is a single code point. */
static bool is_in_table(uint32_t code, const Stringprep_table_element *table)
{
    for (size_t i = 0; table[i].start != 0 || table[i].end != 0; i++) {
        uint32_t end = table[i].end == 0 ? table[i].start : table[i].end;
        if (code >= table[i].start && code <= end) {
            return true;
        }
    }
    return false;
}

static bool is_prohibited(uint32_t code)
{
    static const Stringprep_table_element *const tables[] = {
        stringprep_rfc3454_C_1_2, stringprep_rfc3454_C_2_1, stringprep_rfc3454_C_2_2,
        stringprep_rfc3454_C_3,   stringprep_rfc3454_C_4,   stringprep_rfc3454_C_5,
        stringprep_rfc3454_C_6,   stringprep_rfc3454_C_7,   stringprep_rfc3454_C_8,
        stringprep_rfc3454_C_9,   stringprep_rfc3454_A_1,
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (is_in_table(code, tables[i])) {
            return true;
        }
    }
    return false;
}

/* Spaces become one kind of space, and what is commonly mapped to nothing goes. */
static void map(struct code_points *text)
{
    size_t count = 0;
    for (size_t i = 0; i < text->count; i++) {
        uint32_t code = text->codes[i];
        if (is_in_table(code, stringprep_rfc3454_C_1_2)) {
            text->codes[count++] = ' ';
        } else if (!is_in_table(code, stringprep_rfc3454_B_1)) {
            text->codes[count++] = code;
        }
    }
    text->count = count;
}

static bool has_any(const struct code_points *text, const Stringprep_table_element *table)
{
    for (size_t i = 0; i < text->count; i++) {
        if (is_in_table(text->codes[i], table)) {
            return true;
        }
    }
    return false;
}

/* RFC 3454, section 6: with a character that runs from right to left none may run the other way,
 * and the first and the last must run as it does. */
static bool is_bidirectional_right(const struct code_points *text)
{
    const Stringprep_table_element *right_to_left = stringprep_rfc3454_D_1;
    return !has_any(text, right_to_left) ||
           (!has_any(text, stringprep_rfc3454_D_2) && is_in_table(text->codes[0], right_to_left) &&
            is_in_table(text->codes[text->count - 1], right_to_left));
}

static bool is_allowed(const struct code_points *text)
{
    for (size_t i = 0; i < text->count; i++) {
        if (is_prohibited(text->codes[i])) {
            return false;
        }
    }
    return text->count > 0 && is_bidirectional_right(text);
}

/* Unicode's Corrigendum 4: the five mappings of 3.2 that were wrong.  PostgreSQL has the new ones.
 */
static uint32_t corrected(uint32_t code)
{
    switch (code) {
    case 0x2f868: return 0x36fc;
    case 0x2f874: return 0x5f53;
    case 0x2f91f: return 0x243ab;
    case 0x2f95f: return 0x7aee;
    case 0x2f9bf: return 0x45d7;
    default: /* lint: not an enum */ return code;
    }
}

static char *normalize(struct code_points *text)
{
    for (size_t i = 0; i < text->count; i++) {
        text->codes[i] = corrected(text->codes[i]);
    }
    uint32_t *codes = stringprep_ucs4_nfkc_normalize(text->codes, (ssize_t)text->count);
    if (codes == NULL) {
        return NULL;
    }
    size_t count = 0;
    char *prepared = stringprep_ucs4_to_utf8(codes, -1, &count, NULL);
    wipe_and_free(codes, count * sizeof codes[0]);
    return prepared;
}

static char *prepare(const char *password, struct code_points *text)
{
    map(text);
    return is_allowed(text) ? normalize(text) : strdup(password);
}

char *saslprep_password(const char *password)
{
    if (is_ascii(password)) {
        return strdup(password);
    }
    struct code_points text = {0};
    errno = 0;
    text.codes = stringprep_utf8_to_ucs4(password, -1, &text.count);
    if (text.codes == NULL) {
        return errno == ENOMEM ? NULL : strdup(password); /* else it isn't valid UTF-8 */
    }
    size_t size = text.count * sizeof text.codes[0]; /* mapping makes the count smaller */
    char *prepared = prepare(password, &text);
    wipe_and_free(text.codes, size);
    return prepared;
}
