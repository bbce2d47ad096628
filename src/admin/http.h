/* admin/http: a small HTTP/1.1 server for /metrics, /healthz and /readyz.
 *
 * Lives in one loop, the control thread's.  GET and HEAD only; requests may be
 * pipelined and connections kept; few connections at a time, each with a time
 * limit.  No password: it listens where the settings say, loopback by default.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admin/admin.h"
#include "admin/metrics.h"
#include "base/error.h"
#include "net/loop.h"

struct http; /* opaque */

struct http_plan {
    const char *addresses; /* as listen_addr */
    unsigned port;
    bool is_shared; /* an older process of ours still answers there, and lets us (http_share()) */
    const struct admin *admin; /* borrowed */
    /* What is true now of the process; `is_ready`: it takes clients. */
    void (*look)(void *owner, struct metrics_process *process, bool *is_ready);
    void *owner; /* borrowed */
};

/* Listens; NULL and `err` when it can't. */
[[nodiscard]] struct http *http_open(const struct http_plan *plan, struct loop *loop,
                                     struct error *err);
void http_close(struct http *http); /* NULL is allowed */

/* A newer process may listen at our address too. */
void http_share(struct http *http); /* NULL is allowed */

/* Another process answers from now on: takes no new connections. */
void http_pause(struct http *http); /* NULL is allowed */
