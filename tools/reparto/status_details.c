#include "reparto/status_details.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "common/pg.h"

enum { CONNECT_LIMIT_S = 2, ANSWER_LIMIT_S = 2 };

struct status_details {
    size_t count;
    char long_query_s[32];
    struct detail_source {
        const char *name, *dsn; /* borrowed */
        PGconn *connection;     /* owned; NULL: none */
    } sources[];
};

/* The server makes the JSON, and takes control characters out of queries: they would reach the
 * terminal.  $1: seconds from which a query is long.  What is NULL in
 * pg_stat_replication stays null: "unknown" is not "no lag".  Without pg_read_all_stats a user sees
 * only its own sessions; those are not all, so null is said. */
static const char details_sql[] =
    "SELECT json_build_object("
    "'version', current_setting('server_version'), "
    "'connections', json_build_object("
    "  'used', CASE WHEN pg_has_role('pg_read_all_stats', 'usage') THEN "
    "    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') END, "
    "  'limit', current_setting('max_connections')::int), "
    "'replication', (SELECT coalesce(json_agg(json_build_object("
    "    'name', application_name, 'state', state, 'sync_state', sync_state, "
    "    'write_lag_ms', extract(epoch FROM write_lag) * 1000, "
    "    'flush_lag_ms', extract(epoch FROM flush_lag) * 1000, "
    "    'replay_lag_ms', extract(epoch FROM replay_lag) * 1000) "
    "    ORDER BY application_name, pid), '[]') FROM pg_stat_replication), "
    "'slots', (SELECT coalesce(json_agg(json_build_object("
    "    'name', slot_name, 'type', slot_type, 'active', active, 'wal_status', wal_status, "
    "    'retained_bytes', greatest(pg_wal_lsn_diff("
    "      CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
    "      ELSE pg_current_wal_lsn() END, restart_lsn), 0)) "
    "    ORDER BY slot_name), '[]') FROM pg_replication_slots), "
    "'long_queries', CASE WHEN pg_has_role('pg_read_all_stats', 'usage') THEN "
    "  (SELECT coalesce(json_agg(row), '[]') FROM ("
    "    SELECT json_build_object('pid', pid, "
    "      'seconds', extract(epoch FROM clock_timestamp() - query_start), "
    "      'user', usename, 'state', state, "
    "      'query', left(regexp_replace(query, '[[:space:][:cntrl:]]+', ' ', 'g'), 60)) AS row "
    "    FROM pg_stat_activity WHERE backend_type = 'client backend' AND state = 'active' "
    "      AND pid <> pg_backend_pid() "
    "      AND clock_timestamp() - query_start >= make_interval(secs => $1::float8) "
    "    ORDER BY query_start LIMIT 10) AS long) END, "
    "'idle_in_transaction', CASE WHEN pg_has_role('pg_read_all_stats', 'usage') THEN "
    "  (SELECT coalesce(json_agg(row), '[]') FROM ("
    "    SELECT json_build_object('pid', pid, "
    "      'seconds', extract(epoch FROM clock_timestamp() - state_change), "
    "      'user', usename, 'state', state, "
    "      'query', left(regexp_replace(query, '[[:space:][:cntrl:]]+', ' ', 'g'), 60)) AS row "
    "    FROM pg_stat_activity WHERE backend_type = 'client backend' "
    "      AND state LIKE 'idle in transaction%' "
    "      AND clock_timestamp() - state_change >= make_interval(secs => $1::float8) "
    "    ORDER BY state_change LIMIT 10) AS idle) END)";

struct status_details *status_details_create(const struct status_target *targets, size_t count,
                                             int64_t long_query)
{
    struct status_details *details =
        calloc(1, sizeof *details + count * sizeof details->sources[0]);
    if (details == NULL) {
        return NULL;
    }
    details->count = count;
    snprintf(details->long_query_s, sizeof details->long_query_s, "%.3f", (double)long_query / 1e9);
    for (size_t i = 0; i < count; i++) {
        details->sources[i].name = targets[i].name;
        details->sources[i].dsn = targets[i].dsn;
    }
    return details;
}

void status_details_destroy(struct status_details *details)
{
    for (size_t i = 0; details != NULL && i < details->count; i++) {
        PQfinish(details->sources[i].connection);
    }
    free(details);
}

/* Waits until libpq has the whole answer.  False: not in time, or the connection broke. */
static bool wait_for_answer(PGconn *connection, int64_t deadline)
{
    while (PQisBusy(connection) != 0) {
        struct pollfd fd = {.fd = PQsocket(connection), .events = POLLIN};
        int64_t now = clock_now();
        if (now >= deadline) {
            return false;
        }
        int count = poll(&fd, 1, clock_poll_timeout(deadline, now));
        if (count < 0 && errno != EINTR) {
            return false;
        }
        if (count > 0 && PQconsumeInput(connection) != 1) {
            return false;
        }
    }
    return true;
}

/* The answer as JSON, or NULL with `err`. */
static json_t *ask(struct detail_source *source, const char *long_query_s, struct error *err)
{
    const char *const values[] = {long_query_s};
    int64_t deadline = clock_now() + ANSWER_LIMIT_S * CLOCK_SECOND;
    json_error_t reason;
    json_t *document = NULL;

    if (PQsendQueryParams(source->connection, details_sql, 1, NULL, values, NULL, NULL, 0) != 1 ||
        !wait_for_answer(source->connection, deadline)) {
        error_set(err, "08006", "no answer to the question about its activity");
        return NULL;
    }
    PGresult *result = PQgetResult(source->connection);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        document = json_loads(PQgetvalue(result, 0, 0), 0, &reason);
        if (document == NULL) {
            error_set(err, "22023", "its answer is no JSON: %s", reason.text);
        }
    }
    if (document == NULL && !error_is_set(err)) {
        pg_error(source->connection, result, err);
    }
    PQclear(result);
    PQclear(PQgetResult(source->connection)); /* NULL: the end of this question */
    return document;
}

static struct detail_source *find_source(struct status_details *details, const char *name)
{
    for (size_t i = 0; i < details->count; i++) {
        if (strcmp(details->sources[i].name, name) == 0) {
            return &details->sources[i];
        }
    }
    return NULL;
}

static bool open_source(struct detail_source *source, struct error *err)
{
    if (source->connection == NULL) {
        source->connection = pg_connect(source->dsn, "reparto/status", CONNECT_LIMIT_S, err);
    }
    if (source->connection == NULL) {
        return false;
    }
    PQsetClientEncoding(source->connection, "UTF8"); /* as JSON is */
    return true;
}

static void add_to_node(struct status_details *details, json_t *node)
{
    const char *name = json_string_value(json_object_get(node, "name"));
    const char *state = json_string_value(json_object_get(node, "state"));
    struct error err = {0};
    json_t *answer = NULL;

    struct detail_source *source = name != NULL ? find_source(details, name) : NULL;
    if (source != NULL && state != NULL && strcmp(state, "answering") == 0 &&
        open_source(source, &err)) {
        answer = ask(source, details->long_query_s, &err);
    }
    if (answer == NULL && source != NULL) {
        PQfinish(source->connection);
        source->connection = NULL;
    }
    json_object_set_new(node, "details", answer != NULL ? answer : json_null());
    json_t *reason = error_is_set(&err) ? json_string(err.message) : json_null();
    json_object_set_new(node, "details_error",
                        reason != NULL ? reason : json_string("its error message is not UTF-8"));
}

void status_details_add(struct status_details *details, json_t *document)
{
    size_t i, k;
    json_t *shard, *node;

    json_array_foreach(json_object_get(document, "shards"), i, shard)
    {
        json_array_foreach(json_object_get(shard, "nodes"), k, node)
        {
            add_to_node(details, node);
        }
    }
}
