/* shard/shard_router: a key in, a shard out.
 *
 * The one interface over all schemes; nothing above this folder knows which one
 * runs.  A router is immutable, so any number of threads may share it, and
 * answers without allocating.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "shard/key_text.h"
#include "shard/shard_map.h"

struct shard_router; /* opaque: only shard_router.c knows its fields */

/* `map` is borrowed and must outlive the router.  The owner must
 * shard_router_destroy() it.  NULL: 53200 out of memory. */
[[nodiscard]] struct shard_router *shard_router_create(const struct shard_map *map,
                                                       struct error *err);
void shard_router_destroy(struct shard_router *router);

/* The partition of a key: a residue, a slot, or the number of the ring's arc. */
[[nodiscard]] uint32_t shard_router_partition(const struct shard_router *router,
                                              const struct key_text *key);

/* The index, in the map, of the shard that owns the key. */
[[nodiscard]] size_t shard_router_shard(const struct shard_router *router,
                                        const struct key_text *key);

[[nodiscard]] const struct shard_map *shard_router_map(const struct shard_router *router);
[[nodiscard]] uint32_t shard_router_partition_count(const struct shard_router *router);

/* Which part of all possible keys goes from which shard to which between two
 * maps.  Computed from the partitions, not sampled. */
struct shard_overlap {
    size_t before_count, after_count; /* shards */
    double *share;                    /* owned; [before * after_count + after]; sums to 1 */
};

/* Both must have the same scheme (and layout, for a ring); 0A000 else.  A router
 * against itself gives each shard's share on the diagonal.  Takes O(partitions)
 * time, and 8 bytes for each pair of shards. */
[[nodiscard]] bool shard_overlap_init(struct shard_overlap *overlap,
                                      const struct shard_router *before,
                                      const struct shard_router *after, struct error *err);
void shard_overlap_done(struct shard_overlap *overlap);

/* The share of keys that get another shard; shards are the same by their index. */
[[nodiscard]] double shard_overlap_moved(const struct shard_overlap *overlap);

/* Of these, the share that moves between shards that both maps have. */
[[nodiscard]] double shard_overlap_moved_between_old(const struct shard_overlap *overlap);

/* The fullest shard over the mean that this scheme and number of shards may be
 * expected to show: about 1 + sqrt(2 ln N / V) for a ring of V points a shard;
 * 1 where shares are exact. */
[[nodiscard]] double shard_router_expected_skew(const struct shard_router *router);
