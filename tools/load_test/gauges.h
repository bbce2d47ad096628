/* load_test/gauges: what PostgreSQL itself says during the run, asked ten times a second.
 *
 * pg_stat_replication's replay_lag (NULL is counted, never taken for 0), the
 * number of connections, the longest query and sessions idle in transaction.  One
 * nonblocking link to the primary, driven by the caller's loop.
 */
#pragma once

#include <stdbool.h>

#include "base/histogram.h"
#include "load_test/link.h"
#include "load_test/report.h"
#include "load_test/target.h"

struct gauges {
    struct link link;
    const struct target *target; /* borrowed */
    int64_t next;                /* clock_now() of the next question */
    int command;                 /* whose result comes next */
    double samples[REPORT_REPLICA_MAX], given[REPORT_REPLICA_MAX];
    struct histogram replay_lag[REPORT_REPLICA_MAX]; /* µs */
    char sync_state[REPORT_REPLICA_MAX][REPORT_NAME_SIZE];
    double connections_max, connections_limit, longest_query_s,
        idle_in_transaction_max; /* NAN: never answered */
};

/* False when out of memory; gauges_done() whatever it returns. */
[[nodiscard]] bool gauges_init(struct gauges *gauges, const struct target *target, int64_t timeout);
void gauges_done(struct gauges *gauges);

/* Asks when it is time and nothing is under way; call before polling.  Returns when it wants to be
 * called again. */
[[nodiscard]] int64_t gauges_ask(struct gauges *gauges, int64_t now);

/* Reads what has come; `revents` are of link_pollfd(&gauges->link). */
void gauges_step(struct gauges *gauges, int64_t now, short revents);

/* Copies the findings. */
void gauges_report(const struct gauges *gauges, struct run_report *report);
