/* load_test/engine: what the threads of one run share, and what each leaves behind.
 *
 * The shared part is atomics only; everything else belongs to one thread until it
 * has ended.  The writer's thread decides when the measured time begins (after
 * the calibration and the warm-up) and the others look it up.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "load_test/plan.h"
#include "load_test/record.h"
#include "load_test/report.h"
#include "load_test/target.h"

enum {
    ENGINE_LATENCY_MAX = 600 * 1000 * 1000, /* µs: what the histograms hold */
    ENGINE_SECONDS_MAX = 86400,
};

struct engine {
    const struct run_plan *plan; /* borrowed, as all here */
    const struct target *target;
    const char *table; /* schema.name */

    atomic_bool is_stopping;                  /* no further load */
    atomic_bool is_written;                   /* the writer has sent all that it had to */
    atomic_bool is_sampled;                   /* the samplers may end */
    _Atomic int64_t measure_from, measure_to; /* clock_now(); INT64_MAX: not known yet */
    _Atomic double rate;                      /* writes/s asked; 0: closed loop or calibrating */
    _Atomic uint64_t acked[PLAN_WRITER_MAX];  /* the last acknowledged sequence of each writer */
    _Atomic uint64_t writes_done, writes_failed, reads_done;
    _Atomic uint64_t settle_lsn;  /* the samplers end when every replica has replayed it … */
    _Atomic int64_t settle_until; /* … or at this time */
};

void engine_init(struct engine *engine, const struct run_plan *plan, const struct target *target,
                 const char *table);

/* Whether `at` is in the measured time. */
[[nodiscard]] bool engine_is_measured(const struct engine *engine, int64_t at);

/* Failures by SQLSTATE; the rarest are dropped when there are more kinds than fit. */
struct tally {
    struct tally_row {
        char sqlstate[6], message[120];
        double count;
    } rows[REPORT_ERROR_MAX];
    size_t count;
};
void tally_add(struct tally *tally, const char *sqlstate, const char *message);

struct writer_result {
    struct write_log log;
    struct tally errors;
    uint64_t probes[REPORT_REPLICA_MAX], missed[REPORT_REPLICA_MAX];
    double unsent; /* measured writes that were due and never left */
    double cpu;    /* seconds */
    bool is_out_of_memory;
};

struct reader_result {
    struct histogram latency; /* µs, measured reads */
    struct tally errors;
    uint64_t done[REPORT_REPLICA_MAX], failed[REPORT_REPLICA_MAX]; /* measured */
    uint64_t from_primary, moved;
    double *per_second; /* owned; reads answered in each measured second */
    size_t second_count;
    double cpu;
    bool is_out_of_memory;
};

struct sampler_result {
    struct replay_log logs[REPORT_REPLICA_MAX];
    double cpu;
    bool is_out_of_memory;
};

/* The threads' bodies.  Each makes its links, works until it is told to stop, and closes them. */
void writer_work(struct engine *engine, struct writer_result *result);
void reader_work(struct engine *engine, struct reader_result *result);
void sampler_work(struct engine *engine, struct sampler_result *result);

void writer_result_done(struct writer_result *result);
void reader_result_done(struct reader_result *result);
void sampler_result_done(struct sampler_result *result);

/* CPU seconds that the calling thread has used. */
[[nodiscard]] double engine_thread_cpu(void);

struct pollfd;
/* Waits until one of `count` descriptors is ready, or `wake`, at most 50 ms so that a stop is seen.
 */
void engine_wait(struct pollfd *fds, size_t count, int64_t wake);
