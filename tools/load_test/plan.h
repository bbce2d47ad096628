/* load_test/plan: what one run is to do, every default resolved.
 *
 * The plan and its seed decide the arrival times and which rows are read, so
 * that a run can be repeated.  Pure: it knows nothing of connections; the
 * strings are borrowed and must outlive the run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

enum {
    PLAN_WRITER_MAX = 256,
    PLAN_READER_MAX = 256,
    PLAN_WRITE_MAX = 50000000, /* writes that one run may remember: 64 bytes each */
};

enum plan_reads { PLAN_READ_REPLICAS, PLAN_READ_PRIMARY };

struct run_plan {
    uint64_t seed;
    int writers, readers; /* connections */
    double rate;          /* writes/s asked; 0: 70 % of what the calibration reaches */
    bool is_closed;       /* each writer sends as soon as it may; no rate */
    long writes;          /* measured writes; 0: by `duration` */
    int64_t duration, warmup, calibration; /* ns */
    double read_rate;                      /* reads/s of all readers; 0: unpaced */
    enum plan_reads read_from;
    double sample_rate;     /* replay positions/s on each replica; 0: lag is not measured */
    double probe_share;     /* of writes, 0..1: asked for on each replica right after the ack */
    int64_t timeout;        /* ns: connect, one statement, one answer */
    int64_t verify_timeout; /* ns: for a replica to have replayed everything, and be counted */
    int64_t wait_node;      /* ns: how long a node that is down is waited for at the end */
    const char *synchronous_commit; /* set by the writers; NULL: the server's */
    bool is_verified;               /* false: --no-verify */
    bool is_table_kept;
    bool may_fail;      /* failed operations are reported, and are no failure of the run */
    const char *label;  /* what compare and policies call this run; NULL: none */
    const char *output; /* folder for what must not be lost: ids, acknowledgements */
};

/* The defaults that `load_test --help` names. */
void plan_init(struct run_plan *plan);

/* Arrival times of an open loop: exponential gaps, so the number in a second is Poisson. */
struct plan_arrivals {
    struct random random;
    double mean_gap; /* ns */
    double next;     /* ns since `start` */
    int64_t start;
};
void plan_arrivals_init(struct plan_arrivals *arrivals, uint64_t seed, double rate, int64_t start);
[[nodiscard]] int64_t plan_arrivals_next(struct plan_arrivals *arrivals);

/* The row a reader asks for, given that `last` rows of that writer are acknowledged: mostly a
 * recent one.  1..last; last > 0. */
[[nodiscard]] uint64_t plan_pick_row(struct random *random, uint64_t last);
