/* Options come from the table, bad ones say what to write instead. */
#include "check.h"

#include <string.h>

#include "common/options.h"

struct target {
    bool is_closed;
    const char *json;
    struct option_list replica;
    long writers;
    double rate;
    int64_t duration;
};

#define AT(field) offsetof(struct target, field)
static const struct option_row rows[] = {
    {"closed", NULL, OPTION_FLAG, AT(is_closed), 0, 0, "closed loop"},
    {"duration", "TIME", OPTION_DURATION, AT(duration), 0.1, 3600, "how long"},
    {"json", "FILE", OPTION_TEXT, AT(json), 0, 0, "where to"},
    {"rate", "N", OPTION_DECIMAL, AT(rate), 1, 1e6, "writes a second"},
    {"replica", "DSN", OPTION_LIST, AT(replica), 0, 0, "a replica"},
    {"secret", "N", OPTION_INTEGER, AT(writers), 1, 9, NULL},
    {"writers", "N", OPTION_INTEGER, AT(writers), 1, 64, "connections"},
};
static const struct option_table table = {.program = "load_test",
                                          .usage = "load_test [options]",
                                          .description = "Measures.",
                                          .rows = rows,
                                          .row_count = sizeof rows / sizeof rows[0],
                                          .epilogue = "exit 0: fine"};

static enum options_result parse(const char *line, struct target *target, struct option_list *words,
                                 struct error *err)
{
    static char copy[300]; /* values are borrowed from it until the next call */
    char *argv[20] = {(char[]){"load_test"}};
    int argc = 1;
    char *rest = copy, *word;

    snprintf(copy, sizeof copy, "%s", line);
    while ((word = strsep(&rest, " ")) != NULL) {
        argv[argc++] = word;
    }
    *err = (struct error){0};
    return options_parse(&table, argc, argv, target, words, err);
}

static void good_lines_fill_the_target(void **)
{
    struct target target = {0};
    struct option_list words;
    struct error err;

    assert_int_equal(parse("compare --rate 800.5 --replica a --replica=b --closed --json=x=y "
                           "--duration 250ms one -- --two",
                           &target, &words, &err),
                     OPTIONS_OK);
    assert_true(target.is_closed);
    assert_true(target.rate > 800.4 && target.rate < 800.6);
    assert_int_equal(target.replica.count, 2);
    assert_string_equal(target.replica.items[1], "b");
    assert_string_equal(target.json, "x=y");
    assert_int_equal(target.duration, 250000000);
    assert_int_equal(words.count, 3);
    assert_string_equal(words.items[0], "compare");
    assert_string_equal(words.items[2], "--two");
    assert_int_equal(parse("--help", &target, &words, &err), OPTIONS_HELP);
    assert_int_equal(parse("-V", &target, &words, &err), OPTIONS_VERSION);
}

static void bad_lines_say_why(void **)
{
    static const struct {
        const char *line, *message, *hint;
    } cases[] = {
        {"--repilca x", "unknown option --repilca",
         "did you mean --replica? 'load_test --help' lists all options"},
        {"--zzz", "unknown option --zzz", "'load_test --help' lists all options"},
        {"-x", "unknown option -x", "'load_test --help' lists all options"},
        {"--rate", "--rate needs a value: --rate N", "'load_test --help' lists all options"},
        {"--rate 1e9", "--rate: \"1e9\" is not a number in 1..1e+06", NULL},
        {"--rate nan", "--rate: \"nan\" is not a number in 1..1e+06", NULL},
        {"--writers 4k", "--writers: \"4k\" is not a whole number in 1..64", NULL},
        {"--writers 65", "--writers: \"65\" is not a whole number in 1..64", NULL},
        {"--closed=yes", "--closed takes no value", NULL},
        {"--duration soon", "--duration: \"soon\" is not a time such as 250ms, 10s or 2min", NULL},
        {"--duration 2h", "--duration: 2h is outside 0.1..3600 seconds", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct target target = {0};
        struct option_list words;
        struct error err;
        assert_int_equal(parse(cases[i].line, &target, &words, &err), OPTIONS_BAD);
        assert_string_equal(err.message, cases[i].message);
        if (cases[i].hint != NULL) {
            assert_string_equal(err.hint, cases[i].hint);
        }
    }
}

static void durations_have_units(void **)
{
    static const struct {
        const char *text;
        int64_t nanoseconds; /* -1: refused */
    } cases[] = {{"1.5", 1500000000},
                 {"10s", 10000000000},
                 {"3us", 3000},
                 {"2min", 120000000000},
                 {"1h", 3600000000000},
                 {"0", 0},
                 {"-1s", -1},
                 {"5 s", -1},
                 {"", -1},
                 {"inf", -1},
                 {"1e300h", -1},
                 {"5d", -1}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t nanoseconds = -1;
        assert_int_equal(options_duration(cases[i].text, &nanoseconds), cases[i].nanoseconds >= 0);
        assert_int_equal(nanoseconds, cases[i].nanoseconds);
    }
}

static void too_many_values_are_refused(void **)
{
    struct target target = {.replica.count = OPTION_LIST_MAX};
    struct option_list words;
    struct error err;
    assert_int_equal(parse("--replica x", &target, &words, &err), OPTIONS_BAD);
    assert_string_equal(err.sqlstate, "54000");
}

static void help_lists_what_is_not_hidden(void **)
{
    char text[3000] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    options_help(&table, out);
    fclose(out);
    assert_non_null(strstr(text, "usage: load_test [options]\n"));
    assert_non_null(strstr(text, "\n  --replica DSN              a replica\n"));
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "exit 0: fine"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lines_fill_the_target),
        cmocka_unit_test(bad_lines_say_why),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(too_many_values_are_refused),
        cmocka_unit_test(help_lists_what_is_not_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
