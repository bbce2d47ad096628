/* server/worker: one thread that serves clients: a loop, a hall of sessions, pools.
 *
 * Workers share nothing but what is immutable or atomic.  Whoever wants
 * something of a worker posts it a call, which runs in its thread.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "net/mailbox.h"
#include "net/resolver.h"
#include "server/handover.h"
#include "server/setup.h"
#include "server/upkeep.h"
#include "session/auth_cache.h"
#include "session/session.h"

struct worker;

/* Something to be done in a worker's thread; owned by the worker from worker_post() on, until `run`
 * is called with it, which frees it or gives it away. */
struct worker_call {
    struct mailbox_message message;
    void (*run)(struct worker *worker, struct worker_call *call);
};

/* What the workers of a process have in common. */
struct workers {
    struct worker **list; /* owned */
    unsigned count;
    struct quotas *quotas;     /* owned */
    struct resolver *resolver; /* owned */
    const struct log *log;     /* borrowed */
    unsigned char seed[32];
    uint32_t generation;
    const struct inheritance *inheritance; /* borrowed */
    _Atomic long client_count;
    _Atomic long arriving; /* sockets on their way from the listener to a worker */
    _Atomic bool is_draining;
    bool is_over;                  /* all threads have stopped: nothing is posted any more */
    const struct admin *admin;     /* borrowed */
    void (*on_idle)(void *router); /* a worker has no client left while draining; any thread */
    void *router;
};

struct worker {
    unsigned index;
    struct workers *all;              /* borrowed */
    struct loop *loop;                /* owned */
    struct mailbox *mail;             /* owned */
    struct resolver_client *resolver; /* owned */
    struct setup *setup;              /* a share */
    struct auth_cache *auth_cache;
    struct hall hall;
    struct loop_timer tick;
    struct published published;
    pthread_t thread;
    bool is_started, is_stopping;
    bool is_retired; /* another process serves: this one ends with its last client */
};

/* The caller owns them.  NULL and `err`.  They are started by worker_start(). */
[[nodiscard]] struct worker *worker_create(struct workers *all, unsigned index, struct setup *setup,
                                           struct error *err);
[[nodiscard]] bool worker_start(struct worker *worker, struct error *err);
void worker_post(struct worker *worker, struct worker_call *call); /* any thread */

void worker_destroy(struct worker *worker); /* one that was never started; NULL is allowed */

void workers_stop_threads(struct workers *all); /* not in a worker's own thread */

/* Stops all threads, closes what is open and frees the workers; not in a worker's own thread. */
void workers_stop(struct workers *all);

/* A client's socket for the least loaded worker; in the thread of the first one, which listens. */
void workers_admit(struct workers *all, int fd, const struct sockaddr *address, socklen_t size);

/* Another setup for each; idle clients let go; any thread. */
void workers_configure(struct workers *all, struct setup *setup);
void workers_drain(struct workers *all);

/* Another process has the listening sockets: clients that are here stay until they go; on_idle()
 * when there is none; any thread. */
void workers_retire(struct workers *all);

/* A CancelRequest for a client of this process; any thread. */
void workers_cancel(struct workers *all, uint32_t pid, const unsigned char *key, size_t key_size);
