/* base/log: one event, one line, `event key=value ...`.
 *
 * The event name is a literal, unique in the tree, so that an operator's grep
 * ends at one place in the source.  Only the layer that handles a failure logs
 * it; lower layers return a struct error.  Secrets and row data never.  A line
 * is written with one write(), so lines of several processes do not mix.
 */
#pragma once

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log {
    int fd; /* borrowed */
    enum log_level level_max;
    enum log_format format;
};

struct log_context {
    const struct log *log;    /* borrowed */
    unsigned long session_id; /* 0: no session */
    const char *node;         /* borrowed; NULL: no node */
};

/* Writes "2026-11-24T07:51:02.125Z level=warn event=replica_skipped node=r1 lag_ms=5300",
 * or the same as a JSON object whose "details" is the formatted part.  Line
 * breaks and control characters in the details become '?'. */
[[gnu::format(printf, 4, 5)]] void log_event(enum log_level level,
                                             const struct log_context *context, const char *event,
                                             const char *format, ...);
