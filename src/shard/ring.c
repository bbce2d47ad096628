#include "shard/ring.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/digest.h"
#include "shard/scheme.h"

struct point {
    uint64_t position;
    uint16_t shard;
    uint16_t rank; /* of the shard's name among all names */
};

static int compare_points(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    if (a->position != b->position) {
        return a->position < b->position ? -1 : 1;
    }
    return (int)a->rank - (int)b->rank;
}

static uint16_t rank_of(const struct shard_map *map, size_t index)
{
    const char *name = shard_map_shard(map, index)->name;
    unsigned rank = 0;
    for (size_t i = 0; i < shard_map_shard_count(map); i++) {
        rank += strcmp(shard_map_shard(map, i)->name, name) < 0;
    }
    return (uint16_t)rank;
}

static struct digest digest_point(const char *name, char separator, uint32_t number)
{
    char text[SHARD_NAME_SIZE + 16];
    int size = snprintf(text, sizeof text, "%s%c%u", name, separator, number);
    assert(size > 0 && (size_t)size < sizeof text);
    return digest_of(text, (size_t)size);
}

/* Bytes 4 * part .. 4 * part + 3 of the digest as a little-endian number, at the
 * top of 64 bits. */
static uint64_t ketama_position(struct digest digest, unsigned part)
{
    uint64_t half = part < 2 ? digest.high : digest.low;
    uint32_t word = (uint32_t)(part % 2 == 0 ? half >> 32 : half);
    return (uint64_t)__builtin_bswap32(word) << 32;
}

static uint32_t make_points(const struct shard_map *map, struct point *points)
{
    bool is_ketama = shard_map_layout(map) == RING_KETAMA;
    uint32_t at = 0;
    for (size_t shard = 0; shard < shard_map_shard_count(map); shard++) {
        const char *name = shard_map_shard(map, shard)->name;
        struct point point = {.shard = (uint16_t)shard, .rank = rank_of(map, shard)};
        uint32_t count = shard_map_points(map, shard);
        for (uint32_t i = 0; i < count; i++) {
            point.position = is_ketama ? ketama_position(digest_point(name, '-', i / 4), i % 4)
                                       : digest_point(name, '#', i).high;
            points[at++] = point;
        }
    }
    qsort(points, at, sizeof *points, compare_points);
    return at;
}

static void destroy(void *state)
{
    struct ring *ring = state;
    if (ring == NULL) {
        return;
    }
    free(ring->positions);
    free(ring->owners);
    free(ring->firsts);
    free(ring);
}

/* A place for each half of an arc, so that a look-up walks less than one point
 * on the average. */
static unsigned index_bits(uint32_t count)
{
    unsigned bits = 1;
    while ((UINT32_C(1) << bits) < 2 * count) {
        bits++;
    }
    return bits;
}

static struct ring *allocate(uint32_t count)
{
    assert(count > 0);
    unsigned bits = index_bits(count);
    struct ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        return NULL;
    }
    ring->count = count;
    ring->shift = 64 - bits;
    ring->positions = calloc(count, sizeof *ring->positions);
    ring->owners = calloc(count, sizeof *ring->owners);
    ring->firsts = calloc(UINT32_C(1) << bits, sizeof *ring->firsts);
    if (ring->positions == NULL || ring->owners == NULL || ring->firsts == NULL) {
        destroy(ring);
        return NULL;
    }
    return ring;
}

static void fill(struct ring *ring, const struct point *points)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        ring->positions[i] = points[i].position;
        ring->owners[i] = points[i].shard;
    }
    uint32_t first = 0;
    for (uint64_t place = 0; place < UINT64_C(1) << (64 - ring->shift); place++) {
        while (first < ring->count && ring->positions[first] < place << ring->shift) {
            first++;
        }
        ring->firsts[place] = first;
    }
}

static bool create(const struct shard_map *map, void **state, struct error *err)
{
    uint32_t count = 0;
    for (size_t i = 0; i < shard_map_shard_count(map); i++) {
        count += shard_map_points(map, i);
    }
    assert(count > 0); /* a map has a shard, and a shard a point */
    struct point *points = calloc(count, sizeof *points);
    struct ring *ring = allocate(count);
    if (points == NULL || ring == NULL) {
        free(points);
        destroy(ring);
        return error_set(err, "53200", "out of memory for a ring of %u points", count);
    }
    make_points(map, points);
    fill(ring, points);
    free(points);
    ring->is_ketama = shard_map_layout(map) == RING_KETAMA;
    *state = ring;
    return true;
}

uint32_t ring_find(const struct ring *ring, uint64_t position)
{
    uint32_t at = ring->firsts[position >> ring->shift];
    while (at < ring->count && ring->positions[at] < position) {
        at++;
    }
    return at < ring->count ? at : 0;
}

static uint32_t find_partition(const void *state, const struct key_text *key)
{
    const struct ring *ring = state;
    struct digest digest = digest_of(key_text_bytes(key), key->size);
    return ring_find(ring, ring->is_ketama ? ketama_position(digest, 0) : digest.high);
}

static const uint16_t *get_owners(const void *state, uint32_t *count)
{
    const struct ring *ring = state;
    *count = ring->count;
    return ring->owners;
}

const struct scheme_methods ring_methods = {create, destroy, find_partition, get_owners};
