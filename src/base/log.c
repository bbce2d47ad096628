#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

/* In place: what would end the line, or the JSON string, becomes harmless. */
static void make_harmless(char *details, enum log_format format)
{
    for (char *c = details; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
        if (format == LOG_JSON && (*c == '"' || *c == '\\')) {
            *c = '\'';
        }
    }
}

enum { DETAILS_SIZE = 800, LINE_SIZE = 1400 };

/* "2026-11-24T07:51:02.125Z" as PgBouncer writes it. */
static void make_plain_time(char now[CLOCK_TEXT_SIZE])
{
    now[10] = ' ';
    now[23] = '\0';
}

static int make_line(char line[LINE_SIZE], enum log_level level, const struct log_context *context,
                     const char *event, const char *details)
{
    static const char *const pgbouncer_levels[] = {
        [LOG_ERROR] = "ERROR", [LOG_WARN] = "WARNING", [LOG_INFO] = "LOG", [LOG_DEBUG] = "DEBUG"};
    const char *node = context->node != NULL ? context->node : "-";
    const char *subject = context->subject != NULL ? context->subject : "";
    const char *blank = context->subject != NULL ? " " : "";
    char now[CLOCK_TEXT_SIZE];

    clock_iso(now, clock_utc());
    switch (context->log->format) {
    case LOG_TEXT: break;
    case LOG_JSON:
        return snprintf(line, LINE_SIZE,
                        "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"session\":%lu,"
                        "\"node\":\"%s\",\"details\":\"%s\"}\n",
                        now, level_names[level], event, context->session_id, node, details);
    case LOG_PGBOUNCER:
        make_plain_time(now);
        if (context->words != NULL) {
            return snprintf(line, LINE_SIZE, "%s UTC [%d] %s %s%s%s\n", now, (int)getpid(),
                            pgbouncer_levels[level], subject, blank, details);
        }
        return snprintf(
            line, LINE_SIZE, "%s UTC [%d] %s %s%s%s: %s%s%s%s\n", now, (int)getpid(),
            pgbouncer_levels[level], subject, blank, event, context->node != NULL ? "node=" : "",
            context->node != NULL ? context->node : "", context->node != NULL ? " " : "", details);
    }
    return snprintf(line, LINE_SIZE, "%s level=%s event=%s session=%lu node=%s %s\n", now,
                    level_names[level], event, context->session_id, node, details);
}

static void write_line(const struct log *log, const char *line, size_t size)
{
    ssize_t written =
        log->write != NULL ? log->write(log->fd, line, size) : write(log->fd, line, size);

    if (written != (ssize_t)size && log->lost_count != NULL) {
        __atomic_fetch_add(log->lost_count, 1, __ATOMIC_RELAXED);
    }
}

void log_event(enum log_level level, const struct log_context *context, const char *event,
               const char *format, ...)
{
    const struct log *log = context->log;
    char details[DETAILS_SIZE], line[LINE_SIZE];
    va_list args;

    if (level > log->level_max) {
        return;
    }
    if (log->format == LOG_PGBOUNCER && context->words != NULL) {
        snprintf(details, sizeof details, "%s", context->words);
    } else {
        va_start(args, format);
        vsnprintf(details, sizeof details, format, args);
        va_end(args);
    }
    make_harmless(details, log->format);
    int size = make_line(line, level, context, event, details);
    if (size >= LINE_SIZE) {
        size = LINE_SIZE - 1;
        line[size - 1] = '\n';
    }
    if (size > 0) {
        write_line(log, line, (size_t)size);
    }
}
