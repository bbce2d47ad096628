#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

bool error_set(struct error *err, const char sqlstate[6], const char *format, ...)
{
    va_list args;

    assert(err->sqlstate[0] == '\0'); /* an error is set once, then wrapped */
    assert(strlen(sqlstate) == 5);
    memcpy(err->sqlstate, sqlstate, sizeof err->sqlstate);
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return false;
}

bool error_wrap(struct error *err, const char *format, ...)
{
    char cause[sizeof err->message];
    va_list args;

    assert(err->sqlstate[0] != '\0');
    memcpy(cause, err->message, sizeof cause);
    va_start(args, format);
    int n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof err->message) {
        snprintf(err->message + n, sizeof err->message - (size_t)n, ": %s", cause);
    }
    return false;
}

bool error_hint(struct error *err, const char *format, ...)
{
    va_list args;

    assert(err->sqlstate[0] != '\0');
    if (err->hint[0] == '\0') {
        va_start(args, format);
        vsnprintf(err->hint, sizeof err->hint, format, args);
        va_end(args);
    }
    return false;
}

bool error_is_set(const struct error *err)
{
    return err->sqlstate[0] != '\0';
}

void error_print(const struct error *err, const char *program, FILE *out)
{
    fprintf(out, "%s: %s\n", program, err->message);
    if (err->hint[0] != '\0') {
        fprintf(out, "  hint: %s\n", err->hint);
    }
}
