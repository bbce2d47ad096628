#include "shard/table_state.h"

#include <stdlib.h>

bool table_state_create(const struct shard_map *map, void **state, struct error *err)
{
    struct table_state *table = malloc(sizeof *table);
    if (table == NULL) {
        return error_set(err, "53200", "out of memory for a shard router");
    }
    *table = (struct table_state){.count = shard_map_partition_count(map),
                                  .owners = shard_map_owners(map)};
    *state = table;
    return true;
}

void table_state_destroy(void *state)
{
    free(state);
}

const uint16_t *table_state_owners(const void *state, uint32_t *count)
{
    const struct table_state *table = state;
    *count = table->count;
    return table->owners;
}
