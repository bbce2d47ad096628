/* base/histogram: latencies to 3 significant digits, in fixed memory.
 *
 * Log-linear, as Gil Tene's HdrHistogram: 2,048 buckets of width 1, then 1,024
 * for each further power of two, so a value is known to one part in 1,024.
 * One thread writes one histogram; merge them to read them.  The unit is the
 * caller's (microseconds in the load tester).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct histogram {
    uint64_t *counts; /* owned */
    size_t bucket_count;
    uint64_t total;
    int64_t limit;    /* values above it are counted as it */
    int64_t min, max; /* exact, of what was recorded (max up to the limit); 0 while empty */
    uint64_t clipped; /* how many values were above the limit, or below 0 and taken as 0 */
    double sum;
};

/* Room for values 0..limit; limit > 0.  8.2 kB for each doubling above 2,048.
 * False when out of memory. */
[[nodiscard]] bool histogram_init(struct histogram *histogram, int64_t limit);
void histogram_done(struct histogram *histogram);

void histogram_record(struct histogram *histogram, int64_t value);
void histogram_reset(struct histogram *histogram);

/* Adds the counts of `other`, which must have the same limit. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/* The highest value of the bucket in which the value of that rank lies, as
 * HdrHistogram does, never above max; percentile 0..100; 0 while empty. */
[[nodiscard]] int64_t histogram_percentile(const struct histogram *histogram, double percentile);
[[nodiscard]] double histogram_mean(const struct histogram *histogram); /* 0 while empty */

/* The share of values at or below `value`, 0..1, to the bucket's width; 0 while empty. */
[[nodiscard]] double histogram_share_at_most(const struct histogram *histogram, int64_t value);

/* How many values are at or below each of `limits`, which ascend; in one pass, to the bucket's
 * width. */
void histogram_counts_at_most(const struct histogram *histogram, const int64_t *limits,
                              size_t count, uint64_t *counts);

/* Writes the percentile table that HdrHistogram's plotter reads (.hgrm).
 * `units_per_value` divides what is printed: 1000 prints µs as ms.
 * False when writing failed. */
[[nodiscard]] bool histogram_write_hgrm(const struct histogram *histogram, double units_per_value,
                                        FILE *out);
