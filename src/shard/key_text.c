#include "shard/key_text.h"

#include <assert.h>
#include <string.h>

#include "shard/date.h"
#include "shard/utf8.h"

static_assert(KEY_TEXT_BUFFER >= 36); /* a uuid, the longest */
static_assert((int)KEY_TEXT_BUFFER >= (int)DATE_TEXT_SIZE);

const char *key_text_bytes(const struct key_text *key)
{
    return key->borrowed != NULL ? key->borrowed : key->buffer;
}

static bool malformed(enum key_kind kind, struct error *err)
{
    return error_set(err, "22P02", "the key is not a valid %s", key_kind_name(kind));
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r'); /* what isspace() is in the C locale */
}

/* --- integers --- */

static void integer_limits(enum key_kind kind, int64_t *min, int64_t *max)
{
    *min = kind == KEY_INT2 ? INT16_MIN : kind == KEY_INT4 ? INT32_MIN : INT64_MIN;
    *max = kind == KEY_INT2 ? INT16_MAX : kind == KEY_INT4 ? INT32_MAX : INT64_MAX;
}

static bool check_range(enum key_kind kind, int64_t number, struct error *err)
{
    int64_t min, max;
    integer_limits(kind, &min, &max);
    if (number < min || number > max) {
        return error_set(err, "22003", "the key is out of range for type %s", key_kind_name(kind));
    }
    return true;
}

void key_text_from_integer(struct key_text *key, enum key_kind kind, int64_t number)
{
    char digits[20];
    size_t count = 0, at = 0;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

    assert(key_kind_is_integer(kind));
    key->kind = kind;
    key->borrowed = NULL;
    key->number = number;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        key->buffer[at++] = '-';
    }
    while (count > 0) {
        key->buffer[at++] = digits[--count];
    }
    key->size = (uint32_t)at;
}

/* As int8in: blanks around, one sign, decimal digits.  22P02 or 22003. */
static bool parse_integer(enum key_kind kind, const char *bytes, size_t size, int64_t *number,
                          struct error *err)
{
    const char *at = bytes, *end = bytes + size;
    bool is_overflow = false;
    int64_t value = 0; /* kept negative: INT64_MIN has no positive twin */

    while (at < end && is_blank(*at)) {
        at++;
    }
    while (end > at && is_blank(end[-1])) {
        end--;
    }
    bool is_negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) {
        at++;
    }
    if (at == end) {
        return malformed(kind, err);
    }
    for (; at < end; at++) {
        if (*at < '0' || *at > '9') {
            return malformed(kind, err);
        }
        is_overflow |= __builtin_mul_overflow(value, (int64_t)10, &value) ||
                       __builtin_sub_overflow(value, (int64_t)(*at - '0'), &value);
    }
    if (is_overflow || (!is_negative && value == INT64_MIN)) {
        return error_set(err, "22003", "the key is out of range for type %s", key_kind_name(kind));
    }
    *number = is_negative ? value : -value;
    return check_range(kind, *number, err);
}

/* --- uuid --- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* As uuid_in: braces around, and a hyphen after each group of four digits, are
 * optional; any case. */
static bool parse_uuid(const char *bytes, size_t size, uint8_t uuid[16], struct error *err)
{
    const char *at = bytes, *end = bytes + size;
    bool has_braces = size > 0 && bytes[0] == '{';

    if (has_braces) {
        at++;
        if (end[-1] != '}' || --end <= at) {
            return malformed(KEY_UUID, err);
        }
    }
    for (int i = 0; i < 16; i++) {
        if (end - at < 2 || hex_value(at[0]) < 0 || hex_value(at[1]) < 0) {
            return malformed(KEY_UUID, err);
        }
        uuid[i] = (uint8_t)(hex_value(at[0]) << 4 | hex_value(at[1]));
        at += 2;
        if (i % 2 == 1 && i < 15 && at < end && *at == '-') {
            at++;
        }
    }
    return at == end || malformed(KEY_UUID, err);
}

static void from_uuid(struct key_text *key, const uint8_t uuid[16])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;

    key->kind = KEY_UUID;
    key->borrowed = NULL;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            key->buffer[at++] = '-';
        }
        key->buffer[at++] = digits[uuid[i] >> 4];
        key->buffer[at++] = digits[uuid[i] & 15];
    }
    key->size = (uint32_t)at;
    memcpy(key->uuid, uuid, sizeof key->uuid);
}

/* --- date --- */

static void from_date(struct key_text *key, int32_t days)
{
    key->kind = KEY_DATE;
    key->borrowed = NULL;
    key->number = days;
    key->size = (uint32_t)date_print(key->buffer, days);
}

/* --- strings --- */

static size_t without_blanks(const char *bytes, size_t size)
{
    while (size > 0 && bytes[size - 1] == ' ') {
        size--;
    }
    return size;
}

/* What an explicit cast to `source` leaves of the value. */
static size_t apply_cast(const struct key_type *source, const char *bytes, size_t size)
{
    if (source->length > 0) {
        size = utf8_prefix(bytes, size, source->length);
    }
    return source->kind == KEY_CHAR ? without_blanks(bytes, size) : size;
}

/* What the column would store: char(n) and varchar(n) drop blanks beyond their
 * length, and refuse anything else there. */
static bool fit_column(const struct key_type *column, const char *bytes, size_t *size,
                       struct error *err)
{
    if (column->kind == KEY_CHAR) {
        *size = without_blanks(bytes, *size);
    }
    if (column->length == 0) {
        return true;
    }
    size_t fitting = utf8_prefix(bytes, *size, column->length);
    size_t needed = without_blanks(bytes, *size);
    if (needed > fitting) {
        char name[KEY_TYPE_NAME_SIZE];
        return error_set(err, "22001", "the key is too long for type %s",
                         key_type_print(name, column));
    }
    *size = fitting;
    return true;
}

static bool from_string(struct key_text *key, const struct key_type *column,
                        const struct key_type *source, const char *bytes, size_t size,
                        struct error *err)
{
    if (size > KEY_TEXT_SIZE_MAX) {
        return error_set(err, "54000", "the key is longer than %d bytes", KEY_TEXT_SIZE_MAX);
    }
    if (!utf8_is_valid(bytes, size)) {
        return error_set(err, "22021", "the key is not valid UTF-8");
    }
    size = apply_cast(source, bytes, size);
    if (!fit_column(column, bytes, &size, err)) {
        return false;
    }
    key->kind = column->kind;
    key->borrowed = bytes;
    key->size = (uint32_t)size;
    return true;
}

/* --- from what the statement says to what the column holds --- */

static bool no_cast(enum key_kind column, enum key_kind source, struct error *err)
{
    return error_set(err, "42846", "a %s value for a key of type %s: this cast is not followed",
                     key_kind_name(source), key_kind_name(column));
}

/* An integer or uuid, already in `value`, into a column of strings: its text. */
static bool assign_to_string(struct key_text *value, const struct key_type *column,
                             struct error *err)
{
    size_t size = value->size;
    if (!fit_column(column, value->buffer, &size, err)) {
        return false;
    }
    value->size = (uint32_t)size;
    value->kind = column->kind;
    return true;
}

/* `value` has the kind of the source; makes it the column's. */
static bool convert(struct key_text *value, const struct key_type *column, struct error *err)
{
    enum key_kind source = value->kind;
    if (key_kind_is_integer(source) && key_kind_is_integer(column->kind)) {
        value->kind = column->kind;
        return check_range(column->kind, value->number, err);
    }
    if ((key_kind_is_integer(source) || source == KEY_UUID) && key_kind_is_string(column->kind)) {
        return assign_to_string(value, column, err);
    }
    return source == column->kind || no_cast(column->kind, source, err);
}

bool key_text_parse(struct key_text *key, const struct key_type *column,
                    const struct key_type *source, const char *bytes, size_t size,
                    struct error *err)
{
    struct key_type plain = {.kind = column->kind};
    enum key_kind kind = source != NULL ? source->kind : column->kind;
    struct key_text value = {0};
    int64_t number = 0;
    int32_t days = 0;
    uint8_t uuid[16] = {0};

    switch (kind) {
    case KEY_INT2:
    case KEY_INT4:
    case KEY_INT8:
        if (!parse_integer(kind, bytes, size, &number, err)) {
            return false;
        }
        key_text_from_integer(&value, kind, number);
        break;
    case KEY_UUID:
        if (!parse_uuid(bytes, size, uuid, err)) {
            return false;
        }
        from_uuid(&value, uuid);
        break;
    case KEY_DATE:
        if (!date_parse(bytes, size, &days)) {
            malformed(kind, err);
            return error_hint(err, "only ISO dates, such as 2026-11-24, mean the same everywhere");
        }
        from_date(&value, days);
        break;
    case KEY_TEXT:
    case KEY_VARCHAR:
    case KEY_CHAR:
        return key_kind_is_string(column->kind)
                   ? from_string(key, column, source != NULL ? source : &plain, bytes, size, err)
                   : no_cast(column->kind, kind, err);
    case KEY_KIND_COUNT: assert(false);
    }
    if (!convert(&value, column, err)) {
        return false;
    }
    *key = value;
    return true;
}

static bool check_size(enum key_kind kind, size_t size, size_t wanted, struct error *err)
{
    if (size != wanted) {
        return error_set(err, "22P03", "a binary %s has %zu bytes, not %zu", key_kind_name(kind),
                         wanted, size);
    }
    return true;
}

/* A signed big-endian number of 2, 4 or 8 bytes. */
static int64_t big_endian(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | bytes[i];
    }
    return size == 2 ? (int16_t)number : size == 4 ? (int32_t)number : (int64_t)number;
}

static bool decode_date(struct key_text *value, const uint8_t *bytes, size_t size,
                        struct error *err)
{
    if (!check_size(KEY_DATE, size, 4, err)) {
        return false;
    }
    int32_t days = (int32_t)big_endian(bytes, size);
    if (!date_is_valid(days)) {
        return error_set(err, "22003", "the key is out of range for type date");
    }
    from_date(value, days);
    return true;
}

bool key_text_decode(struct key_text *key, const struct key_type *column,
                     const struct key_type *source, const uint8_t *bytes, size_t size,
                     struct error *err)
{
    struct key_type plain = {.kind = column->kind};
    enum key_kind kind = source != NULL ? source->kind : column->kind;
    size_t integer_size = kind == KEY_INT2 ? 2 : kind == KEY_INT4 ? 4 : 8;
    struct key_text value = {0};

    switch (kind) {
    case KEY_INT2:
    case KEY_INT4:
    case KEY_INT8:
        if (!check_size(kind, size, integer_size, err)) {
            return false;
        }
        key_text_from_integer(&value, kind, big_endian(bytes, size));
        break;
    case KEY_UUID:
        if (!check_size(kind, size, 16, err)) {
            return false;
        }
        from_uuid(&value, bytes);
        break;
    case KEY_DATE:
        if (!decode_date(&value, bytes, size, err)) {
            return false;
        }
        break;
    case KEY_TEXT:
    case KEY_VARCHAR:
    case KEY_CHAR: /* both formats of a string are its bytes */
        return key_kind_is_string(column->kind)
                   ? from_string(key, column, source != NULL ? source : &plain, (const char *)bytes,
                                 size, err)
                   : no_cast(column->kind, kind, err);
    case KEY_KIND_COUNT: assert(false);
    }
    if (!convert(&value, column, err)) {
        return false;
    }
    *key = value;
    return true;
}
