/* base/text: a string that grows, and what a report needs to lay strings out.
 *
 * Out of memory is remembered, not returned: after the first failed append all
 * further ones do nothing and `has_failed` is true, so a long run of appends
 * needs one check at its end.  Bytes are UTF-8; widths are in terminal columns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *bytes; /* owned; zero-terminated, NULL while nothing was appended */
    size_t size; /* bytes, without the zero */
    size_t capacity;
    bool has_failed; /* memory ran out; the text is incomplete */
};

void text_done(struct text *text);  /* frees; leaves an empty text */
void text_clear(struct text *text); /* empties it, keeps the memory */

/* The text so far; "" when nothing was appended.  Borrowed until the next append. */
[[nodiscard]] const char *text_cstr(const struct text *text);

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t size);
[[gnu::format(printf, 2, 3)]] void text_appendf(struct text *text, const char *format, ...);
void text_append_repeated(struct text *text, const char *string, size_t count);

/* Appends `string` and blanks up to `columns`; left- or right-aligned.  A
 * longer string is not cut. */
void text_append_left(struct text *text, const char *string, size_t columns);
void text_append_right(struct text *text, const char *string, size_t columns);

/* Terminal columns of a UTF-8 string: one for each code point, as our output
 * has no wide or combining characters. */
[[nodiscard]] size_t text_columns(const char *string);

enum { TEXT_NUMBER_SIZE = 40 };

/* "132,480": groups of three, separated by `separator`.  Returns `buffer`. */
const char *text_grouped(char buffer[TEXT_NUMBER_SIZE], int64_t number, char separator);

/* The edit distance between two strings of at most 63 bytes, for "did you
 * mean"; longer ones are as far apart as can be. */
[[nodiscard]] size_t text_distance(const char *a, const char *b);
