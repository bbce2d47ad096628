/* load_test/policies: what each synchronous_commit costs, and what it buys.
 *
 * Every policy is measured twice: in a closed loop for the most writes/s, then
 * at one rate, the same for all, for the latency and for the first read after
 * a commit on each replica.  Repetitions are interleaved: all policies, then
 * all again.  The settings are policy_settings'; the runs are run_execute()'s.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"
#include "common/terminal.h"
#include "load_test/plan.h"
#include "load_test/policy_settings.h"
#include "load_test/report.h"

enum {
    POLICY_COUNT = 8,
    POLICY_REPEAT_MAX = 20,
    POLICY_DELAY = 3, /* of report_delays_ms: "2 ms after the commit" */
};

struct policy {
    const char *name;               /* "remote_apply, ANY 2" */
    const char *spanish;            /* the same, in Spanish */
    const char *synchronous_commit; /* of the writers */
    enum policy_standbys standbys;
};

extern const struct policy policies[POLICY_COUNT];

struct policy_replica {    /* over all repetitions; shares are 0..1, NAN: not measured */
    double probes, missed; /* first reads, and how many of them did not find the row */
    double stale;          /* the largest share of writes proven not visible when acknowledged */
    double visible_p50, visible_max; /* ms; the median, the largest */
    double found;                    /* share visible 2 ms after, the smallest; at least */
};

struct policy_result {
    bool is_skipped; /* it needs more replicas than there are */
    size_t repeats;
    double rates[POLICY_REPEAT_MAX]; /* closed loop, writes/s */
    double p50[POLICY_REPEAT_MAX], p99[POLICY_REPEAT_MAX], p999[POLICY_REPEAT_MAX]; /* ms */
    struct policy_replica replicas[REPORT_REPLICA_MAX];
    double acknowledged, lost, twice;
    int exit_code;                  /* the most serious of its runs */
    char fail[REPORT_FINDING_SIZE]; /* why; "" when there is nothing to say */
};

struct policies_plan {
    struct run_plan run; /* what is the same in all runs */
    double rate;         /* of the open loop; 0: half of the slowest policy's most */
    size_t repeats;
};

/* Measures all; `rate` gets the rate that was used.  False: not done, or interrupted.  The settings
 * are put back by the caller. */
[[nodiscard]] bool policies_measure(const struct policies_plan *plan,
                                    struct policy_settings *settings, struct progress *progress,
                                    struct policy_result results[POLICY_COUNT], double *rate,
                                    struct error *err);

/* Takes what one run of the open loop says of the replicas; `results` start zeroed.  Pure. */
void policies_add_replicas(struct policy_result *result, const struct run_report *report);

/* The median of a figure's repetitions; NAN without any.  Pure. */
[[nodiscard]] double policies_median(const double *values, size_t count);

/* The share of first reads that missed on that replica; NAN without probes.  Pure. */
[[nodiscard]] double policies_missed(const struct policy_result *result, size_t replica);

/* (most - least) / median of the closed loop's writes/s, the largest of all policies. */
[[nodiscard]] double policies_spread(const struct policy_result results[POLICY_COUNT]);
[[nodiscard]] int policies_exit_code(const struct policy_result results[POLICY_COUNT]);

/* policies_print.c */
void policies_print(const struct policy_result results[POLICY_COUNT], const struct target *target,
                    double rate, enum report_language language, struct text *out);
[[nodiscard]] bool policies_json(const struct policy_result results[POLICY_COUNT],
                                 const struct target *target, double rate, struct text *out,
                                 struct error *err);
