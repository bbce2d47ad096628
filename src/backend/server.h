/* backend/server: one connection to a PostgreSQL server, in a pool.
 *
 * It logs in by itself, then waits idle until a session takes it.  While it is
 * used its user gets its events; the rest of the time it watches for what a
 * server says unasked.  It keeps what is true of the server's session: status,
 * settings, reported parameters, prepared statements, and which answers are owed.
 * Lives in one thread; may be taken to another when idle.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/expected.h"
#include "backend/login.h"
#include "backend/prepared.h"
#include "backend/variables.h"
#include "base/buffer.h"
#include "base/list.h"
#include "net/stream.h"

#define SERVER_UNNAMED_UNKNOWN UINT64_MAX

struct pool;
struct backend;

enum server_state {
    SERVER_LOGIN,    /* connecting and logging in */
    SERVER_IDLE,     /* clean, nobody's */
    SERVER_USED,     /* a session's: its events go to `user` */
    SERVER_CLEANING, /* a query of ours runs: check, reset or rollback; then idle */
    SERVER_STATE_COUNT
};

struct server {
    struct list_link link; /* in its pool's list of that state */
    struct pool *pool;     /* borrowed */
    enum server_state state;
    struct stream stream;
    struct buffer in;    /* owned: a message of which not all has come yet */
    struct login *login; /* owned, while SERVER_LOGIN */
    struct expected_queue expected;
    size_t pass; /* bytes of a message's body that still come, and are passed on (or dropped) */
    bool is_pass_hidden;
    char status;      /* of the last ReadyForQuery: 'I', 'T' or 'E'; 0 before the first */
    bool is_unsynced; /* messages of the extended protocol were sent that no Sync follows yet: there
                         is a transaction although `status` says 'I' */
    bool is_skipping; /* after an error in those it reads on for the Sync alone */
    bool is_doomed;   /* to be closed instead of becoming idle */
    const char *doom; /* why, for the log; static */
    struct variables *settings;   /* what has been SET in it; a share */
    struct variables *parameters; /* what it reported; a share */
    struct variables *startup;    /* what it was started with (session pooling); a share */
    struct plans plans;
    bool has_plans, has_settings; /* it came from another worker with some, to be discarded */
    uint64_t unnamed_session, unnamed_version; /* whose unnamed statement it holds; 0: nobody's;
                                                  SERVER_UNNAMED_UNKNOWN: somebody's, or nobody's */
    uint64_t batch; /* Syncs sent: an error ends one, and leaves what is in later ones */
    uint32_t pid;
    unsigned char key[STARTUP_KEY_MAX];
    size_t key_size;
    int64_t connected_at, used_at; /* ns: logged in; given back last, or taken */
    unsigned cancels; /* requests under way: it must not go to another client before they ended */
    uint64_t use_count;
    struct loop_timer deadline; /* of the login, or of a cleaning */

    void (*on_event)(void *user); /* while SERVER_USED: the stream's events */
    void *user;                   /* borrowed */
};

/* Begins a connection for the pool.  NULL and `err` when it can't even begin. */
[[nodiscard]] struct server *server_connect(struct pool *pool, struct variables *startup,
                                            struct error *err);

/* Closes and frees; `reason` goes to the log.  It leaves its pool's lists and counts. */
void server_close(struct server *server, const char *reason);

/* Runs `sql` (then, when not NULL, `then`) as queries of ours; when all went well and the status is
 * 'I' it goes idle, else it is closed.  `limit`: ns that it may take. */
void server_clean(struct server *server, const char *sql, const char *then, int64_t limit);

/* The body of a ParameterStatus.  False: malformed, or it can't be kept. */
[[nodiscard]] bool server_take_parameter(struct server *server, const char *body, size_t size);

/* What it holds after a DISCARD ALL: nothing. */
void server_forget(struct server *server);

/* Asks the server to cancel what this connection runs.  Until that request has ended the connection
 * goes to nobody else; it may be closed meanwhile. */
void server_cancel(struct server *server);

/* The worker ends: requests under way are given up. */
void server_cancels_done(struct backend *backend);
