/* cluster/node: what is known about one PostgreSQL server, and who is primary.
 *
 * Facts are what the server said, with the time when it was asked; nothing
 * here connects or guesses.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_contact {
    NODE_NEVER_ANSWERED, /* the facts below are all zero */
    NODE_ANSWERING,
    NODE_SILENT, /* connected, or not known to be down, but its answer is overdue */
    NODE_DOWN,   /* it refused or broke the connection, or refused the login */
};

struct node_facts {
    enum node_contact contact;
    bool is_in_recovery;        /* a replica, as it says itself */
    uint32_t timeline;          /* 0: it did not say */
    uint64_t system_identifier; /* of initdb; equal on all nodes of a shard */
    uint64_t lsn;               /* primary: flushed; replica: replayed */
    uint64_t receive_lsn;       /* replica: written by the WAL receiver; 0: none since its start */
    int64_t sent, received;     /* when the newest answer was asked for, and came; monotonic ns */
};

enum shard_verdict {
    SHARD_HAS_PRIMARY,
    SHARD_NO_PRIMARY,    /* no node that answers is out of recovery */
    SHARD_TWO_PRIMARIES, /* more than one is: none is trusted */
};

/* Which of nodes[0..count) is primary: the only one that answers and is out of
 * recovery, provided that its timeline is not below `timeline_seen`, the highest
 * ever seen in the shard.  *primary is its index; untouched otherwise. */
[[nodiscard]] enum shard_verdict shard_find_primary(const struct node_facts *nodes, size_t count,
                                                    uint32_t timeline_seen, size_t *primary);

/* "answering", "no answer", "down", "never answered". */
[[nodiscard]] const char *node_contact_name(enum node_contact contact);

/* "primary found", "no primary", "two primaries: none is trusted". */
[[nodiscard]] const char *shard_verdict_name(enum shard_verdict verdict);
