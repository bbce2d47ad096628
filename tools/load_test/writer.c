/* The writers: one thread, many connections, one table; and the probes that read at t = 0.
 *
 * Each write is an INSERT of its own transaction, followed in the same pipeline by a message that
 * reads the flush position: the commit record lies between the two LSNs.  A write is acknowledged
 * when the ReadyForQuery after its Sync is here, for only then is it committed.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cluster/lsn.h"
#include "load_test/engine.h"
#include "load_test/link.h"

enum writer_phase { PHASE_CONNECT, PHASE_CALIBRATE, PHASE_RUN, PHASE_DRAIN };

enum { LATE_NS = 1000 * 1000 }; /* later than this, with a connection free, is the tool's fault */

struct writer {
    struct link link;
    uint16_t number;
    uint64_t sequence;  /* of the last write sent */
    size_t record;      /* of the write under way */
    bool is_acked;      /* its first Sync came back */
    char refusal[6];    /* SQLSTATE of its refusal, "" when there was none */
    bool is_in_doubt;   /* the refusal was a FATAL: the commit may have happened */
    int64_t free_since; /* clock_now() when it became READY */
};

struct probe {
    struct link link;
    bool is_found;
    bool is_refused;
};

struct writers {
    struct engine *engine;
    struct writer_result *result;
    struct writer *members; /* owned */
    size_t count;
    struct probe probes[REPORT_REPLICA_MAX];
    struct link_setup setup, probe_setup;
    char insert_sql[400], probe_sql[400];
    struct random random;
    enum writer_phase phase;
    int64_t phase_end;
    struct plan_arrivals arrivals;
    int64_t due;   /* of the next write, in an open loop */
    long measured; /* writes sent with is_measured */
};

static const char payload[] =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static struct write_record *record_of(struct writers *writers, const struct writer *writer)
{
    return &writers->result->log.records[writer->record];
}

/* ---- probes ---- */

static void probe_all(struct writers *writers, const struct write_record *write)
{
    const struct engine *engine = writers->engine;
    char texts[2][24];
    const char *const values[] = {texts[0], texts[1]};

    snprintf(texts[0], sizeof texts[0], "%u", write->writer);
    snprintf(texts[1], sizeof texts[1], "%" PRIu64, write->sequence);
    for (size_t i = 0; i < engine->target->replica_count; i++) {
        struct probe *probe = &writers->probes[i];
        int64_t now = clock_now();
        if (probe->link.state != LINK_READY) {
            continue;
        }
        probe->is_found = probe->is_refused = false;
        if (PQsendQueryPrepared(probe->link.connection, "s0", 2, values, NULL, NULL, 0) != 1 ||
            PQpipelineSync(probe->link.connection) != 1) {
            link_fail(&probe->link, now, NULL);
            continue;
        }
        bool is_ok = link_sent(&probe->link, now);
        (void)is_ok; /* a lost probe is one probe less */
    }
}

static void collect_probe(struct writers *writers, size_t replica)
{
    struct probe *probe = &writers->probes[replica];
    bool is_waiting = false;

    while (probe->link.state == LINK_BUSY) {
        PGresult *result = link_result(&probe->link, &is_waiting);
        ExecStatusType status = PQresultStatus(result);
        if (is_waiting) {
            return;
        }
        if (status == PGRES_TUPLES_OK) {
            probe->is_found = PQntuples(result) > 0;
        } else if (result != NULL && status == PGRES_FATAL_ERROR) {
            probe->is_refused = true;
        } else if (status == PGRES_PIPELINE_SYNC) {
            writers->result->probes[replica] += !probe->is_refused;
            writers->result->missed[replica] += !probe->is_refused && !probe->is_found;
            link_settled(&probe->link);
        }
        PQclear(result);
    }
}

/* ---- one write ---- */

static bool queue_write(PGconn *connection, uint16_t number, uint64_t sequence)
{
    char texts[2][24];
    const char *const values[] = {texts[0], texts[1], payload};

    snprintf(texts[0], sizeof texts[0], "%u", number);
    snprintf(texts[1], sizeof texts[1], "%" PRIu64, sequence);
    return PQsendQueryPrepared(connection, "s0", 3, values, NULL, NULL, 0) == 1 &&
           PQpipelineSync(connection) == 1 &&
           PQsendQueryPrepared(connection, "s1", 0, NULL, NULL, NULL, 0) == 1 &&
           PQpipelineSync(connection) == 1;
}

/* The connection is gone, with a write on it. */
static void lost_write(struct writers *writers, struct writer *writer, const char *sqlstate,
                       const char *reason)
{
    struct write_record *record = record_of(writers, writer);

    tally_add(&writers->result->errors, sqlstate, reason);
    if (writer->is_acked) {
        return;
    }
    record->acked = clock_now();
    record->state =
        writer->refusal[0] != '\0' && !writer->is_in_doubt ? WRITE_FAILED : WRITE_UNKNOWN;
    atomic_fetch_add_explicit(&writers->engine->writes_failed, 1, memory_order_relaxed);
}

static void send_write(struct writers *writers, struct writer *writer, int64_t due, int64_t now)
{
    struct write_record *record = write_log_append(&writers->result->log, PLAN_WRITE_MAX);

    if (record == NULL) {
        writers->result->is_out_of_memory = true;
        return;
    }
    writer->record = writers->result->log.count - 1;
    writer->is_acked = writer->is_in_doubt = false;
    writer->refusal[0] = '\0';
    *record = (struct write_record){.due = due,
                                    .sent = now,
                                    .sequence = ++writer->sequence,
                                    .writer = writer->number,
                                    .state = WRITE_SENT,
                                    .is_measured = engine_is_measured(writers->engine, due),
                                    .is_late = now - due > LATE_NS && writer->free_since <= due};
    writers->measured += record->is_measured;
    if (!queue_write(writer->link.connection, writer->number, writer->sequence)) {
        link_fail(&writer->link, now, NULL);
    } else if (link_sent(&writer->link, now)) {
        record->sent = clock_now();
        if (due == now) {
            record->due = record->sent; /* a closed loop has no due time of its own */
        }
        return;
    }
    lost_write(writers, writer, writer->link.sqlstate, writer->link.reason);
}

static void acknowledge(struct writers *writers, struct writer *writer)
{
    struct engine *engine = writers->engine;
    struct write_record *record = record_of(writers, writer);

    record->acked = clock_now();
    writer->is_acked = true;
    if (writer->refusal[0] != '\0') {
        record->state = writer->is_in_doubt ? WRITE_UNKNOWN : WRITE_FAILED;
        atomic_fetch_add_explicit(&engine->writes_failed, 1, memory_order_relaxed);
        return;
    }
    record->state = WRITE_ACKED;
    engine->acked[writer->number] = record->sequence;
    atomic_fetch_add_explicit(&engine->writes_done, 1, memory_order_relaxed);
    if (record->is_measured && engine->plan->probe_share > 0 &&
        random_unit(&writers->random) < engine->plan->probe_share) {
        probe_all(writers, record);
    }
}

static void note_lsn(struct writers *writers, struct writer *writer, const PGresult *result)
{
    uint64_t lsn;
    struct write_record *record = record_of(writers, writer);

    if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0)) {
        return;
    }
    const char *text = PQgetvalue(result, 0, 0);
    if (!lsn_parse(text, strlen(text), &lsn)) {
        return;
    }
    if (writer->is_acked) {
        record->lsn_high = lsn;
    } else {
        record->lsn_low = lsn;
    }
}

static void note_refusal(struct writers *writers, struct writer *writer, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (writer->is_acked) {
        return; /* only the flush position: the lag of this write stays unknown */
    }
    snprintf(writer->refusal, sizeof writer->refusal, "%s", sqlstate != NULL ? sqlstate : "08006");
    writer->is_in_doubt = severity == NULL || strcmp(severity, "ERROR") != 0;
    tally_add(&writers->result->errors, writer->refusal,
              message != NULL ? message : "the connection was lost");
}

static void collect(struct writers *writers, struct writer *writer)
{
    bool is_waiting = false;

    while (writer->link.state == LINK_BUSY) {
        PGresult *result = link_result(&writer->link, &is_waiting);
        ExecStatusType status = PQresultStatus(result);
        if (is_waiting) {
            return;
        }
        if (status == PGRES_TUPLES_OK) {
            note_lsn(writers, writer, result);
        } else if (result != NULL && status == PGRES_FATAL_ERROR) {
            note_refusal(writers, writer, result);
        } else if (status == PGRES_PIPELINE_SYNC && writer->is_acked) {
            link_settled(&writer->link);
            writer->free_since = clock_now();
        } else if (status == PGRES_PIPELINE_SYNC) {
            acknowledge(writers, writer);
        }
        PQclear(result);
    }
}

/* ---- phases ---- */

static void begin_run(struct writers *writers, double rate, int64_t now)
{
    struct engine *engine = writers->engine;
    const struct run_plan *plan = engine->plan;

    writers->phase = PHASE_RUN;
    engine->rate = rate;
    if (rate > 0) {
        plan_arrivals_init(&writers->arrivals, plan->seed, rate, now);
        writers->due = plan_arrivals_next(&writers->arrivals);
    }
    engine->measure_from = now + plan->warmup;
    writers->phase_end = plan->writes > 0 ? INT64_MAX : now + plan->warmup + plan->duration;
    engine->measure_to = writers->phase_end;
}

/* After the connections stand: the time that they take is no part of what is measured. */
static void begin(struct writers *writers, int64_t now)
{
    const struct run_plan *plan = writers->engine->plan;

    if (plan->is_closed || plan->rate > 0) {
        begin_run(writers, plan->is_closed ? 0 : plan->rate, now);
        return;
    }
    writers->phase = PHASE_CALIBRATE;
    writers->phase_end = now + plan->calibration;
}

static void end_phase(struct writers *writers, int64_t now)
{
    struct engine *engine = writers->engine;
    const double share = 0.7; /* of the most: near saturation queues, not servers, are measured */

    if (writers->phase == PHASE_CONNECT && !engine->is_stopping) {
        begin(writers, now);
        return;
    }
    if (writers->phase == PHASE_CALIBRATE && !engine->is_stopping) {
        double reached = (double)engine->writes_done / ((double)engine->plan->calibration / 1e9);
        begin_run(writers, reached * share > 1 ? reached * share : 1, now);
        return;
    }
    writers->phase = PHASE_DRAIN;
    writers->phase_end = now + engine->plan->timeout;
    if (now < engine->measure_to) {
        engine->measure_to = now;
    }
}

/* In an open loop: what came due before the end and waits for a free connection. */
static bool has_backlog(const struct writers *writers)
{
    const struct engine *engine = writers->engine;
    return engine->rate > 0 && !engine->is_stopping && writers->due < engine->measure_to;
}

static void count_unsent(struct writers *writers)
{
    struct engine *engine = writers->engine;
    while (engine->rate > 0 && writers->due < engine->measure_to) {
        writers->result->unsent += writers->due >= engine->measure_from;
        writers->due = plan_arrivals_next(&writers->arrivals);
    }
}

static bool are_all_ready(const struct writers *writers)
{
    for (size_t i = 0; i < writers->count; i++) {
        if (writers->members[i].link.state != LINK_READY) {
            return false;
        }
    }
    return true;
}

static bool is_phase_over(const struct writers *writers, int64_t now)
{
    const struct run_plan *plan = writers->engine->plan;
    return now >= writers->phase_end || writers->engine->is_stopping ||
           (writers->phase == PHASE_CONNECT && are_all_ready(writers)) ||
           (plan->writes > 0 && writers->phase == PHASE_RUN && writers->measured >= plan->writes);
}

/* Sends as many writes as are due and find a free connection.  Returns when the next is due. */
static int64_t send_due(struct writers *writers)
{
    bool is_open = writers->phase != PHASE_CALIBRATE && writers->engine->rate > 0;

    for (size_t i = 0; i < writers->count; i++) {
        struct writer *writer = &writers->members[i];
        int64_t now = clock_now();
        bool is_over =
            writers->phase == PHASE_DRAIN ? !has_backlog(writers) : is_phase_over(writers, now);
        if (writer->link.state != LINK_READY || is_over) {
            continue;
        }
        if (is_open && writers->due > now) {
            return writers->due;
        }
        send_write(writers, writer, is_open ? writers->due : now, now);
        if (is_open) {
            writers->due = plan_arrivals_next(&writers->arrivals);
        }
    }
    return INT64_MAX; /* no connection is free: an answer wakes us */
}

static void step_writer(struct writers *writers, struct writer *writer, short revents)
{
    bool was_busy = writer->link.state == LINK_BUSY, was_ready = writer->link.state == LINK_READY;
    int64_t now = clock_now();

    if (!link_step(&writer->link, now, revents)) {
        if (was_busy) {
            lost_write(writers, writer, writer->link.sqlstate, writer->link.reason);
        } else {
            tally_add(&writers->result->errors, writer->link.sqlstate, writer->link.reason);
        }
        return;
    }
    if (!was_busy && !was_ready && writer->link.state == LINK_READY) {
        writer->free_since = now;
    }
    collect(writers, writer);
}

static void turn(struct writers *writers, struct pollfd *fds)
{
    int64_t wake = writers->phase == PHASE_CONNECT ? INT64_MAX : send_due(writers);
    size_t replica_count = writers->engine->target->replica_count, at = 0;

    wake = writers->phase_end < wake ? writers->phase_end : wake;
    for (size_t i = 0; i < writers->count; i++) {
        wake = link_wake(&writers->members[i].link, wake);
        fds[at++] = link_pollfd(&writers->members[i].link);
    }
    for (size_t i = 0; i < replica_count; i++) {
        wake = link_wake(&writers->probes[i].link, wake);
        fds[at++] = link_pollfd(&writers->probes[i].link);
    }
    engine_wait(fds, at, wake);
    for (size_t i = 0; i < writers->count; i++) {
        step_writer(writers, &writers->members[i], fds[i].revents);
    }
    for (size_t i = 0; i < replica_count; i++) {
        if (link_step(&writers->probes[i].link, clock_now(), fds[writers->count + i].revents)) {
            collect_probe(writers, i);
        }
    }
}

static bool is_drained(const struct writers *writers)
{
    if (writers->phase != PHASE_DRAIN) {
        return false;
    }
    if (has_backlog(writers)) {
        return clock_now() >= writers->phase_end;
    }
    for (size_t i = 0; i < writers->count; i++) {
        if (writers->members[i].link.state == LINK_BUSY) {
            return clock_now() >= writers->phase_end;
        }
    }
    return true;
}

static bool prepare(struct writers *writers)
{
    const struct engine *engine = writers->engine;
    const struct target *target = engine->target;

    writers->count = (size_t)engine->plan->writers;
    writers->members = calloc(writers->count, sizeof *writers->members);
    if (writers->members == NULL) {
        return false;
    }
    snprintf(writers->insert_sql, sizeof writers->insert_sql,
             "INSERT INTO %s VALUES ($1::integer, $2::bigint, $3::text) "
             "RETURNING pg_current_wal_insert_lsn()",
             engine->table);
    snprintf(writers->probe_sql, sizeof writers->probe_sql,
             "SELECT 1 FROM %s WHERE writer = $1::integer AND sequence = $2::bigint",
             engine->table);
    const char *mode = engine->plan->synchronous_commit;
    bool is_off = mode != NULL && strcmp(mode, "off") == 0;
    writers->setup = (struct link_setup){
        .application_name = "load_test/write",
        .synchronous_commit = mode,
        /* Without a wait for the flush, the flushed position may lie before the commit record. */
        .statements = {writers->insert_sql, is_off ? "SELECT pg_current_wal_insert_lsn()"
                                                   : "SELECT pg_current_wal_flush_lsn()"}};
    writers->probe_setup = (struct link_setup){.application_name = "load_test/probe",
                                               .statements = {writers->probe_sql}};
    for (size_t i = 0; i < writers->count; i++) {
        writers->members[i].number = (uint16_t)i;
        link_init(&writers->members[i].link, target->primary.dsn, &writers->setup,
                  engine->plan->timeout);
    }
    for (size_t i = 0; i < target->replica_count; i++) {
        link_init(&writers->probes[i].link, target->replicas[i].dsn, &writers->probe_setup,
                  engine->plan->timeout);
    }
    return true;
}

void writer_work(struct engine *engine, struct writer_result *result)
{
    struct writers writers = {.engine = engine, .result = result};
    struct pollfd fds[PLAN_WRITER_MAX + REPORT_REPLICA_MAX];

    result->is_out_of_memory = !prepare(&writers);
    random_init(&writers.random, engine->plan->seed, 3);
    writers.phase = PHASE_CONNECT;
    writers.phase_end = clock_now() + engine->plan->timeout;
    while (!result->is_out_of_memory && !is_drained(&writers)) {
        int64_t now = clock_now();
        if (writers.phase != PHASE_DRAIN && is_phase_over(&writers, now)) {
            end_phase(&writers, now);
            continue;
        }
        turn(&writers, fds);
    }
    count_unsent(&writers);
    engine->is_written = true;
    for (size_t i = 0; writers.members != NULL && i < writers.count; i++) {
        struct writer *writer = &writers.members[i];
        if (writer->link.state == LINK_BUSY) { /* the end of the drain, or of memory */
            lost_write(&writers, writer, "57014", "no answer before the end");
        }
        link_done(&writer->link);
    }
    for (size_t i = 0; i < engine->target->replica_count; i++) {
        link_done(&writers.probes[i].link);
    }
    free(writers.members);
    result->cpu = engine_thread_cpu();
}

void writer_result_done(struct writer_result *result)
{
    write_log_done(&result->log);
    *result = (struct writer_result){0};
}
