/* The plan's random choices repeat by seed, keep their rate, and stay in their range. */
#include "check.h"

#include <math.h>

#include "base/clock.h"
#include "load_test/plan.h"

static void arrivals_keep_their_rate_and_repeat(void **)
{
    struct plan_arrivals a, b;
    int64_t last = 0, at = 0;

    plan_arrivals_init(&a, 41, 800, 1000);
    plan_arrivals_init(&b, 41, 800, 1000);
    for (int i = 0; i < 80000; i++) {
        at = plan_arrivals_next(&a);
        assert_int_equal(at, plan_arrivals_next(&b));
        assert_true(at >= last);
        last = at;
    }
    assert_true(fabs((double)(at - 1000) / 1e9 - 100) < 2);
}

static void rows_asked_for_are_there(void **)
{
    struct random random;
    random_init(&random, 1, 0);
    for (uint64_t last = 1; last < 300; last++) {
        for (int i = 0; i < 50; i++) {
            uint64_t row = plan_pick_row(&random, last);
            assert_in_range(row, last > 100 ? last - 99 : 1, last);
        }
    }
}

static void defaults_verify(void **)
{
    struct run_plan plan;
    plan_init(&plan);
    assert_true(plan.is_verified);
    assert_false(plan.may_fail);
    assert_int_equal(plan.duration, 10 * CLOCK_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrivals_keep_their_rate_and_repeat),
        cmocka_unit_test(rows_asked_for_are_there),
        cmocka_unit_test(defaults_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
