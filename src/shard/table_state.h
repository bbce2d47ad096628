/* shard/table_state: the state of schemes whose map lists an owner for each
 * partition.
 *
 * Owned by the router that made it; borrows the map.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "shard/shard_map.h"

struct table_state {
    uint32_t count;         /* partitions */
    const uint16_t *owners; /* borrowed from the map; [count] */
};

[[nodiscard]] bool table_state_create(const struct shard_map *map, void **state, struct error *err);
void table_state_destroy(void *state);
[[nodiscard]] const uint16_t *table_state_owners(const void *state, uint32_t *count);
