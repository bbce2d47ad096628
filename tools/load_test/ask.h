/* load_test/ask: one question to one server, that never waits longer than it may.
 *
 * libpq's own PQexec() waits for ever on a frozen server, and Ctrl-C cannot end
 * it.  These wait with poll() until the server answers, the deadline passes, or
 * a signal comes.  After a failed ask_query() the connection is good for
 * PQfinish() only, unless the server itself refused the query.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "load_test/interrupt.h"

struct ask_limit {
    int64_t deadline;            /* clock_now() */
    struct interrupt *interrupt; /* borrowed; NULL: signals don't matter.  Only one that comes while
                                  * waiting counts: who asks after a Ctrl-C means to */
};

#define ASK_INTERRUPTED "57014" /* the SQLSTATE of a wait that a signal ended */
#define ASK_TIMEOUT "57P05"     /* of one that took too long */

/* A limit `timeout` ns from now. */
[[nodiscard]] struct ask_limit ask_within(int64_t timeout, struct interrupt *interrupt);

/* The caller owns the result and must PQfinish() it; it is in nonblocking mode.  NULL with `err` as
 * pg_connect() sets it, ASK_TIMEOUT or ASK_INTERRUPTED. */
[[nodiscard]] PGconn *ask_connect(const char *dsn, const char *application_name,
                                  struct ask_limit limit, struct error *err);

/* Runs one statement.  The caller must PQclear() the result; NULL with the server's SQLSTATE,
 * ASK_TIMEOUT or ASK_INTERRUPTED. */
[[nodiscard]] PGresult *ask_query(PGconn *connection, const char *sql, struct ask_limit limit,
                                  struct error *err);

/* Runs a statement that makes something.  A signal does not end this wait, at most `timeout` ns:
 * left alone, the server could make it after it was cleaned up. */
[[nodiscard]] bool ask_make(PGconn *connection, const char *sql, int64_t timeout,
                            struct error *err);

/* For more than one result: sends `sql`, and waits until the server has sent something more, which
 * is then consumed. */
[[nodiscard]] bool ask_send(PGconn *connection, const char *sql, struct ask_limit limit,
                            struct error *err);
[[nodiscard]] bool ask_wait(PGconn *connection, struct ask_limit limit, struct error *err);

/* Lets `duration` ns pass, or less when the limit comes first. */
[[nodiscard]] bool ask_pause(int64_t duration, struct ask_limit limit, struct error *err);
