/* wire/notice: ErrorResponse and NoticeResponse, written and read.
 *
 * Pure.  Fields as in "Error and Notice Message Fields"; what we write always
 * has severity (also unlocalized), SQLSTATE and message, and the hint if there
 * is one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* `severity`: "ERROR", "FATAL", "WARNING", …: a notice when it is neither of the first two and not
 * "PANIC".  False when memory ran out: nothing appended. */
[[nodiscard]] bool notice_write(struct buffer *out, const char *severity,
                                const struct error *error);

/* What a received body says; all borrowed from it, NULL where it has no such field. */
struct notice {
    const char *severity, *sqlstate, *message, *detail, *hint;
};

/* False when the body is malformed. */
[[nodiscard]] bool notice_read(const char *body, size_t size, struct notice *notice);

/* The same of a body of which only the first bytes are there: the fields that are whole.  False
 * when severity or SQLSTATE is not. */
[[nodiscard]] bool notice_read_front(const char *body, size_t size, struct notice *notice);

/* Copies `body` with `from` replaced by `to` in message, detail and hint: names of ours that a
 * client must not see.  Only where it stands as a whole name: "x_1" is left alone in "x_12".
 * `from` is not empty.  False when memory ran out or the body is malformed: nothing appended. */
[[nodiscard]] bool notice_write_replaced(struct buffer *out, char type, const char *body,
                                         size_t size, const char *from, const char *to);
