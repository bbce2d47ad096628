/* The readers: connections that look up recent rows on the replicas, as fast as they answer or at a
 * rate. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "load_test/engine.h"
#include "load_test/link.h"

struct reader {
    struct link link;
    size_t replica; /* whom it asks; unused when it asks the primary */
    int64_t sent, next;
};

struct readers {
    struct engine *engine;
    struct reader_result *result;
    struct reader *members; /* owned */
    size_t count;
    struct link_setup setup;
    struct random random;
    int64_t gap; /* ns between two reads of one connection; 0: none */
};

/* False when the link failed. */
static bool ask(struct readers *readers, struct reader *reader, int64_t now)
{
    struct engine *engine = readers->engine;
    size_t writer = random_below(&readers->random, (uint64_t)engine->plan->writers);
    uint64_t last = engine->acked[writer];
    uint64_t sequence = last == 0 ? 0 : plan_pick_row(&readers->random, last);
    char texts[2][24];
    const char *const values[] = {texts[0], texts[1]};

    snprintf(texts[0], sizeof texts[0], "%zu", writer);
    snprintf(texts[1], sizeof texts[1], "%" PRIu64, sequence);
    reader->sent = now;
    if (PQsendQueryPrepared(reader->link.connection, "s0", 2, values, NULL, NULL, 0) != 1 ||
        PQpipelineSync(reader->link.connection) != 1) {
        link_fail(&reader->link, now, NULL);
        return false;
    }
    return link_sent(&reader->link, now);
}

static void count_second(struct readers *readers, int64_t now)
{
    struct reader_result *result = readers->result;
    size_t second = (size_t)((now - readers->engine->measure_from) / CLOCK_SECOND);

    if (second >= ENGINE_SECONDS_MAX) {
        return;
    }
    if (second >= result->second_count) {
        double *grown = reallocarray(result->per_second, second + 1, sizeof *grown);
        if (grown == NULL) {
            result->is_out_of_memory = true;
            return;
        }
        for (size_t i = result->second_count; i <= second; i++) {
            grown[i] = 0;
        }
        result->per_second = grown;
        result->second_count = second + 1;
    }
    result->per_second[second]++;
}

static void answered(struct readers *readers, struct reader *reader)
{
    struct engine *engine = readers->engine;
    int64_t now = clock_now();

    atomic_fetch_add_explicit(&engine->reads_done, 1, memory_order_relaxed);
    if (!engine_is_measured(engine, reader->sent)) {
        return;
    }
    histogram_record(&readers->result->latency, (now - reader->sent) / 1000);
    count_second(readers, now);
    if (engine->plan->read_from == PLAN_READ_PRIMARY) {
        readers->result->from_primary++;
    } else {
        readers->result->done[reader->replica]++;
    }
}

static void failed(struct readers *readers, const struct reader *reader, const char *sqlstate,
                   const char *message)
{
    if (engine_is_measured(readers->engine, reader->sent)) {
        readers->result->failed[reader->replica]++;
    }
    tally_add(&readers->result->errors, sqlstate, message);
}

/* A refused read (a recovery conflict, say) leaves the connection usable. */
static void refused(struct readers *readers, struct reader *reader, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    failed(readers, reader, sqlstate != NULL ? sqlstate : "08006",
           message != NULL ? message : "the connection was lost");
    reader->sent = INT64_MIN; /* so that the sync after it does not count as an answer */
}

static void collect(struct readers *readers, struct reader *reader)
{
    bool is_waiting = false;
    while (reader->link.state == LINK_BUSY) {
        PGresult *result = link_result(&reader->link, &is_waiting);
        ExecStatusType status = PQresultStatus(result);
        if (is_waiting) {
            return;
        }
        if (result != NULL && status == PGRES_FATAL_ERROR) {
            refused(readers, reader, result);
        } else if (status == PGRES_PIPELINE_SYNC) {
            if (reader->sent != INT64_MIN) {
                answered(readers, reader);
            }
            link_settled(&reader->link);
            reader->next += readers->gap;
        }
        PQclear(result);
    }
}

/* The link went down: its read failed, if one was under way, and the next goes to another replica.
 */
static void move_on(struct readers *readers, struct reader *reader, bool was_busy)
{
    const struct target *target = readers->engine->target;

    if (was_busy && reader->sent != INT64_MIN) {
        failed(readers, reader, reader->link.sqlstate, reader->link.reason);
    } else if (!was_busy) {
        tally_add(&readers->result->errors, reader->link.sqlstate, reader->link.reason);
    }
    if (readers->engine->plan->read_from == PLAN_READ_REPLICAS && target->replica_count > 1) {
        reader->replica = (reader->replica + 1) % target->replica_count;
        reader->link.dsn = target->replicas[reader->replica].dsn;
        readers->result->moved++;
    }
}

static bool prepare(struct readers *readers, char *sql, size_t size)
{
    struct engine *engine = readers->engine;
    const struct target *target = engine->target;

    readers->count = (size_t)engine->plan->readers;
    readers->members = calloc(readers->count + 1, sizeof *readers->members);
    if (readers->members == NULL ||
        !histogram_init(&readers->result->latency, ENGINE_LATENCY_MAX)) {
        return false;
    }
    snprintf(sql, size,
             "SELECT payload FROM %s WHERE writer = $1::integer AND sequence = $2::bigint",
             engine->table);
    readers->setup = (struct link_setup){.application_name = "load_test/read", .statements = {sql}};
    random_init(&readers->random, engine->plan->seed, 2);
    if (engine->plan->read_rate > 0) {
        readers->gap = (int64_t)(1e9 * (double)readers->count / engine->plan->read_rate);
    }
    int64_t now = clock_now();
    for (size_t i = 0; i < readers->count; i++) {
        struct reader *reader = &readers->members[i];
        bool asks_replica =
            engine->plan->read_from == PLAN_READ_REPLICAS && target->replica_count > 0;
        reader->replica = asks_replica ? i % target->replica_count : 0;
        reader->next = now + readers->gap * (int64_t)i / (int64_t)readers->count;
        link_init(&reader->link,
                  asks_replica ? target->replicas[reader->replica].dsn : target->primary.dsn,
                  &readers->setup, engine->plan->timeout);
    }
    return true;
}

static void turn(struct readers *readers, struct pollfd *fds)
{
    int64_t wake = INT64_MAX;
    for (size_t i = 0; i < readers->count; i++) {
        struct reader *reader = &readers->members[i];
        int64_t now = clock_now();
        if (reader->link.state == LINK_READY && now >= reader->next && !ask(readers, reader, now)) {
            move_on(readers, reader, true);
        }
        wake = link_wake(&reader->link, wake);
        if (reader->link.state == LINK_READY && reader->next < wake) {
            wake = reader->next;
        }
        fds[i] = link_pollfd(&reader->link);
    }
    engine_wait(fds, readers->count, wake);
    for (size_t i = 0; i < readers->count; i++) {
        struct reader *reader = &readers->members[i];
        bool was_busy = reader->link.state == LINK_BUSY;
        if (link_step(&reader->link, clock_now(), fds[i].revents)) {
            collect(readers, reader);
        } else {
            move_on(readers, reader, was_busy);
        }
    }
}

void reader_work(struct engine *engine, struct reader_result *result)
{
    struct readers readers = {.engine = engine, .result = result};
    struct pollfd fds[PLAN_READER_MAX];
    char sql[400];

    result->is_out_of_memory = !prepare(&readers, sql, sizeof sql);
    while (!result->is_out_of_memory && !engine->is_stopping) {
        turn(&readers, fds);
    }
    for (size_t i = 0; readers.members != NULL && i < readers.count; i++) {
        link_done(&readers.members[i].link);
    }
    free(readers.members);
    result->cpu = engine_thread_cpu();
}

void reader_result_done(struct reader_result *result)
{
    histogram_done(&result->latency);
    free(result->per_second);
    *result = (struct reader_result){0};
}
