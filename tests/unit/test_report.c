/* The data model of a run: quantiles with values that never came, findings and exit codes. */
#include <math.h>

#include "load_test/report.h"
#include "unit/check.h"

static void quantiles_are_ranks(void **)
{
    struct histogram histogram;
    struct report_quantiles quantiles;
    assert_true(histogram_init(&histogram, 60000000));
    for (int i = 1; i <= 1000; i++) { /* 1..1000 µs */
        histogram_record(&histogram, i);
    }
    report_quantiles_fill(&quantiles, &histogram, 1000, 0);
    assert_true(quantiles.count == 1000);
    assert_true(quantiles.p50 == 0.5);
    assert_true(quantiles.p90 == 0.9);
    assert_true(quantiles.p99 == 0.99);
    assert_true(quantiles.p999 == 0.999);
    assert_true(quantiles.max == 1);
    histogram_done(&histogram);
}

static void values_beyond_the_end_count_in_the_ranks(void **)
{
    static const struct {
        uint64_t beyond;
        double p50, p90, p99, p999;
    } cases[] = {
        {1, 0.046, 0.082, INFINITY, INFINITY}, /* ranks 46, 82, 91 and 91 of 91 */
        {10, 0.05, 0.09, INFINITY, INFINITY},
        {90, 0.09, INFINITY, INFINITY, INFINITY},
        {91, INFINITY, INFINITY, INFINITY, INFINITY},
    };
    struct histogram histogram;
    struct report_quantiles quantiles;
    assert_true(histogram_init(&histogram, 1000));
    for (int i = 1; i <= 90; i++) {
        histogram_record(&histogram, i);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        report_quantiles_fill(&quantiles, &histogram, 1000, cases[i].beyond);
        assert_true(quantiles.count == 90 + (double)cases[i].beyond);
        assert_true(quantiles.p50 == cases[i].p50);
        assert_true(quantiles.p90 == cases[i].p90);
        assert_true(quantiles.p99 == cases[i].p99);
        assert_true(quantiles.p999 == cases[i].p999);
        assert_true(isinf(quantiles.max));
    }
    histogram_done(&histogram);
}

static void nothing_recorded_is_not_measured(void **)
{
    struct histogram histogram;
    struct report_quantiles quantiles;
    assert_true(histogram_init(&histogram, 1000));
    report_quantiles_fill(&quantiles, &histogram, 1000, 0);
    assert_true(quantiles.count == 0);
    assert_true(isnan(quantiles.p50) && isnan(quantiles.p999) && isnan(quantiles.max));
    report_quantiles_fill(&quantiles, &histogram, 1000, 3);
    assert_true(quantiles.count == 3);
    assert_true(isinf(quantiles.p50) && isinf(quantiles.max));
    histogram_done(&histogram);
}

static void the_most_serious_exit_code_wins(void **)
{
    static const struct {
        int codes[3];
        int expected;
    } cases[] = {{{0, 0, 0}, 0}, {{0, 3, 0}, 3}, {{3, 1, 0}, 1}, {{1, 4, 3}, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run_report report;
        report_init(&report);
        for (size_t j = 0; j < 3; j++) {
            report_add_finding(&report, REPORT_FAIL, cases[i].codes[j], "finding %zu", j);
        }
        assert_int_equal(report_exit_code(&report), cases[i].expected);
        report_done(&report);
    }
}

static void a_finding_too_many_keeps_its_exit_code(void **)
{
    struct run_report report;
    report_init(&report);
    for (int i = 0; i < REPORT_FINDING_MAX + 5; i++) {
        report_add_finding(&report, REPORT_FAIL, i == REPORT_FINDING_MAX + 2 ? 4 : 3, "n %d", i);
    }
    assert_int_equal(report.finding_count, REPORT_FINDING_MAX);
    assert_int_equal(report_exit_code(&report), 4);
    report_done(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_ranks),
        cmocka_unit_test(values_beyond_the_end_count_in_the_ranks),
        cmocka_unit_test(nothing_recorded_is_not_measured),
        cmocka_unit_test(the_most_serious_exit_code_wins),
        cmocka_unit_test(a_finding_too_many_keeps_its_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
