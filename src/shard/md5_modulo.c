/* shard/md5_modulo: int(hashlib.md5(key).hexdigest(), 16) % partitions. */
#include "shard/digest.h"
#include "shard/scheme.h"
#include "shard/table_state.h"

static uint32_t find_partition(const void *state, const struct key_text *key)
{
    const struct table_state *table = state;
    struct digest digest = digest_of(key_text_bytes(key), key->size);

    /* The remainder of 128 bits, 32 at a time, as one divides by hand: rest is
     * below 2^16, so a step fits 64 bits. */
    uint64_t rest = digest.high % table->count;
    rest = (rest << 32 | digest.low >> 32) % table->count;
    rest = (rest << 32 | (digest.low & UINT32_MAX)) % table->count;
    return (uint32_t)rest;
}

const struct scheme_methods md5_modulo_methods = {table_state_create, table_state_destroy,
                                                  find_partition, table_state_owners};
