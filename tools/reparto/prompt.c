#include "reparto/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/options.h"
#include "reparto/spawn.h"

enum { WORDS_MAX = 16 };

enum prompt_kind { PROMPT_LAB, PROMPT_REPARTO, PROMPT_LOAD, PROMPT_HELP, PROMPT_QUIT };

static const struct prompt_row {
    const char *name;
    enum prompt_kind kind;
    const char *help;
} rows[] = {
    {"status", PROMPT_REPARTO, "all nodes, their lag, slots, connections; status --watch"},
    {"psql", PROMPT_LAB, "psql NODE: SQL on one node; \\q comes back here"},
    {"load", PROMPT_LOAD, "load_test; load --duration 5s, load policies, load sharded-writes"},
    {"freeze", PROMPT_LAB, "freeze NODE: it stops answering; --walreceiver: only its replication"},
    {"thaw", PROMPT_LAB, "thaw NODE: it goes on"},
    {"kill", PROMPT_LAB, "kill NODE: as a power cut would"},
    {"start", PROMPT_LAB, "start NODE: starts it again"},
    {"promote", PROMPT_LAB, "promote NODE: a replica becomes primary"},
    {"cut", PROMPT_LAB, "cut NODE: its replication link is cut; heal NODE"},
    {"heal", PROMPT_LAB, "heal NODE: the link works again"},
    {"lag", PROMPT_LAB, "lag NODE MS: replication to it is late by that much; 0: none"},
    {"report", PROMPT_REPARTO, "pgBadger's report of the primaries' logs"},
    {"help", PROMPT_HELP, "this list"},
    {"quit", PROMPT_QUIT, "stops and removes all of it; so do Ctrl-D and Ctrl-C"},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const struct prompt_row *find(const char *word)
{
    const char *names[ROW_COUNT + 1] = {0};

    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].name, word) == 0) {
            return &rows[i];
        }
        names[i] = rows[i].name;
    }
    const char *nearest = options_nearest(word, names);
    printf("  no command \"%s\"; %s%s\n", word,
           nearest != NULL ? "did you mean " : "help lists them", nearest != NULL ? nearest : "");
    return NULL;
}

static void print_help(void)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        printf("  %-9s %s\n", rows[i].name, rows[i].help);
    }
}

/* The word at *at, in place: blanks outside of quotes end it, the quotes go.  False when a
 * quote is not closed. */
static bool take_word(char **at)
{
    char *write = *at;
    char *read = *at;
    char quote = '\0';

    for (; *read != '\0' && (quote != '\0' || strchr(" \t\n", *read) == NULL); read++) {
        if (quote == '\0' && (*read == '\'' || *read == '"')) {
            quote = *read;
        } else if (*read == quote) {
            quote = '\0';
        } else {
            *write++ = *read;
        }
    }
    *at = *read != '\0' ? read + 1 : read;
    *write = '\0';
    return quote == '\0';
}

/* Cuts `line` at its blanks.  False, with a line to the user, when it makes no sense. */
static bool split(char *line, const char *words[WORDS_MAX], size_t *count)
{
    for (*count = 0;;) {
        line += strspn(line, " \t\n");
        if (*line == '\0') {
            return true;
        }
        if (*count == WORDS_MAX) {
            printf("  more than %d words\n", WORDS_MAX);
            return false;
        }
        words[(*count)++] = line;
        if (!take_word(&line)) {
            printf("  a quote is not closed\n");
            return false;
        }
    }
}

/* spawn_run() takes back a Ctrl-C that was the command's, through the struct: clang-tidy does not
 * see it. NOLINTBEGIN(readability-non-const-parameter) */
static void run_row(const struct prompt_row *row, const char *const *words, size_t count,
                    const char *reparto, const char *load_test, volatile sig_atomic_t *stop)
{
    const struct spawn_signals signals = {.last = stop, .is_interrupt_for_child = true};
    const char *argv[WORDS_MAX + 4] = {0};
    struct error err = {0};
    size_t at = 0;

    argv[at++] = row->kind == PROMPT_LOAD ? load_test : reparto;
    if (row->kind == PROMPT_LAB) {
        argv[at++] = "lab";
    }
    for (size_t i = row->kind == PROMPT_LOAD ? 1 : 0; i < count; i++) {
        argv[at++] = words[i];
    }
    if (spawn_run(argv, &signals, &err) < 0) {
        error_print(&err, "demo", stderr);
    }
}
/* NOLINTEND(readability-non-const-parameter) */

void prompt_run(const char *reparto, const char *load_test, volatile sig_atomic_t *stop)
{
    char *line = NULL;
    size_t capacity = 0;

    printf("\n'help' lists the commands here, 'quit' ends the demo.\n");
    while (*stop == 0) {
        const char *words[WORDS_MAX];
        printf("demo> ");
        fflush(stdout);
        if (getline(&line, &capacity, stdin) < 0) {
            printf("\n");
            break;
        }
        size_t count;
        const struct prompt_row *row =
            split(line, words, &count) && count > 0 ? find(words[0]) : NULL;
        if (row == NULL) {
            continue;
        }
        if (row->kind == PROMPT_QUIT) {
            break;
        }
        if (row->kind == PROMPT_HELP) {
            print_help();
            continue;
        }
        run_row(row, words, count, reparto, load_test, stop);
    }
    free(line);
}
