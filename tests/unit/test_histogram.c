/* Every value is known to one part in 1,024; merging equals recording together. */
#include "check.h"

#include <math.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/histogram.h"
#include "base/random.h"

enum { LIMIT = 3600 * 1000 * 1000L };

static int compare(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static void percentiles_are_within_three_digits(void **)
{
    enum { COUNT = 20000 };
    static int64_t values[COUNT];
    static const double percentiles[] = {0, 1, 25, 50, 90, 99, 99.9, 100};
    struct histogram histogram;
    struct random random;

    random_init(&random, 11, 0);
    assert_true(histogram_init(&histogram, LIMIT));
    for (int i = 0; i < COUNT; i++) {
        values[i] = (int64_t)random_exponential(&random, 50000);
        histogram_record(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof values[0], compare);
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        size_t rank = (size_t)(percentiles[i] / 100 * COUNT + 0.9999);
        int64_t truth = values[rank == 0 ? 0 : rank - 1];
        int64_t told = histogram_percentile(&histogram, percentiles[i]);
        assert_in_range(told, truth, truth + truth / 1024);
    }
    assert_int_equal(histogram.max, values[COUNT - 1]);
    assert_int_equal(histogram.min, values[0]);
    assert_int_equal(histogram_percentile(&histogram, 100), histogram.max);
    histogram_done(&histogram);
}

static void merging_equals_recording_together(void **)
{
    struct histogram a, b, together;
    struct random random;

    random_init(&random, 12, 0);
    assert_true(histogram_init(&a, LIMIT));
    assert_true(histogram_init(&b, LIMIT));
    assert_true(histogram_init(&together, LIMIT));
    for (int i = 0; i < 5000; i++) {
        int64_t value = (int64_t)random_below(&random, 10 * (uint64_t)LIMIT / 9);
        histogram_record(i % 3 == 0 ? &a : &b, value);
        histogram_record(&together, value);
    }
    histogram_merge(&a, &b);
    assert_int_equal(a.total, together.total);
    assert_int_equal(a.clipped, together.clipped);
    assert_int_equal(a.min, together.min);
    assert_int_equal(a.max, together.max);
    assert_memory_equal(a.counts, together.counts, a.bucket_count * sizeof a.counts[0]);
    histogram_done(&a);
    histogram_done(&b);
    histogram_done(&together);
}

static void values_outside_are_counted_and_told(void **)
{
    struct histogram histogram;

    assert_true(histogram_init(&histogram, 5000));
    assert_int_equal(histogram_percentile(&histogram, 50), 0);
    histogram_record(&histogram, -3);
    histogram_record(&histogram, 5000);
    histogram_record(&histogram, 5001);
    assert_int_equal(histogram.clipped, 2);
    assert_int_equal(histogram.min, 0);
    assert_int_equal(histogram.max, 5000);
    assert_true(histogram_share_at_most(&histogram, 10) > 0.33);
    const int64_t limits[] = {0, 10, INT64_MAX};
    uint64_t counts[3] = {0};
    histogram_counts_at_most(&histogram, limits, 3, counts);
    for (size_t i = 0; i < 3; i++) {
        double share = histogram_share_at_most(&histogram, limits[i]);
        assert_true(fabs(share * (double)histogram.total - (double)counts[i]) < 0.5);
    }
    assert_int_equal(counts[2], histogram.total);
    assert_true(histogram_share_at_most(&histogram, 10) < 0.34);
    assert_true(histogram_share_at_most(&histogram, INT64_MAX) > 0.99);
    histogram_reset(&histogram);
    assert_int_equal(histogram.total, 0);
    histogram_done(&histogram);
}

static void hgrm_is_what_the_plotter_reads(void **)
{
    struct histogram histogram;
    char text[2000] = "";
    FILE *out = fmemopen(text, sizeof text, "w");

    assert_true(histogram_init(&histogram, 5000));
    for (int i = 1; i <= 4; i++) {
        histogram_record(&histogram, i * 1000);
    }
    assert_true(histogram_write_hgrm(&histogram, 1000, out));
    fclose(out);
    assert_non_null(strstr(text, "       1.000 0.250000000000          1           1.33\n"));
    assert_non_null(strstr(text, "       4.000 1.000000000000          4\n"));
    assert_non_null(strstr(text, "#[Mean    =        2.500, StdDeviation   ="));
    histogram_done(&histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_within_three_digits),
        cmocka_unit_test(merging_equals_recording_together),
        cmocka_unit_test(values_outside_are_counted_and_told),
        cmocka_unit_test(hgrm_is_what_the_plotter_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
