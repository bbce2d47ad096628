/* shard/slots: the low 14 bits of the MD5 are the slot. */
#include "shard/digest.h"
#include "shard/scheme.h"
#include "shard/table_state.h"

static uint32_t find_partition(const void *, const struct key_text *key)
{
    struct digest digest = digest_of(key_text_bytes(key), key->size);
    return (uint32_t)(digest.low & (SHARD_SLOT_COUNT - 1));
}

const struct scheme_methods slots_methods = {table_state_create, table_state_destroy,
                                             find_partition, table_state_owners};
