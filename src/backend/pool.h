/* backend/pool: the server connections of one database and user, in one worker.
 *
 * Whoever needs a connection takes an idle one or waits; the oldest waiter is
 * served first.  Sizes hold for the process as a whole (backend/quota), so that a
 * worker may be handed connections by another.  A pool logs in, keeps its minimum,
 * retires what is old or idle for long, and heals after failures by itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "backend/quota.h"
#include "backend/server.h"
#include "base/histogram.h"
#include "base/list.h"
#include "config/config.h"
#include "net/resolver.h"

struct backend;

struct pool_waiter {
    struct list_link link;
    int64_t since; /* ns */
    /* It waits no longer: with a server that is now its own, or NULL and why not. */
    void (*on_server)(struct pool_waiter *waiter, struct server *server, const struct error *why);
    struct variables *startup; /* borrowed: only a server started with this will do; NULL and
                                  `is_any_startup`: any */
    bool is_any_startup;
};

/* Since the pool began; one thread writes. */
struct pool_stats {
    uint64_t transactions, queries, bytes_received, bytes_sent; /* from clients, to clients */
    uint64_t transaction_us, query_us, wait_us;
    uint64_t waits, logins, login_failures, errors, cancels, pins, parses, binds, server_binds;
};

enum { POOL_GREETING_MAX = 16 };

/* What a server reports after a client's startup settings: the next such client needs no server to
 * be greeted. */
struct pool_greeting {
    struct variables *initial, *told; /* shares; told NULL: unused */
};

struct pool {
    struct list_link link;                  /* of the backend's pools */
    struct backend *backend;                /* borrowed */
    char *database, *user;                  /* owned; as clients know them */
    struct config *config;                  /* a share: the version that the next lines come from */
    const struct config_database *settings; /* borrowed from it */
    enum pool_mode mode;
    bool is_replication; /* its connections serve one replication=… client each, then they're closed
                          */
    char *host, *server_database, *server_user; /* owned */
    int64_t size, size_min, size_reserve, port;
    struct credential credential;       /* for the servers */
    bool has_credential, is_learned;    /* by pool_learn() */
    struct address_list addresses;      /* of the host, the preferred first; none: not known yet */
    size_t address_at;                  /* which of them is used */
    struct resolver_question *question; /* borrowed: they are being asked for; NULL: not */
    int64_t resolved_at;
    struct list lists[SERVER_STATE_COUNT];             /* idle: the last one given back first */
    struct list waiters;                               /* the oldest first */
    struct quota *quota, *database_quota, *user_quota; /* borrowed: the process's */
    struct variables *welcome; /* what the last server reported at its login; a share */
    bool has_welcome;
    struct pool_greeting greetings[POOL_GREETING_MAX]; /* the last ones made first replaced */
    size_t greeting_next;
    struct error last_error; /* of the last login; "" after a good one */
    int64_t retry_at;        /* ns: not before then; 0: at once */
    bool is_paused, is_disabled;
    bool is_serving, is_growing; /* those are running */
    int64_t forced_mode; /* sslmode allow and prefer: the enum tls_mode that the server took; -1 */
    struct scram_secret made_secret; /* of a plain password, by the last login */
    bool has_made_secret;
    uint64_t schema_epoch; /* of DDL seen; plans older than it are made anew */
    unsigned client_count; /* sessions that are logged in to it */
    struct pool_stats stats;
    struct pool_stats newer_stats, older_stats;       /* at the last two ends of a stats_period */
    int64_t newer_at, older_at;                       /* ns */
    struct histogram wait_histogram, query_histogram; /* µs */
};

/* NULL: out of memory, or no such database (3D000). */
[[nodiscard]] struct pool *pool_create(struct backend *backend, const char *database,
                                       const char *user, bool is_replication, struct error *err);

/* The one of that name, or NULL. */
[[nodiscard]] struct pool *pool_find(struct backend *backend, const char *database,
                                     const char *user, bool is_replication);
void pool_destroy(struct pool *pool); /* closes its servers */

/* An idle server at once, now SERVER_USED; or NULL: the waiter is queued, and will hear. */
[[nodiscard]] struct server *pool_take(struct pool *pool, struct pool_waiter *waiter);
void pool_stop_waiting(struct pool *pool, struct pool_waiter *waiter); /* one that isn't: allowed */

/* A server back that owes nothing and is in no transaction. */
void pool_give_back(struct server *server);

/* Told by its servers. */
void pool_server_ready(struct server *server);                             /* logged in, or clean */
void pool_server_failed(struct server *server, const struct error *error); /* at its login */
void pool_server_gone(struct pool *pool);                                  /* one was closed */

/* The answer to backend->resolve(): an address, or why there is none. */
void pool_resolved(struct pool *pool, const struct address_list *addresses,
                   const struct error *error);

/* The address that is used; there must be one. */
[[nodiscard]] const struct address *pool_address(const struct pool *pool);

/* Serves waiters and opens what they need. */
void pool_serve(struct pool *pool);

/* The next greetings need a server again. */
void pool_forget_greetings(struct pool *pool);

/* Several times a second: timeouts, retirement, the minimum. */
void pool_maintain(struct pool *pool, int64_t now);

/* Takes on another version of the configuration; servers that no longer fit are retired. */
void pool_configure(struct pool *pool, struct config *config);

/* A client has logged in as the servers' user with this; SCRAM: it must have the client key.  New
 * connections use it, unless the configuration says with what. */
void pool_learn(struct pool *pool, const struct credential *credential);

/* Retires every server: idle ones now, used ones when they're given back. */
void pool_reconnect(struct pool *pool, const char *reason);

[[nodiscard]] size_t pool_server_count(const struct pool *pool);

/* ---- between workers ---- */

/* An idle server leaves for another worker: it's in no list, no loop and no table of this one. */
void pool_depart(struct server *server);

/* It comes, with what it reported ("name\0value\0…"); `pool`: as it's called there. */
void pool_arrive(struct pool *pool, struct server *server, const char *parameters, size_t size);

/* It could not be sent: it goes idle here. */
void pool_keep(struct server *server);

/* Another worker needs a connection: an idle one of this pool goes there, if that is right. */
void pool_spare(struct pool *pool);
