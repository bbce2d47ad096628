#include "load_test/verify_node.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "common/pg.h"
#include "load_test/ask.h"

#define REPLAY_POLL (20 * CLOCK_MS)
#define UNDEFINED_TABLE "42P01"

static PGconn *open_node(const struct verify_job *job, const struct target_node *node,
                         struct error *err)
{
    return ask_connect(node->dsn, "load_test verify", ask_within(job->timeout, job->interrupt),
                       err);
}

/* The text of the only value; the caller frees it.  "" for NULL. */
static char *ask_value(const struct verify_job *job, PGconn *connection, const char *sql,
                       struct error *err)
{
    PGresult *row = ask_query(connection, sql, ask_within(job->timeout, job->interrupt), err);
    char *value = NULL;

    if (row != NULL) {
        value = strdup(PQgetvalue(row, 0, 0));
        PQclear(row);
        if (value == NULL) {
            error_set(err, "53200", "out of memory");
        }
    }
    return value;
}

static bool ask_flushed(struct verify_job *job, PGconn *connection, struct error *err)
{
    /* With synchronous_commit=off an acknowledged commit may not be flushed yet; a commit of our
     * own that is, is behind all of them.  It must have written something before its commit record:
     * PostgreSQL doesn't flush one that only took an id.  `local`: no replica is waited for, which
     * may be down. */
    static const char *const steps[] = {"SELECT pg_is_in_recovery()",
                                        "SET synchronous_commit = local",
                                        "SELECT pg_logical_emit_message(true, 'load_test', '')",
                                        "SELECT pg_current_wal_flush_lsn()"};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        PGresult *row =
            ask_query(connection, steps[i], ask_within(job->timeout, job->interrupt), err);
        if (row == NULL) {
            return false;
        }
        bool is_replica = i == 0 && PQgetvalue(row, 0, 0)[0] == 't';
        if (i + 1 == sizeof steps / sizeof steps[0]) {
            snprintf(job->flushed, sizeof job->flushed, "%s", PQgetvalue(row, 0, 0));
        }
        PQclear(row);
        if (is_replica) {
            return error_set(err, "25006", "it is a replica now");
        }
    }
    return true;
}

bool verify_ask_position(struct verify_job *job, const struct target_node *node, struct error *err)
{
    PGconn *connection = open_node(job, node, err);
    bool is_told = connection != NULL && ask_flushed(job, connection, err);

    PQfinish(connection);
    return is_told;
}

/* "writer\tsequence\tmicroseconds\n", the last "\N" where it is not known. */
static bool take_row(struct verify_job *job, const char *row, struct error *err)
{
    char *end = NULL;
    uint64_t writer = strtoull(row, &end, 10);
    uint64_t sequence = *end == '\t' ? strtoull(end + 1, &end, 10) : 0;

    if (*end != '\t') {
        return error_set(err, "22023", "%s holds a row that load_test does not write", job->table);
    }
    size_t place = audit_row(job->audit, writer, sequence);
    if (place != SIZE_MAX && end[1] != '\\') {
        job->writes->records[place].committed_utc = strtoll(end + 1, NULL, 10);
    }
    return true;
}

/* Takes all rows of a COPY that was begun. */
static bool take_rows(struct verify_job *job, PGconn *connection, struct ask_limit limit,
                      struct error *err)
{
    for (;;) {
        char *row = NULL;
        int size = PQgetCopyData(connection, &row, 1);
        if (size == 0) { /* nothing yet */
            if (!ask_wait(connection, limit, err)) {
                return false;
            }
            continue;
        }
        if (size < 0) {
            break; /* the end; the result says whether it is a good one */
        }
        bool is_taken = take_row(job, row, err);
        PQfreemem(row);
        if (!is_taken) {
            return false;
        }
        if (clock_now() > limit.deadline) {
            return error_set(err, ASK_TIMEOUT, "too many rows for the time: --verify-timeout");
        }
    }
    return true;
}

static bool copy_rows(struct verify_job *job, PGconn *connection, const char *sql,
                      struct ask_limit limit, struct error *err)
{
    if (!ask_send(connection, sql, limit, err)) {
        return false;
    }
    while (PQisBusy(connection)) {
        if (!ask_wait(connection, limit, err)) {
            return false;
        }
    }
    PGresult *result = PQgetResult(connection);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COPY_OUT) {
        pg_error(connection, result, err);
        PQclear(result);
        return false;
    }
    PQclear(result);
    if (!take_rows(job, connection, limit, err)) {
        return false;
    }
    /* PQgetCopyData() saw the end, so the result is there or close behind. */
    while (PQisBusy(connection)) {
        if (!ask_wait(connection, limit, err)) {
            return false;
        }
    }
    result = PQgetResult(connection);
    bool is_whole = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!is_whole) {
        pg_error(connection, result, err);
    }
    PQclear(result);
    return is_whole;
}

/* COPY of the whole table, streamed; only the primary of a cluster that tracks them tells commit
 * timestamps. */
static bool count_rows(struct verify_job *job, PGconn *connection, bool is_primary,
                       struct ask_limit limit, struct error *err)
{
    char sql[512];
    char *tracked = is_primary ? ask_value(job, connection,
                                           "SELECT current_setting('track_commit_timestamp')", err)
                               : strdup("off");

    if (tracked == NULL) {
        return error_is_set(err) ? false : error_set(err, "53200", "out of memory");
    }
    snprintf(sql, sizeof sql, "COPY (SELECT writer, sequence, %s FROM %s) TO STDOUT",
             strcmp(tracked, "on") == 0
                 ? "(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint"
                 : "NULL::bigint",
             job->table);
    free(tracked);
    audit_begin(job->audit);
    return copy_rows(job, connection, sql, limit, err);
}

bool verify_count_primary(struct verify_job *job, const struct target_node *node, struct error *err)
{
    PGconn *connection = open_node(job, node, err);
    bool is_counted =
        connection != NULL &&
        count_rows(job, connection, true, ask_within(job->verify_timeout, job->interrupt), err);

    job->is_table_there = job->is_table_there || is_counted;
    PQfinish(connection);
    return is_counted;
}

/* Waits until the replica has replayed job->flushed. */
static bool wait_replayed(const struct verify_job *job, PGconn *connection, struct ask_limit limit,
                          struct error *err)
{
    char sql[200];

    /* A replica that was promoted goes its own way: its positions say nothing any more. */
    snprintf(sql, sizeof sql,
             "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() >= '%s')::text "
             "ELSE 'primary' END",
             job->flushed);
    for (;;) {
        char *answer = ask_value(job, connection, sql, err);
        if (answer == NULL) {
            return false;
        }
        bool is_there = strcmp(answer, "true") == 0, is_primary = strcmp(answer, "primary") == 0;
        free(answer);
        if (is_there) {
            return true;
        }
        if (is_primary) {
            return error_set(err, "25006", "it is a primary now");
        }
        if (clock_now() >= limit.deadline) {
            return error_set(err, ASK_TIMEOUT, "it has not replayed what the primary wrote (%s)",
                             job->flushed);
        }
        if (!ask_pause(REPLAY_POLL, limit, err)) {
            return false;
        }
    }
}

static bool count_replica(struct verify_job *job, PGconn *connection, struct error *err)
{
    struct ask_limit limit = ask_within(job->verify_timeout, job->interrupt);

    if (!wait_replayed(job, connection, limit, err)) {
        return false;
    }
    if (count_rows(job, connection, false, limit, err)) {
        return true;
    }
    if (strcmp(err->sqlstate, UNDEFINED_TABLE) != 0 || !job->is_table_there) {
        return false;
    }
    /* It has replayed everything, and the table is not there: neither is any row. */
    *err = (struct error){0};
    audit_begin(job->audit);
    return true;
}

bool verify_count_replica(struct verify_job *job, const struct target_node *node, struct error *err)
{
    assert(job->flushed[0] != '\0');
    PGconn *connection = open_node(job, node, err);
    bool is_counted = connection != NULL && count_replica(job, connection, err);

    PQfinish(connection);
    return is_counted;
}
