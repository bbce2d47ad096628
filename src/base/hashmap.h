/* base/hashmap: bytes to pointer, for keys that may come from a client.
 *
 * Open addressing with linear probing; keyed SipHash-1-3, so that nobody
 * outside can choose keys that collide.  Keys and values are borrowed: the
 * caller keeps them alive until they are removed.  Iteration order is
 * arbitrary and changes when the map grows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hashmap_entry {
    const char *key; /* borrowed; NULL: the place is free */
    size_t key_size; /* bytes */
    uint64_t hash;
    void *value; /* borrowed, never NULL in a used place */
};

struct hashmap {
    struct hashmap_entry *entries; /* owned; a power of two of them, or NULL */
    size_t capacity, count;
    uint64_t seed[2];
};

/* Allocates nothing yet.  `seed` should be random where keys come from outside. */
void hashmap_init(struct hashmap *map, const uint64_t seed[2]);
void hashmap_done(struct hashmap *map);

/* The value, or NULL when the key is not there. */
[[nodiscard]] void *hashmap_get(const struct hashmap *map, const char *key, size_t key_size);

/* Adds or replaces; `value` must not be NULL.  On replacement the new key
 * pointer is kept, not the old one.  False when out of memory: nothing changed. */
[[nodiscard]] bool hashmap_put(struct hashmap *map, const char *key, size_t key_size, void *value);

/* Removes and returns the value; NULL when the key was not there. */
void *hashmap_remove(struct hashmap *map, const char *key, size_t key_size);

/* For loops: `*at` starts at 0; returns the next used entry, or NULL at the
 * end.  The map must not change meanwhile. */
[[nodiscard]] const struct hashmap_entry *hashmap_next(const struct hashmap *map, size_t *at);

/* SipHash-1-3 of bytes[0..size) (Aumasson and Bernstein, 2012, with 1 and 3 rounds). */
[[nodiscard]] uint64_t hashmap_hash(const uint64_t seed[2], const char *bytes, size_t size);
