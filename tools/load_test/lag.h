/* load_test/lag: when did each write become visible on a replica?
 *
 * The two-LSN method.  A sample begun after the acknowledgement whose replay
 * position is not beyond lsn_low proves that the write was not visible then: stale.  The first
 * sample whose position has reached lsn_high proves that it is visible, at
 * `answered`.  Between the two lies the truth.  One clock; pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load_test/record.h"

struct lag_interval {
    int64_t seen;     /* clock_now() when it was proven visible; 0: not by the end */
    int64_t at_least; /* ns after the acknowledgement during which it was proven stale; 0: never */
    int64_t
        at_most; /* ns after the acknowledgement until `seen`, not below 0; INT64_MAX: not seen */
};

/* One interval for each write, in the order of `writes`; those that are not acknowledged, or
 * whose LSNs are not known, get {0, 0, INT64_MAX}.  Two merge passes over sorted copies of
 * the indexes.  False when out of memory. */
[[nodiscard]] bool lag_match(const struct write_log *writes, const struct replay_log *samples,
                             struct lag_interval *intervals);

/* Whether lag_match() can say anything about the write. */
[[nodiscard]] bool lag_is_known(const struct write_record *write);
