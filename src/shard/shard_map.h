/* shard/shard_map: which shard owns which partition, with a version.
 *
 * A map is immutable: to change it is to make the next version, so that a
 * router, an operator and the database can name the one that they used.  It
 * knows names and numbers, never addresses: a failover changes no map.
 *
 * Partitions by scheme:
 *     md5_modulo  the residues of MD5 % partitions
 *     pg_hash     the remainders of PostgreSQL's partition hash
 *     slots       16384 slots
 *     ring        the arcs between points; they follow from the shards' names,
 *                 weights and `vnodes`, so the map stores no owners
 *
 * Text form, made by shard_map_print() and read by shard_map_parse(); one fact
 * a line, single blanks, in this order, nothing optional within a scheme:
 *     reparto shard map 1
 *     version 7
 *     scheme slots
 *     partitions 16384        (ring instead: "vnodes 1024" and "layout plain")
 *     shard s0 weight 1
 *     shard s1 weight 2.5
 *     owner 0-4095 s0         (not for ring; ascending, without gaps)
 *     owner 4096-16383 s1
 *     end
 *
 * Pure: no files; the caller stores the text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum shard_scheme { SHARD_MD5_MODULO, SHARD_RING, SHARD_SLOTS, SHARD_PG_HASH, SHARD_SCHEME_COUNT };
enum ring_layout { RING_PLAIN, RING_KETAMA, RING_LAYOUT_COUNT };

enum {
    SHARD_COUNT_MAX = 1024,
    SHARD_NAME_SIZE = 64, /* with the zero */
    SHARD_WEIGHT_ONE = 1000,
    SHARD_WEIGHT_MAX = 1000 * SHARD_WEIGHT_ONE,
    SHARD_SLOT_COUNT = 16384,
    SHARD_PARTITION_COUNT_MAX = 65536, /* of md5_modulo and pg_hash */
    SHARD_VNODES_MAX = 65536,
    SHARD_VNODES_DEFAULT = 1024,
    SHARD_VNODES_KETAMA = 160,         /* what libketama uses */
    SHARD_POINT_COUNT_MAX = 1 << 22,   /* of a ring, all shards together; 42 MB */
    SHARD_MAP_TEXT_SIZE_MAX = 4 << 20, /* bytes that shard_map_parse() reads */
};

struct shard {
    char name[SHARD_NAME_SIZE]; /* letters, digits, and . _ - : after the first; stable for ever */
    uint32_t weight;            /* in thousandths: 1000 is the usual share */
};

struct shard_map; /* opaque: only shard_map.c knows its fields */

/* What a first map is made from. */
struct shard_map_plan {
    enum shard_scheme scheme;
    enum ring_layout layout;    /* ring */
    uint32_t vnodes;            /* ring: points of a shard of weight 1; 0: the layout's default */
    uint32_t partition_count;   /* md5_modulo, pg_hash; 0: as many as shards */
    const struct shard *shards; /* borrowed during the call */
    size_t shard_count;
};

/* Version 1.  The owner must shard_map_destroy() it.  NULL: 42602 bad name,
 * 42710 a name twice, 22023 a bad number, 54000 a limit, 53200 out of memory. */
[[nodiscard]] struct shard_map *shard_map_create(const struct shard_map_plan *plan,
                                                 struct error *err);
void shard_map_destroy(struct shard_map *map);

/* A map as it was stored: `owners` (copied; one for each partition, each below
 * shard_count; NULL for ring) instead of a fresh distribution. */
[[nodiscard]] struct shard_map *shard_map_restore(const struct shard_map_plan *plan,
                                                  uint64_t version, const uint16_t *owners,
                                                  struct error *err);

/* The next version, with one more shard, moving as little as the scheme can:
 * where there are more partitions than shards, the fullest shards hand some
 * over; a ring gets new points; md5_modulo and pg_hash with one partition a
 * shard get a new modulus, which moves nearly everything. */
[[nodiscard]] struct shard_map *shard_map_add(const struct shard_map *map,
                                              const struct shard *shard, struct error *err);

/* The next version, with partitions first..last owned by `shard`.  Not for ring (0A000). */
[[nodiscard]] struct shard_map *shard_map_move(const struct shard_map *map, uint32_t first,
                                               uint32_t last, size_t shard, struct error *err);

/* Appends the text form. */
void shard_map_print(const struct shard_map *map, struct text *out);

/* Reads the text form and checks all of it; what it accepts, shard_map_print()
 * gives back byte for byte.  Errors name the line. */
[[nodiscard]] struct shard_map *shard_map_parse(const char *bytes, size_t size, struct error *err);

[[nodiscard]] enum shard_scheme shard_map_scheme(const struct shard_map *map);
[[nodiscard]] uint64_t shard_map_version(const struct shard_map *map);
[[nodiscard]] size_t shard_map_shard_count(const struct shard_map *map);
[[nodiscard]] const struct shard *shard_map_shard(const struct shard_map *map, size_t index);

/* The index of the shard of that name, or -1. */
[[nodiscard]] int shard_map_find(const struct shard_map *map, const char *name);

/* Ring: 0, as it follows from the points (shard_router_partition_count()). */
[[nodiscard]] uint32_t shard_map_partition_count(const struct shard_map *map);
[[nodiscard]] uint32_t shard_map_vnodes(const struct shard_map *map);
[[nodiscard]] enum ring_layout shard_map_layout(const struct shard_map *map);

/* Owner of each partition, as an index of a shard; borrowed; NULL for ring. */
[[nodiscard]] const uint16_t *shard_map_owners(const struct shard_map *map);

/* How many points a shard has on a ring; 0 for other schemes. */
[[nodiscard]] uint32_t shard_map_points(const struct shard_map *map, size_t index);

/* "2.5" to 2500; at most three decimals, 0.001..1000. */
[[nodiscard]] bool shard_weight_parse(const char *bytes, size_t size, uint32_t *weight);

enum { SHARD_WEIGHT_TEXT_SIZE = 16 };

/* 2500 to "2.5".  Returns `buffer`. */
const char *shard_weight_print(char buffer[SHARD_WEIGHT_TEXT_SIZE], uint32_t weight);

/* Static names, and back; false for an unknown one. */
[[nodiscard]] const char *shard_scheme_name(enum shard_scheme scheme);
[[nodiscard]] bool shard_scheme_find(const char *name, enum shard_scheme *scheme);
[[nodiscard]] const char *ring_layout_name(enum ring_layout layout);
[[nodiscard]] bool ring_layout_find(const char *name, enum ring_layout *layout);
