/* load_test/compare: is the difference between two saved reports more than chance?
 *
 * Rows of the metrics that matter, each with both medians, the spread of their
 * repetitions, the change, and the p of a rank test; a change that is no more
 * than chance (p >= 0.05) is "~".  One run against one has no p, and says so.
 * Pure: takes two saved reports, appends text.
 */
#pragma once

#include <stdbool.h>

#include "base/text.h"
#include "load_test/report.h"
#include "load_test/saved.h"

enum compare_kind { COMPARE_RATE, COMPARE_LATENCY, COMPARE_SHARE, COMPARE_COUNT };

struct compare_change {
    double before, after; /* medians; NAN: not measured */
    double spread_before,
        spread_after;    /* half the range, in parts of the median; NAN for one run */
    double p;            /* of the rank test; NAN: too few repetitions for one */
    bool is_significant; /* p < 0.05; always false without a p */
};

/* The change of one metric; both medians NAN when neither report has it. False when out of memory.
 */
[[nodiscard]] bool compare_metric(const struct saved *before, const struct saved *after,
                                  const char *name, struct compare_change *change);

/* Appends the whole comparison, at most 80 columns wide; `names` head the two columns. False when
 * out of memory. */
[[nodiscard]] bool compare_print(const struct saved *before, const struct saved *after,
                                 const char *const names[2], enum report_language language,
                                 struct text *out);
