/* shard_router/placement: the shard map that the options describe.
 *
 * Checks how the options fit together; their limits are those of
 * shard/shard_map, which names them in its errors.
 */
#pragma once

#include "base/error.h"
#include "shard/shard_map.h"

struct placement_options {
    const char *scheme, *layout; /* names; NULL: the default */
    const char *shards;          /* "4", or "a,b=2,c" */
    const char *weights;         /* "1,2,1"; NULL: as in `shards`, or 1 */
    const char *map_file;        /* instead of all others; NULL: none */
    long vnodes, partitions;     /* 0: the default */
};

/* The caller must shard_map_destroy() it.  NULL: `err` says what is wrong. */
[[nodiscard]] struct shard_map *placement_create(const struct placement_options *options,
                                                 struct error *err);

/* "name" or "name=weight". */
[[nodiscard]] bool placement_parse_shard(const char *text, size_t size, struct shard *shard,
                                         struct error *err);
