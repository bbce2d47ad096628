/* common/options: command-line options from one table.
 *
 * The table drives parsing, the error messages ("did you mean"), --help and
 * the check that the man page names every option.  Both `--name value` and
 * `--name=value` are read; `--` ends the options; options and words may mix.
 * Values are borrowed from argv.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum option_kind {
    OPTION_FLAG,     /* bool: set to true */
    OPTION_TEXT,     /* const char * */
    OPTION_LIST,     /* struct option_list: may be given several times */
    OPTION_INTEGER,  /* long, within min..max */
    OPTION_DECIMAL,  /* double, within min..max */
    OPTION_DURATION, /* int64_t nanoseconds: "250ms", "10s", "2min"; a bare number is seconds;
                        min..max in seconds */
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    const char *items[OPTION_LIST_MAX]; /* borrowed from argv */
    size_t count;
};

struct option_row {
    const char *name;  /* without the dashes */
    const char *value; /* how help names the value: "DSN"; NULL for a flag */
    enum option_kind kind;
    size_t offset;    /* of the target in the caller's struct; offsetof() */
    double min, max;  /* for numbers and durations */
    const char *help; /* one sentence; NULL hides it from --help */
};

struct option_table {
    const char *program;     /* "load_test" or "reparto lab": for messages */
    const char *usage;       /* the lines below "usage:" in --help */
    const char *description; /* a sentence or two */
    const struct option_row
        *rows; /* sorted by name, without help and version, which every table has */
    size_t row_count;
    const char *epilogue; /* examples and exit codes, after the options; may be NULL */
};

enum options_result { OPTIONS_OK, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_BAD };

/* Fills `target`, which holds the defaults, and `words` with what is not an
 * option.  OPTIONS_HELP and OPTIONS_VERSION when asked for: nothing was printed
 * yet.  OPTIONS_BAD sets `err` (42601, with the help to call as its hint). */
[[nodiscard]] enum options_result options_parse(const struct option_table *table, int argc,
                                                char **argv, void *target,
                                                struct option_list *words, struct error *err);

/* Parses "250ms", "10s", "2min", "1h" or plain seconds into nanoseconds. */
[[nodiscard]] bool options_duration(const char *text, int64_t *nanoseconds);

/* A whole number within min..max, nothing after it. */
[[nodiscard]] bool options_integer(const char *text, long min, long max, long *number);

/* The name among `names` (NULL-terminated) nearest to `word`, or NULL when none is near. */
[[nodiscard]] const char *options_nearest(const char *word, const char *const *names);

/* Prints `PROGRAM: unknown KIND "WORD"` to stderr, with the nearest of `names` (NULL-terminated)
 * and the help to call as its hint.  Returns 2, the exit status of wrong usage. */
int options_unknown_word(const char *program, const char *kind, const char *word,
                         const char *const *names);

void options_help(const struct option_table *table, FILE *out);
