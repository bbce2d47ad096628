/* server/handover: a new process takes over the listening sockets of one that goes on with its
 * clients (docs/adr/0006).
 *
 * Between the two there is one socket pair.  By it the older one gives the
 * listening sockets, and its own channels to still older ones; by it the newer
 * one says that it serves, or why not, and later sends on the cancel requests
 * of clients that are not its own.  It knows nothing of workers or listeners.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "net/listener.h"
#include "net/loop.h"
#include "wire/startup.h"

enum {
    HANDOVER_GENERATION_COUNT = 32, /* that cancel keys tell apart */
    HANDOVER_OLDER_MAX = 16         /* older processes that still have clients */
};

/* ---- the newer one ---- */

struct older {
    uint32_t generation;
    int fd; /* the channel to it; it may have ended */
};

/* What a process began with; immutable from then on.  Zero it before. */
struct inheritance {
    bool is_handed_over;              /* else it's the first of its kind: nothing below holds */
    uint32_t generation;              /* ours; also of a first one */
    bool is_activated;                /* the sockets came from systemd once: there are no others */
    int sockets[LISTENER_SOCKET_MAX]; /* listening; the listener takes them */
    size_t socket_count;
    struct older older[HANDOVER_OLDER_MAX]; /* owned; the last is who started us */
    size_t older_count;
};

/* Takes what the process that started us has prepared, if there is one.  False: it can't be read.
 */
[[nodiscard]] bool handover_inherit(struct inheritance *inheritance, struct error *err);
void inheritance_done(struct inheritance *inheritance);

/* To who started us, if there is such: we serve, or (`err`) we don't. */
void handover_tell(const struct inheritance *inheritance, const struct error *err);

/* Sends a CancelRequest on to the process of that generation, if it's there; any thread. */
void handover_cancel(const struct inheritance *inheritance, uint32_t generation, uint32_t pid,
                     const unsigned char *key, size_t key_size);

/* ---- the older one ---- */

struct handover; /* opaque */

struct handover_plan {
    char *const *argv; /* the program and its arguments; borrowed for the call, as all here */
    const int *sockets;
    size_t socket_count;
    bool is_activated;
    const struct inheritance *inheritance; /* ours */
};

struct handover_owner {
    /* The new one serves. */
    void (*on_ready)(void *self, pid_t pid);
    /* It does not, and has ended; then the handover is to be destroyed. */
    void (*on_failure)(void *self, const struct error *err);
    void (*on_cancel)(void *self, uint32_t pid, const unsigned char *key, size_t key_size);
    void *self;
};

/* Starts the new process.  Events come by `loop`.  NULL and `err`: it could not be started. */
[[nodiscard]] struct handover *handover_begin(const struct handover_plan *plan, struct loop *loop,
                                              const struct handover_owner *owner,
                                              struct error *err);

/* It has served once: what follows are only cancel requests. */
[[nodiscard]] bool handover_is_over(const struct handover *handover);

/* A new process that does not serve yet is ended.  NULL is allowed. */
void handover_destroy(struct handover *handover);
