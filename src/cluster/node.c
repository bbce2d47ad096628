#include "cluster/node.h"

static const char *const contact_names[] = {[NODE_NEVER_ANSWERED] = "never answered",
                                            [NODE_ANSWERING] = "answering",
                                            [NODE_SILENT] = "no answer",
                                            [NODE_DOWN] = "down"};

static const char *const verdict_names[] = {[SHARD_HAS_PRIMARY] = "primary found",
                                            [SHARD_NO_PRIMARY] = "no primary",
                                            [SHARD_TWO_PRIMARIES] =
                                                "two primaries: none is trusted"};

const char *node_contact_name(enum node_contact contact)
{
    return contact_names[contact];
}

const char *shard_verdict_name(enum shard_verdict verdict)
{
    return verdict_names[verdict];
}

enum shard_verdict shard_find_primary(const struct node_facts *nodes, size_t count,
                                      uint32_t timeline_seen, size_t *primary)
{
    size_t found = 0, candidates = 0;

    for (size_t i = 0; i < count; i++) {
        if (nodes[i].contact == NODE_ANSWERING && !nodes[i].is_in_recovery) {
            found = i;
            candidates++;
        }
    }
    if (candidates > 1) {
        return SHARD_TWO_PRIMARIES;
    }
    if (candidates == 0 || nodes[found].timeline < timeline_seen) {
        return SHARD_NO_PRIMARY;
    }
    *primary = found;
    return SHARD_HAS_PRIMARY;
}
