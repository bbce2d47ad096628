#include "common/terminal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

bool terminal_has_color(FILE *out)
{
    const char *no_color = getenv("NO_COLOR"), *pg_color = getenv("PG_COLOR");
    const char *term = getenv("TERM");

    if (no_color != NULL && no_color[0] != '\0') {
        return false;
    }
    if (pg_color != NULL && strcmp(pg_color, "always") == 0) {
        return true;
    }
    if (pg_color != NULL && strcmp(pg_color, "never") == 0) {
        return false;
    }
    return isatty(fileno(out)) && term != NULL && strcmp(term, "dumb") != 0;
}

const char *terminal_color(enum terminal_color color, bool use)
{
    static const char *const escapes[] = {[TERMINAL_PLAIN] = "\x1b[0m",
                                          [TERMINAL_BOLD] = "\x1b[1m",
                                          [TERMINAL_GREEN] = "\x1b[32m",
                                          [TERMINAL_YELLOW] = "\x1b[33m",
                                          [TERMINAL_RED] = "\x1b[31m"};
    return use ? escapes[color] : "";
}

void progress_init(struct progress *progress, FILE *out, bool is_quiet)
{
    *progress = (struct progress){.out = out, .is_wanted = !is_quiet && isatty(fileno(out))};
}

/* Bytes of `line` that fit into `columns`. */
static int fitting_bytes(const char *line, size_t columns)
{
    int bytes = 0;
    for (size_t used = 0; line[bytes] != '\0'; bytes++) {
        bool is_start = ((unsigned char)line[bytes] & 0xc0) != 0x80;
        used += is_start;
        if (used > columns) {
            break;
        }
    }
    return bytes;
}

void progress_show(struct progress *progress, const char *format, ...)
{
    char line[1024];
    struct winsize size = {0};
    va_list args;
    int64_t now = clock_now();

    if (!progress->is_wanted || now < progress->next) {
        return;
    }
    progress->next = now + 100 * CLOCK_MS;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ioctl(fileno(progress->out), TIOCGWINSZ, &size);
    size_t columns = size.ws_col > 1 ? size.ws_col - 1u : 79;
    fprintf(progress->out, "\r\x1b[K%.*s", fitting_bytes(line, columns), line);
    fflush(progress->out);
    progress->is_shown = true;
}

void progress_erase(struct progress *progress)
{
    if (progress->is_shown) {
        fprintf(progress->out, "\r\x1b[K");
        fflush(progress->out);
        progress->is_shown = false;
    }
}

const char *terminal_bar(char buffer[TERMINAL_BAR_SIZE], double share, int columns)
{
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    assert(columns >= 0 && columns <= 60);
    double clipped = share < 0 ? 0 : share > 1 ? 1 : share;
    int filled = (int)(clipped * columns * 8 + 0.5);
    size_t at = 0;

    for (int i = 0; i < columns; i++) {
        int part = filled - i * 8;
        const char *cell = eighths[part < 0 ? 0 : part > 8 ? 8 : part];
        memcpy(buffer + at, cell, strlen(cell));
        at += strlen(cell);
    }
    buffer[at] = '\0';
    return buffer;
}

const char *terminal_spark(char buffer[TERMINAL_BAR_SIZE], const double *values, int count)
{
    static const char *const levels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    assert(count >= 0 && count <= 60);
    double largest = 0;
    size_t at = 0;

    for (int i = 0; i < count; i++) {
        largest = values[i] > largest ? values[i] : largest;
    }
    for (int i = 0; i < count; i++) {
        int level = largest > 0 && values[i] > 0 ? (int)(values[i] / largest * 7 + 0.5) : 0;
        memcpy(buffer + at, levels[level], 3);
        at += 3;
    }
    buffer[at] = '\0';
    return buffer;
}
