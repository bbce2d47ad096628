/* load_test/saved: the part of a report that machines read back.
 *
 * The text report is also the data format.  It ends with a block that is the
 * same in every language and that a person can read too:
 *
 *     DATA load_test 1
 *     set seed = 41
 *     set synchronous_commit = local
 *     write.p99 ms 6.19 6.40 6.02
 *     visible.r1.p99 ms 4.16 4.31 ?
 *     END 2 settings, 2 metrics, 3 repetitions
 *
 * One line per metric: name, unit, then the value of each repetition; "?" is
 * "not measured", "inf" is "never" (a percentile beyond the end of the run).  The END line counts,
 * so that a file that was cut off, or pasted together, is refused.  JSON reports carry the same
 * under "settings" (an object of texts) and "metrics" (an array of {name, unit, values}).
 *
 * Limits: SAVED_FILE_MAX bytes, SAVED_SETTINGS_MAX settings, METRICS_MAX
 * metrics, SAVED_REPETITIONS_MAX repetitions; more is refused, with the line.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "base/text.h"
#include "load_test/metric.h"

enum {
    SAVED_FILE_MAX = 8 << 20, /* bytes */
    SAVED_SETTINGS_MAX = 64,
    SAVED_REPETITIONS_MAX = 100,
    SAVED_VALUE_SIZE = 200, /* bytes of a setting's text */
};

struct saved_setting {
    char name[METRIC_NAME_SIZE];
    char value[SAVED_VALUE_SIZE]; /* one line; may be empty */
};

struct saved_metric {
    char name[METRIC_NAME_SIZE];
    char unit[METRIC_UNIT_SIZE];
    double values[SAVED_REPETITIONS_MAX]; /* [repetitions]; NAN: not measured */
};

struct saved {
    struct saved_setting settings[SAVED_SETTINGS_MAX];
    size_t setting_count;
    struct saved_metric metrics[METRICS_MAX];
    size_t metric_count;
    size_t repetitions;
};

/* 900 kB, so it is made on the heap.  The caller owns it and must free() it;
 * NULL when out of memory. */
[[nodiscard]] struct saved *saved_create(void);

/* What the run was asked to do, or ran on; one line, longer texts are cut.
 * "machine", "seed" and "postgresql" are the three that compare calls "the
 * same"; "started" and "host" are kept but never count as a difference. */
[[gnu::format(printf, 3, 4)]] void saved_set(struct saved *saved, const char *name,
                                             const char *value_format, ...);

/* Adds one repetition.  A metric that earlier repetitions lacked is "not
 * measured" in them, and the other way round.  Beyond SAVED_REPETITIONS_MAX
 * nothing is added. */
void saved_add(struct saved *saved, const struct metrics *metrics);

/* The rows of that name, or NULL; borrowed. */
[[nodiscard]] const struct saved_metric *saved_find(const struct saved *saved, const char *name);
[[nodiscard]] const char *saved_setting(const struct saved *saved, const char *name);

/* Appends the DATA block, without a blank line before it. */
void saved_write(const struct saved *saved, struct text *text);

/* Puts "settings", "metrics" and "repetitions" into a JSON object.  False when
 * out of memory. */
[[nodiscard]] bool saved_write_json(const struct saved *saved, json_t *object);

/* Reads a report, text or JSON, from memory; bytes may be anything.  Errors
 * (22000) name the line.  The result is the caller's to free(). */
[[nodiscard]] struct saved *saved_parse(const char *bytes, size_t size, struct error *err);

/* As saved_parse(), from a file; errors name it. */
[[nodiscard]] struct saved *saved_load(const char *path, struct error *err);
