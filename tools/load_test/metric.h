/* load_test/metric: what a run measured, as numbers by name.
 *
 * One flat table ("write.p99", "stale.r1", "lost") that the thresholds of
 * --expect, the DATA block of a saved report and `compare` all read, so that a
 * number has one name everywhere and in every language.  Pure: no I/O.
 *
 * Names are lower case, parts joined by dots, the node last but for the
 * statistic: "visible.r1.p99".  Units are one of METRIC_UNITS; a count has none
 * and is written "-".  What was not measured is NAN, never 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { METRIC_NAME_SIZE = 48, METRIC_UNIT_SIZE = 8, METRICS_MAX = 1024 };

struct metric {
    char name[METRIC_NAME_SIZE];
    char unit[METRIC_UNIT_SIZE]; /* "ms", "s", "/s", "%", "B" or "-" */
    double value;                /* NAN: not measured */
};

struct metrics {
    struct metric rows[METRICS_MAX];
    size_t count;
};

/* Adds a row.  The name is formatted ("visible.%s.p99", replica) and made safe:
 * bytes other than letters, digits, '.', '_' and '-' become '_', longer names
 * are cut.  A full table drops the row; METRICS_MAX is far above what a run
 * with 16 replicas has. */
[[gnu::format(printf, 4, 5)]] void metrics_add(struct metrics *metrics, double value,
                                               const char *unit, const char *name_format, ...);

/* The row of that name, or NULL.  Borrowed from the table. */
[[nodiscard]] const struct metric *metrics_find(const struct metrics *metrics, const char *name);

/* The name nearest to `name`, for "did you mean"; NULL when none is near. */
[[nodiscard]] const char *metrics_nearest(const struct metrics *metrics, const char *name);

/* Whether `unit` is one that a metric may have. */
[[nodiscard]] bool metric_unit_is_known(const char *unit);

/* Whether `name` could be a metric's: not empty, not too long, only its characters. */
[[nodiscard]] bool metric_name_is_valid(const char *name, size_t size);

/* Reads a decimal number that `size` bytes hold completely ("6.19", "-3", "1e6");
 * false for anything else, infinities and NaN among them. */
[[nodiscard]] bool metric_parse_number(const char *bytes, size_t size, double *number);

enum { METRIC_VALUE_SIZE = 40 };

/* "6.19", "13,248", "90.6": as many digits as the size of the number deserves,
 * without the unit; "?" when it was not measured.  Returns `buffer`. */
const char *metric_format(char buffer[METRIC_VALUE_SIZE], double value);
