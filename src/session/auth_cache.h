/* session/auth_cache: the credentials of users, as a worker found them last.
 *
 * One for each worker; keyed by where they come from (an auth file, a
 * database's auth_query) and the user.  It runs no query and reads no file: what
 * is too old is not found, and the caller asks its source again.  A plain
 * password's SCRAM secret is made once, and again only when the password
 * changed, however often it is asked for.  Users who don't exist are not kept:
 * their names are the client's choice, and would push out the others.
 * Bounded: the entry that was used longest ago goes first.  Secrets are wiped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/credential.h"

struct auth_cache; /* opaque */

struct auth_cache_plan {
    size_t entry_max;          /* at least 1 */
    int64_t ttl;               /* ns after which an entry must be put again; 0: never */
    const unsigned char *seed; /* 32 bytes, as greet_plan's; borrowed until destroyed */
};

/* NULL: out of memory. */
[[nodiscard]] struct auth_cache *auth_cache_create(const struct auth_cache_plan *plan);
void auth_cache_destroy(struct auth_cache *cache); /* wipes; NULL is allowed */

/* Borrowed until the next call.  NULL: not there, or put longer ago than the ttl.  `now` as
 * loop_now(). */
[[nodiscard]] const struct credential *auth_cache_find(struct auth_cache *cache, const char *source,
                                                       const char *user, int64_t now);

/* Keeps a copy, with its SCRAM secret where it is PLAIN, and returns that; borrowed until the next
 * call.  NULL and `err` (53200): nothing has changed. */
[[nodiscard]] const struct credential *auth_cache_put(struct auth_cache *cache, const char *source,
                                                      const char *user,
                                                      const struct credential *credential,
                                                      int64_t now, struct error *err);

/* A login failed with it, or the source says that there is no such user: the next find asks the
 * source.  What was made of a plain password stays until another one is put. */
void auth_cache_expire(struct auth_cache *cache, const char *source, const char *user);

/* The ttl of the plan is another from now on. */
void auth_cache_keep_for(struct auth_cache *cache, int64_t ttl);

/* All of it: after a reload. */
void auth_cache_clear(struct auth_cache *cache);

[[nodiscard]] size_t auth_cache_count(const struct auth_cache *cache);
