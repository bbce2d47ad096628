/* libpq: simple, parameters, prepared, pipeline mode, COPY, single rows, notices, cancel, LISTEN.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static PGconn *c;

static void must(bool is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "%s: %s\n", what, PQerrorMessage(c));
        exit(1);
    }
}

static PGresult *want(PGresult *result, ExecStatusType status, const char *what)
{
    must(PQresultStatus(result) == status, what);
    return result;
}

static void run(const char *sql)
{
    PQclear(want(PQexec(c, sql), PGRES_COMMAND_OK, sql));
}

static void want_value(PGresult *result, const char *value, const char *what)
{
    must(PQresultStatus(result) == PGRES_TUPLES_OK && strcmp(PQgetvalue(result, 0, 0), value) == 0,
         what);
    PQclear(result);
}

static void parameters(void)
{
    const char *values[] = {"41"};
    PQclear(want(PQprepare(c, "add", "SELECT $1::int + 1", 0, NULL), PGRES_COMMAND_OK, "prepare"));
    for (int i = 0; i < 5; i++) {
        want_value(PQexecPrepared(c, "add", 1, values, NULL, NULL, 0), "42", "prepared");
        want_value(PQexecParams(c, "SELECT $1::text", 1, NULL, values, NULL, NULL, 0), "41",
                   "parameter");
    }
    PGresult *described = want(PQdescribePrepared(c, "add"), PGRES_COMMAND_OK, "describe");
    must(PQnparams(described) == 1 && PQparamtype(described, 0) == 23, "parameter's type");
    PQclear(described);
    run("DEALLOCATE add");
    PQclear(
        want(PQexecPrepared(c, "add", 1, values, NULL, NULL, 0), PGRES_FATAL_ERROR, "deallocated"));
    puts("parameters, prepared over transactions");
}

static void big_values(void)
{
    static char big[3000001];
    const char *values[] = {big};
    memset(big, 'b', sizeof big - 1);
    want_value(PQexecParams(c, "SELECT $1::text", 1, NULL, values, NULL, NULL, 0), big,
               "big value");
    puts("big values");
}

static void transactions(void)
{
    run("CREATE TABLE IF NOT EXISTS lp (a int PRIMARY KEY, b text)");
    run("TRUNCATE lp");
    run("BEGIN");
    run("INSERT INTO lp VALUES (1, 'x')");
    must(PQtransactionStatus(c) == PQTRANS_INTRANS, "in a transaction");
    PGresult *error =
        want(PQexec(c, "INSERT INTO lp VALUES (1, 'y')"), PGRES_FATAL_ERROR, "duplicate");
    must(strcmp(PQresultErrorField(error, PG_DIAG_SQLSTATE), "23505") == 0, "its SQLSTATE");
    PQclear(error);
    must(PQtransactionStatus(c) == PQTRANS_INERROR, "failed");
    run("ROLLBACK");
    want_value(PQexec(c, "SELECT count(*) FROM lp"), "0", "rolled back");
    puts("transactions and errors");
}

static void copy(void)
{
    PQclear(want(PQexec(c, "COPY lp FROM STDIN"), PGRES_COPY_IN, "copy in"));
    for (int i = 0; i < 5000; i++) {
        char line[64];
        must(PQputCopyData(c, line, snprintf(line, sizeof line, "%d\trow\n", i)) == 1, "put");
    }
    must(PQputCopyEnd(c, NULL) == 1, "end of copy");
    PQclear(want(PQgetResult(c), PGRES_COMMAND_OK, "copied"));
    must(PQgetResult(c) == NULL, "nothing more");
    PQclear(want(PQexecParams(c, "COPY lp TO STDOUT", 0, NULL, NULL, NULL, NULL, 0), PGRES_COPY_OUT,
                 "copy out"));
    char *line;
    int count = 0;
    while (PQgetCopyData(c, &line, 0) > 0) {
        PQfreemem(line);
        count++;
    }
    must(count == 5000, "rows copied out");
    PQclear(want(PQgetResult(c), PGRES_COMMAND_OK, "copied out"));
    must(PQgetResult(c) == NULL, "nothing more");
    puts("copy");
}

/* 60 statements in three transactions, the 30th fails; all sent before the first answer is read. */
static void pipeline(void)
{
    must(PQenterPipelineMode(c) == 1, "pipeline mode");
    must(PQsendPrepare(c, "piped", "SELECT 60 / $1::int", 0, NULL) == 1, "prepare");
    for (int i = 0; i < 60; i++) {
        const char *values[] = {i == 30 ? "0" : "6"};
        must(PQsendQueryPrepared(c, "piped", 1, values, NULL, NULL, 0) == 1, "send");
        must(i % 20 != 19 || PQpipelineSync(c) == 1, "sync");
    }
    PQclear(want(PQgetResult(c), PGRES_COMMAND_OK, "prepared"));
    must(PQgetResult(c) == NULL, "end of one");
    for (int i = 0; i < 60; i++) {
        PGresult *result = PQgetResult(c);
        ExecStatusType status = i < 30 || i >= 40 ? PGRES_TUPLES_OK
                                : i == 30         ? PGRES_FATAL_ERROR
                                                  : PGRES_PIPELINE_ABORTED;
        PQclear(want(result, status, "in the pipeline"));
        must(PQgetResult(c) == NULL, "end of one");
        if (i % 20 == 19) {
            PQclear(want(PQgetResult(c), PGRES_PIPELINE_SYNC, "sync"));
        }
    }
    must(PQexitPipelineMode(c) == 1, "out of pipeline mode");
    want_value(PQexec(c, "SELECT 7"), "7", "after the pipeline");
    puts("pipeline");
}

static void single_rows(void)
{
    must(PQsendQuery(c, "SELECT generate_series(1, 20000)") == 1 && PQsetSingleRowMode(c) == 1,
         "single rows");
    int count = 0;
    for (PGresult *result; (result = PQgetResult(c)) != NULL; PQclear(result)) {
        count += PQresultStatus(result) == PGRES_SINGLE_TUPLE;
    }
    must(count == 20000, "rows one by one");
    puts("single rows");
}

static void keep_notice(void *seen, const char *message)
{
    snprintf(seen, 64, "%s", message);
}

static void notices(void)
{
    char seen[64] = "";
    PQsetNoticeProcessor(c, keep_notice, seen);
    run("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
    must(strstr(seen, "hello") != NULL, "notice");
    puts("notices");
}

static void cancelling(void)
{
    char why[256];
    must(PQsendQuery(c, "SELECT pg_sleep(20)") == 1, "send");
    must(poll(&(struct pollfd){.fd = PQsocket(c), .events = POLLIN}, 1, 300) == 0, "nothing yet");
    PGcancel *handle = PQgetCancel(c);
    must(PQcancel(handle, why, sizeof why) == 1, "cancel");
    PQfreeCancel(handle);
    PGresult *result = want(PQgetResult(c), PGRES_FATAL_ERROR, "cancelled");
    must(strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), "57014") == 0, "its SQLSTATE");
    PQclear(result);
    must(PQgetResult(c) == NULL, "nothing more");
    puts("cancel");
}

static void notifications(void)
{
    run("LISTEN newsl");
    run("NOTIFY newsl, 'lp'");
    PGnotify *notify;
    for (time_t end = time(NULL) + 5; (notify = PQnotifies(c)) == NULL;) {
        must(time(NULL) < end, "a notification");
        poll(&(struct pollfd){.fd = PQsocket(c), .events = POLLIN}, 1, 100);
        must(PQconsumeInput(c) == 1, "consume");
    }
    must(strcmp(notify->relname, "newsl") == 0 && strcmp(notify->extra, "lp") == 0, "what it says");
    PQfreemem(notify);
    puts("notifications");
}

int main(void)
{
    c = PQconnectdb("");
    must(PQstatus(c) == CONNECTION_OK, "connect");
    must(PQsslInUse(c) == 1, "TLS");
    must(strcmp(PQparameterStatus(c, "server_encoding"), "UTF8") == 0, "its encoding");
    parameters();
    big_values();
    transactions();
    copy();
    pipeline();
    single_rows();
    notices();
    cancelling();
    notifications();
    PQfinish(c);
    puts("done");
    return 0;
}
