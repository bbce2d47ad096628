#include "config/hba_line.h"

#include <string.h>

enum { ITEM_SIZE = 256 };

static bool is_at_end(const struct hba_reader *reader)
{
    return reader->at >= reader->report->size;
}

static char peek(const struct hba_reader *reader)
{
    if (is_at_end(reader)) {
        return '\n';
    }
    return reader->report->text[reader->at];
}

static bool is_continued(const struct hba_reader *reader)
{
    const char *text = reader->report->text + reader->at;
    size_t left = reader->report->size - reader->at;

    return (left > 1 && text[0] == '\\' && text[1] == '\n') ||
           (left > 2 && text[0] == '\\' && text[1] == '\r' && text[2] == '\n');
}

static void step(struct hba_reader *reader)
{
    char byte = reader->report->text[reader->at++];

    if (byte == '\n') {
        reader->line++;
        reader->column = 1;
    } else {
        reader->column += ((unsigned char)byte & 0xc0) != 0x80; /* a character's first byte */
    }
}

static void skip_line(struct hba_reader *reader)
{
    while (!is_at_end(reader) && peek(reader) != '\n') {
        step(reader);
    }
    if (!is_at_end(reader)) {
        step(reader);
    }
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static void skip_blanks(struct hba_reader *reader)
{
    while (!is_at_end(reader)) {
        if (is_continued(reader)) {
            while (peek(reader) != '\n') {
                step(reader);
            }
            step(reader);
        } else if (is_blank(peek(reader))) {
            step(reader);
        } else {
            return;
        }
    }
}

static struct report_place place_of(const struct hba_reader *reader)
{
    return (struct report_place){reader->line, reader->column, 1};
}

static bool is_item_end(const struct hba_reader *reader, bool is_inside)
{
    char byte = peek(reader);

    return byte == '\n' || (!is_inside && (is_blank(byte) || byte == ',' || byte == '#' ||
                                           (byte == '\\' && is_continued(reader))));
}

/* The item's bytes without quotes; false when it was reported. */
static bool read_bytes(struct hba_reader *reader, struct report_place start, char text[ITEM_SIZE],
                       size_t *size)
{
    bool is_inside = false, was_end = false; /* the byte before closed a quote */

    for (*size = 0; !is_item_end(reader, is_inside);) {
        char byte = peek(reader);
        bool is_doubled = byte == '"' && was_end;

        if ((unsigned char)byte < ' ' && byte != '\t') {
            return report_error(reader->report, place_of(reader), NULL, "control character 0x%02x",
                                (unsigned char)byte);
        }
        step(reader);
        was_end = byte == '"' && is_inside;
        is_inside = byte == '"' ? !is_inside : is_inside;
        if (byte == '"' && !is_doubled) {
            continue;
        }
        if (*size + 1 == ITEM_SIZE) {
            return report_error(reader->report, start, NULL, "is longer than %d bytes",
                                ITEM_SIZE - 1);
        }
        text[(*size)++] = byte;
    }
    if (is_inside) {
        return report_error(reader->report, start, NULL, "the quote is not closed on its line");
    }
    return true;
}

static struct hba_item *read_item(struct hba_reader *reader)
{
    char text[ITEM_SIZE];
    struct report_place place = place_of(reader);
    bool is_quoted = peek(reader) == '"';
    size_t size = 0;

    if (!read_bytes(reader, place, text, &size)) {
        return NULL;
    }
    struct hba_item *item = arena_alloc(reader->arena, sizeof *item);
    const char *copy = arena_copy(reader->arena, text, size);
    if (item == NULL || copy == NULL) {
        report_error(reader->report, place, NULL, "out of memory");
        return NULL;
    }
    place.width = reader->line == place.line ? reader->column - place.column : 1;
    *item = (struct hba_item){.text = copy, .is_quoted = is_quoted, .place = place};
    return item;
}

/* Items with commas between; NULL when it was reported. */
static struct hba_item *read_field(struct hba_reader *reader)
{
    struct hba_item *first = NULL, **next = &first;

    for (;;) {
        if (peek(reader) == ',' || peek(reader) == '#' || peek(reader) == '\n') {
            report_error(reader->report, place_of(reader), NULL, "an item is missing");
            return NULL;
        }
        *next = read_item(reader);
        if (*next == NULL) {
            return NULL;
        }
        next = &(*next)->next;
        if (peek(reader) != ',') {
            return first;
        }
        step(reader);
        skip_blanks(reader);
    }
}

/* False when the line was reported. */
static bool read_fields(struct hba_reader *reader, struct hba_line *line)
{
    *line = (struct hba_line){0};
    for (;;) {
        skip_blanks(reader);
        line->end = place_of(reader);
        if (peek(reader) == '#' || peek(reader) == '\n') {
            return true;
        }
        line->number = line->count == 0 ? reader->line : line->number;
        if (line->count == HBA_FIELDS_MAX) {
            return report_error(reader->report, place_of(reader), NULL, "too many fields");
        }
        line->fields[line->count] = read_field(reader);
        if (line->fields[line->count] == NULL) {
            return false;
        }
        line->count++;
    }
}

bool hba_line_next(struct hba_reader *reader, struct hba_line *line)
{
    while (!is_at_end(reader)) {
        bool is_read = read_fields(reader, line);
        skip_line(reader);
        if (is_read && line->count > 0) {
            return true;
        }
    }
    return false;
}
