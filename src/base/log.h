/* base/log: one event, one line, `event key=value ...`.
 *
 * The event name is a literal, unique in the tree, so that an operator's grep
 * ends at one place in the source.  Only the layer that handles a failure logs
 * it; lower layers return a struct error.  Secrets and row data never.  A line
 * is written with one write(), so lines of several processes do not mix.  It
 * is not tried twice: one that nobody takes (a full disk) is lost, and counted.
 */
#pragma once

#include <sys/types.h>
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON, LOG_PGBOUNCER };

struct log {
    int fd; /* borrowed */
    enum log_level level_max;
    enum log_format format;
    ssize_t (*write)(int fd, const void *bytes, size_t size); /* NULL: write(2) */
    unsigned long *lost_count; /* borrowed; atomic; NULL: not counted */
};

/* All borrowed. */
struct log_context {
    const struct log *log;
    unsigned long session_id; /* 0: no session */
    const char *node;         /* NULL: no node */
    const char *subject;      /* for LOG_PGBOUNCER: "C-0x2a: shop/ann@10.0.0.1:5501"; NULL: none */
    const char *words;        /* for LOG_PGBOUNCER: its wording, instead of event and details */
};

/* Writes "2026-11-24T07:51:02.125Z level=warn event=replica_skipped node=r1 lag_ms=5300",
 * or the same as a JSON object whose "details" is the formatted part, or what PgBouncer would:
 * "2026-11-24 07:51:02.125 UTC [4711] WARNING replica_skipped: node=r1 lag_ms=5300".  Line
 * breaks and control characters in the details become '?'. */
[[gnu::format(printf, 4, 5)]] void log_event(enum log_level level,
                                             const struct log_context *context, const char *event,
                                             const char *format, ...);
