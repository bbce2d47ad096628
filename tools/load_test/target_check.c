#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pg.h"
#include "load_test/ask.h"
#include "load_test/target.h"

enum { VERSION_MIN = 130000, TIMELINE_SIZE = 16 };

/* One row, of any server.  Columns of pg_stat_wal_receiver are NULL without pg_read_all_stats. */
static const char identity_sql[] =
    "SELECT pg_is_in_recovery(), (SELECT system_identifier FROM pg_control_system()),"
    " current_setting('server_version'), current_setting('server_version_num'),"
    " CASE WHEN pg_is_in_recovery() THEN (SELECT received_tli FROM pg_stat_wal_receiver)"
    "  ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END,"
    " (SELECT pid FROM pg_stat_wal_receiver), (SELECT slot_name FROM pg_stat_wal_receiver),"
    " (SELECT conninfo FROM pg_stat_wal_receiver), current_setting('cluster_name')";

enum {
    IS_REPLICA,
    IDENTIFIER,
    VERSION,
    VERSION_NUMBER,
    TIMELINE,
    RECEIVER,
    SLOT,
    UPSTREAM,
    CLUSTER_NAME
};

/* What the report notes of the primary, as SHOW prints it. */
static const char *const noted_settings[] = {"fsync",
                                             "full_page_writes",
                                             "max_connections",
                                             "shared_buffers",
                                             "synchronous_commit",
                                             "synchronous_standby_names",
                                             "track_commit_timestamp",
                                             "wal_level"};

struct check {
    const struct target *target;
    struct ask_limit limit;
    struct run_report *report;
    char identifier[REPORT_NAME_SIZE]; /* of the primary */
    char timeline[TIMELINE_SIZE];
};

/* NULL when the server said NULL. */
static const char *value_of(const PGresult *row, int column)
{
    return PQgetisnull(row, 0, column) ? NULL : PQgetvalue(row, 0, column);
}

/* A report's line holds no line breaks, which synchronous_standby_names may. */
static void copy_line(char *target, size_t size, const char *value)
{
    snprintf(target, size, "%s", value);
    for (; *target != '\0'; target++) {
        if ((unsigned char)*target < ' ') {
            *target = ' ';
        }
    }
}

static bool check_role(const struct target_node *node, const PGresult *row, bool is_replica_wanted,
                       struct error *err)
{
    bool is_replica = PQgetvalue(row, 0, IS_REPLICA)[0] == 't';

    if (strtol(PQgetvalue(row, 0, VERSION_NUMBER), NULL, 10) < VERSION_MIN) {
        error_set(err, "0A000", "%s at %s is PostgreSQL %s, older than 13", node->name, node->place,
                  PQgetvalue(row, 0, VERSION));
        return error_hint(err, "load_test reads views that came with PostgreSQL 13");
    }
    if (is_replica == is_replica_wanted) {
        return true;
    }
    error_set(err, is_replica ? "25006" : "55000", "%s at %s is a %s, not a %s", node->name,
              node->place, is_replica ? "replica" : "primary", is_replica ? "primary" : "replica");
    if (is_replica) {
        return error_hint(err, "is another server the primary now?  --primary takes that one");
    }
    return error_hint(err, "was it promoted?  --replica takes a server that is in recovery");
}

/* Connects, and asks who the node is.  The caller closes both; NULL results on failure. */
static bool ask_identity(const struct target_node *node, struct ask_limit limit,
                         PGconn **connection, PGresult **row, struct error *err)
{
    *connection = ask_connect(node->dsn, "load_test", limit, err);
    if (*connection == NULL) {
        return error_wrap(err, "%s", node->name);
    }
    *row = ask_query(*connection, identity_sql, limit, err);
    return *row != NULL ? true : error_wrap(err, "%s at %s", node->name, node->place);
}

static bool note_settings(struct check *check, PGconn *connection, struct error *err)
{
    for (size_t i = 0; i < sizeof noted_settings / sizeof noted_settings[0]; i++) {
        char sql[96], value[REPORT_VALUE_SIZE];
        snprintf(sql, sizeof sql, "SELECT current_setting('%s')", noted_settings[i]);
        PGresult *row = ask_query(connection, sql, check->limit, err);
        if (row == NULL) {
            return error_wrap(err, "%s at %s", check->target->primary.name,
                              check->target->primary.place);
        }
        copy_line(value, sizeof value, PQgetvalue(row, 0, 0));
        report_set(check->report, noted_settings[i], "%s", value);
        PQclear(row);
    }
    return true;
}

static bool check_primary(struct check *check, PGconn **connection, struct error *err)
{
    struct run_report *report = check->report;
    const struct target_node *node = &check->target->primary;
    PGresult *row = NULL;
    bool is_right = ask_identity(node, check->limit, connection, &row, err) &&
                    check_role(node, row, false, err);

    if (is_right) {
        const char *version = PQgetvalue(row, 0, VERSION);
        snprintf(report->primary_name, sizeof report->primary_name, "%s", node->name);
        snprintf(report->primary_place, sizeof report->primary_place, "%s", node->place);
        /* Without the packager's addition: "15.18 (Debian …)". */
        snprintf(report->server_version, sizeof report->server_version, "%.*s",
                 (int)strcspn(version, " "), version);
        snprintf(check->identifier, sizeof check->identifier, "%s", PQgetvalue(row, 0, IDENTIFIER));
        snprintf(check->timeline, sizeof check->timeline, "%s", PQgetvalue(row, 0, TIMELINE));
        is_right = note_settings(check, *connection, err);
    }
    PQclear(row);
    return is_right;
}

static bool check_upstream(const struct check *check, const struct target_node *node,
                           const PGresult *row, struct error *err)
{
    const struct target_node *primary = &check->target->primary;
    const char *timeline = value_of(row, TIMELINE);

    if (strcmp(PQgetvalue(row, 0, IDENTIFIER), check->identifier) != 0) {
        error_set(err, "55000", "%s at %s belongs to another cluster than %s at %s", node->name,
                  node->place, primary->name, primary->place);
        return error_hint(err,
                          "their system identifiers are %s and %s: a replica is a copy of its "
                          "primary",
                          PQgetvalue(row, 0, IDENTIFIER), check->identifier);
    }
    if (timeline != NULL && strcmp(timeline, check->timeline) != 0) {
        error_set(err, "55000", "%s at %s follows timeline %s, but %s at %s writes timeline %s",
                  node->name, node->place, timeline, primary->name, primary->place,
                  check->timeline);
        return error_hint(err,
                          "does it still follow the primary that was before?  Point its "
                          "primary_conninfo to %s, or rebuild it",
                          primary->place);
    }
    return true;
}

/* The application_name that a replica gives its primary; "" when it can't be told. */
static void upstream_name(const PGresult *row, char name[REPORT_NAME_SIZE])
{
    const char *conninfo = value_of(row, UPSTREAM);
    PQconninfoOption *options = conninfo != NULL ? PQconninfoParse(conninfo, NULL) : NULL;

    snprintf(name, REPORT_NAME_SIZE, "%s", PQgetvalue(row, 0, CLUSTER_NAME));
    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
         option++) {
        if (strcmp(option->keyword, "application_name") == 0 && option->val != NULL) {
            snprintf(name, REPORT_NAME_SIZE, "%s", option->val);
        }
    }
    PQconninfoFree(options);
}

/* The sync_state of the one walsender that has this slot or application_name.
 * replica->sync_state stays "" when none or several have. */
static bool ask_sync_state(const struct check *check, PGconn *primary, bool is_slot,
                           const char *key, struct report_replica *replica, struct error *err)
{
    char sql[400];
    char *literal = PQescapeLiteral(primary, key, strlen(key));

    if (literal == NULL) {
        return pg_error(primary, NULL, err);
    }
    snprintf(sql, sizeof sql, "SELECT sync_state FROM pg_stat_replication WHERE %s = %s%s",
             is_slot ? "pid = (SELECT active_pid FROM pg_replication_slots WHERE slot_name"
                     : "application_name",
             literal, is_slot ? ")" : "");
    PQfreemem(literal);
    PGresult *found = ask_query(primary, sql, check->limit, err);
    if (found == NULL) {
        return error_wrap(err, "%s at %s", check->target->primary.name,
                          check->target->primary.place);
    }
    if (PQntuples(found) == 1) {
        snprintf(replica->sync_state, sizeof replica->sync_state, "%s", PQgetvalue(found, 0, 0));
    }
    PQclear(found);
    return true;
}

/* By slot, else by the application_name of the replica's own connection, else by the node's name.
 */
static bool note_sync_state(const struct check *check, PGconn *primary, const PGresult *row,
                            struct report_replica *replica, struct error *err)
{
    char upstream[REPORT_NAME_SIZE];

    upstream_name(row, upstream);
    const char *const keys[] = {value_of(row, SLOT), upstream, replica->name};
    replica->sync_state[0] = '\0';
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i] != NULL && replica->sync_state[0] == '\0' &&
            !ask_sync_state(check, primary, i == 0, keys[i], replica, err)) {
            return false;
        }
    }
    return true;
}

static bool check_replica(const struct check *check, PGconn *primary, size_t index,
                          struct error *err)
{
    const struct target_node *node = &check->target->replicas[index];
    struct report_replica *replica = &check->report->replicas[index];
    PGconn *connection = NULL;
    PGresult *row = NULL;
    bool is_right = ask_identity(node, check->limit, &connection, &row, err) &&
                    check_role(node, row, true, err) && check_upstream(check, node, row, err);

    if (is_right) {

        snprintf(replica->name, sizeof replica->name, "%s", node->name);
        snprintf(replica->place, sizeof replica->place, "%s", node->place);
        is_right = note_sync_state(check, primary, row, replica, err);
        if (value_of(row, RECEIVER) == NULL && replica->sync_state[0] == '\0') {
            report_add_finding(check->report, REPORT_NOTE, 0,
                               check->report->language == REPORT_SPANISH
                                   ? "%s no recibía nada de %s al empezar"
                                   : "%s was receiving nothing from %s at the start",
                               node->name, check->target->primary.name);
        }
    }
    PQclear(row);
    PQfinish(connection);
    return is_right;
}

bool target_check(const struct target *target, int64_t timeout, struct interrupt *interrupt,
                  struct run_report *report, struct error *err)
{
    struct check check = {.target = target, .report = report};
    PGconn *primary = NULL;

    /* Each node gets the whole time: one that is slow must not make the next one fail. */
    check.limit = ask_within(timeout, interrupt);
    bool is_right = check_primary(&check, &primary, err);
    report->replica_count = target->replica_count;
    for (size_t i = 0; is_right && i < target->replica_count; i++) {
        check.limit = ask_within(timeout, interrupt);
        is_right = check_replica(&check, primary, i, err);
    }
    PQfinish(primary);
    return is_right;
}
