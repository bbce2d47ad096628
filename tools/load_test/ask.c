#include "load_test/ask.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "common/pg.h"

struct ask_limit ask_within(int64_t timeout, struct interrupt *interrupt)
{
    return (struct ask_limit){.deadline = clock_now() + timeout, .interrupt = interrupt};
}

/* Waits until one of `events` happens on `fd` (-1: none), or `until`.  1: it did; 0: the time is
 * up; -1: `err` is set. */
static int wait_for(int fd, short events, int64_t until, struct interrupt *interrupt,
                    struct error *err)
{
    struct pollfd fds[] = {{.fd = fd, .events = events},
                           {.fd = interrupt != NULL ? interrupt->fd : -1, .events = POLLIN}};

    for (;;) {
        int timeout = clock_poll_timeout(until, clock_now());
        int ready = poll(fds, 2, timeout);
        if (ready < 0 && errno != EINTR) {
            error_set(err, "58000", "cannot wait for the server: %s", strerror(errno));
            return -1;
        }
        if (ready > 0 && fds[1].revents != 0) {
            interrupt_check(interrupt);
            error_set(err, ASK_INTERRUPTED, "interrupted by a signal");
            return -1;
        }
        if (ready > 0) {
            return 1;
        }
        if (clock_now() >= until) {
            return 0;
        }
    }
}

static bool wait_socket(const PGconn *connection, short events, struct ask_limit limit,
                        struct error *err)
{
    int ready = wait_for(PQsocket(connection), events, limit.deadline, limit.interrupt, err);

    if (ready == 0) {
        error_set(err, ASK_TIMEOUT, "no answer in time");
        return error_hint(err, "is the server stopped, frozen, overloaded, or cut off?  --timeout "
                               "gives it longer");
    }
    return ready > 0;
}

static bool finish_connecting(PGconn *connection, const char *dsn, struct ask_limit limit,
                              struct error *err)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING; /* as libpq's manual says */

    while (PQstatus(connection) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
        char place[PG_PLACE_SIZE];
        if (next == PGRES_POLLING_FAILED) {
            break;
        }
        if (!wait_socket(connection, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, limit,
                         err)) {
            return error_wrap(err, "cannot connect to %s", pg_place(place, dsn));
        }
        next = PQconnectPoll(connection);
    }
    if (PQstatus(connection) != CONNECTION_OK) {
        return pg_connect_error(connection, dsn, err);
    }
    if (PQsetnonblocking(connection, 1) != 0) {
        return pg_error(connection, NULL, err);
    }
    return true;
}

PGconn *ask_connect(const char *dsn, const char *application_name, struct ask_limit limit,
                    struct error *err)
{
    /* A later keyword wins, and dbname expands to the whole DSN. */
    const char *const keywords[] = {"fallback_application_name", "dbname", NULL};
    const char *const values[] = {application_name, dsn, NULL};

    if (!pg_check_dsn(dsn, err)) {
        return NULL;
    }
    PGconn *connection = PQconnectStartParams(keywords, values, 1);
    if (connection == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    if (!finish_connecting(connection, dsn, limit, err)) {
        PQfinish(connection);
        return NULL;
    }
    return connection;
}

bool ask_make(PGconn *connection, const char *sql, int64_t timeout, struct error *err)
{
    PGresult *result = ask_query(connection, sql, ask_within(timeout, NULL), err);
    PQclear(result);
    return result != NULL;
}

bool ask_send(PGconn *connection, const char *sql, struct ask_limit limit, struct error *err)
{
    if (PQsendQuery(connection, sql) == 0) {
        return pg_error(connection, NULL, err);
    }
    for (;;) {
        int left = PQflush(connection);
        if (left <= 0) {
            return left == 0 ? true : pg_error(connection, NULL, err);
        }
        if (!wait_socket(connection, POLLIN | POLLOUT, limit, err)) {
            return false;
        }
        if (PQconsumeInput(connection) == 0) {
            return pg_error(connection, NULL, err);
        }
    }
}

bool ask_wait(PGconn *connection, struct ask_limit limit, struct error *err)
{
    if (!wait_socket(connection, POLLIN, limit, err)) {
        return false;
    }
    return PQconsumeInput(connection) != 0 ? true : pg_error(connection, NULL, err);
}

PGresult *ask_query(PGconn *connection, const char *sql, struct ask_limit limit, struct error *err)
{
    PGresult *last = NULL;

    if (!ask_send(connection, sql, limit, err)) {
        return NULL;
    }
    for (;;) {
        while (PQisBusy(connection)) {
            if (!ask_wait(connection, limit, err)) {
                PQclear(last);
                return NULL;
            }
        }
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            break;
        }
        PQclear(last); /* of several the last counts, as with PQexec() */
        last = result;
    }
    ExecStatusType status = PQresultStatus(last);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        pg_error(connection, last, err);
        PQclear(last);
        return NULL;
    }
    return last;
}

bool ask_pause(int64_t duration, struct ask_limit limit, struct error *err)
{
    int64_t until = clock_now() + duration;

    return wait_for(-1, 0, until < limit.deadline ? until : limit.deadline, limit.interrupt, err) >=
           0;
}
