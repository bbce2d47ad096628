#include "common/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libpq's messages end in a line break, and may be several lines. */
static void copy_first_line(char *target, size_t size, const char *message)
{
    size_t length = strcspn(message, "\n");
    snprintf(target, size, "%.*s", (int)length, message);
}

bool pg_check_dsn(const char *dsn, struct error *err)
{
    char *reason = NULL;
    PQconninfoOption *options = PQconninfoParse(dsn, &reason);
    char line[200];

    if (options != NULL) {
        PQconninfoFree(options);
        return true;
    }
    copy_first_line(line, sizeof line, reason != NULL ? reason : "out of memory");
    PQfreemem(reason);
    error_set(err, "22023", "malformed DSN: %s", line);
    return error_hint(err, "write it as 'host=127.0.0.1 port=5433 dbname=shop user=app' or "
                           "postgresql://app@127.0.0.1:5433/shop");
}

const char *pg_place(char buffer[PG_PLACE_SIZE], const char *dsn)
{
    const char *host = "localhost", *port = "5432";
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);

    if (options == NULL) {
        snprintf(buffer, PG_PLACE_SIZE, "malformed DSN");
        return buffer;
    }
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL || option->val[0] == '\0') {
            continue;
        }
        if (strcmp(option->keyword, "host") == 0 || strcmp(option->keyword, "hostaddr") == 0) {
            host = option->val;
        }
        if (strcmp(option->keyword, "port") == 0) {
            port = option->val;
        }
    }
    snprintf(buffer, PG_PLACE_SIZE, "%s:%s", host, port);
    PQconninfoFree(options);
    return buffer;
}

static const char *hint_for(const char *message)
{
    static const struct {
        const char *part, *hint;
    } rows[] = {
        {"Connection refused", "is PostgreSQL running there? 'reparto lab status' shows the lab"},
        {"No such file", "no server listens on that socket: check host and port"},
        {"timeout expired", "the server does not answer: stopped, frozen, or cut off?"},
        {"password authentication failed", "check user and password in the DSN, or in ~/.pgpass"},
        {"no password supplied", "put password=… into the DSN, or use ~/.pgpass"},
        {"no pg_hba.conf entry", "the server's pg_hba.conf does not let this user in from here"},
        {"does not exist", "check dbname and user in the DSN"},
        {"too many clients", "raise max_connections, or use fewer connections"},
        {"starting up", "wait until the server has started"},
        {"shutting down", "the server is being stopped: start it again"},
        {"could not translate host name", "check the host name in the DSN"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strstr(message, rows[i].part) != NULL) {
            return rows[i].hint;
        }
    }
    return NULL;
}

bool pg_connect_error(const PGconn *connection, const char *dsn, struct error *err)
{
    char place[PG_PLACE_SIZE], reason[240];

    copy_first_line(reason, sizeof reason, PQerrorMessage(connection));
    const char *hint = hint_for(PQerrorMessage(connection));
    const char *fatal = strstr(reason, "FATAL:");
    error_set(err, strstr(reason, "password authentication") != NULL ? "28P01" : "08001",
              "cannot connect to %s: %s", pg_place(place, dsn), fatal != NULL ? fatal : reason);
    if (hint != NULL) {
        error_hint(err, "%s", hint);
    }
    return false;
}

PGconn *pg_connect(const char *dsn, const char *application_name, int timeout_s, struct error *err)
{
    char timeout[16];

    if (!pg_check_dsn(dsn, err)) {
        return NULL;
    }
    snprintf(timeout, sizeof timeout, "%d", timeout_s);
    /* A later keyword wins, and dbname expands to the whole DSN. */
    const char *const keywords[] = {"fallback_application_name", "connect_timeout", "dbname", NULL};
    const char *const values[] = {application_name, timeout, dsn, NULL};
    PGconn *connection = PQconnectdbParams(keywords, values, 1);
    if (connection == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    if (PQstatus(connection) == CONNECTION_OK) {
        return connection;
    }
    pg_connect_error(connection, dsn, err);
    PQfinish(connection);
    return NULL;
}

bool pg_error(PGconn *connection, const PGresult *result, struct error *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    char reason[300];

    copy_first_line(reason, sizeof reason, primary != NULL ? primary : PQerrorMessage(connection));
    error_set(err, sqlstate != NULL && strlen(sqlstate) == 5 ? sqlstate : "08006", "%s",
              reason[0] != '\0' ? reason : "the connection was lost");
    return hint != NULL ? error_hint(err, "%s", hint) : false;
}

PGresult *pg_query(PGconn *connection, const char *sql, int count, const char *const *values,
                   struct error *err)
{
    PGresult *result = PQexecParams(connection, sql, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        pg_error(connection, result, err);
        PQclear(result);
        return NULL;
    }
    return result;
}

bool pg_execute(PGconn *connection, const char *sql, struct error *err)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    bool is_ok = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;

    if (!is_ok) {
        pg_error(connection, result, err);
    }
    PQclear(result);
    return is_ok;
}
