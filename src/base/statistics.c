#include "base/statistics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

double statistics_chi_square(const uint64_t *counts, const double *expected, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        assert(expected[i] > 0);
        double difference = (double)counts[i] - expected[i];
        sum += difference * difference / expected[i];
    }
    return sum;
}

/* Lower incomplete gamma by its series; converges fast for x < a + 1
 * (Abramowitz and Stegun 6.5.29). */
static double gamma_p_series(double a, double x)
{
    double term = 1 / a, sum = term;
    for (int n = 1; fabs(term) > fabs(sum) * 1e-16; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * exp(-x + a * log(x) - lgamma(a));
}

/* Upper incomplete gamma by its continued fraction, Lentz's method; for
 * x >= a + 1 (Abramowitz and Stegun 6.5.31). */
static double gamma_q_fraction(double a, double x)
{
    const double tiny = 1e-300;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
    for (int i = 1; i < 100000; i++) {
        double numerator = -i * (i - a);
        b += 2;
        d = numerator * d + b;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = b + numerator / c;
        c = fabs(c) < tiny ? tiny : c;
        double factor = c * d;
        h *= factor;
        if (fabs(factor - 1) < 1e-15) {
            break;
        }
    }
    return h * exp(-x + a * log(x) - lgamma(a));
}

double statistics_chi_square_p(double chi_square, unsigned degrees)
{
    assert(degrees > 0);
    double a = degrees / 2.0, x = chi_square / 2;
    if (x <= 0) {
        return 1;
    }
    return x < a + 1 ? 1 - gamma_p_series(a, x) : gamma_q_fraction(a, x);
}

static int compare_doubles(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

double statistics_median(double *values, size_t count)
{
    assert(count > 0);
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* The share of all orders of the samples in which U is at most `u`: ways[j] is
 * the number of ways to reach j, by the generating function
 * prod (1 - q^(m+i)) / (1 - q^i). */
static bool exact_tail(size_t m, size_t n, size_t u, double *share)
{
    double *ways = calloc(u + 1, sizeof *ways);
    if (ways == NULL) {
        return false;
    }
    ways[0] = 1;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = u + 1; j-- > m + i;) {
            ways[j] -= ways[j - m - i];
        }
        for (size_t j = i; j <= u; j++) {
            ways[j] += ways[j - i];
        }
    }
    double sum = 0,
           all = lgamma((double)(m + n) + 1) - lgamma((double)m + 1) - lgamma((double)n + 1);
    for (size_t j = 0; j <= u; j++) {
        sum += ways[j];
    }
    free(ways);
    *share = sum / exp(all);
    return true;
}

/* Sum of (t^3 - t) over groups of equal values. */
static double tie_sum(const double *sorted, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count;) {
        size_t j = i;
        while (j < count && !(sorted[j] > sorted[i])) {
            j++;
        }
        double t = (double)(j - i);
        sum += t * t * t - t;
        i = j;
    }
    return sum;
}

/* How often a value of `a` is above one of `b`, ties counted half. */
static double u_statistic(const double *a, size_t count_a, const double *b, size_t count_b)
{
    double u = 0;
    for (size_t i = 0; i < count_a; i++) {
        for (size_t j = 0; j < count_b; j++) {
            u += a[i] > b[j] ? 1 : a[i] < b[j] ? 0 : 0.5;
        }
    }
    return u;
}

static double normal_p(double u, double m, double n, double ties)
{
    double all = m + n;
    double variance = m * n / 12 * (all + 1 - ties / (all * (all - 1)));
    if (variance <= 0) {
        return 1; /* all values are equal */
    }
    double distance = fabs(u - m * n / 2) - 0.5;
    return distance <= 0 ? 1 : erfc(distance / sqrt(variance) / sqrt(2));
}

bool statistics_rank_test(const double *a, size_t count_a, const double *b, size_t count_b,
                          double *p)
{
    assert(count_a > 0);
    assert(count_b > 0);
    size_t all = count_a + count_b;
    double *pooled = malloc(all * sizeof *pooled);
    if (pooled == NULL) {
        return false;
    }
    for (size_t i = 0; i < all; i++) {
        pooled[i] = i < count_a ? a[i] : b[i - count_a];
    }
    qsort(pooled, all, sizeof *pooled, compare_doubles);
    double ties = tie_sum(pooled, all);
    free(pooled);

    double u = u_statistic(a, count_a, b, count_b);
    double pairs = (double)count_a * (double)count_b;
    if (ties > 0 || count_a > STATISTICS_EXACT_MAX || count_b > STATISTICS_EXACT_MAX) {
        *p = normal_p(u, (double)count_a, (double)count_b, ties);
        return true;
    }
    double smaller = u < pairs - u ? u : pairs - u, share;
    if (!exact_tail(count_a, count_b, (size_t)smaller, &share)) {
        return false;
    }
    *p = fmin(1, 2 * share);
    return true;
}
