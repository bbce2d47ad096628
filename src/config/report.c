#include "config/report.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/report_private.h"

enum { COLUMNS_MAX = 100, COLUMNS_BEFORE = 60 }; /* of a long line that is shown */

void report_init(struct report *report, const char *path, const char *text, size_t size)
{
    *report = (struct report){.path = path, .text = text, .size = size};
}

void report_done(struct report *report)
{
    free(report->problems);
    *report = (struct report){0};
}

/* ---- collecting ---- */

static bool is_before(struct report_place a, struct report_place b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

/* Behind those of the same place; NULL when there are too many. */
static struct report_problem *insert(struct report *report, struct report_place place)
{
    size_t at = report->count;

    if (report->count >= REPORT_MAX) {
        return NULL;
    }
    if (report->problems == NULL) {
        report->problems = calloc(REPORT_MAX, sizeof report->problems[0]);
        if (report->problems == NULL) {
            report->has_failed = true;
            return NULL;
        }
    }
    while (at > 0 && is_before(place, report->problems[at - 1].place)) {
        at--;
    }
    memmove(&report->problems[at + 1], &report->problems[at],
            (report->count - at) * sizeof report->problems[0]);
    report->count++;
    report->problems[at] = (struct report_problem){.place = place};
    return &report->problems[at];
}

[[gnu::format(printf, 5, 0)]] static void add(struct report *report, bool is_error,
                                              struct report_place place, const char *hint,
                                              const char *format, va_list arguments)
{
    report->error_count += is_error;
    report->warning_count += !is_error;
    struct report_problem *problem = insert(report, place);
    if (problem == NULL) {
        return;
    }
    problem->is_error = is_error;
    vsnprintf(problem->message, sizeof problem->message, format, arguments);
    snprintf(problem->hint, sizeof problem->hint, "%s", hint != NULL ? hint : "");
}

bool report_error(struct report *report, struct report_place place, const char *hint,
                  const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(report, true, place, hint, format, arguments);
    va_end(arguments);
    return false;
}

void report_warning(struct report *report, struct report_place place, const char *hint,
                    const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add(report, false, place, hint, format, arguments);
    va_end(arguments);
}

/* ---- printing ---- */

/* The next character's bytes; malformed UTF-8 counts byte by byte. */
static size_t character_size(const char *bytes, size_t size)
{
    size_t count = 1;

    while (count < size && count < 4 && ((unsigned char)bytes[count] & 0xc0) == 0x80) {
        count++;
    }
    return (unsigned char)bytes[0] >= 0xc0 ? count : 1;
}

/* Appends the characters `from`..`to` (from 0) of the line; control characters become blanks. */
static void append_part(struct text *out, const char *line, size_t size, size_t from, size_t to)
{
    size_t column = 0;

    for (size_t at = 0; at < size; column++) {
        size_t step = character_size(line + at, size - at);
        if (column >= from && column < to) {
            bool is_control = (unsigned char)line[at] < ' ' || line[at] == 0x7f;
            text_append_bytes(out, is_control ? " " : line + at, is_control ? 1 : step);
        }
        at += step;
    }
}

static size_t count_characters(const char *line, size_t size)
{
    size_t count = 0;

    for (size_t at = 0; at < size; count++) {
        at += character_size(line + at, size - at);
    }
    return count;
}

/* The line with a caret and tildes below its place. */
static void append_source(const struct report *report, struct report_place place, struct text *out)
{
    struct source_line line = {0};

    if (report->text == NULL || !source_line_find(report->text, report->size, place.line, &line)) {
        return;
    }
    if (line.shown == 0 && line.is_secret) {
        text_appendf(out, "%5u | (not shown: it may hold a password)\n", place.line);
        return;
    }
    size_t length = count_characters(line.bytes, line.shown);
    size_t column = place.column > 0 ? place.column - 1 : 0;
    size_t from = column > COLUMNS_BEFORE && length > COLUMNS_MAX ? column - COLUMNS_BEFORE : 0;
    size_t to = length - from > COLUMNS_MAX ? from + COLUMNS_MAX : length;

    if (column > length) { /* behind the end, or where it is not shown */
        column = length;
    }
    text_appendf(out, "%5u | ", place.line);
    append_part(out, line.bytes, line.shown, from, to);
    text_append(out, line.is_secret ? "********\n      | " : "\n      | ");
    text_append_repeated(out, " ", column >= from ? column - from : 0);
    text_append(out, "^");
    size_t room = to > column ? to - column : 0;
    size_t width = place.width < room ? place.width : room;
    text_append_repeated(out, "~", width > 0 ? width - 1 : 0);
    text_append(out, "\n");
}

static void append_problem(const struct report *report, const struct report_problem *problem,
                           struct text *out)
{
    text_append(out, report->path);
    if (problem->place.line > 0) {
        text_appendf(out, ":%u:%u", problem->place.line, problem->place.column);
    }
    text_appendf(out, ": %s: %s\n", problem->is_error ? "error" : "warning", problem->message);
    if (problem->place.line > 0) {
        append_source(report, problem->place, out);
    }
    if (problem->hint[0] != '\0') {
        text_appendf(out, "      hint: %s\n", problem->hint);
    }
}

void report_print(const struct report *report, struct text *out)
{
    for (size_t i = 0; i < report->count; i++) {
        append_problem(report, &report->problems[i], out);
    }
    size_t left = report->error_count + report->warning_count - report->count;
    if (left > 0) {
        text_appendf(out, "%s: and %zu more\n", report->path, left);
    }
}

bool report_first_error(const struct report *report, struct error *err)
{
    assert(report->error_count > 0);
    for (size_t i = 0; i < report->count; i++) {
        const struct report_problem *problem = &report->problems[i];
        if (!problem->is_error) {
            continue;
        }
        if (problem->place.line == 0) {
            error_set(err, "F0000", "%s: %s", report->path, problem->message);
        } else {
            error_set(err, "F0000", "%s:%u:%u: %s", report->path, problem->place.line,
                      problem->place.column, problem->message);
        }
        return problem->hint[0] == '\0' ? false : error_hint(err, "%s", problem->hint);
    }
    /* Memory ran out, or warnings took all places. */
    return error_set(err, "F0000", "%s: has errors", report->path);
}
