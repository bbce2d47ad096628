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

void log_event(enum log_level level, const struct log_context *context, const char *event,
               const char *format, ...)
{
    const struct log *log = context->log;
    const char *node = context->node != NULL ? context->node : "-";
    char details[800], line[1200], now[CLOCK_TEXT_SIZE];
    va_list args;

    if (level > log->level_max) {
        return;
    }
    va_start(args, format);
    vsnprintf(details, sizeof details, format, args);
    va_end(args);
    make_harmless(details, log->format);
    clock_iso(now, clock_utc());
    int size = log->format == LOG_JSON
                   ? snprintf(line, sizeof line,
                              "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"session\":%lu,"
                              "\"node\":\"%s\",\"details\":\"%s\"}\n",
                              now, level_names[level], event, context->session_id, node, details)
                   : snprintf(line, sizeof line, "%s level=%s event=%s session=%lu node=%s %s\n",
                              now, level_names[level], event, context->session_id, node, details);
    if (size > 0) {
        size_t length = (size_t)size < sizeof line ? (size_t)size : sizeof line - 1;
        ssize_t written = write(log->fd, line, length);
        (void)written; /* a log that can't be written has nowhere to say so */
    }
}
