/* shard/scheme: what each sharding scheme must give to shard_router.
 *
 * Only shard_router calls these, so nothing else knows which scheme runs.  The
 * state is immutable after create(), and borrows the map.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shard/key_text.h"
#include "shard/shard_map.h"

struct scheme_methods {
    /* The state, owned by the router; 53200 when out of memory. */
    bool (*create)(const struct shard_map *map, void **state, struct error *err);
    void (*destroy)(void *state);
    uint32_t (*partition)(const void *state, const struct key_text *key);

    /* Owner of each partition; borrowed from the map or the state. */
    const uint16_t *(*owners)(const void *state, uint32_t *count);
};

extern const struct scheme_methods md5_modulo_methods, ring_methods, slots_methods, pg_hash_methods;
