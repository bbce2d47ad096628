/* backend/backend: what the pools of one worker share.
 *
 * The loop, the tables of interned things, the configuration in force, and the
 * scratch memory into which sockets are read.  One for each worker; only its
 * thread touches it, but for what is atomic.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/holds.h"
#include "backend/prepared.h"
#include "backend/quota.h"
#include "backend/variables.h"
#include "base/list.h"
#include "base/log.h"
#include "config/config.h"
#include "config/credential.h"
#include "net/loop.h"
#include "net/tls.h"

enum {
    BACKEND_READ_SIZE = 65536, /* bytes asked for in one read */
    BACKEND_KEEP_MAX = 32768   /* longest message of a server that is looked at as a whole */
};

struct pool;
struct server;

struct backend {
    struct loop *loop; /* borrowed, as all pointers here unless said */
    const struct log *log;
    struct config *config;             /* a share: in force */
    const struct auth_file *auth_file; /* NULL: none */
    struct tls_context *tls;           /* for connections to servers; NULL: none */
    struct quotas *quotas;
    struct variables_table *variables;
    struct statement_table *statements;
    struct list pools;
    struct list cancels; /* requests under way: backend/server_cancel */
    struct list asks;    /* questions under way: backend/ask */
    unsigned worker, worker_count;
    struct holds holds; /* owned: databases that an operator holds back */
    bool is_draining;   /* no new connections but for who waits */
    void *host;         /* the worker */
    /* Gives an idle server, that is in no list, to another worker. */
    void (*hand_over)(struct backend *backend, unsigned worker, struct server *server);
    /* Asks other workers that have idle connections of this pool for one. */
    void (*ask_for)(struct backend *backend, struct pool *pool);
    /* Sends a CancelRequest for what the server runs; it may be closed meanwhile.  NULL: can't. */
    void (*cancel)(struct server *server);
    /* Finds addresses; answers by pool_resolved(), maybe at once. */
    void (*resolve)(struct backend *backend, struct pool *pool);
    char scratch[BACKEND_KEEP_MAX + BACKEND_READ_SIZE + 64]; /* servers are read into it */
    char client_scratch[BACKEND_READ_SIZE];
};
