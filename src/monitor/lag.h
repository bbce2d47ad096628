/* monitor/lag: follows the nodes of one shard and knows how stale each is.
 *
 * One probe a node and one ring for the shard, fed by whichever node is
 * primary.  Replicas are asked half an interval after the primary, so that a
 * healthy one has what the primary had.  When no node, or more than one, is
 * primary, nothing is added to the ring: what is known grows old and says so.
 * Never blocks (see monitor/probe about host names).  Times are clock_now().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cluster/node.h"
#include "cluster/staleness.h"
#include "monitor/probe.h"

enum { LAG_NODES_MAX = 64, LAG_RING_ENTRIES = 1024 };

struct lag; /* opaque: only lag.c knows its fields */

/* `dsns` are copied; at most LAG_NODES_MAX.  The caller owns the result and
 * must lag_destroy() it.  NULL with `err` as probe_create(). */
[[nodiscard]] struct lag *lag_create(const char *const *dsns, size_t count,
                                     const struct probe_limits *limits, int64_t now,
                                     struct error *err);
void lag_destroy(struct lag *lag); /* NULL is allowed */

[[nodiscard]] size_t lag_count(const struct lag *lag);

/* For an event loop: the descriptor of node `index` (-1: none) and its events,
 * which may change with each step, and when lag_step() is due at the latest. */
[[nodiscard]] int lag_fd(const struct lag *lag, size_t index);
[[nodiscard]] short lag_events(const struct lag *lag, size_t index);
[[nodiscard]] int64_t lag_deadline(const struct lag *lag);

/* Steps node `index`; `is_ready`: poll() reported its descriptor. */
void lag_step(struct lag *lag, size_t index, bool is_ready, int64_t now);

/* For a caller without a loop: waits with poll() and steps until `until`, or a
 * signal came.  False: a signal came. */
bool lag_run(struct lag *lag, int64_t until);

/* Which node is primary; `primary` as shard_find_primary(). */
[[nodiscard]] enum shard_verdict lag_primary(const struct lag *lag, int64_t now, size_t *primary);

[[nodiscard]] struct node_facts lag_facts(const struct lag *lag, size_t index, int64_t now);
[[nodiscard]] const struct error *lag_error(const struct lag *lag, size_t index);
[[nodiscard]] int64_t lag_silent_since(const struct lag *lag, size_t index, int64_t now);

/* How stale node `index` is against the shard's ring.  STALENESS_UNKNOWN when
 * it never answered, or belongs to another system than the primary. */
[[nodiscard]] struct staleness lag_staleness(const struct lag *lag, size_t index, int64_t now);

/* Bytes of WAL that node `index` has not replayed of what the primary had at
 * the newest sample. */
[[nodiscard]] uint64_t lag_bytes_behind(const struct lag *lag, size_t index);
