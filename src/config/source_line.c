#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include "config/report_private.h"

static const char secret_key[] = "password";

/* What the lines so far say about the next one. */
struct watch {
    bool is_value_due;  /* the last line ended with "password:" */
    bool is_inside;     /* deeper lines continue a password's value */
    size_t indentation; /* of the line with its key */
    char quote;         /* it is open; 0: none is */
};

static size_t indentation_of(const char *line, size_t size)
{
    size_t count = 0;

    while (count < size && (line[count] == ' ' || line[count] == '\t')) {
        count++;
    }
    return count;
}

static bool is_separator(char byte)
{
    return byte == ':' || byte == '=';
}

enum { NO_VALUE = -1 };

/* Where the value begins behind the first "password:", "password =", "'password':"; it may be the
 * end of the line.  NO_VALUE when there is none. */
static ssize_t find_value(const char *line, size_t size)
{
    size_t key_size = sizeof secret_key - 1;

    for (size_t at = 0; at + key_size < size; at++) {
        if (strncasecmp(line + at, secret_key, key_size) != 0) {
            continue;
        }
        size_t next = at + key_size;
        while (next < size && strchr("\"' \t", line[next]) != NULL) {
            next++;
        }
        if (next < size && is_separator(line[next])) {
            return (ssize_t)next + 1;
        }
    }
    return NO_VALUE;
}

/* Whether `line` is hidden from its first byte on; and what it means for the next. */
static bool step(struct watch *watch, const char *line, size_t size, ssize_t value)
{
    size_t indentation = indentation_of(line, size);
    bool is_blank = indentation == size;
    bool is_hidden = watch->quote != 0 || (!is_blank && watch->is_value_due) ||
                     (!is_blank && watch->is_inside && indentation > watch->indentation);

    if (watch->quote != 0) {
        if (memchr(line, watch->quote, size) != NULL) {
            watch->quote = '\0';
        }
        return true;
    }
    if (is_blank || (is_hidden && value == NO_VALUE)) {
        watch->is_value_due = watch->is_value_due && is_blank;
        return is_hidden;
    }
    watch->is_inside = value != NO_VALUE;
    watch->is_value_due = false;
    if (value == NO_VALUE) {
        return false;
    }
    watch->indentation = indentation;
    size_t start = (size_t)value + indentation_of(line + value, size - (size_t)value);
    watch->is_value_due = start == size;
    if (start < size && (line[start] == '"' || line[start] == '\'') &&
        memchr(line + start + 1, line[start], size - start - 1) == NULL) {
        watch->quote = line[start];
    }
    return is_hidden;
}

bool source_line_find(const char *text, size_t size, unsigned number, struct source_line *line)
{
    struct watch watch = {0};
    size_t start = 0;

    for (unsigned at = 1; number > 0 && start < size; at++) {
        const char *end = memchr(text + start, '\n', size - start);
        size_t length = end != NULL ? (size_t)(end - text) - start : size - start;
        if (length > 0 && text[start + length - 1] == '\r') {
            length--;
        }
        ssize_t value = find_value(text + start, length);
        bool is_hidden = step(&watch, text + start, length, value);
        if (at == number) {
            *line = (struct source_line){.bytes = text + start,
                                         .size = length,
                                         .shown = is_hidden           ? 0
                                                  : value == NO_VALUE ? length
                                                                      : (size_t)value,
                                         .is_secret = is_hidden || value != NO_VALUE};
            return true;
        }
        start = end != NULL ? (size_t)(end - text) + 1 : size;
    }
    return false;
}
