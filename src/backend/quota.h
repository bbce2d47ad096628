/* backend/quota: limits on server connections that hold for all workers together.
 *
 * A quota counts what a database, a user or a pair of both has open, in all
 * workers.  It also shows each worker who else waits and who has idle
 * connections, so that none starves.  Counters are atomic; creation takes a
 * lock; a quota lives as long as the process.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUOTA_WORKERS_MAX = 64 };

struct quotas; /* opaque: all of the process */

struct quota_slot {
    _Atomic int64_t waiting_since; /* ns: the oldest waiter of that worker; 0: nobody waits */
    _Atomic int idle;              /* idle connections there */
};

struct quota {
    _Atomic long count; /* connections, being opened too */
    struct quota_slot slots[QUOTA_WORKERS_MAX];
};

[[nodiscard]] struct quotas *quotas_create(void); /* NULL: out of memory */
void quotas_destroy(struct quotas *quotas);

/* The quota of that name (made when it's new); `kind` tells names of different things apart.  NULL:
 * out of memory.  Any thread. */
[[nodiscard]] struct quota *quota_get(struct quotas *quotas, char kind, const char *name,
                                      const char *second);

/* Takes one of at most `limit` (0: no limit); false when there is none left. */
[[nodiscard]] bool quota_take(struct quota *quota, int64_t limit);
void quota_give(struct quota *quota);
