#include "base/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_done(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

void text_clear(struct text *text)
{
    text->size = 0;
    text->has_failed = false;
    if (text->bytes != NULL) {
        text->bytes[0] = '\0';
    }
}

const char *text_cstr(const struct text *text)
{
    return text->bytes != NULL ? text->bytes : "";
}

/* Makes room for `more` bytes and the zero.  False when out of memory. */
static bool reserve(struct text *text, size_t more)
{
    if (text->has_failed || more > SIZE_MAX / 2 - text->size) {
        text->has_failed = true;
        return false;
    }
    size_t needed = text->size + more + 1;
    if (needed <= text->capacity) {
        return true;
    }
    size_t capacity = text->capacity == 0 ? 64 : text->capacity * 2;
    if (capacity < needed) {
        capacity = needed;
    }
    char *bytes = realloc(text->bytes, capacity);
    if (bytes == NULL) {
        text->has_failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_append_bytes(struct text *text, const char *bytes, size_t size)
{
    if (!reserve(text, size)) {
        return;
    }
    if (size > 0) {
        memcpy(text->bytes + text->size, bytes, size);
    }
    text->size += size;
    text->bytes[text->size] = '\0';
}

void text_append(struct text *text, const char *string)
{
    text_append_bytes(text, string, strlen(string));
}

void text_appendf(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0 || !reserve(text, (size_t)size)) {
        text->has_failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(text->bytes + text->size, (size_t)size + 1, format, args);
    va_end(args);
    text->size += (size_t)size;
}

void text_append_repeated(struct text *text, const char *string, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        text_append(text, string);
    }
}

static size_t missing_columns(const char *string, size_t columns)
{
    size_t width = text_columns(string);
    return width < columns ? columns - width : 0;
}

void text_append_left(struct text *text, const char *string, size_t columns)
{
    text_append(text, string);
    text_append_repeated(text, " ", missing_columns(string, columns));
}

void text_append_right(struct text *text, const char *string, size_t columns)
{
    text_append_repeated(text, " ", missing_columns(string, columns));
    text_append(text, string);
}

size_t text_columns(const char *string)
{
    size_t columns = 0;
    for (; *string != '\0'; string++) {
        bool is_continuation = ((unsigned char)*string & 0xc0) == 0x80;
        columns += !is_continuation;
    }
    return columns;
}

const char *text_grouped(char buffer[TEXT_NUMBER_SIZE], int64_t number, char separator)
{
    char digits[TEXT_NUMBER_SIZE];
    int count = snprintf(digits, sizeof digits, "%" PRId64, number);
    size_t first = number < 0 ? 1 : 0;
    size_t at = 0;

    for (size_t i = 0; i < (size_t)count; i++) {
        size_t left = (size_t)count - i;
        if (i > first && left % 3 == 0) {
            buffer[at++] = separator;
        }
        buffer[at++] = digits[i];
    }
    assert(at < TEXT_NUMBER_SIZE);
    buffer[at] = '\0';
    return buffer;
}

size_t text_distance(const char *a, const char *b)
{
    enum { LENGTH_MAX = 63 };
    size_t row[LENGTH_MAX + 1];
    size_t size_a = strlen(a), size_b = strlen(b);

    if (size_a > LENGTH_MAX || size_b > LENGTH_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= size_b; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= size_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= size_b; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[size_b];
}
