#include "load_test/run.h"

#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "load_test/ask.h"
#include "load_test/engine.h"
#include "load_test/gauges.h"
#include "load_test/results.h"
#include "load_test/run_files.h"
#include "load_test/verify.h"

enum { SETTLE_SECONDS = 2, THREAD_COUNT = 3 };

struct run {
    const struct target *target;
    struct interrupt *interrupt;
    struct progress *progress;
    struct run_report *report;
    struct run_plan plan;
    struct engine engine;
    struct writer_result writes;
    struct reader_result reads;
    struct sampler_result samples;
    struct gauges gauges;
    int64_t began;
    int64_t clock_ahead; /* µs: the primary's clock before this machine's */
};

/* ---- the table ---- */

/* How far the primary's clock is ahead of ours, from the quickest of some round trips: the truth
 * lies within half of that one.  Without it, commit timestamps of another host would be taken for
 * ours. */
static bool compare_clocks(struct run *run, PGconn *connection, struct error *err)
{
    enum { ROUND_TRIPS = 15 };
    int64_t quickest = INT64_MAX;

    for (int i = 0; i < ROUND_TRIPS; i++) {
        int64_t asked = clock_now(), asked_utc = clock_utc();
        PGresult *row =
            ask_query(connection, "SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint",
                      ask_within(run->plan.timeout, run->interrupt), err);
        int64_t taken = (clock_now() - asked) / 1000;
        if (row == NULL) {
            return false;
        }
        if (taken < quickest) {
            quickest = taken;
            run->clock_ahead = strtoll(PQgetvalue(row, 0, 0), NULL, 10) - (asked_utc + taken / 2);
        }
        PQclear(row);
    }
    run->report->clock_error_ms = (double)quickest / 2 / 1000;
    return true;
}

/* The plain CREATE SCHEMA IF NOT EXISTS needs the right to create schemas even when it is there. */
static bool create_table(struct run *run, struct error *err)
{
    char sql[600];
    struct run_report *report = run->report;
    struct ask_limit limit = ask_within(run->plan.timeout, run->interrupt);
    PGconn *connection = ask_connect(run->target->primary.dsn, "load_test/setup", limit, err);

    if (connection == NULL) {
        return false;
    }
    snprintf(report->table, sizeof report->table, "load_test.run_%" PRIu64 "_%" PRId64,
             run->plan.seed, clock_utc() / 1000);
    snprintf(sql, sizeof sql,
             "DO $$ BEGIN IF to_regnamespace('load_test') IS NULL THEN CREATE SCHEMA load_test; "
             "END IF; END $$");
    bool is_ok = ask_make(connection, sql, run->plan.timeout, err);
    snprintf(sql, sizeof sql,
             "CREATE TABLE %s (writer integer NOT NULL, sequence bigint NOT NULL, payload text)",
             report->table);
    is_ok = is_ok && ask_make(connection, sql, run->plan.timeout, err);
    /* Not unique: a row that is there twice must be able to be there twice, to be seen. */
    snprintf(sql, sizeof sql, "CREATE INDEX ON %s (writer, sequence)", report->table);
    is_ok = is_ok && ask_make(connection, sql, run->plan.timeout, err) &&
            compare_clocks(run, connection, err);
    PQfinish(connection);
    return is_ok ? true : error_wrap(err, "making the table %s", report->table);
}

static bool has_table(struct run *run, const struct target_node *node, bool *has_it,
                      struct error *err)
{
    char sql[400];
    struct ask_limit limit = ask_within(run->plan.timeout, run->interrupt);
    PGconn *connection = ask_connect(node->dsn, "load_test/setup", limit, err);

    if (connection == NULL) {
        return false;
    }
    /* The index comes last, so where it is, all is. */
    snprintf(sql, sizeof sql,
             "SELECT 1 FROM pg_index WHERE indrelid = to_regclass('%s') AND indisvalid",
             run->report->table);
    PGresult *result = ask_query(connection, sql, limit, err);
    *has_it = result != NULL && PQntuples(result) == 1;
    bool is_ok = result != NULL;
    PQclear(result);
    PQfinish(connection);
    return is_ok;
}

/* A replica must know the table before anyone reads it there. */
static bool await_table(struct run *run, struct error *err)
{
    int64_t deadline = clock_now() + run->plan.verify_timeout;

    for (size_t i = 0; i < run->target->replica_count; i++) {
        const struct target_node *node = &run->target->replicas[i];
        bool has_it = false;
        while (!has_it) {
            if (!has_table(run, node, &has_it, err)) {
                return error_wrap(err, "%s", node->name);
            }
            if (!has_it && clock_now() > deadline) {
                error_set(err, "57P05", "%s at %s has not replayed the new table within %.0f s",
                          node->name, node->place, (double)run->plan.verify_timeout / 1e9);
                return error_hint(err, "is it streaming? 'reparto status' shows its staleness; "
                                       "--verify-timeout waits longer");
            }
            struct ask_limit pause = ask_within(5 * CLOCK_MS, run->interrupt);
            if (!has_it && !ask_pause(5 * CLOCK_MS, pause, err) &&
                strcmp(err->sqlstate, ASK_INTERRUPTED) == 0) {
                return false;
            }
            *err = (struct error){0};
        }
    }
    return true;
}

static void drop_table(struct run *run)
{
    char sql[400];
    struct error err = {0};
    struct ask_limit limit = ask_within(run->plan.timeout, NULL);

    /* `load_test verify` reads it when a node could not be counted now. */
    if (run->plan.is_table_kept || verify_is_unfinished(run->report) ||
        run->report->table[0] == '\0') {
        run->report->is_table_kept = true;
        return;
    }
    PGconn *connection = ask_connect(run->target->primary.dsn, "load_test/setup", limit, &err);
    snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", run->report->table);
    PGresult *result = connection != NULL ? ask_query(connection, sql, limit, &err) : NULL;
    run->report->is_table_kept = result == NULL;
    PQclear(result);
    PQfinish(connection);
}

/* ---- the load ---- */

static void *write_thread(void *context)
{
    struct run *run = context;
    writer_work(&run->engine, &run->writes);
    return NULL;
}

static void *read_thread(void *context)
{
    struct run *run = context;
    reader_work(&run->engine, &run->reads);
    return NULL;
}

static void *sample_thread(void *context)
{
    struct run *run = context;
    sampler_work(&run->engine, &run->samples);
    return NULL;
}

static void show_progress(struct run *run, int64_t now, double rates[2])
{
    int64_t from = run->engine.measure_from;
    char bar[TERMINAL_BAR_SIZE];
    double elapsed = (double)(now - run->began) / 1e9;
    double whole = (double)(run->plan.duration + run->plan.warmup) / 1e9;

    if (from == INT64_MAX) {
        progress_show(run->progress, "%5.1f s  calibrating  %.0f w/s  %.0f r/s", elapsed, rates[0],
                      rates[1]);
        return;
    }
    double share = (double)(now - from + run->plan.warmup) / 1e9 / whole;
    progress_show(run->progress, "%5.1f s  ▕%s▏  %.0f w/s  %.0f r/s  %" PRIu64 " failed%s", elapsed,
                  terminal_bar(bar, share, 20), rates[0], rates[1],
                  (uint64_t)run->engine.writes_failed, now < from ? "  (warming up)" : "");
}

/* Watches the gauges and the signals until the writer has sent everything. */
static void watch(struct run *run)
{
    uint64_t done[2] = {0, 0};
    int64_t last = clock_now();
    double rates[2] = {0, 0};

    while (!run->engine.is_written) {
        int64_t now = clock_now();
        if (now - last >= CLOCK_SECOND) {
            double seconds = (double)(now - last) / 1e9;
            uint64_t writes = run->engine.writes_done, reads = run->engine.reads_done;
            rates[0] = (double)(writes - done[0]) / seconds;
            rates[1] = (double)(reads - done[1]) / seconds;
            done[0] = writes;
            done[1] = reads;
            last = now;
        }
        show_progress(run, now, rates);
        int64_t wake = gauges_ask(&run->gauges, now);
        struct pollfd fds[2] = {link_pollfd(&run->gauges.link),
                                {.fd = run->interrupt->fd, .events = POLLIN}};
        engine_wait(fds, 2, wake);
        gauges_step(&run->gauges, clock_now(), fds[0].revents);
        if (interrupt_check(run->interrupt)) {
            run->report->is_interrupted = true;
            run->engine.is_stopping = true;
        }
    }
    progress_erase(run->progress);
}

static uint64_t last_lsn(const struct write_log *log)
{
    uint64_t lsn = 0;
    for (size_t i = 0; i < log->count; i++) {
        lsn = log->records[i].lsn_high > lsn ? log->records[i].lsn_high : lsn;
    }
    return lsn;
}

static bool start_threads(struct run *run, pthread_t threads[THREAD_COUNT], int *started,
                          struct error *err)
{
    static void *(*const bodies[THREAD_COUNT])(void *) = {write_thread, read_thread, sample_thread};
    bool has_samples = run->plan.sample_rate > 0 && run->target->replica_count > 0;
    int count = has_samples ? THREAD_COUNT : THREAD_COUNT - 1;

    for (*started = 0; *started < count; (*started)++) {
        int code = pthread_create(&threads[*started], NULL, bodies[*started], run);
        if (code != 0) {
            return error_set(err, "53000", "cannot start a thread: %s", strerror(code));
        }
    }
    return true;
}

/* Joins in the order in which the threads can end: writes, reads, then the samplers that wait for
 * the replicas to have replayed the last write. */
static bool load(struct run *run, struct error *err)
{
    pthread_t threads[THREAD_COUNT];
    int started;
    bool is_ok = start_threads(run, threads, &started, err);

    run->began = clock_now();
    if (is_ok) {
        watch(run);
    }
    run->engine.is_stopping = true;
    if (started > 0) {
        pthread_join(threads[0], NULL);
    }
    if (started > 1) {
        pthread_join(threads[1], NULL);
    }
    run->engine.settle_until = clock_now() + (is_ok ? SETTLE_SECONDS * CLOCK_SECOND : 0);
    run->engine.settle_lsn = last_lsn(&run->writes.log);
    run->engine.is_sampled = run->engine.settle_lsn == 0;
    if (started > 2) {
        pthread_join(threads[2], NULL);
    }
    if (is_ok && (run->writes.is_out_of_memory || run->reads.is_out_of_memory ||
                  run->samples.is_out_of_memory)) {
        return error_set(err, "53200", "out of memory for what was measured");
    }
    return is_ok;
}

/* ---- the whole ---- */

static void note_plan(struct run *run)
{
    const struct run_plan *plan = &run->plan;
    struct run_report *report = run->report;
    char started[CLOCK_TEXT_SIZE];

    snprintf(report->started, sizeof report->started, "%s", clock_iso(started, clock_utc()));
    snprintf(report->primary_name, sizeof report->primary_name, "%s", run->target->primary.name);
    snprintf(report->primary_place, sizeof report->primary_place, "%s", run->target->primary.place);
    report->is_open_loop = !plan->is_closed;
    report->warmup_seconds = (double)plan->warmup / 1e9;
    report->replica_count = run->target->replica_count;
    for (size_t i = 0; i < report->replica_count; i++) {
        const struct target_node *node = &run->target->replicas[i];
        snprintf(report->replicas[i].name, sizeof report->replicas[i].name, "%s", node->name);
        snprintf(report->replicas[i].place, sizeof report->replicas[i].place, "%s", node->place);
    }
    report_set(report, "machine", "%ld cores, %ld MiB", sysconf(_SC_NPROCESSORS_ONLN),
               sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024);
    report_set(report, "seed", "%" PRIu64, plan->seed);
    report_set(report, "loop", "%s", plan->is_closed ? "closed" : "open");
    report_set(report, "writers", "%d", plan->writers);
    report_set(report, "readers", "%d", plan->readers);
    report_set(report, "rate_asked", plan->rate > 0 ? "%g" : "auto", plan->rate);
    report_set(report, "read_rate", plan->read_rate > 0 ? "%g" : "unpaced", plan->read_rate);
    report_set(report, "read_from", "%s",
               plan->read_from == PLAN_READ_REPLICAS ? "replicas" : "primary");
    report_set(report, "sample_rate", "%g", plan->sample_rate);
    report_set(report, "duration", "%g s", (double)plan->duration / 1e9);
    report_set(report, "warmup", "%g s", (double)plan->warmup / 1e9);
    if (plan->synchronous_commit != NULL) {
        report_set(report, "synchronous_commit", "%s", plan->synchronous_commit);
    }
}

static bool measure(struct run *run, struct run_files *files, struct error *err)
{
    double cpu_before = results_process_cpu();

    if (!create_table(run, err) || !await_table(run, err)) {
        return false;
    }
    engine_init(&run->engine, &run->plan, run->target, run->report->table);
    if (!load(run, err)) {
        return false;
    }
    double wall = (double)(clock_now() - run->began) / 1e9;
    double cpu = results_process_cpu() - cpu_before;
    struct results results = {.engine = &run->engine,
                              .writes = &run->writes,
                              .reads = &run->reads,
                              .samples = &run->samples,
                              .clock_ahead = run->clock_ahead,
                              .cpu = cpu / wall,
                              .wall = wall};
    gauges_report(&run->gauges, run->report);
    if (run->plan.is_verified) {
        progress_show(run->progress, "counting the acknowledged writes on every node …");
        bool is_ok =
            verify_run(&run->plan, run->target, run->interrupt, &run->writes.log, run->report, err);
        progress_erase(run->progress);
        if (!is_ok) {
            return false;
        }
    }
    return results_report(&results, run->target, files, run->report, err);
}

bool run_execute(const struct run_plan *plan, const struct target *target,
                 struct interrupt *interrupt, struct progress *progress, struct run_report *report,
                 struct run_files *files, struct error *err)
{
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    run->plan = *plan;
    run->target = target;
    run->interrupt = interrupt;
    run->progress = progress;
    run->report = report;
    if (target->replica_count == 0) {
        run->plan.read_from = PLAN_READ_PRIMARY;
    }
    note_plan(run);
    bool is_ok = target_check(target, plan->timeout, interrupt, report, err) &&
                 (gauges_init(&run->gauges, target, plan->timeout)
                      ? true
                      : error_set(err, "53200", "out of memory")) &&
                 measure(run, files, err);
    if (report->table[0] != '\0') {
        drop_table(run);
    }
    progress_erase(progress);
    gauges_done(&run->gauges);
    writer_result_done(&run->writes);
    reader_result_done(&run->reads);
    sampler_result_done(&run->samples);
    free(run);
    return is_ok;
}
