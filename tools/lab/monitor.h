/* lab/monitor: the supervisor's watch over all nodes, so that `reparto status` has a history.
 *
 * Ten questions a second to each node, from the supervisor's event loop, from
 * when the lab is ready until it ends.
 */
#pragma once

#include "lab/control.h"

struct monitor; /* opaque: only monitor.c knows its fields */

/* The lab works without a monitor; NULL with `err` says why there is none.  The
 * caller owns the result and must monitor_stop() it while the loop exists. */
[[nodiscard]] struct monitor *monitor_start(struct supervisor *supervisor, struct error *err);
void monitor_stop(struct monitor *monitor); /* NULL is allowed */

/* The command "monitor": {"ok", "watched_s", "shards"}, see lab/watch.h. */
control_run monitor_command;
