/* load_test/output: puts a finished report where it belongs.
 *
 * stdout gets the text (in colour only for a terminal), a file the JSON.  A
 * full disk or a closed pipe is an error with its reason, never a silently short report.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"
#include "load_test/report.h"
#include "load_test/saved.h"

/* Prints the page of `report`, the last of the repetitions in `all`, then the DATA block of all
 * unless `is_page_only`; and, when `json` is not NULL, writes that file too. */
[[nodiscard]] bool output_report(const struct run_report *report, const struct saved *all,
                                 bool is_page_only, const char *json, struct error *err);

/* Writes all of `text` to stdout and flushes it. */
[[nodiscard]] bool output_text(const struct text *text, struct error *err);

/* Writes all of `text` to the file `path`, replacing it.  53100 on a full disk, 58030 else. */
[[nodiscard]] bool output_file(const char *path, const struct text *text, struct error *err);

/* "cannot write WHAT: reason of errno `code`", 53100 on a full disk, 58030 else.  Returns false. */
bool output_error(const char *what, int code, struct error *err);
