/* load_test/link: one connection of the load, which never blocks its thread.
 *
 * libpq in nonblocking pipeline mode with a deadline on everything: connect,
 * set up, one exchange.  A link that fails is closed, counted by its owner,
 * and connects again by itself after a pause that grows from 50 ms to 1 s.
 * Used by one thread; knows nothing of what is sent.
 *
 *     DOWN --time--> CONNECTING --> PREPARING --> READY --link_sent()--> BUSY --link_settled()-->
 * READY
 *       ^------------------- any failure or deadline, from every state ----------------------|
 */
#pragma once

#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_PREPARING, LINK_READY, LINK_BUSY };

enum { LINK_STATEMENTS_MAX = 4, LINK_REASON_SIZE = 160 };

struct link_setup {
    const char *application_name;
    const char *synchronous_commit;              /* NULL: the server's */
    const char *statements[LINK_STATEMENTS_MAX]; /* prepared as "s0", "s1", …; NULL ends them */
};

struct link {
    const char *dsn;                /* borrowed */
    const struct link_setup *setup; /* borrowed */
    int64_t timeout;                /* ns, for connecting and for one exchange */

    enum link_state state;
    PGconn *connection; /* owned; NULL while DOWN */
    PostgresPollingStatusType polling;
    int syncs_left;   /* of the setup */
    int64_t deadline; /* when the current state has lasted too long; DOWN: when to try again */
    int64_t pause;    /* before the next attempt, ns */
    char sqlstate[6]; /* of the last failure; "" when there was none */
    char reason[LINK_REASON_SIZE];
};

void link_init(struct link *link, const char *dsn, const struct link_setup *setup, int64_t timeout);
void link_done(struct link *link); /* closes; the link is DOWN for good */

/* What to poll for; fd -1 while there is nothing to wait for but time. */
[[nodiscard]] struct pollfd link_pollfd(const struct link *link);

/* Does what can be done without waiting: connects, sets up, reads input, flushes output, and
 * fails what is past its deadline.  Returns false in the call in which the link failed (state is
 * then DOWN, `reason` says why); the owner settles what was under way. */
[[nodiscard]] bool link_step(struct link *link, int64_t now, short revents);

/* After queueing an exchange on a READY link: flushes and makes it BUSY until `now` + timeout.
 * False when it failed, as above. */
[[nodiscard]] bool link_sent(struct link *link, int64_t now);

/* The exchange is complete. */
void link_settled(struct link *link);

/* Fails the link with the reason of `result`, or of the connection when NULL. */
void link_fail(struct link *link, int64_t now, const PGresult *result);

/* The next result of a BUSY link that is already here, *is_waiting true when more input is
 * needed.  NULL without waiting separates the results of two commands, as PQgetResult(). The caller
 * PQclear()s it. */
[[nodiscard]] PGresult *link_result(struct link *link, bool *is_waiting);

/* The earlier of `wake` and the link's own deadline. */
[[nodiscard]] int64_t link_wake(const struct link *link, int64_t wake);
