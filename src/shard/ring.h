/* shard/ring: consistent hashing; points on a circle of 2^64 positions.
 *
 * A key belongs to the first point at or after its own position, wrapping.
 * `plain`: point r of a shard is the first 8 bytes, big-endian, of
 * MD5("name#r"), and a key lies at the first 8 bytes of its MD5.  `ketama`: as
 * libketama; MD5("name-r") gives four points of 4 little-endian bytes, here
 * shifted up by 32 bits.  Where two points fall together, the smaller name owns
 * the arc, so the order of the shards in the map changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ring {
    uint32_t count;
    unsigned shift; /* position >> shift is the place in `firsts` */
    bool is_ketama;
    uint64_t *positions; /* owned; ascending; [count] */
    uint16_t *owners;    /* owned; [count] */
    uint32_t *firsts;    /* owned; the first point at or after place << shift */
};

/* The arc in which a position lies: the number of its end point. */
[[nodiscard]] uint32_t ring_find(const struct ring *ring, uint64_t position);
