/* load_test compare A B: two saved reports, side by side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/options.h"
#include "load_test/compare.h"
#include "load_test/mode.h"
#include "load_test/output.h"
#include "version.h"

struct compare_options {
    const char *lang;
};

#define AT(field) offsetof(struct compare_options, field)
static const struct option_row rows[] = {
    {"lang", "LANG", OPTION_TEXT, AT(lang), 0, 0, "language: en or es"},
};

static const struct option_table table = {
    .program = "load_test compare",
    .usage = "load_test compare A B [options]",
    .description =
        "Compares two reports that load_test saved, text or JSON: medians, spread, and whether\n"
        "the change is more than chance. Make them with --repeat 5 for that.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .epilogue = "example:\n  load_test compare artifacts/async.txt artifacts/quorum.txt\n\n"
                "exit status: 0 compared, 1 a report could not be read, 2 wrong usage",
};

static bool run(const char *const names[2], enum report_language language, struct error *err)
{
    struct text text = {0};
    struct saved *before = saved_load(names[0], err);
    struct saved *after = before != NULL ? saved_load(names[1], err) : NULL;
    bool is_ok = before != NULL && after != NULL;

    if (is_ok && !compare_print(before, after, names, language, &text)) {
        is_ok = error_set(err, "53200", "out of memory");
    }
    is_ok = is_ok && output_text(&text, err);
    text_done(&text);
    free(before);
    free(after);
    return is_ok;
}

int mode_compare(int argc, char **argv)
{
    struct compare_options options = {.lang = "en"};
    struct option_list words;
    struct error err = {0};

    switch (options_parse(&table, argc, argv, &options, &words, &err)) {
    case OPTIONS_HELP: options_help(&table, stdout); return 0;
    case OPTIONS_VERSION: printf("load_test %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT); return 0;
    case OPTIONS_BAD: error_print(&err, table.program, stderr); return 2;
    case OPTIONS_OK: break;
    }
    bool is_spanish = strcmp(options.lang, "es") == 0;
    if (words.count != 2) {
        error_set(&err, "42601", "two reports are needed, not %zu", words.count);
    } else if (!is_spanish && strcmp(options.lang, "en") != 0) {
        error_set(&err, "22023", "--lang: \"%s\" is neither en nor es", options.lang);
    }
    if (error_is_set(&err)) {
        error_hint(&err, "load_test compare A B; '%s --help' tells more", table.program);
        error_print(&err, table.program, stderr);
        return 2;
    }
    if (!run(words.items, is_spanish ? REPORT_SPANISH : REPORT_ENGLISH, &err)) {
        error_print(&err, table.program, stderr);
        return 1;
    }
    return 0;
}
