/* net/listener_private: a listener's sockets, for net/listener*.c only.
 *
 * listener_bind.c makes them, listener.c accepts from them.  The list owns its
 * descriptors and files but for those that were inherited, until all has gone
 * well; it holds LISTENER_SOCKET_MAX, more are refused.
 */
#pragma once

#include <stdbool.h>
#include <sys/un.h>

#include "net/listener.h"

struct listening {
    struct loop_source source; /* owns its fd */
    struct listener *listener; /* borrowed */
    struct sockaddr_storage address;
    socklen_t address_size;
    bool has_file;     /* a Unix socket whose file and lock are ours */
    bool is_inherited; /* the caller's, until all has gone well */
};

struct listener_sockets {
    struct listening all[LISTENER_SOCKET_MAX];
    size_t count;
};

/* Binds and adopts what the plan asks for.  On failure nothing of it is left; what was inherited
 * is the caller's. */
[[nodiscard]] bool listener_bind(struct listener_sockets *sockets, const struct listener_plan *plan,
                                 struct error *err);

/* All has gone well: what was inherited is ours, and closed if it's not used. */
void listener_settle(struct listener_sockets *sockets, const struct listener_plan *plan);

/* Closes what is not inherited and removes its files. */
void listener_unbind(struct listener_sockets *sockets);
