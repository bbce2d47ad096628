#include "base/histogram.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINEAR_BITS = 11, LINEAR = 1 << LINEAR_BITS, HALF = LINEAR / 2 };

static size_t bucket_of(int64_t value)
{
    if (value < LINEAR) {
        return (size_t)value;
    }
    int top_bit = 63 - __builtin_clzll((unsigned long long)value);
    int shift = top_bit - (LINEAR_BITS - 1);
    return (size_t)shift * HALF + (size_t)(value >> shift);
}

/* The highest value that falls into the bucket. */
static int64_t bucket_top(size_t bucket)
{
    if (bucket < LINEAR) {
        return (int64_t)bucket;
    }
    size_t shift = bucket / HALF - 1;
    int64_t mantissa = (int64_t)(bucket - shift * HALF);
    return ((mantissa + 1) << shift) - 1;
}

bool histogram_init(struct histogram *histogram, int64_t limit)
{
    assert(limit > 0);
    size_t bucket_count = bucket_of(limit) + 1;
    uint64_t *counts = calloc(bucket_count, sizeof *counts);
    if (counts == NULL) {
        return false;
    }
    *histogram = (struct histogram){.counts = counts, .bucket_count = bucket_count, .limit = limit};
    return true;
}

void histogram_done(struct histogram *histogram)
{
    free(histogram->counts);
    *histogram = (struct histogram){0};
}

void histogram_record(struct histogram *histogram, int64_t value)
{
    if (value < 0 || value > histogram->limit) {
        histogram->clipped++;
        value = value < 0 ? 0 : histogram->limit;
    }
    histogram->counts[bucket_of(value)]++;
    if (histogram->total == 0 || value < histogram->min) {
        histogram->min = value;
    }
    if (value > histogram->max) {
        histogram->max = value;
    }
    histogram->total++;
    histogram->sum += (double)value;
}

void histogram_reset(struct histogram *histogram)
{
    memset(histogram->counts, 0, histogram->bucket_count * sizeof *histogram->counts);
    histogram->total = histogram->clipped = 0;
    histogram->min = histogram->max = 0;
    histogram->sum = 0;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    assert(histogram->limit == other->limit);
    if (other->total == 0) {
        return;
    }
    for (size_t i = 0; i < histogram->bucket_count; i++) {
        histogram->counts[i] += other->counts[i];
    }
    if (histogram->total == 0 || other->min < histogram->min) {
        histogram->min = other->min;
    }
    if (other->max > histogram->max) {
        histogram->max = other->max;
    }
    histogram->total += other->total;
    histogram->clipped += other->clipped;
    histogram->sum += other->sum;
}

int64_t histogram_percentile(const struct histogram *histogram, double percentile)
{
    if (histogram->total == 0) {
        return 0;
    }
    double share = percentile < 0 ? 0 : percentile > 100 ? 1 : percentile / 100;
    /* 99.9 % of 20,000 is 19,980, though the product of the doubles is a hair more. */
    uint64_t rank = (uint64_t)ceil(share * (double)histogram->total - 1e-6);
    uint64_t seen = 0;
    for (size_t i = 0; i < histogram->bucket_count; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && seen >= rank) {
            int64_t top = bucket_top(i);
            return top < histogram->max ? top : histogram->max;
        }
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->total == 0 ? 0 : histogram->sum / (double)histogram->total;
}

double histogram_share_at_most(const struct histogram *histogram, int64_t value)
{
    if (histogram->total == 0 || value < 0) {
        return 0;
    }
    size_t last = value > histogram->limit ? histogram->bucket_count - 1 : bucket_of(value);
    uint64_t seen = 0;
    for (size_t i = 0; i <= last; i++) {
        seen += histogram->counts[i];
    }
    return (double)seen / (double)histogram->total;
}

void histogram_counts_at_most(const struct histogram *histogram, const int64_t *limits,
                              size_t count, uint64_t *counts)
{
    uint64_t seen = 0;
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        assert(limits[i] >= 0 && (i == 0 || limits[i] > limits[i - 1]));
        size_t last =
            limits[i] > histogram->limit ? histogram->bucket_count - 1 : bucket_of(limits[i]);
        while (at <= last) {
            seen += histogram->counts[at++];
        }
        counts[i] = seen;
    }
}

static double deviation(const struct histogram *histogram)
{
    double mean = histogram_mean(histogram), sum = 0;
    for (size_t i = 0; i < histogram->bucket_count; i++) {
        double distance = (double)bucket_top(i) - mean;
        sum += (double)histogram->counts[i] * distance * distance;
    }
    return histogram->total == 0 ? 0 : sqrt(sum / (double)histogram->total);
}

bool histogram_write_hgrm(const struct histogram *histogram, double units_per_value, FILE *out)
{
    const double total = (double)histogram->total;
    uint64_t seen = 0;

    fprintf(out, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    for (size_t i = 0; i < histogram->bucket_count; i++) {
        if (histogram->counts[i] == 0) {
            continue;
        }
        seen += histogram->counts[i];
        double share = (double)seen / total;
        int64_t top = bucket_top(i) < histogram->max ? bucket_top(i) : histogram->max;
        fprintf(out, "%12.3f %14.12f %10llu", (double)top / units_per_value, share,
                (unsigned long long)seen);
        if (seen < histogram->total) {
            fprintf(out, " %14.2f", 1 / (1 - share));
        }
        fprintf(out, "\n");
    }
    fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n",
            histogram_mean(histogram) / units_per_value, deviation(histogram) / units_per_value);
    fprintf(out, "#[Max     = %12.3f, Total count    = %12llu]\n",
            (double)histogram->max / units_per_value, (unsigned long long)histogram->total);
    fprintf(out, "#[Buckets = %12zu, SubBuckets     = %12d]\n", histogram->bucket_count, LINEAR);
    return !ferror(out);
}
