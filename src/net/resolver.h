/* net/resolver: from a host's name to its addresses, without blocking a loop.
 *
 * One helper thread asks the system (getaddrinfo), one name after the other;
 * each loop that wants answers joins it.  What needs no asking (an address, a
 * Unix socket's directory) is answered at once.  It caches nothing and does not
 * decide which address is tried: they come in the system's order (RFC 6724).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/error.h"
#include "net/loop.h"

struct resolver;          /* opaque: the thread */
struct resolver_client;   /* opaque: a loop's way to it */
struct resolver_question; /* opaque */

enum {
    RESOLVER_ADDRESS_MAX = 16,  /* of one name; more are left out */
    RESOLVER_QUESTION_MAX = 256 /* that a client has not got the answers of */
};

struct address {
    struct sockaddr_storage bytes;
    socklen_t size;
};

struct address_list {
    size_t count;
    struct address all[RESOLVER_ADDRESS_MAX];
};

/* Starts the thread.  NULL and `err` (53000, 53200). */
[[nodiscard]] struct resolver *resolver_create(struct error *err);

/* Ends the thread, when the name that it asks for now is answered; those that wait get an error
 * (57P01).  Clients must ask nothing more, and leave after it.  NULL is allowed. */
void resolver_destroy(struct resolver *resolver);

/* In the thread of `loop`, as all that follows.  Answers come by it; it's borrowed until
 * resolver_leave().  NULL and `err` (53000, 53200). */
[[nodiscard]] struct resolver_client *resolver_join(struct resolver *resolver, struct loop *loop,
                                                    struct error *err);

/* After resolver_destroy(); delivers the answers that are left.  NULL is allowed. */
void resolver_leave(struct resolver_client *client);

enum resolver_result {
    RESOLVER_NOW,    /* the addresses are in `now` */
    RESOLVER_LATER,  /* `on_answer` will be called once, unless the question is dropped */
    RESOLVER_REFUSED /* `err`: 53400 too many questions, 53200, 22023 */
};

struct resolver_asker {
    /* `err` is NULL, or says why there are none (08001).  Both are borrowed for the call. */
    void (*on_answer)(void *self, const struct address_list *addresses, const struct error *err);
    void *self;
};

/* `host`: a name, an address, or the directory of a Unix socket ("/run/postgresql"); copied.
 * `*question` is set with RESOLVER_LATER and borrowed until the answer. */
[[nodiscard]] enum resolver_result resolver_ask(struct resolver_client *client, const char *host,
                                                unsigned port, const struct resolver_asker *asker,
                                                struct address_list *now,
                                                struct resolver_question **question,
                                                struct error *err);

/* The asker wants no answer any more. */
void resolver_drop(struct resolver_question *question);
