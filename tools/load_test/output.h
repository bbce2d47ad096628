/* load_test/output: puts a finished report where it belongs.
 *
 * stdout gets the text (in colour only for a terminal), files the rest.  A full
 * disk or a closed pipe is an error with its reason, never a silently short
 * report: 53100 on a full disk, 58030 else.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "load_test/report.h"
#include "load_test/saved.h"

/* Prints `report`, the last of the repetitions in `all`, as report_write_text() does; and, when
 * `json` is not NULL, writes that file too. */
[[nodiscard]] bool output_report(const struct run_report *report, const struct saved *all,
                                 bool is_page_only, const char *json, struct error *err);

/* Writes all of `text` to stdout and flushes it. */
[[nodiscard]] bool output_text(const struct text *text, struct error *err);

/* Writes all of `text` to the file `path`, replacing it. */
[[nodiscard]] bool output_file(const char *path, const struct text *text, struct error *err);

/* As output_file(), with what `body` writes to `out`; it need not look for errors. */
typedef void output_body(FILE *out, const void *context);
[[nodiscard]] bool output_stream(const char *path, output_body *body, const void *context,
                                 struct error *err);

/* Appends the document, indented, and a line break; takes the reference, NULL is out of memory.
 * Numbers get at most `digits` significant ones (17: all there are). */
[[nodiscard]] bool output_json(json_t *document, unsigned digits, struct text *text);
