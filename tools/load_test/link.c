#include "load_test/link.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { PAUSE_FIRST_MS = 50, PAUSE_LAST_MS = 1000 };

void link_init(struct link *link, const char *dsn, const struct link_setup *setup, int64_t timeout)
{
    *link = (struct link){.dsn = dsn, .setup = setup, .timeout = timeout, .state = LINK_DOWN};
}

static void disconnect(struct link *link)
{
    PQfinish(link->connection);
    link->connection = NULL;
    link->state = LINK_DOWN;
}

void link_done(struct link *link)
{
    disconnect(link);
    link->deadline = INT64_MAX;
}

static void fail_with(struct link *link, int64_t now, const char *sqlstate, const char *reason)
{
    const char *fatal = strstr(reason, "FATAL:");
    const char *text = fatal != NULL ? fatal : reason;

    snprintf(link->sqlstate, sizeof link->sqlstate, "%s", sqlstate);
    snprintf(link->reason, sizeof link->reason, "%.*s", (int)strcspn(text, "\n"), text);
    disconnect(link);
    link->pause = link->pause == 0 ? PAUSE_FIRST_MS * CLOCK_MS : link->pause * 2;
    if (link->pause > PAUSE_LAST_MS * CLOCK_MS) {
        link->pause = PAUSE_LAST_MS * CLOCK_MS;
    }
    link->deadline = now + link->pause;
}

void link_fail(struct link *link, int64_t now, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char reason[LINK_REASON_SIZE];

    snprintf(reason, sizeof reason, "%s",
             primary != NULL ? primary : PQerrorMessage(link->connection));
    fail_with(link, now, sqlstate != NULL ? sqlstate : "08006",
              reason[0] != '\0' ? reason : "the connection was lost");
}

static bool start(struct link *link, int64_t now)
{
    const char *const keywords[] = {"fallback_application_name", "dbname", NULL};
    const char *const values[] = {link->setup->application_name, link->dsn, NULL};

    link->connection = PQconnectStartParams(keywords, values, 1);
    if (link->connection == NULL || PQstatus(link->connection) == CONNECTION_BAD) {
        link_fail(link, now, NULL);
        return false;
    }
    link->state = LINK_CONNECTING;
    link->polling = PGRES_POLLING_WRITING;
    link->deadline = now + link->timeout;
    return true;
}

/* Queues the session's settings and statements, in one pipeline. */
static bool queue_setup(struct link *link)
{
    const struct link_setup *setup = link->setup;
    PGconn *connection = link->connection;
    char name[8], set[64];
    bool is_ok = PQenterPipelineMode(connection) == 1;

    if (is_ok && setup->synchronous_commit != NULL) {
        snprintf(set, sizeof set, "SET synchronous_commit = '%s'", setup->synchronous_commit);
        is_ok = PQsendQueryParams(connection, set, 0, NULL, NULL, NULL, NULL, 0) == 1;
    }
    for (int i = 0; is_ok && i < LINK_STATEMENTS_MAX && setup->statements[i] != NULL; i++) {
        snprintf(name, sizeof name, "s%d", i);
        is_ok = PQsendPrepare(connection, name, setup->statements[i], 0, NULL) == 1;
    }
    return is_ok && PQpipelineSync(connection) == 1 && PQflush(connection) >= 0;
}

static bool set_up(struct link *link, int64_t now)
{
    if (PQsetnonblocking(link->connection, 1) != 0 || !queue_setup(link)) {
        link_fail(link, now, NULL);
        return false;
    }
    link->state = LINK_PREPARING;
    link->syncs_left = 1;
    link->deadline = now + link->timeout;
    return true;
}

static bool go_on_connecting(struct link *link, int64_t now, short revents)
{
    if (revents == 0) {
        return true;
    }
    link->polling = PQconnectPoll(link->connection);
    if (link->polling == PGRES_POLLING_FAILED) {
        link_fail(link, now, NULL);
        return false;
    }
    return link->polling == PGRES_POLLING_OK ? set_up(link, now) : true;
}

PGresult *link_result(struct link *link, bool *is_waiting)
{
    *is_waiting = PQisBusy(link->connection) == 1;
    return *is_waiting ? NULL : PQgetResult(link->connection);
}

static bool go_on_preparing(struct link *link, int64_t now)
{
    bool is_waiting = false;
    while (link->syncs_left > 0) {
        PGresult *result = link_result(link, &is_waiting);
        ExecStatusType status = PQresultStatus(result);
        if (is_waiting) {
            return true;
        }
        if (result != NULL && status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC) {
            link_fail(link, now, result);
            PQclear(result);
            return false;
        }
        link->syncs_left -= status == PGRES_PIPELINE_SYNC;
        PQclear(result);
    }
    link->state = LINK_READY;
    link->pause = 0;
    link->deadline = INT64_MAX;
    return true;
}

/* Moves bytes both ways.  False when the connection is broken. */
static bool exchange(struct link *link, int64_t now, short revents)
{
    bool is_ok = true;
    if (revents & (POLLIN | POLLERR | POLLHUP)) {
        is_ok = PQconsumeInput(link->connection) == 1;
    }
    if (is_ok && revents & POLLOUT) {
        is_ok = PQflush(link->connection) >= 0;
    }
    if (!is_ok || PQstatus(link->connection) == CONNECTION_BAD) {
        link_fail(link, now, NULL);
        return false;
    }
    return true;
}

bool link_step(struct link *link, int64_t now, short revents)
{
    if (now >= link->deadline && link->state != LINK_DOWN) {
        fail_with(link, now, "57014",
                  link->state == LINK_BUSY ? "no answer within the time limit"
                                           : "no connection within the time limit");
        return false;
    }
    switch (link->state) {
    case LINK_DOWN: return now >= link->deadline ? start(link, now) : true;
    case LINK_CONNECTING: return go_on_connecting(link, now, revents);
    case LINK_PREPARING: return exchange(link, now, revents) && go_on_preparing(link, now);
    case LINK_READY:
    case LINK_BUSY: return exchange(link, now, revents);
    }
    return true;
}

bool link_sent(struct link *link, int64_t now)
{
    if (PQflush(link->connection) < 0) {
        link_fail(link, now, NULL);
        return false;
    }
    link->state = LINK_BUSY;
    link->deadline = now + link->timeout;
    return true;
}

void link_settled(struct link *link)
{
    link->state = LINK_READY;
    link->deadline = INT64_MAX;
}

struct pollfd link_pollfd(const struct link *link)
{
    struct pollfd pollfd = {.fd = -1};

    if (link->state == LINK_DOWN) {
        return pollfd;
    }
    pollfd.fd = PQsocket(link->connection);
    if (link->state == LINK_CONNECTING) {
        pollfd.events = link->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        return pollfd;
    }
    pollfd.events = POLLIN;
    /* PQflush() is 1 while output is queued; asking costs nothing when there is none. */
    if (PQflush(link->connection) == 1) {
        pollfd.events |= POLLOUT;
    }
    return pollfd;
}

int64_t link_wake(const struct link *link, int64_t wake)
{
    return link->deadline < wake ? link->deadline : wake;
}
