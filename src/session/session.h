/* session/session: one client's connection, from its greeting to its end.
 *
 * It owns the client's stream and what is true of the client whichever server
 * connection serves it: settings, prepared statements, what it waits for.
 * Requests go out by session/request, answers come back by session/answer,
 * session/link gets and gives back server connections, session/track follows
 * what statements do to the session.  Lives and dies in one worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "backend/backend.h"
#include "backend/pool.h"
#include "backend/prepared.h"
#include "base/hashmap.h"
#include "base/list.h"
#include "net/stream.h"
#include "session/greet.h"

enum session_state {
    SESSION_GREETING,    /* logging in; nothing is known of it */
    SESSION_LOOKUP,      /* its credential is being asked for */
    SESSION_WELCOMING,   /* let in; waits for what a server reports, to be told */
    SESSION_IDLE,        /* no server: nothing is under way */
    SESSION_WAITING,     /* waits for a server; what it asked stays in `in` */
    SESSION_APPLYING,    /* has a server, which is being given its settings */
    SESSION_LINKED,      /* has a server */
    SESSION_CONSOLE,     /* talks to the admin console */
    SESSION_CONSOLE_BUSY /* the console waits for other threads; the client is not read */
};

/* Why a session keeps its server connection between transactions (bits). */
enum session_pin {
    PIN_TEMP = 1,   /* temporary tables */
    PIN_CURSOR = 2, /* WITH HOLD */
    PIN_LOCK = 4,   /* session-level advisory locks */
    PIN_LISTEN = 8,
    PIN_LIBRARY = 16,   /* LOAD, setseed() */
    PIN_UNKNOWN = 32,   /* a statement that could not be read, or was too large to be */
    PIN_SETTINGS = 64,  /* settings that can't be tracked */
    PIN_STATEMENT = 128 /* a prepared statement that can't be moved */
};

struct ask;
struct console; /* admin/console; sessions only keep it */
struct admin;
struct hall;

struct session {
    struct list_link link; /* of the hall's sessions */
    struct hall *hall;     /* borrowed */
    uint64_t id;           /* of this worker, never used again */
    enum session_state state;
    bool is_let_in; /* it's in the hall's sessions, no longer among those that greet */
    struct stream stream;
    struct buffer in;       /* owned: bytes from the client that could not be handled yet */
    struct ask *lookup;     /* of its credential, while SESSION_LOOKUP; the host's; may be NULL */
    struct greet *greet;    /* owned, until it's let in */
    struct pool *pool;      /* borrowed; NULL before it's let in, and on the console */
    char *database, *user;  /* owned; as it asked for */
    char *application_name; /* owned; may be NULL */
    struct sockaddr_storage address;
    socklen_t address_size;                /* 0: a Unix socket */
    int64_t began_at, asked_at, linked_at; /* ns: connected, last request, last link */

    /* Its way to a server. */
    struct pool_waiter waiter;
    struct server *server; /* borrowed from the pool while linked */
    size_t pass;           /* bytes of a message's body that still come, and go on to the server */
    bool is_pass_dropped;  /* they are dropped instead */
    bool is_skipping;      /* after an error of ours: nothing counts until Sync */
    bool is_lost;          /* its server went away in a transaction: the next request is told */
    struct error lost;     /* why */
    bool had_error;        /* since the last commit point */
    bool is_blocked;       /* what it asked next waits for answers that are owed; not read on */
    bool has_local;        /* a SET LOCAL was sent in this transaction that texts depend on */
    unsigned unsettled;    /* statements under way that change what its names or settings mean */
    bool is_paused;        /* its server has more than the client takes: not read until drained */

    /* What it has set. */
    struct variables *settings;   /* as of now; a share */
    struct variables *committed;  /* as of the last commit point; a share */
    struct variables *initial;    /* by its startup packet, as settings; a share */
    struct variables *startup;    /* by its startup packet, plain (session pooling); a share */
    struct variables *told;       /* the parameters that it was told; a share; by track_told() */
    bool has_old_strings;         /* of them: standard_conforming_strings is off */
    bool is_unreadable;           /* and: in its encoding a backslash can be half a character */
    struct savepoint *savepoints; /* owned; the last one first; NULL mostly */
    struct variables *found;      /* a share: what an inquiry has read so far */
    bool is_unsure;               /* something set what can't be told from its statement: ask */
    bool has_reports;  /* since the last transaction: the server reported another parameter */
    bool has_tracked;  /* since then: a statement set, reset or locally set something */
    bool is_inquiring; /* the answer that is awaited is that of session/inquiry */
    char owed_ready;   /* a ReadyForQuery that the client gets when that was done; 0: none */
    bool reapplies;    /* a RESET took away what the startup packet had set */
    unsigned pins;     /* enum session_pin */

    /* Its prepared statements. */
    struct hashmap statements; /* name → struct named; no memory while there are none */
    uint64_t name_uses;        /* counts */
    char *unnamed;             /* owned: types' size and types, text: the unnamed statement */
    size_t unnamed_size, unnamed_capacity, unnamed_types;
    uint64_t unnamed_version; /* counts */
    bool has_unnamed;
    unsigned unnamed_pending;                   /* Parses of it that are not answered, */
    uint64_t unnamed_batch;                     /* and the server's batch of the last one */
    struct facts *unnamed_facts, *portal_facts; /* shares; of the unnamed statement and portal */
    struct portal *portals; /* owned: named portals whose statements have facts; NULL mostly */

    uint32_t cancel_pid;
    unsigned char cancel_key[32];
    size_t cancel_key_size;
    struct console *console; /* owned by the admin layer; NULL: none */
    uint64_t queries, transactions;
};

/* What the sessions of one worker share. */
struct hall {
    struct backend backend;
    const struct hba *hba;     /* borrowed; may be NULL */
    struct tls_context *tls;   /* borrowed: for clients; NULL: none */
    const unsigned char *seed; /* 32 bytes of the process */
    struct list greeting;      /* sessions that are not let in yet */
    struct list sessions;      /* the others */
    int64_t looked_at;         /* ns: all of them, last */
    struct list dead;          /* ended, and freed at the end of the turn */
    uint64_t next_id;
    struct session **slots; /* owned: by the low bits of the cancel pid */
    size_t slot_count;
    uint32_t generation; /* of the process, in the cancel pid's high bits */
    bool is_draining;    /* idle clients are let go */
    void *host;          /* the worker */
    /* A credential is wanted for session->user: session_credential() answers, maybe at once. */
    void (*look_up)(struct session *session);
    /* The session ends before that was answered. */
    void (*stop_look_up)(struct session *session);
    /* Its login failed with what was found: that may be out of date. */
    void (*distrust)(struct session *session);
    /* A CancelRequest for whoever has that key. */
    void (*cancel)(struct hall *hall, uint32_t pid, const unsigned char *key, size_t key_size);
    /* Opens the admin console for a session (database reparto or pgbouncer); false and `err`:
     * refused. */
    bool (*console_open)(struct session *session, struct error *err);
    /* Bytes for it; returns how many it has handled. */
    size_t (*console_feed)(struct session *session, const char *bytes, size_t size);
    void (*console_close)(struct session *session);
    void (*console_cancel)(struct session *session); /* what it does, if it's busy */
    const struct admin *admin;                       /* borrowed, the console's: of the process */
    size_t console_count; /* sessions on it: not among the clients that a limit or a drain counts */
    _Atomic long *client_count; /* borrowed: of the process */
    _Atomic long
        session_count; /* here, with those that are on their way; for whoever shares them out */
    size_t free_slot;  /* no lower slot is free */
};

/* Takes over a client's socket.  `fd` is closed when that fails. */
void session_open(struct hall *hall, int fd, const struct sockaddr *address, socklen_t size);

/* Ends it: the server connection is cleaned or closed, the stream closed; `reason` goes to the log.
 * Freed at the end of the turn. */
void session_close(struct session *session, const char *reason);

/* The answer to hall->look_up(): NULL when there is no such user; or an error. */
void session_credential(struct session *session, const struct credential *credential,
                        const struct error *error);

/* Handles what the client has sent, as far as it can go now, and sends what came of it. */
void session_pump(struct session *session);

/* The same, if there is something: after its server has answered. */
void session_go_on(struct session *session);

/* Tells the client of an error of ours, FATAL, and closes. */
void session_fail(struct session *session, const struct error *error);

/* Cancels what the session runs now, if the key is its own. */
void session_cancel(struct session *session, const unsigned char *key, size_t key_size);

/* Whether that name is the console's: "reparto" or "pgbouncer". */
[[nodiscard]] bool session_is_console(const char *database);

/* Frees what ended in this turn. */
void hall_bury(struct hall *hall);

/* Several times a second: timeouts. */
void hall_maintain(struct hall *hall, int64_t now);
