#include <errno.h>
#include <ftw.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cluster/lsn.h"
#include "common/pg.h"
#include "lab/supervisor_private.h"

/* The primary does not change while a helper runs: each has a copy of our memory. */
static PGconn *connect_to(const struct node *node, const char *database, struct error *err)
{
    char dsn[LAB_DSN_SIZE];

    snprintf(dsn, sizeof dsn, "host=127.0.0.1 port=%d dbname=%s user=postgres password=%s",
             node->port, database, node->supervisor->password);
    return pg_connect(dsn, "reparto/lab", 10, err);
}

static PGconn *connect_to_primary(const struct node *node, struct error *err)
{
    const struct node *primary = shard_primary(node->shard);

    if (primary == NULL) {
        error_set(err, "55000", "%s has no primary", node->shard->name);
        return NULL;
    }
    return connect_to(primary, "postgres", err);
}

/* The first column of the first row; "" when there is none.  False on failure. */
static bool ask(PGconn *connection, const char *sql, const char *value, char *answer, size_t size,
                struct error *err)
{
    const char *values[] = {value};
    PGresult *result = pg_query(connection, sql, value != NULL, values, err);

    if (result == NULL) {
        return false;
    }
    snprintf(answer, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return true;
}

static bool create_replicator(PGconn *connection, const char *password, struct error *err)
{
    char sql[400];
    /* The verifier, not the password, travels; and the statement is not logged either. */
    char *verifier = PQencryptPasswordConn(connection, password, "replicator", "scram-sha-256");

    if (verifier == NULL) {
        return error_set(err, "53200", "cannot derive the SCRAM verifier: %s",
                         PQerrorMessage(connection));
    }
    snprintf(sql, sizeof sql, "CREATE ROLE replicator LOGIN REPLICATION PASSWORD '%s'", verifier);
    PQfreemem(verifier);
    return pg_execute(connection, "SET log_min_duration_statement = -1", err) &&
           pg_execute(connection, sql, err);
}

bool work_bootstrap(struct node *node, struct text *, struct error *err)
{
    PGconn *connection = connect_to(node, "postgres", err);

    if (connection == NULL) {
        return false;
    }
    bool is_ok = create_replicator(connection, node->supervisor->replication_password, err) &&
                 pg_execute(connection, "CREATE DATABASE shop", err);
    PQfinish(connection);
    return is_ok;
}

static bool await_streaming(PGconn *connection, const char *name, int64_t deadline,
                            struct error *err)
{
    char state[32] = "";

    for (;;) {
        if (!ask(connection,
                 "SELECT state FROM pg_stat_replication WHERE application_name = $1"
                 " ORDER BY state = 'streaming' DESC",
                 name, state, sizeof state, err)) {
            return false;
        }
        if (strcmp(state, "streaming") == 0) {
            return true;
        }
        int64_t now = clock_now();
        if (now > deadline) {
            error_set(err, "57014", "%s does not stream from the primary%s%s", name,
                      state[0] != '\0' ? "; its state is " : "", state);
            return error_hint(err,
                              "its log tells why; rebuild it with: reparto lab kill %s; "
                              "reparto lab start --rebuild %s",
                              name, name);
        }
        clock_sleep_until(now + 20 * CLOCK_MS); /* a poll: the server doesn't tell by itself */
    }
}

bool work_await_streaming(struct node *node, struct text *, struct error *err)
{
    PGconn *connection = connect_to_primary(node, err);
    bool is_ok = connection != NULL &&
                 await_streaming(connection, node->name, clock_now() + 30 * CLOCK_SECOND, err);
    PQfinish(connection);
    return is_ok;
}

bool work_await_all_streaming(struct node *node, struct text *told, struct error *err)
{
    PGconn *connection = connect_to_primary(node, err);
    int64_t deadline = clock_now() + 30 * CLOCK_SECOND;
    bool is_ok = connection != NULL;

    for (size_t i = 0; is_ok && i < node->shard->node_count; i++) {
        const struct node *other = &node->shard->nodes[i];
        if (other->role != LAB_REPLICA) {
            continue;
        }
        if (other->state != NODE_RUNNING || other->is_cut || other->is_receiver_frozen) {
            text_appendf(told, "%s will follow %s when it is back (%s)\n", other->name, node->name,
                         other->is_cut ? "cut" : node_machine.state_names[other->state]);
            continue;
        }
        is_ok = await_streaming(connection, other->name, deadline, err);
        if (is_ok) {
            text_appendf(told, "%s streams from %s\n", other->name, node->name);
        }
    }
    PQfinish(connection);
    return is_ok;
}

/* ---- promotion ---- */

static bool received_lsn(const struct node *node, uint64_t *lsn, struct error *err)
{
    char answer[64];
    PGconn *connection = connect_to(node, "postgres", err);
    bool is_ok =
        connection != NULL && ask(connection,
                                  "SELECT greatest(coalesce(pg_last_wal_receive_lsn(), '0/0'),"
                                  " coalesce(pg_last_wal_replay_lsn(), '0/0'))",
                                  NULL, answer, sizeof answer, err);

    PQfinish(connection);
    if (is_ok && !lsn_parse(answer, strlen(answer), lsn)) {
        return error_set(err, "22023", "%s reports no LSN: \"%s\"", node->name, answer);
    }
    return is_ok;
}

/* A replica that has more than the new primary could not follow it, and what it has more would
 * be lost. */
bool work_check_promotable(struct node *node, struct text *, struct error *err)
{
    uint64_t own, others;

    if (!received_lsn(node, &own, err)) {
        return false;
    }
    for (size_t i = 0; i < node->shard->node_count; i++) {
        const struct node *other = &node->shard->nodes[i];
        if (other == node || other->role != LAB_REPLICA || other->state != NODE_RUNNING) {
            continue;
        }
        if (!received_lsn(other, &others, err)) {
            return error_wrap(err, "asking %s how far it is", other->name);
        }
        if (others > own) {
            error_set(err, "55000", "%s has %llu bytes of WAL more than %s", other->name,
                      (unsigned long long)(others - own), node->name);
            return error_hint(err, "promote %s; or --force, which loses what only %s has",
                              other->name, other->name);
        }
    }
    return true;
}

static bool create_slots(PGconn *connection, const struct node *node, struct error *err)
{
    char answer[64];

    for (size_t i = 0; i < node->shard->node_count; i++) {
        const struct node *other = &node->shard->nodes[i];
        if (other == node || other->role != LAB_REPLICA) {
            continue;
        }
        if (!ask(connection, "SELECT pg_create_physical_replication_slot($1, true)", other->name,
                 answer, sizeof answer, err)) {
            return error_wrap(err, "slot for %s", other->name);
        }
    }
    return true;
}

bool work_promote(struct node *node, struct text *told, struct error *err)
{
    char answer[64];
    PGconn *connection = connect_to(node, "postgres", err);

    if (connection == NULL) {
        return false;
    }
    bool is_ok = ask(connection, "SELECT pg_promote(true, 60)", NULL, answer, sizeof answer, err);
    if (is_ok && strcmp(answer, "t") != 0) {
        is_ok = error_set(err, "57014", "it did not leave recovery within 60 s");
    }
    is_ok = is_ok && create_slots(connection, node, err) &&
            ask(connection, "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)", NULL, answer,
                sizeof answer, err);
    if (is_ok) {
        text_appendf(told, "%s is the primary of %s now, timeline %lu\n", node->name,
                     node->shard->name, strtoul(answer, NULL, 16));
    }
    PQfinish(connection);
    return is_ok;
}

/* ---- rebuilding ---- */

static int remove_entry(const char *path, const struct stat *, int, struct FTW *)
{
    return remove(path);
}

bool work_remove_data(struct node *node, struct text *, struct error *err)
{
    char answer[64];

    node_release_memory(node->data);
    if (nftw(node->data, remove_entry, 64, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        return error_set(err, "58030", "cannot remove %s: %s", node->data, strerror(errno));
    }
    PGconn *connection = connect_to_primary(node, err);
    bool is_ok = connection != NULL &&
                 ask(connection,
                     "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                     " WHERE slot_name = $1",
                     node->name, answer, sizeof answer, err);
    PQfinish(connection);
    return is_ok;
}
