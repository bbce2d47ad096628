#include "load_test/policy_settings.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "load_test/ask.h"

/* The number is arbitrary; it only must be the same in every run. */
#define LOCK_SQL "SELECT pg_try_advisory_lock(7201934510)"
enum { POLL_MS = 20 };

const char *policy_names(char buffer[POLICY_NAMES_SIZE], enum policy_standbys standbys,
                         const struct target *target)
{
    static const char *const methods[] = {
        [POLICY_FIRST_1] = "FIRST 1 (", [POLICY_ANY_1] = "ANY 1 (", [POLICY_ANY_2] = "ANY 2 ("};
    size_t size = 0;

    buffer[0] = '\0';
    if (standbys == POLICY_ASYNC) {
        return buffer;
    }
    size = (size_t)snprintf(buffer, POLICY_NAMES_SIZE, "%s", methods[standbys]);
    for (size_t i = 0; i < target->replica_count; i++) {
        size += (size_t)snprintf(buffer + size, POLICY_NAMES_SIZE - size, "%s\"%s\"",
                                 i > 0 ? ", " : "", target->replicas[i].name);
    }
    snprintf(buffer + size, POLICY_NAMES_SIZE - size, ")");
    return buffer;
}

static PGresult *ask(struct policy_settings *settings, const char *sql, struct error *err)
{
    return ask_query(settings->connection, sql, ask_within(settings->timeout, settings->interrupt),
                     err);
}

static bool execute(struct policy_settings *settings, const char *sql, struct error *err)
{
    PGresult *result = ask(settings, sql, err);

    PQclear(result);
    return result != NULL;
}

/* Whether the one value of a query is true. */
static bool ask_bool(struct policy_settings *settings, const char *sql, bool *is_true,
                     struct error *err)
{
    PGresult *result = ask(settings, sql, err);

    *is_true = result != NULL && PQntuples(result) > 0 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return result != NULL;
}

/* Its own statements must not wait for the replicas that it is setting up. */
static bool connect_admin(struct policy_settings *settings, struct error *err)
{
    settings->connection = ask_connect(settings->target->primary.dsn, "load_test/policies",
                                       ask_within(settings->timeout, settings->interrupt), err);
    return settings->connection != NULL && execute(settings, "SET synchronous_commit = local", err);
}

/* After a kill -9 the server needs a moment to see that the old session is gone. */
static bool take_lock(struct policy_settings *settings, struct error *err)
{
    int64_t end = clock_now() + settings->timeout;
    bool is_locked = false;

    while (ask_bool(settings, LOCK_SQL, &is_locked, err) && !is_locked) {
        if (clock_now() > end) {
            return error_set(err, "55006",
                             "another 'load_test policies' runs on this primary: wait for its end");
        }
        if (!ask_pause(POLL_MS * CLOCK_MS, ask_within(settings->timeout, settings->interrupt),
                       err)) {
            return false;
        }
    }
    return is_locked;
}

static bool check_superuser(struct policy_settings *settings, struct error *err)
{
    bool is_superuser = false;

    if (!ask_bool(settings, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
                  &is_superuser, err) ||
        is_superuser) {
        return is_superuser;
    }
    error_set(err, "42501",
              "user \"%s\" is no superuser, so it can't change "
              "synchronous_standby_names",
              PQuser(settings->connection));
    return error_hint(err, "name a superuser in --primary: ALTER SYSTEM and pg_file_settings need "
                           "one");
}

/* The value that postgresql.auto.conf shall have; NULL: none. */
static bool alter_system(struct policy_settings *settings, const char *value, struct error *err)
{
    struct text sql = {0};
    char *literal =
        value != NULL ? PQescapeLiteral(settings->connection, value, strlen(value)) : NULL;

    if (value == NULL) {
        text_append(&sql, "ALTER SYSTEM RESET synchronous_standby_names");
    } else if (literal != NULL) {
        text_appendf(&sql, "ALTER SYSTEM SET synchronous_standby_names = %s", literal);
    }
    bool is_done = sql.size > 0 && !sql.has_failed;
    if (!is_done) {
        error_set(err, "53200", "out of memory");
    }
    is_done = is_done && execute(settings, text_cstr(&sql), err) &&
              execute(settings, "SELECT pg_reload_conf()", err);
    PQfreemem(literal);
    text_done(&sql);
    return is_done;
}

/* Waits until `sql` says true. */
static bool wait_true(struct policy_settings *settings, const char *sql, const char *what,
                      struct error *err)
{
    int64_t end = clock_now() + settings->timeout;
    bool is_true = false;

    while (ask_bool(settings, sql, &is_true, err) && !is_true) {
        if (clock_now() > end) {
            error_set(err, ASK_TIMEOUT, "%s", what);
            return error_hint(err, "pg_stat_replication and the server's log tell more; --timeout "
                                   "gives it longer");
        }
        if (!ask_pause(POLL_MS * CLOCK_MS, ask_within(settings->timeout, settings->interrupt),
                       err)) {
            return false;
        }
    }
    return is_true;
}

/* The marker's value back into the file, then the marker away: in this order, so that a kill
 * between them does it twice, which does no harm. */
static bool restore(struct policy_settings *settings, struct error *err)
{
    PGresult *result = ask(settings, "SELECT old_value FROM load_test.policy_marker", err);

    if (result == NULL) {
        return false;
    }
    bool is_done =
        PQntuples(result) == 0 ||
        (alter_system(settings, PQgetisnull(result, 0, 0) ? NULL : PQgetvalue(result, 0, 0), err) &&
         wait_true(settings,
                   "SELECT NOT EXISTS (SELECT FROM "
                   "pg_file_settings WHERE name = 'synchronous_standby_names' AND "
                   "applied AND setting IS DISTINCT FROM "
                   "current_setting('synchronous_standby_names'))",
                   "the old synchronous_standby_names did not take effect", err));
    PQclear(result);
    return is_done && execute(settings, "DROP TABLE load_test.policy_marker", err);
}

static bool restore_left(struct policy_settings *settings, struct error *err)
{
    bool is_left = false;

    if (!ask_bool(settings, "SELECT to_regclass('load_test.policy_marker') IS NOT NULL", &is_left,
                  err)) {
        return false;
    }
    if (!is_left) {
        return true;
    }
    settings->was_restored = restore(settings, err);
    return settings->was_restored;
}

/* In one transaction: there is never a marker without its value. */
static bool mark(struct policy_settings *settings, struct error *err)
{
    settings->is_marked = ask_make(
        settings->connection,
        "DO $$ BEGIN IF to_regnamespace('load_test') IS NULL THEN CREATE SCHEMA load_test; END IF; "
        "CREATE TABLE load_test.policy_marker AS SELECT (SELECT setting FROM pg_file_settings "
        "WHERE name = 'synchronous_standby_names' AND sourcefile = "
        "current_setting('data_directory') || '/postgresql.auto.conf' "
        "ORDER BY seqno DESC LIMIT 1) AS old_value, now() AS marked_at; END $$",
        settings->timeout, err);
    return settings->is_marked;
}

static bool check_names(struct policy_settings *settings, struct error *err)
{
    for (size_t i = 0; i < settings->target->replica_count; i++) {
        char sql[2 * REPORT_VALUE_SIZE];
        bool is_there = false;
        const char *name = settings->target->replicas[i].name;
        snprintf(sql, sizeof sql,
                 "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = '%s' AND "
                 "state = 'streaming'",
                 name); /* target.c lets only letters, digits, _ and - into a name */
        if (!ask_bool(settings, sql, &is_there, err)) {
            return false;
        }
        if (!is_there) {
            error_set(err, "55000", "no replica called \"%s\" streams from %s", name,
                      settings->target->primary.place);
            return error_hint(err, "a policy names replicas as pg_stat_replication does: give "
                                   "--replica a DSN with that application_name");
        }
    }
    return true;
}

bool policy_settings_init(struct policy_settings *settings, const struct target *target,
                          struct interrupt *interrupt, int64_t timeout, struct error *err)
{
    *settings =
        (struct policy_settings){.target = target, .interrupt = interrupt, .timeout = timeout};
    return connect_admin(settings, err) && check_superuser(settings, err) &&
           take_lock(settings, err) && restore_left(settings, err) && check_names(settings, err) &&
           mark(settings, err);
}

bool policy_settings_apply(struct policy_settings *settings, enum policy_standbys standbys,
                           struct error *err)
{
    static const char *const states[] = {[POLICY_ASYNC] = "('async')",
                                         [POLICY_FIRST_1] = "('sync', 'potential')",
                                         [POLICY_ANY_1] = "('quorum')",
                                         [POLICY_ANY_2] = "('quorum')"};
    char names[POLICY_NAMES_SIZE];
    char sql[POLICY_NAMES_SIZE + 4 * REPORT_VALUE_SIZE];

    policy_names(names, standbys, settings->target);
    snprintf(sql, sizeof sql,
             "SELECT current_setting('synchronous_standby_names') = '%s' AND count(*) >= %zu AND "
             "count(*) FILTER (WHERE sync_state = 'sync') = %d FROM pg_stat_replication WHERE "
             "state = 'streaming' AND sync_state IN %s",
             names, settings->target->replica_count, standbys == POLICY_FIRST_1, states[standbys]);
    return (alter_system(settings, names, err) &&
            wait_true(settings, sql, "the replicas did not change to their new state in time", err))
               ? true
               : error_wrap(err, "synchronous_standby_names = '%s'", names);
}

bool policy_settings_put_back(struct policy_settings *settings, struct error *err)
{
    if (!settings->is_marked) {
        return true;
    }
    settings->interrupt = NULL; /* this must be done, signal or not */
    PQfinish(settings->connection);
    settings->connection = NULL; /* the old one may be in the middle of something */
    if (connect_admin(settings, err) && take_lock(settings, err) && restore(settings, err)) {
        settings->is_marked = false;
        return true;
    }
    error_wrap(err, "synchronous_standby_names of %s is not put back",
               settings->target->primary.place);
    return error_hint(err, "the next 'load_test policies' does it; or by hand: SELECT old_value "
                           "FROM load_test.policy_marker, ALTER SYSTEM, SELECT pg_reload_conf()");
}

void policy_settings_done(struct policy_settings *settings)
{
    PQfinish(settings->connection);
    settings->connection = NULL;
}
