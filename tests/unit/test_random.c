/* Streams repeat by seed, differ by stream, and are even. */
#include "check.h"

#include <math.h>

#include "base/random.h"
#include "base/statistics.h"

static void seeds_repeat_and_streams_differ(void **)
{
    struct random a, b, c;
    int equal = 0;

    random_init(&a, 41, 0);
    random_init(&b, 41, 0);
    random_init(&c, 41, 1);
    for (int i = 0; i < 1000; i++) {
        uint64_t value = random_next(&a);
        assert_int_equal(value, random_next(&b));
        equal += value == random_next(&c);
    }
    assert_int_equal(equal, 0);
}

static void numbers_below_a_limit_are_even(void **)
{
    uint64_t counts[7] = {0};
    double expected[7];
    struct random random;

    random_init(&random, 3, 0);
    for (int i = 0; i < 70000; i++) {
        uint64_t value = random_below(&random, 7);
        assert_in_range(value, 0, 6);
        counts[value]++;
    }
    for (int i = 0; i < 7; i++) {
        expected[i] = 10000;
    }
    assert_true(statistics_chi_square_p(statistics_chi_square(counts, expected, 7), 6) > 0.001);
}

static void gaps_have_their_mean(void **)
{
    struct random random;
    double sum = 0;

    random_init(&random, 5, 0);
    for (int i = 0; i < 100000; i++) {
        double gap = random_exponential(&random, 2.5);
        assert_true(gap >= 0);
        sum += gap;
        double unit = random_unit(&random);
        assert_true(unit >= 0 && unit < 1);
    }
    assert_true(fabs(sum / 100000 - 2.5) < 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_repeat_and_streams_differ),
        cmocka_unit_test(numbers_below_a_limit_are_even),
        cmocka_unit_test(gaps_have_their_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
