/* common/terminal: colour when a person looks, and one progress line.
 *
 * stdout is the report and stays clean; progress goes to stderr, only when
 * that is a terminal, is rewritten in place at most ten times a second, and is
 * erased before anything else is printed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum terminal_color {
    TERMINAL_PLAIN,
    TERMINAL_BOLD,
    TERMINAL_GREEN,
    TERMINAL_YELLOW,
    TERMINAL_RED
};

/* Whether colours belong on `out`: a terminal that is not "dumb", and neither
 * NO_COLOR nor PG_COLOR=never is set; PG_COLOR=always forces them. */
[[nodiscard]] bool terminal_has_color(FILE *out);

/* The escape sequence, or "" when `use` is false.  TERMINAL_PLAIN ends a colour. */
[[nodiscard]] const char *terminal_color(enum terminal_color color, bool use);

struct progress {
    FILE *out;
    bool is_shown; /* a line stands on the terminal now */
    bool is_wanted;
    int64_t next; /* clock_now() before which nothing is rewritten */
};

/* Wanted only when `out` is a terminal and not `is_quiet`. */
void progress_init(struct progress *progress, FILE *out, bool is_quiet);

/* Rewrites the line, cut to the terminal's width. */
[[gnu::format(printf, 2, 3)]] void progress_show(struct progress *progress, const char *format,
                                                 ...);
void progress_erase(struct progress *progress);

enum { TERMINAL_BAR_SIZE = 200 };

/* A bar of `columns` (at most 60) filled to `share` (0..1) in eighths: "███▌  ". */
const char *terminal_bar(char buffer[TERMINAL_BAR_SIZE], double share, int columns);

/* "▁▂▃▄▅▆▇█" of `count` (at most 60) values between 0 and their largest. */
const char *terminal_spark(char buffer[TERMINAL_BAR_SIZE], const double *values, int count);
