#include "load_test/gauges.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "load_test/engine.h"

enum { INTERVAL_MS = 100, COMMAND_REPLICATION = 0, COMMAND_ACTIVITY = 1 };

static const struct link_setup setup = {
    .application_name = "load_test/gauges",
    .statements = {
        "SELECT application_name, sync_state, extract(epoch FROM replay_lag)::float8 * 1e6 "
        "FROM pg_stat_replication WHERE state = 'streaming'",
        "SELECT count(*), current_setting('max_connections'), "
        "max(extract(epoch FROM clock_timestamp() - query_start)) FILTER (WHERE state = 'active' "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid()), "
        "count(*) FILTER (WHERE state LIKE 'idle in transaction%') "
        "FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender')"}};

bool gauges_init(struct gauges *gauges, const struct target *target, int64_t timeout)
{
    *gauges = (struct gauges){.target = target,
                              .connections_max = NAN,
                              .connections_limit = NAN,
                              .longest_query_s = NAN,
                              .idle_in_transaction_max = NAN};
    link_init(&gauges->link, target->primary.dsn, &setup, timeout);
    for (size_t i = 0; i < target->replica_count; i++) {
        if (!histogram_init(&gauges->replay_lag[i], ENGINE_LATENCY_MAX)) {
            return false;
        }
    }
    return true;
}

void gauges_done(struct gauges *gauges)
{
    link_done(&gauges->link);
    for (size_t i = 0; i < REPORT_REPLICA_MAX; i++) {
        histogram_done(&gauges->replay_lag[i]);
    }
}

int64_t gauges_ask(struct gauges *gauges, int64_t now)
{
    PGconn *connection = gauges->link.connection;

    if (gauges->link.state == LINK_READY && now >= gauges->next) {
        gauges->next = now + INTERVAL_MS * CLOCK_MS;
        gauges->command = COMMAND_REPLICATION;
        bool is_ok = PQsendQueryPrepared(connection, "s0", 0, NULL, NULL, NULL, 0) == 1 &&
                     PQsendQueryPrepared(connection, "s1", 0, NULL, NULL, NULL, 0) == 1 &&
                     PQpipelineSync(connection) == 1;
        if (!is_ok) {
            link_fail(&gauges->link, now, NULL);
        } else if (!link_sent(&gauges->link, now)) {
            return link_wake(&gauges->link, INT64_MAX); /* it connects again by itself */
        }
    }
    return link_wake(&gauges->link, gauges->link.state == LINK_READY ? gauges->next : INT64_MAX);
}

static void raise_to(double *most, const PGresult *result, int column)
{
    double value = PQgetisnull(result, 0, column) ? 0 : strtod(PQgetvalue(result, 0, column), NULL);
    if (isnan(*most) || value > *most) {
        *most = value;
    }
}

static void note_replication(struct gauges *gauges, const PGresult *result)
{
    for (size_t i = 0; i < gauges->target->replica_count; i++) {
        for (int row = 0; row < PQntuples(result); row++) {
            if (strcmp(PQgetvalue(result, row, 0), gauges->target->replicas[i].name) != 0) {
                continue;
            }
            snprintf(gauges->sync_state[i], sizeof gauges->sync_state[i], "%s",
                     PQgetvalue(result, row, 1));
            gauges->samples[i]++;
            if (!PQgetisnull(result, row, 2)) {
                gauges->given[i]++;
                histogram_record(&gauges->replay_lag[i],
                                 (int64_t)strtod(PQgetvalue(result, row, 2), NULL));
            }
        }
    }
}

static void note_activity(struct gauges *gauges, const PGresult *result)
{
    if (PQntuples(result) != 1) {
        return;
    }
    raise_to(&gauges->connections_max, result, 0);
    raise_to(&gauges->connections_limit, result, 1);
    raise_to(&gauges->longest_query_s, result, 2);
    raise_to(&gauges->idle_in_transaction_max, result, 3);
}

void gauges_step(struct gauges *gauges, int64_t now, short revents)
{
    bool is_waiting = false;

    if (!link_step(&gauges->link, now, revents)) {
        return;
    }
    while (gauges->link.state == LINK_BUSY) {
        PGresult *result = link_result(&gauges->link, &is_waiting);
        ExecStatusType status = PQresultStatus(result);
        if (is_waiting) {
            return;
        }
        if (status == PGRES_TUPLES_OK && gauges->command == COMMAND_REPLICATION) {
            note_replication(gauges, result);
        } else if (status == PGRES_TUPLES_OK) {
            note_activity(gauges, result);
        } else if (status == PGRES_PIPELINE_SYNC) {
            link_settled(&gauges->link);
        }
        gauges->command += result == NULL; /* NULL stands between two commands */
        PQclear(result);
    }
}

void gauges_report(const struct gauges *gauges, struct run_report *report)
{
    report->connections_max = gauges->connections_max;
    report->connections_limit = gauges->connections_limit;
    report->longest_query_s = gauges->longest_query_s;
    report->idle_in_transaction_max = gauges->idle_in_transaction_max;
    for (size_t i = 0; i < report->replica_count; i++) {
        struct report_replica *replica = &report->replicas[i];
        replica->replay_lag_samples = gauges->samples[i];
        replica->replay_lag_given = gauges->given[i];
        if (gauges->given[i] > 0) {
            replica->replay_lag_p50 =
                (double)histogram_percentile(&gauges->replay_lag[i], 50) / 1000;
            replica->replay_lag_max = (double)gauges->replay_lag[i].max / 1000;
        }
        if (gauges->sync_state[i][0] != '\0') {
            snprintf(replica->sync_state, sizeof replica->sync_state, "%s", gauges->sync_state[i]);
        }
    }
}
