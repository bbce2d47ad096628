/* net/listener: the sockets that clients connect to, and their coming in.
 *
 * Every address that is asked for is bound, or it says why not; sockets that
 * systemd or an older process hands over are used as they are, so that no
 * connection is refused meanwhile.  Out of descriptors it rests and tries again
 * by itself; it never spins.  It knows nothing of who may come in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/error.h"
#include "net/keepalive.h"
#include "net/loop.h"

struct listener; /* opaque */

enum { LISTENER_SOCKET_MAX = 64 };

struct listener_plan {
    const char *addresses; /* "10.0.0.1, ::1", host names, "*": all; "": none */
    unsigned port;         /* 0: any free one, for tests; no Unix socket then */
    int backlog;
    const char *directory; /* of the Unix socket; "": none */
    unsigned mode;         /* of the Unix socket */
    bool is_shared;        /* SO_REUSEPORT: another process of ours may listen there meanwhile */
    struct keepalive keepalive;
    const int *inherited; /* listening sockets from outside; taken over, if all goes well */
    size_t inherited_count;
    bool is_activated; /* by systemd: those are all; nothing is bound, no file is ours.  Else what
                          fits the plan is used, what is missing is bound, the others are closed */
};

struct listener_owner {
    /* `fd` is the owner's, non-blocking; `address` is borrowed for the call (a Unix socket has only
     * its family).  It may pause the listener, not close it. */
    void (*on_accept)(void *self, int fd, const struct sockaddr *address, socklen_t size);
    /* No more descriptors or memory: `error` is the errno; it rests for a moment. */
    void (*on_rest)(void *self, int error);
    void *self;
};

/* Listens; the events come by `loop`, which is borrowed until listener_close().  Host names are
 * looked up here, and may block.  NULL and `err`: 55006 for an address in use, F0001 for a Unix
 * socket in use, 42501, 22023, 58030; then nothing is left behind. */
[[nodiscard]] struct listener *listener_open(const struct listener_plan *plan, struct loop *loop,
                                             const struct listener_owner *owner, struct error *err);

/* Closes the sockets and removes the Unix socket's file, unless it was handed over.  NULL is
 * allowed. */
void listener_close(struct listener *listener);

/* Another process has, or soon will have, the sockets: the file stays when this one closes.
 * False: it has not after all, and the file's lock is taken back. */
void listener_hand_over(struct listener *listener, bool is_handed_over);

/* The sockets, borrowed, for another process; returns how many. */
[[nodiscard]] size_t listener_sockets(const struct listener *listener,
                                      int sockets[LISTENER_SOCKET_MAX]);

/* While paused, clients wait in the backlog. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);

/* For what is accepted from now on. */
void listener_keep_alive(struct listener *listener, const struct keepalive *keepalive);

/* The TCP port that it listens on; 0: none. */
[[nodiscard]] unsigned listener_port(const struct listener *listener);
