/* Both tests give the textbooks' values; expected figures were made by SciPy's
 * chi2.sf and mannwhitneyu, or follow from counting. */
#include "check.h"

#include <math.h>

#include "base/statistics.h"

static void chi_square_tails_are_the_tables(void **)
{
    static const struct {
        double chi_square;
        unsigned degrees;
        double p;
    } cases[] = {{3.841458820694124, 1, 0.05},  {7.814727903251179, 3, 0.05},
                 {11.344866730144373, 3, 0.01}, {0, 5, 1},
                 {2.7, 3, 0.4402275},           {124.342113, 100, 0.05},
                 {1074.679, 1000, 0.05},        {200, 3, 4.22e-43}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double p = statistics_chi_square_p(cases[i].chi_square, cases[i].degrees);
        assert_true(fabs(p - cases[i].p) <= 0.002 * cases[i].p);
    }
}

static void chi_square_sums_squares(void **)
{
    const uint64_t counts[] = {10, 20, 30};
    const double expected[] = {20, 20, 20};
    assert_true(fabs(statistics_chi_square(counts, expected, 3) - 10) < 1e-12);
}

static void smallest_exact_p_is_two_in_all_orders(void **)
{
    static const struct {
        size_t count;
        double p; /* 2 / (2n choose n) */
    } cases[] = {{3, 0.1}, {4, 2.0 / 70}, {5, 2.0 / 252}};
    const double low[] = {1, 2, 3, 4, 5}, high[] = {6, 7, 8, 9, 10};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double p;
        assert_true(statistics_rank_test(low, cases[i].count, high, cases[i].count, &p));
        assert_true(fabs(p - cases[i].p) < 1e-9);
        assert_true(statistics_rank_test(high, cases[i].count, low, cases[i].count, &p));
        assert_true(fabs(p - cases[i].p) < 1e-9);
    }
}

/* Counts the orders with so extreme a U one by one: all ways to choose which of the
 * pooled values 0..m+n-1 belong to the first sample. */
static double counted_p(const double *a, size_t m, size_t n)
{
    double observed = 0, extreme = 0, all = 0;
    for (size_t i = 0; i < m; i++) {
        observed += a[i] - (double)i;
    }
    double center = (double)(m * n) / 2, distance = fabs(observed - center);
    for (unsigned set = 0; set < 1u << (m + n); set++) {
        if ((size_t)__builtin_popcount(set) != m) {
            continue;
        }
        double u = 0;
        for (size_t value = 0, rank = 0; value < m + n; value++) {
            if (set >> value & 1) {
                u += (double)(value - rank++);
            }
        }
        all++;
        extreme += fabs(u - center) >= distance - 1e-9;
    }
    return extreme / all;
}

static void exact_p_equals_counting(void **)
{
    static const double firsts[][4] = {{0, 1, 2, 3}, {0, 2, 4, 6}, {1, 3, 7, 8}, {2, 3, 5, 6}};

    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        double rest[5], p;
        size_t count = 0;
        for (int value = 0; value < 9; value++) {
            bool is_first = false;
            for (int j = 0; j < 4; j++) {
                is_first = is_first || (int)firsts[i][j] == value;
            }
            if (!is_first) {
                rest[count++] = value;
            }
        }
        assert_true(statistics_rank_test(firsts[i], 4, rest, 5, &p));
        assert_true(fabs(p - fmin(1, counted_p(firsts[i], 4, 5))) < 1e-9);
    }
}

static void ties_use_the_corrected_normal(void **)
{
    const double a[] = {1, 2, 2, 3, 4}, b[] = {2, 3, 5, 6, 7}, equal[] = {4, 4, 4};
    double p;

    assert_true(statistics_rank_test(a, 5, b, 5, &p));
    assert_true(fabs(p - 0.1116) < 0.005);
    assert_true(statistics_rank_test(equal, 3, equal, 3, &p));
    assert_true(p > 0.999);
}

static void median_of_even_and_odd(void **)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2};
    assert_true(fabs(statistics_median(odd, 3) - 2) < 1e-12);
    assert_true(fabs(statistics_median(even, 4) - 2.5) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chi_square_tails_are_the_tables),
        cmocka_unit_test(chi_square_sums_squares),
        cmocka_unit_test(smallest_exact_p_is_two_in_all_orders),
        cmocka_unit_test(exact_p_equals_counting),
        cmocka_unit_test(ties_use_the_corrected_normal),
        cmocka_unit_test(median_of_even_and_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
