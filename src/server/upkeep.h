/* server/upkeep: what the control thread does from time to time.
 *
 * The line of totals, systemd's watchdog, and telling of log lines that were
 * lost.  It reads what workers publish and waits for none of them.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "net/loop.h"

enum total {
    TOTAL_TRANSACTIONS,
    TOTAL_QUERIES,
    TOTAL_BYTES_RECEIVED,
    TOTAL_BYTES_SENT,
    TOTAL_TRANSACTION_US,
    TOTAL_QUERY_US,
    TOTAL_WAIT_US,
    TOTAL_COUNT
};

/* What a worker publishes several times a second, for the control thread. */
struct published {
    _Atomic uint64_t totals[TOTAL_COUNT]; /* of all its pools */
    _Atomic int64_t turned_at;            /* ns: its loop was alive */
};

struct backend;
void published_write(struct published *published, const struct backend *backend, int64_t now);

struct workers;

struct upkeep {
    struct workers *workers; /* borrowed, as all here */
    const struct log *log;
    struct loop *loop;
    struct loop_timer look, watchdog;
    int64_t watchdog_period; /* ns; 0: nobody wants to know */
    int64_t stats_period;    /* ns; 0: no line of totals */
    int64_t stats_at;        /* ns: the last one */
    uint64_t last[TOTAL_COUNT];
    unsigned long lost_count, lost_told; /* the first is the log's, and atomic */
    bool is_silent;                      /* systemd hears of another process now */
};

/* Zero it before; then it runs by the loop until upkeep_end().  False: out of memory. */
[[nodiscard]] bool upkeep_begin(struct upkeep *upkeep);
void upkeep_end(struct upkeep *upkeep); /* one that did not begin is allowed */
