/* A report as named numbers: none missing, none twice, each in a unit that thresholds know. */
#include "load_test/report_numbers.h"

#include "unit/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "load_test/report_metric.h"

static void name_replicas(struct run_report *report, size_t count, const char *format)
{
    report->replica_count = count;
    for (size_t i = 0; i < count; i++) {
        snprintf(report->replicas[i].name, REPORT_NAME_SIZE, "%s%zu", format, i + 1);
    }
}

static double value_of(const struct metrics *metrics, const char *name, const char *unit)
{
    const struct metric *metric = metrics_find(metrics, name);
    if (metric == NULL) {
        fail_msg("no %s", name);
        return NAN;
    }
    assert_string_equal(metric->unit, unit);
    return metric->value;
}

static void check_names(const struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->count; i++) {
        const char *name = metrics->rows[i].name;
        assert_true(metric_name_is_valid(name, strlen(name)));
        assert_true(metric_unit_is_known(metrics->rows[i].unit));
        if (metrics_find(metrics, name) != &metrics->rows[i]) {
            fail_msg("%s is there twice", name);
        }
    }
}

static void every_figure_has_a_name_of_its_own(void **)
{
    static const char *const names[] = {
        "r",   "s0r", "a-very-long-name-of-a-replica-that-is-cut-", "ñandú", "rack 1.",
        "p99", "done"};
    static struct metrics metrics;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t count = 1; count <= REPORT_REPLICA_MAX; count += REPORT_REPLICA_MAX - 1) {
            struct run_report report;
            report_init(&report);
            name_replicas(&report, count, names[i]);
            report_to_metrics(&report, &metrics);
            check_names(&metrics);
            /* reads.done and reads.failed of the worst replica are those of the run. */
            assert_int_equal(metrics.count, report_run_metric_count - 2 +
                                                report_replica_metric_count * (count + 1));
        }
    }
}

static void replicas_of_one_name_are_told_apart(void **)
{
    static struct metrics metrics;
    struct run_report report;
    report_init(&report);
    name_replicas(&report, 2, "r");
    snprintf(report.replicas[1].name, REPORT_NAME_SIZE, "r1");
    report.replicas[1].lost = 7;
    report_to_metrics(&report, &metrics);
    check_names(&metrics);
    assert_true(value_of(&metrics, "lost.replica2", "-") == 7);
}

static void shares_are_per_cent_and_never_stays_never(void **)
{
    static struct metrics metrics;
    struct run_report report;
    report_init(&report);
    name_replicas(&report, 2, "r");
    report.seconds = 10;
    report.writes_rate = 797;
    report.cpu = 0.29;
    report.reads_done = 5;
    report.replicas[0].stale = 0.25;
    report.replicas[1].stale = 0.5;
    report.replicas[0].reads = 2;
    report.replicas[0].visible.p99 = 4.16;
    report.replicas[1].visible.p99 = INFINITY;
    report_to_metrics(&report, &metrics);
    assert_true(value_of(&metrics, "seconds", "s") == 10);
    assert_true(value_of(&metrics, "writes.rate", "/s") == 797);
    assert_true(value_of(&metrics, "cpu", "-") == 0.29);
    assert_true(value_of(&metrics, "stale.r1", "%") == 25);
    assert_true(value_of(&metrics, "stale", "%") == 50); /* the worst */
    assert_true(value_of(&metrics, "reads.done", "-") == 5);
    assert_true(value_of(&metrics, "reads.r1.done", "-") == 2);
    assert_true(value_of(&metrics, "visible.r1.p99", "ms") == 4.16);
    assert_true(isinf(value_of(&metrics, "visible.p99", "ms")));
    assert_true(isnan(value_of(&metrics, "write.p99", "ms")));
}

static void without_replicas_there_are_only_figures_of_the_run(void **)
{
    static struct metrics metrics;
    struct run_report report;
    report_init(&report);
    report_to_metrics(&report, &metrics);
    assert_int_equal(metrics.count, report_run_metric_count);
    assert_null(metrics_find(&metrics, "visible.p99"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_has_a_name_of_its_own),
        cmocka_unit_test(replicas_of_one_name_are_told_apart),
        cmocka_unit_test(shares_are_per_cent_and_never_stays_never),
        cmocka_unit_test(without_replicas_there_are_only_figures_of_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
