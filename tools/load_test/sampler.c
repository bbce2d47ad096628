/* The samplers: one connection per replica that reads how far it has replayed, at a steady rate. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cluster/lsn.h"
#include "load_test/engine.h"
#include "load_test/link.h"

struct sampler {
    struct link link;
    struct replay_log *log; /* borrowed */
    int64_t asked, next;    /* clock_now() */
    uint64_t reached;       /* the newest position */
};

static const struct link_setup setup = {.application_name = "load_test/lag",
                                        .statements = {"SELECT pg_last_wal_replay_lsn()"}};

static void ask(struct sampler *sampler, int64_t now)
{
    PGconn *connection = sampler->link.connection;
    sampler->asked = now;
    if (PQsendQueryPrepared(connection, "s0", 0, NULL, NULL, NULL, 0) != 1 ||
        PQpipelineSync(connection) != 1) {
        link_fail(&sampler->link, now, NULL);
        return;
    }
    bool is_ok = link_sent(&sampler->link, now);
    (void)is_ok; /* a lost link connects again; the gap shows in the samples' rate */
}

/* NULL (the node is no replica any more) is no position. */
static bool note(struct sampler *sampler, const PGresult *result)
{
    uint64_t lsn;
    if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0)) {
        return true;
    }
    const char *text = PQgetvalue(result, 0, 0);
    if (!lsn_parse(text, strlen(text), &lsn)) {
        return true;
    }
    sampler->reached = lsn;
    return replay_log_append(
        sampler->log,
        (struct replay_sample){.asked = sampler->asked, .answered = clock_now(), .lsn = lsn});
}

/* False when out of memory. */
static bool collect(struct sampler *sampler)
{
    bool is_waiting = false, is_ok = true;
    while (sampler->link.state == LINK_BUSY && is_ok) {
        PGresult *result = link_result(&sampler->link, &is_waiting);
        if (is_waiting) {
            break;
        }
        switch (PQresultStatus(result)) {
        case PGRES_TUPLES_OK: is_ok = note(sampler, result); break;
        case PGRES_PIPELINE_SYNC: link_settled(&sampler->link); break;
        case PGRES_FATAL_ERROR:
            if (result != NULL) { /* NULL only separates two commands */
                link_fail(&sampler->link, clock_now(), result);
            }
            break;
        case PGRES_EMPTY_QUERY:
        case PGRES_COMMAND_OK:
        case PGRES_COPY_OUT:
        case PGRES_COPY_IN:
        case PGRES_BAD_RESPONSE:
        case PGRES_NONFATAL_ERROR:
        case PGRES_COPY_BOTH:
        case PGRES_SINGLE_TUPLE:
        case PGRES_PIPELINE_ABORTED: break;
        }
        PQclear(result);
    }
    return is_ok;
}

static bool has_settled(const struct engine *engine, const struct sampler *samplers, size_t count,
                        int64_t now)
{
    uint64_t lsn = engine->settle_lsn;
    if (engine->is_sampled || now >= engine->settle_until) {
        return true;
    }
    if (lsn == 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (samplers[i].reached < lsn) {
            return false;
        }
    }
    return true;
}

void sampler_work(struct engine *engine, struct sampler_result *result)
{
    struct sampler samplers[REPORT_REPLICA_MAX] = {0};
    struct pollfd fds[REPORT_REPLICA_MAX];
    size_t count = engine->target->replica_count;
    const int64_t interval = (int64_t)(1e9 / engine->plan->sample_rate);

    for (size_t i = 0; i < count; i++) {
        samplers[i].log = &result->logs[i];
        link_init(&samplers[i].link, engine->target->replicas[i].dsn, &setup,
                  engine->plan->timeout);
    }
    while (!has_settled(engine, samplers, count, clock_now()) && !result->is_out_of_memory) {
        int64_t wake = INT64_MAX;
        for (size_t i = 0; i < count; i++) {
            struct sampler *sampler = &samplers[i];
            int64_t now = clock_now();
            if (sampler->link.state == LINK_READY && now >= sampler->next) {
                ask(sampler, now);
                sampler->next =
                    sampler->next + interval > now ? sampler->next + interval : now + interval;
            }
            wake = link_wake(&sampler->link, wake);
            if (sampler->link.state == LINK_READY && sampler->next < wake) {
                wake = sampler->next;
            }
            fds[i] = link_pollfd(&sampler->link);
        }
        engine_wait(fds, count, wake);
        for (size_t i = 0; i < count; i++) {
            if (link_step(&samplers[i].link, clock_now(), fds[i].revents) &&
                !collect(&samplers[i])) {
                result->is_out_of_memory = true;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        link_done(&samplers[i].link);
    }
    result->cpu = engine_thread_cpu();
}

void sampler_result_done(struct sampler_result *result)
{
    for (size_t i = 0; i < REPORT_REPLICA_MAX; i++) {
        replay_log_done(&result->logs[i]);
    }
    *result = (struct sampler_result){0};
}
