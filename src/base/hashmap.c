#include "base/hashmap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 16 };

void hashmap_init(struct hashmap *map, const uint64_t seed[2])
{
    *map = (struct hashmap){.seed = {seed[0], seed[1]}};
}

void hashmap_done(struct hashmap *map)
{
    free(map->entries);
    *map = (struct hashmap){0};
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t little_endian(const char *bytes, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) {
        word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    }
    return word;
}

uint64_t hashmap_hash(const uint64_t seed[2], const char *bytes, size_t size)
{
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                     seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    size_t tail = size % 8;

    for (size_t at = 0; at + 8 <= size; at += 8) {
        uint64_t word = little_endian(bytes + at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)size << 56 | little_endian(bytes + size - tail, tail);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The place of the key, or the free place where it would go.  The map must
 * have a free place. */
static size_t find(const struct hashmap_entry *entries, size_t capacity, uint64_t hash,
                   const char *key, size_t key_size)
{
    size_t at = hash & (capacity - 1);
    while (entries[at].key != NULL) {
        const struct hashmap_entry *entry = &entries[at];
        if (entry->hash == hash && entry->key_size == key_size &&
            memcmp(entry->key, key, key_size) == 0) {
            break;
        }
        at = (at + 1) & (capacity - 1);
    }
    return at;
}

void *hashmap_get(const struct hashmap *map, const char *key, size_t key_size)
{
    if (map->count == 0) {
        return NULL;
    }
    uint64_t hash = hashmap_hash(map->seed, key, key_size);
    const struct hashmap_entry *entry =
        &map->entries[find(map->entries, map->capacity, hash, key, key_size)];
    return entry->key != NULL ? entry->value : NULL;
}

static bool grow(struct hashmap *map)
{
    size_t capacity = map->capacity == 0 ? CAPACITY_MIN : map->capacity * 2;
    struct hashmap_entry *entries = calloc(capacity, sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        const struct hashmap_entry *old = &map->entries[i];
        if (old->key != NULL) {
            entries[find(entries, capacity, old->hash, old->key, old->key_size)] = *old;
        }
    }
    free(map->entries);
    map->entries = entries;
    map->capacity = capacity;
    return true;
}

bool hashmap_put(struct hashmap *map, const char *key, size_t key_size, void *value)
{
    assert(key != NULL);
    assert(value != NULL);
    if ((map->count + 1) * 4 > map->capacity * 3 && !grow(map)) {
        return false;
    }
    uint64_t hash = hashmap_hash(map->seed, key, key_size);
    struct hashmap_entry *entry =
        &map->entries[find(map->entries, map->capacity, hash, key, key_size)];
    map->count += entry->key == NULL;
    *entry = (struct hashmap_entry){.key = key, .key_size = key_size, .hash = hash, .value = value};
    return true;
}

/* Moves later entries of the run back, so that no probe stops too early. */
static void close_gap(struct hashmap *map, size_t gap)
{
    size_t mask = map->capacity - 1;
    for (size_t at = (gap + 1) & mask; map->entries[at].key != NULL; at = (at + 1) & mask) {
        size_t home = map->entries[at].hash & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            map->entries[gap] = map->entries[at];
            gap = at;
        }
    }
    map->entries[gap] = (struct hashmap_entry){0};
}

void *hashmap_remove(struct hashmap *map, const char *key, size_t key_size)
{
    if (map->count == 0) {
        return NULL;
    }
    uint64_t hash = hashmap_hash(map->seed, key, key_size);
    size_t at = find(map->entries, map->capacity, hash, key, key_size);
    if (map->entries[at].key == NULL) {
        return NULL;
    }
    void *value = map->entries[at].value;
    close_gap(map, at);
    map->count--;
    return value;
}

const struct hashmap_entry *hashmap_next(const struct hashmap *map, size_t *at)
{
    while (*at < map->capacity) {
        const struct hashmap_entry *entry = &map->entries[(*at)++];
        if (entry->key != NULL) {
            return entry;
        }
    }
    return NULL;
}
