/* lab/watch: the monitor over several shards, and what it knows as JSON.
 *
 * The lab's supervisor hosts one in its event loop, so that `reparto status`
 * has a history to read; without a lab that program runs one for a moment.
 * Never blocks (see monitor/probe about host names).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "monitor/lag.h"

struct watch; /* opaque: only watch.c knows its fields */

enum { WATCH_SHARDS_MAX = 64 };

struct watch_node {
    const char *name; /* copied */
    const char *dsn;  /* copied */
};

/* The caller owns the result and must watch_destroy() it; NULL when out of memory. */
[[nodiscard]] struct watch *watch_create(int64_t now);
void watch_destroy(struct watch *watch); /* NULL is allowed */

/* Follows one more shard.  False with `err` as lag_create(). */
[[nodiscard]] bool watch_add(struct watch *watch, const char *shard_name,
                             const struct watch_node *nodes, size_t count, int64_t now,
                             struct error *err);

/* Borrowed: to be driven by the caller's loop, or lag_run(). */
[[nodiscard]] struct lag *watch_lag(struct watch *watch, size_t shard);

/* Waits with poll() and steps all shards until `until`, or a signal came (false). */
bool watch_run(struct watch *watch, int64_t until);

/* Whether every node has answered or failed at least once. */
[[nodiscard]] bool watch_is_settled(const struct watch *watch, int64_t now);

/* {"watched_s": …, "shards": […]} as docs/status.schema.json has it, without what
 * only a connection of one's own can tell.  A new reference; NULL when out of memory. */
[[nodiscard]] json_t *watch_json(const struct watch *watch, int64_t now);
