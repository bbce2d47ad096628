/* load_test/expect: thresholds that fail a run.
 *
 * `visible.p99<50ms` holds or not against the metrics of a run (--expect).
 * Pure: parses and judges, prints nothing.
 */
#pragma once

#include "base/error.h"
#include "load_test/metric.h"

enum expect_operator {
    EXPECT_LESS,
    EXPECT_AT_MOST,
    EXPECT_MORE,
    EXPECT_AT_LEAST,
    EXPECT_EQUAL,
    EXPECT_NOT
};

enum expect_unit {
    EXPECT_UNIT_NONE, /* a bare number: in the metric's own unit */
    EXPECT_UNIT_MS,   /* times are kept in ms, whatever they were written in */
    EXPECT_UNIT_RATE, /* /s */
    EXPECT_UNIT_PERCENT,
    EXPECT_UNIT_BYTES,
};

struct expect {
    char metric[METRIC_NAME_SIZE];
    enum expect_operator operator;
    double limit;
    enum expect_unit unit;
    char text[96]; /* as written, for the FAIL line */
};

/* Reads `visible.p99<50ms`; blanks are allowed around each part.  Units: us, ms,
 * s, min, /s, %, B, kB, MB.  42601 says what was wrong, with an example. */
[[nodiscard]] bool expect_parse(const char *text, struct expect *expect, struct error *err);

/* Whether the metric is there and has that unit.  42704 for an unknown name,
 * with "did you mean" or the names there are; 42804 for a unit that is not the
 * metric's. */
[[nodiscard]] bool expect_fits(const struct expect *expect, const struct metrics *metrics,
                               struct error *err);

/* Whether `value`, in the metric's unit, satisfies the operator and the limit.  What was not
 * measured satisfies nothing. */
[[nodiscard]] bool expect_holds(const struct expect *expect, double value);

enum { EXPECT_LINE_SIZE = 240 };

/* Judges one run.  True when it is as expected; false writes the reason, "visible.p99 61.2
 * ms, expected < 50 ms", without "FAIL" before it.  expect_fits() must have passed. */
[[nodiscard]] bool expect_judge(const struct expect *expect, const struct metrics *metrics,
                                char line[EXPECT_LINE_SIZE]);
