/* load_test/acks: the file that keeps what was acknowledged, for `load_test verify`.
 *
 * Text: a line with the format's version, the table, one line "writer sequence
 * state" for each settled write, and a last line with their number and a
 * checksum; so that a file that was cut or altered is refused, and never makes
 * writes look lost or saved.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "load_test/record.h"
#include "load_test/report.h"

/* Writes are buffered: the caller's fclose() can still fail. */
void acks_write(FILE *file, const char *table, const struct write_log *writes);

/* Appends to `writes`, which the caller frees, also after a failure.  22023 with the line's number.
 */
[[nodiscard]] bool acks_read(FILE *file, char table[REPORT_VALUE_SIZE], struct write_log *writes,
                             struct error *err);
