#include "load_test/policies.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/statistics.h"
#include "load_test/run.h"

/* The share of the slowest policy's most that all are asked in the open loop. */
#define RATE_SHARE 0.5

const struct policy policies[POLICY_COUNT] = {
    {"commit off", "commit off", "off", POLICY_ASYNC},
    {"async (local)", "asíncrona (local)", "local", POLICY_ASYNC},
    {"remote_write, FIRST 1", "remote_write, FIRST 1", "remote_write", POLICY_FIRST_1},
    {"on, FIRST 1 (sync)", "on, FIRST 1 (síncr.)", "on", POLICY_FIRST_1},
    {"on, ANY 1 (quorum)", "on, ANY 1 (quórum)", "on", POLICY_ANY_1},
    {"on, ANY 2", "on, ANY 2", "on", POLICY_ANY_2},
    {"remote_apply, FIRST 1", "remote_apply, FIRST 1", "remote_apply", POLICY_FIRST_1},
    {"remote_apply, ANY 2", "remote_apply, ANY 2", "remote_apply", POLICY_ANY_2},
};

double policies_median(const double *values, size_t count)
{
    double copy[POLICY_REPEAT_MAX];

    if (count == 0) {
        return NAN;
    }
    memcpy(copy, values, count * sizeof *copy);
    return statistics_median(copy, count);
}

double policies_missed(const struct policy_result *result, size_t replica)
{
    const struct policy_replica *one = &result->replicas[replica];

    return one->probes > 0 ? one->missed / one->probes : NAN;
}

double policies_spread(const struct policy_result results[POLICY_COUNT])
{
    double widest = 0;

    for (size_t i = 0; i < POLICY_COUNT; i++) {
        const struct policy_result *result = &results[i];
        double least = INFINITY, most = 0;
        for (size_t j = 0; j < result->repeats; j++) {
            least = fmin(least, result->rates[j]);
            most = fmax(most, result->rates[j]);
        }
        if (result->repeats > 0 && most > 0) {
            widest = fmax(widest, (most - least) / policies_median(result->rates, result->repeats));
        }
    }
    return widest;
}

static int more_serious(int a, int b)
{
    int codes[] = {4, 1, 3}; /* as report_exit_code() orders them */

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (a == codes[i] || b == codes[i]) {
            return codes[i];
        }
    }
    return 0;
}

int policies_exit_code(const struct policy_result results[POLICY_COUNT])
{
    int code = 0;

    for (size_t i = 0; i < POLICY_COUNT; i++) {
        code = more_serious(code, results[i].exit_code);
    }
    return code;
}

/* fmax() and fmin() take a NAN for "no figure", as the report does. */
void policies_add_replicas(struct policy_result *result, const struct run_report *report)
{
    for (size_t i = 0; i < report->replica_count; i++) {
        const struct report_replica *from = &report->replicas[i];
        struct policy_replica *to = &result->replicas[i];
        bool is_first = result->repeats == 0;
        if (from->probes > 0 && isfinite(from->missed)) {
            to->probes += from->probes;
            to->missed += from->missed * from->probes;
        }
        to->stale = is_first ? from->stale : fmax(to->stale, from->stale);
        to->found =
            is_first ? from->found[POLICY_DELAY] : fmin(to->found, from->found[POLICY_DELAY]);
        /* Of several repetitions the slowest: what a reader had to reckon with. */
        to->visible_p50 = is_first ? from->visible.p50 : fmax(to->visible_p50, from->visible.p50);
        to->visible_max = is_first ? from->visible.max : fmax(to->visible_max, from->visible.max);
    }
}

static void add_checks(struct policy_result *result, const struct run_report *report)
{
    int code = report_exit_code(report);

    result->acknowledged += isfinite(report->acknowledged) ? report->acknowledged : 0;
    result->lost += isfinite(report->lost) ? report->lost : 0;
    result->twice += isfinite(report->twice) ? report->twice : 0;
    for (size_t i = 0; code != 0 && i < report->finding_count; i++) {
        const struct report_finding *finding = &report->findings[i];
        if (finding->exit_code == code &&
            more_serious(result->exit_code, code) != result->exit_code) {
            snprintf(result->fail, sizeof result->fail, "%s", finding->text);
            break;
        }
    }
    result->exit_code = more_serious(result->exit_code, code);
}

struct measuring {
    const struct policies_plan *plan;
    struct policy_settings *settings;
    struct progress *progress;
    struct policy_result *results;
};

static bool run_policy(struct measuring *measuring, size_t index, bool is_closed, double rate,
                       struct run_report *report, struct error *err)
{
    const struct policy *policy = &policies[index];
    struct run_plan plan = measuring->plan->run;
    struct interrupt *interrupt = measuring->settings->interrupt;

    plan.synchronous_commit = policy->synchronous_commit;
    plan.label = policy->name;
    plan.readers = 0;
    plan.is_closed = is_closed;
    plan.rate = rate;
    plan.sample_rate = is_closed ? 0 : plan.sample_rate;
    plan.probe_share = is_closed ? 0 : 1;
    progress_show(measuring->progress, "%s", policy->name);
    if (!policy_settings_apply(measuring->settings, policy->standbys, err) ||
        !run_execute(&plan, measuring->settings->target, interrupt, measuring->progress, report,
                     NULL, err)) {
        return error_wrap(err, "%s", policy->name);
    }
    if (report->is_interrupted || interrupt->is_asked) {
        return error_set(err, "57014", "interrupted by a signal");
    }
    add_checks(&measuring->results[index], report);
    return true;
}

static bool measure_closed(struct measuring *measuring, size_t index, size_t repeat,
                           struct error *err)
{
    struct run_report report;

    report_init(&report);
    bool is_done = run_policy(measuring, index, true, 0, &report, err);
    if (is_done) {
        measuring->results[index].rates[repeat] = report.writes_rate;
        if (!(report.writes_rate > 0)) {
            is_done =
                error_set(err, "58000", "%s: no write was acknowledged%s%s", policies[index].name,
                          measuring->results[index].fail[0] != '\0' ? ": " : "",
                          measuring->results[index].fail);
        }
    }
    report_done(&report);
    return is_done;
}

static bool measure_open(struct measuring *measuring, size_t index, size_t repeat, double rate,
                         struct error *err)
{
    struct run_report report;
    struct policy_result *result = &measuring->results[index];

    report_init(&report);
    bool is_done = run_policy(measuring, index, false, rate, &report, err);
    if (is_done) {
        result->p50[repeat] = report.write_due.p50;
        result->p99[repeat] = report.write_due.p99;
        result->p999[repeat] = report.write_due.p999;
        policies_add_replicas(result, &report);
        result->repeats = repeat + 1;
    }
    report_done(&report);
    return is_done;
}

static double fair_rate(const struct policy_result *results)
{
    double slowest = INFINITY;

    for (size_t i = 0; i < POLICY_COUNT; i++) {
        if (!results[i].is_skipped) {
            slowest = fmin(slowest, results[i].rates[0]);
        }
    }
    return fmax(1, floor(slowest * RATE_SHARE));
}

static bool measure_once(struct measuring *measuring, size_t repeat, double *rate,
                         struct error *err)
{
    for (size_t i = 0; i < POLICY_COUNT; i++) {
        if (!measuring->results[i].is_skipped && !measure_closed(measuring, i, repeat, err)) {
            return false;
        }
    }
    if (*rate == 0) {
        *rate = fair_rate(measuring->results);
    }
    for (size_t i = 0; i < POLICY_COUNT; i++) {
        if (!measuring->results[i].is_skipped && !measure_open(measuring, i, repeat, *rate, err)) {
            return false;
        }
    }
    return true;
}

bool policies_measure(const struct policies_plan *plan, struct policy_settings *settings,
                      struct progress *progress, struct policy_result results[POLICY_COUNT],
                      double *rate, struct error *err)
{
    struct measuring measuring = {
        .plan = plan, .settings = settings, .progress = progress, .results = results};

    memset(results, 0, POLICY_COUNT * sizeof *results);
    *rate = plan->rate;
    for (size_t i = 0; i < POLICY_COUNT; i++) {
        results[i].is_skipped =
            policies[i].standbys == POLICY_ANY_2 && settings->target->replica_count < 2;
    }
    for (size_t repeat = 0; repeat < plan->repeats; repeat++) {
        if (!measure_once(&measuring, repeat, rate, err)) {
            return false;
        }
    }
    return true;
}
