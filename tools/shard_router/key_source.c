#include "shard_router/key_source.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "shard/digest.h"

void key_source_lines(struct key_source *source, FILE *in, const struct key_type *type)
{
    *source = (struct key_source){.type = *type, .in = in};
}

void key_source_generate(struct key_source *source, uint64_t count, const struct key_type *type)
{
    *source = (struct key_source){.type = *type, .generated = count};
}

static void put_big_endian(uint8_t *bytes, size_t size, uint64_t number)
{
    for (size_t i = size; i-- > 0; number >>= 8) {
        bytes[i] = (uint8_t)number;
    }
}

static bool make_key(struct key_source *source, uint64_t number, struct key_text *key,
                     struct error *err)
{
    const struct key_type int8 = {.kind = KEY_INT8};
    uint8_t binary[16];
    int size =
        snprintf(source->generated_text, sizeof source->generated_text, "user:%" PRIu64, number);

    if (key_kind_is_string(source->type.kind)) {
        return key_text_parse(key, &source->type, NULL, source->generated_text, (size_t)size, err);
    }
    if (source->type.kind == KEY_UUID) {
        struct digest digest = digest_of(source->generated_text, (size_t)size);
        put_big_endian(binary, 8, digest.high);
        put_big_endian(binary + 8, 8, digest.low);
        return key_text_decode(key, &source->type, NULL, binary, 16, err);
    }
    if (source->type.kind == KEY_DATE) {
        put_big_endian(binary, 4, number);
        return key_text_decode(key, &source->type, NULL, binary, 4, err);
    }
    put_big_endian(binary, 8, number);
    return key_text_decode(key, &source->type, &int8, binary, 8, err);
}

/* Moves the rest to the front and reads more behind it. */
static bool refill(struct key_source *source, struct error *err)
{
    memmove(source->buffer, source->buffer + source->at, source->end - source->at);
    source->end -= source->at;
    source->at = 0;
    size_t got =
        fread(source->buffer + source->end, 1, sizeof source->buffer - source->end, source->in);
    source->end += got;
    source->is_at_end = got == 0;
    if (got == 0 && ferror(source->in)) {
        return error_set(err, "58030", "cannot read the keys: %s", strerror(errno));
    }
    return true;
}

static bool check_line(const char *line, size_t size, struct error *err)
{
    if (size > KEY_SOURCE_LINE_MAX) {
        return error_set(err, "54000", "longer than %d bytes", KEY_SOURCE_LINE_MAX);
    }
    if (size == 0) {
        return error_set(err, "22P02", "an empty line is no key");
    }
    if (line[size - 1] == '\r') {
        error_set(err, "22P02", "ends in CR LF");
        return error_hint(err, "the CR would be a part of the key: remove it with tr -d '\\r'");
    }
    return true;
}

/* Finds the next line in the buffer, reading more when there is none. */
static enum key_source_result next_line(struct key_source *source, const char **line, size_t *size,
                                        struct error *err)
{
    while (true) {
        const char *begin = source->buffer + source->at;
        size_t left = source->end - source->at;
        const char *newline = memchr(begin, '\n', left);
        bool is_whole = newline != NULL || (source->is_at_end && left > 0);
        if (is_whole || left > KEY_SOURCE_LINE_MAX) {
            *line = begin;
            *size = newline != NULL ? (size_t)(newline - begin) : left;
            source->at += *size + (newline != NULL);
            return KEY_SOURCE_KEY;
        }
        if (source->is_at_end) {
            return KEY_SOURCE_END;
        }
        if (!refill(source, err)) {
            return KEY_SOURCE_BAD;
        }
    }
}

enum key_source_result key_source_next(struct key_source *source, struct key_text *key,
                                       struct error *err)
{
    const char *line = NULL;
    size_t size = 0;

    if (source->in == NULL) {
        if (source->number == source->generated) {
            return KEY_SOURCE_END;
        }
        if (!make_key(source, source->number++, key, err)) {
            error_wrap(err, "generated key %" PRIu64, source->number);
            return KEY_SOURCE_BAD;
        }
        return KEY_SOURCE_KEY;
    }
    enum key_source_result result = next_line(source, &line, &size, err);
    if (result != KEY_SOURCE_KEY) {
        return result;
    }
    source->number++;
    if (!check_line(line, size, err) ||
        !key_text_parse(key, &source->type, NULL, line, size, err)) {
        error_wrap(err, "line %" PRIu64, source->number);
        return KEY_SOURCE_BAD;
    }
    return KEY_SOURCE_KEY;
}
