/* base/statistics: is a difference more than chance?
 *
 * The two tests that our reports quote.  Pure arithmetic; no allocation beyond
 * what is said.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pearson's chi-square of `counts` against `expected` (both `count` long, each
 * expectation > 0). */
[[nodiscard]] double statistics_chi_square(const uint64_t *counts, const double *expected,
                                           size_t count);

/* The probability of a chi-square of at least `chi_square` by chance, with
 * `degrees` > 0 degrees of freedom: the regularized upper incomplete gamma
 * function Q(degrees/2, chi_square/2). */
[[nodiscard]] double statistics_chi_square_p(double chi_square, unsigned degrees);

/* The two-sided p of the Mann-Whitney U test of two samples: exact (by
 * enumeration of the U distribution) when there are no ties and both have at most
 * STATISTICS_EXACT_MAX values, else the normal approximation with tie and
 * continuity correction.  Sizes must be > 0.  False when out of memory. */
enum { STATISTICS_EXACT_MAX = 50 };
[[nodiscard]] bool statistics_rank_test(const double *a, size_t count_a, const double *b,
                                        size_t count_b, double *p);

/* The median; sorts `values`, lowest first; `count` > 0. */
[[nodiscard]] double statistics_median(double *values, size_t count);
