#include "load_test/policies.h"

#include <math.h>
#include <string.h>

#include "check.h"

static void test_names(void **state)
{
    struct target target = {.replica_count = 2};
    char buffer[POLICY_NAMES_SIZE];
    (void)state;

    snprintf(target.replicas[0].name, sizeof target.replicas[0].name, "%s", "r1");
    snprintf(target.replicas[1].name, sizeof target.replicas[1].name, "%s", "r2");
    assert_string_equal(policy_names(buffer, POLICY_ASYNC, &target), "");
    assert_string_equal(policy_names(buffer, POLICY_FIRST_1, &target), "FIRST 1 (\"r1\", \"r2\")");
    assert_string_equal(policy_names(buffer, POLICY_ANY_1, &target), "ANY 1 (\"r1\", \"r2\")");
    assert_string_equal(policy_names(buffer, POLICY_ANY_2, &target), "ANY 2 (\"r1\", \"r2\")");
}

static void test_the_longest_names_fit(void **state)
{
    struct target target = {.replica_count = REPORT_REPLICA_MAX};
    char buffer[POLICY_NAMES_SIZE];
    (void)state;

    for (size_t i = 0; i < REPORT_REPLICA_MAX; i++) {
        memset(target.replicas[i].name, 'x', REPORT_NAME_SIZE - 1);
    }
    policy_names(buffer, POLICY_FIRST_1, &target);
    assert_int_equal(buffer[strlen(buffer) - 1], ')');
}

static void test_missed_is_over_all_probes(void **state)
{
    struct policy_result result = {0};
    struct run_report report;
    (void)state;

    report_init(&report);
    report.replica_count = 1;
    assert_true(isnan(policies_missed(&result, 0)));
    report.replicas[0].probes = 100;
    report.replicas[0].missed = 0.5;
    report.replicas[0].stale = 0.2;
    policies_add_replicas(&result, &report);
    result.repeats = 1;
    report.replicas[0].probes = 300;
    report.replicas[0].missed = 0;
    report.replicas[0].stale = 0.1;
    policies_add_replicas(&result, &report);
    assert_float_equal(policies_missed(&result, 0), 0.125, 1e-9);
    assert_float_equal(result.replicas[0].stale, 0.2, 1e-9);
    report_done(&report);
}

static void test_spread_and_exit(void **state)
{
    struct policy_result results[POLICY_COUNT] = {0};
    (void)state;

    assert_float_equal(policies_spread(results), 0, 0);
    results[3] = (struct policy_result){.repeats = 3, .rates = {90, 100, 120}};
    assert_float_equal(policies_spread(results), 0.3, 1e-9);
    assert_int_equal(policies_exit_code(results), 0);
    results[2].exit_code = 1;
    assert_int_equal(policies_exit_code(results), 1);
    results[6].exit_code = 4;
    assert_int_equal(policies_exit_code(results), 4);
    assert_true(isnan(policies_median(results[0].rates, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_the_longest_names_fit),
        cmocka_unit_test(test_missed_is_over_all_probes),
        cmocka_unit_test(test_spread_and_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
