#include "wire/notice.h"

#include <assert.h>
#include <string.h>

#include "wire/message.h"

static bool is_failure(const char *severity)
{
    return strcmp(severity, "ERROR") == 0 || strcmp(severity, "FATAL") == 0 ||
           strcmp(severity, "PANIC") == 0;
}

static void put_field(struct message_writer *writer, char field, const char *value)
{
    message_put_byte(writer, field);
    message_put_string(writer, value);
}

bool notice_write(struct buffer *out, const char *severity, const struct error *error)
{
    assert(error_is_set(error));
    struct message_writer writer = message_begin(out, is_failure(severity) ? 'E' : 'N');

    put_field(&writer, 'S', severity);
    put_field(&writer, 'V', severity);
    put_field(&writer, 'C', error->sqlstate);
    put_field(&writer, 'M', error->message);
    if (error->hint[0] != '\0') {
        put_field(&writer, 'H', error->hint);
    }
    message_put_byte(&writer, '\0');
    return message_end(&writer);
}

/* The next field; false at the body's end.  A body that is cut off sets reader->has_failed. */
static bool next_field(struct message_reader *reader, char *field, const char **value)
{
    *field = message_read_byte(reader);
    if (*field == '\0') {
        return false;
    }
    *value = message_read_string(reader);
    return !reader->has_failed;
}

static void keep_field(struct notice *notice, char field, const char *value)
{
    switch (field) {
    case 'S': /* translated; older servers have only this one */
        notice->severity = notice->severity == NULL ? value : notice->severity;
        break;
    case 'V': notice->severity = value; break;
    case 'C': notice->sqlstate = value; break;
    case 'M': notice->message = value; break;
    case 'D': notice->detail = value; break;
    case 'H': notice->hint = value; break;
    default: /* lint: not an enum; "frontends should silently ignore fields of unrecognized type" */
        break;
    }
}

bool notice_read_front(const char *body, size_t size, struct notice *notice)
{
    struct message_reader reader;
    struct notice result = {0};
    const char *value;
    char field;

    message_read_begin(&reader, body, size);
    while (next_field(&reader, &field, &value)) {
        keep_field(&result, field, value);
    }
    if (result.severity == NULL || result.sqlstate == NULL) {
        return false;
    }
    *notice = result;
    return true;
}

bool notice_read(const char *body, size_t size, struct notice *notice)
{
    struct message_reader reader;
    struct notice result = {0};
    const char *value;
    char field;

    message_read_begin(&reader, body, size);
    while (next_field(&reader, &field, &value)) {
        keep_field(&result, field, value);
    }
    if (!message_read_end(&reader)) {
        return false;
    }
    *notice = result;
    return true;
}

static bool is_word_byte(char byte)
{
    unsigned char b = (unsigned char)byte;
    return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '_' ||
           b == '$' || b >= 0x80;
}

/* Whether a name that begins or ends here would go on at its other side: "x_1" in "x_12". */
static bool is_word_inside(char left, char right)
{
    return is_word_byte(left) && is_word_byte(right);
}

/* The first place where the whole name `from` stands; NULL when there is none. */
static const char *find_name(const char *begin, const char *text, const char *from,
                             size_t from_size)
{
    for (const char *at = strstr(text, from); at != NULL; at = strstr(at + 1, from)) {
        bool is_after_word = at != begin && is_word_inside(at[-1], from[0]);
        bool is_before_word = is_word_inside(from[from_size - 1], at[from_size]);
        if (!is_after_word && !is_before_word) {
            return at;
        }
    }
    return NULL;
}

static void put_replaced(struct message_writer *writer, const char *value, const char *from,
                         const char *to)
{
    size_t from_size = strlen(from);
    size_t to_size = strlen(to);
    const char *rest = value;

    for (const char *at = find_name(value, rest, from, from_size); at != NULL;
         at = find_name(value, rest, from, from_size)) {
        message_put_bytes(writer, rest, (size_t)(at - rest));
        message_put_bytes(writer, to, to_size);
        rest = at + from_size;
    }
    message_put_string(writer, rest);
}

bool notice_write_replaced(struct buffer *out, char type, const char *body, size_t size,
                           const char *from, const char *to)
{
    assert(from[0] != '\0');
    struct notice notice;
    if (!notice_read(body, size, &notice)) {
        return false;
    }
    struct message_reader reader;
    struct message_writer writer = message_begin(out, type);
    const char *value;
    char field;

    message_read_begin(&reader, body, size);
    while (next_field(&reader, &field, &value)) {
        message_put_byte(&writer, field);
        if (field == 'M' || field == 'D' || field == 'H') {
            put_replaced(&writer, value, from, to);
        } else {
            message_put_string(&writer, value);
        }
    }
    message_put_byte(&writer, '\0');
    return message_end(&writer);
}
