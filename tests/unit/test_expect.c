/* Expectations are read whole or refused with the reason; what was not measured satisfies nothing.
 */
#include "check.h"

#include <math.h>
#include <string.h>

#include "load_test/expect.h"

static void good_ones_are_read(void **)
{
    static const struct {
        const char *text, *metric;
        enum expect_operator operator;
        double limit;
        enum expect_unit unit;
    } cases[] = {
        {"visible.p99<50ms", "visible.p99", EXPECT_LESS, 50, EXPECT_UNIT_MS},
        {" write.p99.9 <= 1.5 s ", "write.p99.9", EXPECT_AT_MOST, 1500, EXPECT_UNIT_MS},
        {"writes.rate>500", "writes.rate", EXPECT_MORE, 500, EXPECT_UNIT_NONE},
        {"writes.rate >= 5e", NULL, 0, 0, 0},
        {"stale.r1<1%", "stale.r1", EXPECT_LESS, 1, EXPECT_UNIT_PERCENT},
        {"check.lost=0", "check.lost", EXPECT_EQUAL, 0, EXPECT_UNIT_NONE},
        {"check.lost==0", "check.lost", EXPECT_EQUAL, 0, EXPECT_UNIT_NONE},
        {"reads.rate!=0/s", "reads.rate", EXPECT_NOT, 0, EXPECT_UNIT_RATE},
        {"", NULL, 0, 0, 0},
        {"<5ms", NULL, 0, 0, 0},
        {"write.p99", NULL, 0, 0, 0},
        {"write.p99<", NULL, 0, 0, 0},
        {"write.p99<5 ms now", NULL, 0, 0, 0},
        {"write.p99<5parsecs", NULL, 0, 0, 0},
        {"write.p99<1-2", NULL, 0, 0, 0},
        {"write p99<5", NULL, 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct expect expect = {0};
        struct error err = {0};
        assert_int_equal(expect_parse(cases[i].text, &expect, &err), cases[i].metric != NULL);
        if (cases[i].metric == NULL) {
            assert_string_equal(err.sqlstate, "42601");
            continue;
        }
        assert_string_equal(expect.metric, cases[i].metric);
        assert_int_equal(expect.operator, cases[i].operator);
        assert_true(fabs(expect.limit - cases[i].limit) < 1e-9);
        assert_int_equal(expect.unit, cases[i].unit);
    }
}

static struct metrics metrics_of_a_run(void)
{
    static struct metrics metrics; /* 64 kB: too much for some stacks */
    metrics.count = 0;
    metrics_add(&metrics, 61.2, "ms", "visible.p99");
    metrics_add(&metrics, INFINITY, "ms", "visible.max");
    metrics_add(&metrics, NAN, "ms", "applied.p99");
    metrics_add(&metrics, 800, "/s", "writes.rate");
    metrics_add(&metrics, 2, "s", "seconds");
    metrics_add(&metrics, 0, "-", "check.lost");
    return metrics;
}

static void judged_by_what_was_measured(void **)
{
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {
        {"visible.p99<50ms", false}, {"visible.p99<62ms", true},  {"visible.p99<0.1s", true},
        {"visible.max<1h", false},   {"visible.max>5ms", true},   {"applied.p99<5ms", false},
        {"applied.p99>5ms", false},  {"applied.p99!=5ms", false}, {"writes.rate>500", true},
        {"seconds<3s", true},        {"seconds>2500ms", false},   {"check.lost=0", true},
        {"check.lost!=0", false}};
    struct metrics metrics = metrics_of_a_run();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct expect expect;
        struct error err = {0};
        char line[EXPECT_LINE_SIZE];
        if (!expect_parse(cases[i].text, &expect, &err)) {
            assert_string_equal(cases[i].text, "visible.max<1h"); /* no such unit */
            continue;
        }
        assert_true(expect_fits(&expect, &metrics, &err));
        assert_int_equal(expect_judge(&expect, &metrics, line), cases[i].holds);
    }
}

static void misses_say_what_was_expected(void **)
{
    struct metrics metrics = metrics_of_a_run();
    struct expect expect;
    struct error err = {0};
    char line[EXPECT_LINE_SIZE];

    assert_true(expect_parse("visible.p99<50ms", &expect, &err));
    assert_false(expect_judge(&expect, &metrics, line));
    assert_ptr_equal(strstr(line, "visible.p99 61.2"), line);
    assert_non_null(strstr(line, " ms, expected < 50"));
}

static void unknown_names_and_wrong_units_are_refused(void **)
{
    struct metrics metrics = metrics_of_a_run();
    struct expect expect;
    struct error err = {0};

    assert_true(expect_parse("visibel.p99<5ms", &expect, &err));
    assert_false(expect_fits(&expect, &metrics, &err));
    assert_string_equal(err.sqlstate, "42704");
    assert_non_null(strstr(err.hint, "did you mean visible.p99?"));
    err = (struct error){0};
    assert_true(expect_parse("writes.rate<5ms", &expect, &err));
    assert_false(expect_fits(&expect, &metrics, &err));
    assert_string_equal(err.sqlstate, "42804");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_read),
        cmocka_unit_test(judged_by_what_was_measured),
        cmocka_unit_test(misses_say_what_was_expected),
        cmocka_unit_test(unknown_names_and_wrong_units_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
