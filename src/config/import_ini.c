#include "config/import_ini.h"

#include <string.h>
#include <strings.h>

static const char blanks[] = " \t\r";

static size_t skip_blanks(const char *text, size_t at, size_t size)
{
    while (at < size && strchr(blanks, text[at]) != NULL) {
        at++;
    }
    return at;
}

static size_t trim(const char *text, size_t from, size_t to)
{
    while (to > from && strchr(blanks, text[to - 1]) != NULL) {
        to--;
    }
    return to;
}

static unsigned count_columns(const char *text, size_t size)
{
    unsigned columns = 0;

    for (size_t i = 0; i < size; i++) {
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return columns;
}

static struct report_place place_at(const struct ini_reader *reader, const char *line, size_t from,
                                    size_t to)
{
    return (struct report_place){reader->line, count_columns(line, from) + 1,
                                 count_columns(line + from, to - from)};
}

static void put(struct text *text, const char *bytes, size_t size)
{
    text_clear(text);
    text_append_bytes(text, bytes, size);
}

static void wipe(struct text *text)
{
    if (text->bytes != NULL) {
        explicit_bzero(text->bytes, text->capacity);
    }
    text_done(text);
}

void ini_line_done(struct ini_line *line)
{
    wipe(&line->key);
    wipe(&line->value);
}

void ini_pair_done(struct ini_pair *pair)
{
    wipe(&pair->key);
    wipe(&pair->value);
}

/* Bytes up to the closing quote, doubled ones once; `*at` ends behind it.  False: it's missing. */
static bool read_quoted(const char *text, size_t size, size_t *at, struct text *out)
{
    char quote = text[(*at)++];

    text_clear(out);
    for (; *at < size; (*at)++) {
        if (text[*at] == quote) {
            if (*at + 1 == size || text[*at + 1] != quote) {
                (*at)++;
                return true;
            }
            (*at)++;
        }
        text_append_bytes(out, text + *at, 1);
    }
    return false;
}

static bool read_section(struct ini_reader *reader, const char *text, size_t at, size_t size,
                         struct ini_line *line)
{
    static const struct {
        const char *name;
        enum ini_section section;
    } sections[] = {{"[databases]", INI_DATABASES},
                    {"[peers]", INI_PEERS},
                    {"[pgbouncer]", INI_PGBOUNCER},
                    {"[users]", INI_USERS}};

    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (strlen(sections[i].name) == size - at &&
            strncasecmp(text + at, sections[i].name, size - at) == 0) {
            line->kind = INI_SECTION;
            line->section = reader->section = sections[i].section;
            return true;
        }
    }
    return report_error(reader->report, place_at(reader, text, at, size),
                        "databases, users, peers or pgbouncer", "an unknown section");
}

static bool read_pair(struct ini_reader *reader, const char *text, size_t at, size_t size,
                      struct ini_line *line)
{
    size_t start = at;

    if (text[at] == '"') {
        if (!read_quoted(text, size, &at, &line->key)) {
            return report_error(reader->report, place_at(reader, text, start, size), NULL,
                                "the quote is not closed");
        }
    } else {
        while (at < size && text[at] != '=' && strchr(blanks, text[at]) == NULL) {
            at++;
        }
        put(&line->key, text + start, at - start);
    }
    line->key_place = place_at(reader, text, start, at);
    at = skip_blanks(text, at, size);
    if (at == size || text[at] != '=' || line->key.size == 0) {
        return report_error(reader->report, line->key_place, NULL, "expected \"key = value\"");
    }
    at = skip_blanks(text, at + 1, size);
    put(&line->value, text + at, size - at);
    line->value_place = place_at(reader, text, at, size);
    line->kind = INI_PAIR;
    if (reader->section == INI_NONE) {
        return report_error(reader->report, line->key_place, "[databases] or [pgbouncer] first",
                            "no section has begun");
    }
    return true;
}

static bool read_line(struct ini_reader *reader, const char *text, size_t size,
                      struct ini_line *line)
{
    size_t at = skip_blanks(text, 0, size);

    size = trim(text, at, size);
    line->kind = INI_EMPTY;
    line->section = reader->section;
    if (at == size) {
        return true;
    }
    if (text[at] == ';' || text[at] == '#') {
        line->kind = INI_COMMENT;
        at = skip_blanks(text, at + 1, size);
        put(&line->value, text + at, size - at);
        return true;
    }
    if (text[at] == '%') {
        return report_error(reader->report, place_at(reader, text, at, size),
                            "put the file's lines here and import the whole",
                            "%%include is not followed");
    }
    if (text[at] == '[') {
        return read_section(reader, text, at, size, line);
    }
    return read_pair(reader, text, at, size, line);
}

bool ini_next(struct ini_reader *reader, struct ini_line *line)
{
    const struct report *report = reader->report;

    while (reader->at < report->size) {
        const char *text = report->text + reader->at;
        const char *end = memchr(text, '\n', report->size - reader->at);
        size_t size = end != NULL ? (size_t)(end - text) : report->size - reader->at;

        reader->at += size + (end != NULL);
        reader->line++;
        if (read_line(reader, text, size, line)) {
            return true;
        }
    }
    return false;
}

/* ---- connection strings ---- */

static bool bad_pair(const struct ini_line *line, size_t at, struct report *report,
                     const char *what)
{
    struct report_place place = line->value_place;

    place.column += count_columns(text_cstr(&line->value), at);
    place.width = 1;
    return report_error(report, place, "host=… port=… dbname=…", "%s", what);
}

bool ini_next_pair(const struct ini_line *line, size_t *at, struct ini_pair *pair,
                   struct report *report)
{
    const char *text = text_cstr(&line->value);
    size_t size = line->value.size;
    size_t start = *at = skip_blanks(text, *at, size);

    if (start == size) {
        return false;
    }
    while (*at < size && text[*at] != '=' && strchr(blanks, text[*at]) == NULL) {
        (*at)++;
    }
    put(&pair->key, text + start, *at - start);
    pair->place = line->value_place;
    pair->place.column += count_columns(text, start);
    pair->place.width = count_columns(text + start, *at - start);
    *at = skip_blanks(text, *at, size);
    if (*at == size || text[*at] != '=' || pair->key.size == 0) {
        return bad_pair(line, start, report, "expected \"key=value\"");
    }
    start = *at = skip_blanks(text, *at + 1, size);
    if (start < size && text[start] == '\'') {
        return read_quoted(text, size, at, &pair->value) ||
               bad_pair(line, start, report, "the quote is not closed");
    }
    while (*at < size && strchr(blanks, text[*at]) == NULL) {
        (*at)++;
    }
    put(&pair->value, text + start, *at - start);
    return true;
}
