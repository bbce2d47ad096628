#include "load_test/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/text.h"
#include "load_test/lag.h"

struct making {
    const struct results *results;
    const struct target *target;
    struct run_report *report;
    int64_t from, to;               /* clock_now(): the measured time */
    struct histogram due, sent;     /* µs */
    struct lag_interval *intervals; /* [replica][write], owned */
    int64_t *seen;                  /* [write][replica], owned */
};

double results_process_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool is_spanish(const struct making *making)
{
    return making->report->language == REPORT_SPANISH;
}

/* ---- writes and reads ---- */

static void count_writes(struct making *making)
{
    struct run_report *report = making->report;
    const struct write_log *log = &making->results->writes->log;
    double done = 0, failed = 0, unknown = 0, late = 0;

    for (size_t i = 0; i < log->count; i++) {
        const struct write_record *write = &log->records[i];
        if (!write->is_measured) {
            continue;
        }
        late += write->is_late;
        done += write->state == WRITE_ACKED;
        failed += write->state == WRITE_FAILED;
        unknown += write->state == WRITE_UNKNOWN;
        if (write->state == WRITE_ACKED) {
            histogram_record(&making->due, (write->acked - write->due) / 1000);
            histogram_record(&making->sent, (write->acked - write->sent) / 1000);
        }
    }
    report->seconds = (double)(making->to - making->from) / 1e9;
    report->writes_done = done;
    report->writes_rate = report->seconds > 0 ? done / report->seconds : NAN;
    report->writes_failed = failed;
    report->writes_unknown = unknown;
    report->writes_unsent = making->results->writes->unsent;
    report->writes_asked = making->results->engine->rate > 0 ? making->results->engine->rate : NAN;
    report->writes_late = late;
    report->late_share = done + failed + unknown > 0 ? late / (done + failed + unknown) : 0;
    report_quantiles_fill(&report->write_due, &making->due, 1000, 0);
    report_quantiles_fill(&report->write_sent, &making->sent, 1000, 0);
}

static void count_reads(struct making *making)
{
    const struct reader_result *reads = making->results->reads;
    struct run_report *report = making->report;

    report->reads_done = report->primary_reads = (double)reads->from_primary;
    report->reads_failed = 0;
    report->reads_moved = (double)reads->moved;
    for (size_t i = 0; i < REPORT_REPLICA_MAX; i++) {
        report->reads_done += (double)reads->done[i];
        report->reads_failed += (double)reads->failed[i];
        if (i < report->replica_count) {
            report->replicas[i].reads = (double)reads->done[i];
            report->replicas[i].reads_failed = (double)reads->failed[i];
        }
    }
    report->reads_rate = report->seconds > 0 ? report->reads_done / report->seconds : NAN;
    report_quantiles_fill(&report->read, &reads->latency, 1000, 0);
}

static void add_errors(struct run_report *report, const struct tally *tally, bool is_write)
{
    for (size_t i = 0; i < tally->count; i++) {
        const struct tally_row *row = &tally->rows[i];
        size_t at = 0;
        while (at < report->error_count &&
               strcmp(report->errors[at].sqlstate, row->sqlstate) != 0) {
            at++;
        }
        if (at == REPORT_ERROR_MAX) {
            continue;
        }
        struct report_error *error = &report->errors[at];
        if (at == report->error_count) {
            report->error_count++;
            *error = (struct report_error){0};
            memcpy(error->sqlstate, row->sqlstate, sizeof error->sqlstate);
            memcpy(error->message, row->message, sizeof error->message);
        }
        *(is_write ? &error->writes : &error->reads) += row->count;
    }
}

/* ---- lag ---- */

/* One replica's figures from the intervals of the measured writes. */
struct lag_sum {
    struct histogram at_most, width, applied; /* µs */
    double known, stale, unseen, unapplied, found[REPORT_DELAY_COUNT];
};

static void add_interval(struct lag_sum *sum, const struct write_record *write,
                         const struct lag_interval *interval, int64_t utc_offset)
{
    sum->known++;
    sum->stale += interval->at_least > 0;
    if (interval->seen == 0) {
        sum->unseen++;
        sum->unapplied += write->committed_utc != 0;
        return;
    }
    histogram_record(&sum->at_most, interval->at_most / 1000);
    int64_t width = interval->at_most - interval->at_least;
    histogram_record(&sum->width, width > 0 ? width / 1000 : 0);
    if (write->committed_utc != 0) {
        int64_t applied = interval->seen / 1000 + utc_offset - write->committed_utc;
        histogram_record(&sum->applied, applied > 0 ? applied : 0);
    }
    for (int i = 1; i < REPORT_DELAY_COUNT; i++) {
        sum->found[i] += (double)interval->at_most <= report_delays_ms[i] * 1e6;
    }
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

static void report_lag(struct making *making, size_t replica, const struct lag_sum *sum)
{
    struct report_replica *report = &making->report->replicas[replica];
    const struct replay_log *samples = &making->results->samples->logs[replica];
    const struct writer_result *writes = making->results->writes;

    report_quantiles_fill(&report->visible, &sum->at_most, 1000, (uint64_t)sum->unseen);
    if (sum->applied.total > 0) {
        report_quantiles_fill(&report->applied, &sum->applied, 1000, (uint64_t)sum->unapplied);
    }
    report->unseen = sum->unseen;
    report->stale = share(sum->stale, sum->known);
    report->samples_per_s = (double)samples->count / making->results->wall;
    if (sum->width.total > 0) {
        report->width_p50 = (double)histogram_percentile(&sum->width, 50) / 1000;
        report->width_p90 = (double)histogram_percentile(&sum->width, 90) / 1000;
    }
    report->probes = (double)writes->probes[replica];
    report->missed = share((double)writes->missed[replica], (double)writes->probes[replica]);
    report->found[0] = 1 - report->missed;
    for (int i = 1; i < REPORT_DELAY_COUNT; i++) {
        /* What is found at once is found later too; the samples alone may know it only later. */
        report->found[i] = fmax(share(sum->found[i], sum->known), report->found[0]);
    }
}

static bool sum_init(struct lag_sum *sum)
{
    *sum = (struct lag_sum){0};
    return histogram_init(&sum->at_most, ENGINE_LATENCY_MAX) &&
           histogram_init(&sum->width, ENGINE_LATENCY_MAX) &&
           histogram_init(&sum->applied, ENGINE_LATENCY_MAX);
}

static void sum_done(struct lag_sum *sum)
{
    histogram_done(&sum->at_most);
    histogram_done(&sum->width);
    histogram_done(&sum->applied);
}

/* What must be added to clock_now() / 1000 to get UTC by this machine's clock. */
static int64_t utc_offset_now(void)
{
    return clock_utc() - clock_now() / 1000;
}

static bool match_replica(struct making *making, size_t replica, int64_t utc_offset)
{
    const struct write_log *log = &making->results->writes->log;
    struct lag_interval *intervals = making->intervals + replica * log->count;
    struct lag_sum sum;

    bool is_ok =
        sum_init(&sum) && lag_match(log, &making->results->samples->logs[replica], intervals);
    for (size_t i = 0; is_ok && i < log->count; i++) {
        making->seen[i * making->report->replica_count + replica] = intervals[i].seen;
        if (log->records[i].is_measured && lag_is_known(&log->records[i])) {
            add_interval(&sum, &log->records[i], &intervals[i], utc_offset);
        }
    }
    if (is_ok) {
        report_lag(making, replica, &sum);
    }
    sum_done(&sum);
    return is_ok;
}

static bool match_all(struct making *making)
{
    const struct write_log *log = &making->results->writes->log;
    size_t replicas = making->report->replica_count;
    int64_t utc_offset = utc_offset_now() + making->results->clock_ahead;

    making->intervals = calloc(log->count * replicas + 1, sizeof *making->intervals);
    making->seen = calloc(log->count * replicas + 1, sizeof *making->seen);
    if (making->intervals == NULL || making->seen == NULL) {
        return false;
    }
    for (size_t i = 0; i < replicas; i++) {
        if (!match_replica(making, i, utc_offset)) {
            return false;
        }
    }
    return true;
}

/* ---- seconds ---- */

static void add_second(struct making *making, size_t index)
{
    const struct write_record *write = &making->results->writes->log.records[index];
    struct run_report *report = making->report;
    size_t second = (size_t)((write->acked - making->from) / CLOCK_SECOND);

    if (!write->is_measured || write->acked < making->from || second >= report->second_count) {
        return;
    }
    struct report_second *row = &report->series[second];
    if (write->state != WRITE_ACKED) {
        row->failed += write->state == WRITE_FAILED || write->state == WRITE_UNKNOWN;
        return;
    }
    row->writes++;
    row->write_max = fmax(row->write_max, (double)(write->acked - write->due) / 1e6);
    for (size_t i = 0; i < report->replica_count; i++) {
        const struct lag_interval *interval =
            &making->intervals[i * making->results->writes->log.count + index];
        if (interval->seen != 0) {
            row->visible_max[i] = fmax(row->visible_max[i], (double)interval->at_most / 1e6);
        }
    }
}

static bool fill_series(struct making *making)
{
    struct run_report *report = making->report;
    const struct reader_result *reads = making->results->reads;
    size_t count = (size_t)ceil(report->seconds);

    count = count > ENGINE_SECONDS_MAX ? ENGINE_SECONDS_MAX : count;
    report->series = calloc(count + 1, sizeof *report->series);
    if (report->series == NULL) {
        return false;
    }
    report->second_count = count;
    for (size_t i = 0; i < count; i++) {
        report->series[i].write_max = NAN; /* fmax() takes the other one then */
        for (size_t j = 0; j < REPORT_REPLICA_MAX; j++) {
            report->series[i].visible_max[j] = NAN;
        }
        report->series[i].reads = i < reads->second_count ? reads->per_second[i] : 0;
    }
    for (size_t i = 0; i < making->results->writes->log.count; i++) {
        add_second(making, i);
    }
    return true;
}

/* ---- the verdict ---- */

static void judge_failures(struct making *making)
{
    struct run_report *report = making->report;
    bool may_fail = making->results->engine->plan->may_fail;
    enum report_severity severity = may_fail ? REPORT_NOTE : REPORT_FAIL;
    int code = may_fail ? 0 : 1;

    if (report->is_interrupted) {
        report_add_finding(report, REPORT_NOTE, 1, "%s", ""); /* the page says it */
    }
    if (report->writes_failed + report->writes_unknown > 0) {
        report_add_finding(
            report, severity, code,
            is_spanish(making)
                ? "%.0f escrituras fallaron, %.0f de resultado desconocido (ver ERRORES)"
                : "%.0f writes failed, %.0f of unknown outcome (see ERRORS)",
            report->writes_failed, report->writes_unknown);
    }
    if (report->writes_unsent > 0) {
        report_add_finding(
            report, report->is_interrupted ? REPORT_NOTE : severity,
            report->is_interrupted ? 0 : code,
            is_spanish(making)
                ? "%.0f escrituras no salieron: ninguna conexión quedó libre a tiempo; "
                  "pruebe --rate menor o más --writers"
                : "%.0f writes never left: no connection was free in time; "
                  "try a lower --rate or more --writers",
            report->writes_unsent);
    }
    if (report->reads_failed > 0) {
        report_add_finding(report, severity, code,
                           is_spanish(making) ? "%.0f lecturas fallaron (ver ERRORES)"
                                              : "%.0f reads failed (see ERRORS)",
                           report->reads_failed);
    }
    if (report->writes_done <= 0 && !report->is_interrupted) {
        report_add_finding(report, REPORT_FAIL, 1,
                           is_spanish(making) ? "ninguna escritura fue confirmada"
                                              : "no write was acknowledged");
    }
}

static void judge_tool(struct making *making)
{
    struct run_report *report = making->report;
    const struct results *results = making->results;

    report->cpu = results->cpu;
    report->cpu_thread =
        fmax(results->writes->cpu, fmax(results->reads->cpu, results->samples->cpu)) /
        results->wall;
    switch (report_tool(report)) {
    case REPORT_TOOL_FREE: return;
    case REPORT_TOOL_BUSY:
        report_add_finding(
            report, REPORT_SLOW, 0,
            is_spanish(making)
                ? "el límite fue esta herramienta, no PostgreSQL: un hilo usó %.0f %% de un núcleo"
                : "this tool, not PostgreSQL, was the limit: a thread used %.0f %% of a core",
            100 * report->cpu_thread);
        return;
    case REPORT_TOOL_LATE:
        report_add_finding(
            report, REPORT_SLOW, 0,
            is_spanish(making)
                ? "%.0f de %.0f escrituras salieron tarde con una conexión libre: los núcleos de "
                  "esta máquina estaban ocupados; pruebe --rate menor"
                : "%.0f of %.0f writes were sent late with a connection free: this machine's cores "
                  "were taken; try a lower --rate",
            report->writes_late, report->writes_done);
        return;
    }
}

bool results_report(const struct results *results, const struct target *target,
                    const struct run_files *files, struct run_report *report, struct error *err)
{
    struct making making = {.results = results, .target = target, .report = report};

    making.from = results->engine->measure_from;
    making.to = results->engine->measure_to;
    if (making.from == INT64_MAX || making.to < making.from) { /* ended before it was measured */
        making.from = making.to = clock_now();
    }
    bool is_ok = histogram_init(&making.due, ENGINE_LATENCY_MAX) &&
                 histogram_init(&making.sent, ENGINE_LATENCY_MAX);
    if (is_ok) {
        count_writes(&making);
        count_reads(&making);
        add_errors(report, &results->writes->errors, true);
        add_errors(report, &results->reads->errors, false);
        is_ok = match_all(&making) && fill_series(&making);
    }
    if (!is_ok) {
        error_set(err, "53200", "out of memory for the report");
    } else {
        judge_failures(&making);
        judge_tool(&making);
        const struct run_details details = {.started = making.from,
                                            .writes = &results->writes->log,
                                            .write_due = &making.due,
                                            .write_sent = &making.sent,
                                            .read = &results->reads->latency,
                                            .replica_count = report->replica_count,
                                            .seen = making.seen};
        is_ok = files == NULL || run_files_write(files, report, &details, err);
    }
    histogram_done(&making.due);
    histogram_done(&making.sent);
    free(making.intervals);
    free(making.seen);
    return is_ok;
}
