/* backend/cancel: asks a server to cancel what one of its sessions runs.
 *
 * Over a connection of its own, with TLS when the session has it, so that the
 * key is not seen on the way.  The server answers nothing: that it closes the
 * connection says that the request was dealt with, and that a session given to
 * somebody else from then on can't be hit by it any more.  Until then, and after
 * a failure, it still may be.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/machine.h"
#include "net/loop.h"
#include "net/tls.h"

struct sockaddr;

/* Borrowed during cancel_start() only. */
struct cancel_plan {
    const struct sockaddr *address;
    unsigned address_size;
    const char *host;        /* for TLS and messages */
    enum tls_mode tls_mode;  /* of the session's server */
    struct tls_context *tls; /* NULL: the session has no TLS */
    uint32_t pid;            /* of the session, as the next */
    const unsigned char *key;
    size_t key_size;  /* 1 to STARTUP_KEY_MAX */
    int64_t deadline; /* ns of clock_now() */
};

struct cancel; /* opaque */

/* `on_end` runs once, from the loop: err NULL, the server has dealt with it; else why that is not
 * known: 08001 or 08006 the connection, 08P01 an answer that makes no sense, 57014 the deadline.
 * The owner may cancel_destroy() in it.  NULL and `err`: nothing was begun. */
[[nodiscard]] struct cancel *cancel_start(struct loop *loop, const struct cancel_plan *plan,
                                          void (*on_end)(void *owner, const struct error *err),
                                          void *owner, struct error *err);
void cancel_destroy(struct cancel *cancel); /* under way: gives up, silently; NULL is allowed */

extern const struct machine cancel_machine; /* for tests and docs */
