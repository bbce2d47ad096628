/* config/report: what is wrong with a text file, each problem with its place.
 *
 * Collects errors and warnings in the order of the file, prints them as
 * "path:line:column: error: what" with the line, a caret and a hint, and never
 * shows a line that may hold a password.  Keeps at most REPORT_MAX; more are
 * counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

enum { REPORT_MAX = 100 };

/* From 1, in characters, not bytes; line 0: the file as a whole. */
struct report_place {
    unsigned line, column, width;
};

struct report_problem {
    bool is_error; /* else a warning */
    struct report_place place;
    char message[400];
    char hint[240]; /* "": none */
};

struct report {
    const char *path; /* borrowed, for messages */
    const char *text; /* borrowed; NULL: no lines are shown */
    size_t size;
    struct report_problem *problems; /* owned; sorted by place */
    size_t count;                    /* of `problems` */
    size_t error_count, warning_count;
    bool has_failed; /* memory ran out, and a problem got lost */
};

void report_init(struct report *report, const char *path, const char *text, size_t size);
void report_done(struct report *report);

/* Returns false, so that a failing path is one line.  `hint` NULL: none. */
[[gnu::format(printf, 4, 5)]] bool report_error(struct report *report, struct report_place place,
                                                const char *hint, const char *format, ...);
[[gnu::format(printf, 4, 5)]] void report_warning(struct report *report, struct report_place place,
                                                  const char *hint, const char *format, ...);

/* Appends all of them. */
void report_print(const struct report *report, struct text *out);

/* The first error as F0000 "path:line:column: what", with its hint.  There must be one.  Returns
 * false. */
bool report_first_error(const struct report *report, struct error *err);
