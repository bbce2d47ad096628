#include "shard/shard_router.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "shard/ring.h"
#include "shard/scheme.h"

struct shard_router {
    const struct shard_map *map; /* borrowed */
    const struct scheme_methods *methods;
    void *state;            /* owned */
    const uint16_t *owners; /* borrowed from the map or the state; [partition_count] */
    uint32_t partition_count;
};

static const struct scheme_methods *const all_methods[SHARD_SCHEME_COUNT] = {
    [SHARD_MD5_MODULO] = &md5_modulo_methods,
    [SHARD_RING] = &ring_methods,
    [SHARD_SLOTS] = &slots_methods,
    [SHARD_PG_HASH] = &pg_hash_methods,
};

struct shard_router *shard_router_create(const struct shard_map *map, struct error *err)
{
    struct shard_router *router = malloc(sizeof *router);
    if (router == NULL) {
        error_set(err, "53200", "out of memory for a shard router");
        return NULL;
    }
    *router = (struct shard_router){.map = map, .methods = all_methods[shard_map_scheme(map)]};
    if (!router->methods->create(map, &router->state, err)) {
        free(router);
        return NULL;
    }
    router->owners = router->methods->owners(router->state, &router->partition_count);
    return router;
}

void shard_router_destroy(struct shard_router *router)
{
    if (router == NULL) {
        return;
    }
    router->methods->destroy(router->state);
    free(router);
}

uint32_t shard_router_partition(const struct shard_router *router, const struct key_text *key)
{
    return router->methods->partition(router->state, key);
}

size_t shard_router_shard(const struct shard_router *router, const struct key_text *key)
{
    return router->owners[router->methods->partition(router->state, key)];
}

const struct shard_map *shard_router_map(const struct shard_router *router)
{
    return router->map;
}

uint32_t shard_router_partition_count(const struct shard_router *router)
{
    return router->partition_count;
}

/* --- two maps side by side --- */

static void add_share(struct shard_overlap *overlap, size_t before, size_t after, double share)
{
    overlap->share[before * overlap->after_count + after] += share;
}

/* A key's hash h lies in partition h % B before and h % A after, so the pair
 * repeats with the least common multiple of both. */
static bool overlap_tables(struct shard_overlap *overlap, const struct shard_router *before,
                           const struct shard_router *after, struct error *err)
{
    enum { PERIOD_MAX = 1 << 26 };
    uint64_t a = before->partition_count, b = after->partition_count;
    for (uint64_t left = a, right = b; right != 0;) {
        uint64_t rest = left % right;
        left = right;
        right = rest;
        if (right == 0) {
            b /= left; /* the greatest common divisor */
        }
    }
    uint64_t period = a * b;
    if (period > PERIOD_MAX) {
        return error_set(err, "54000", "%u and %u partitions are too many to compare",
                         before->partition_count, after->partition_count);
    }
    for (uint64_t i = 0; i < period; i++) {
        add_share(overlap, before->owners[i % before->partition_count],
                  after->owners[i % after->partition_count], 1.0 / (double)period);
    }
    return true;
}

/* Walks the points of both rings in order; each step ends an arc of one of them.
 * Positions after the last point wrap to the first arc. */
static void overlap_rings(struct shard_overlap *overlap, const struct ring *before,
                          const struct ring *after)
{
    const double circle = 18446744073709551616.0;
    uint32_t i = 0, j = 0;
    uint64_t previous = 0;
    bool is_first = true; /* position 0 itself belongs to the first arc */

    while (i < before->count || j < after->count) {
        uint64_t next =
            j == after->count || (i < before->count && before->positions[i] <= after->positions[j])
                ? before->positions[i]
                : after->positions[j];
        double width = (double)(next - previous) + is_first;
        add_share(overlap, before->owners[ring_find(before, next)],
                  after->owners[ring_find(after, next)], width / circle);
        while (i < before->count && before->positions[i] == next) {
            i++;
        }
        while (j < after->count && after->positions[j] == next) {
            j++;
        }
        previous = next;
        is_first = false;
    }
    add_share(overlap, before->owners[0], after->owners[0],
              (double)(UINT64_MAX - previous) / circle);
}

bool shard_overlap_init(struct shard_overlap *overlap, const struct shard_router *before,
                        const struct shard_router *after, struct error *err)
{
    enum shard_scheme scheme = shard_map_scheme(before->map);
    if (scheme != shard_map_scheme(after->map) ||
        shard_map_layout(before->map) != shard_map_layout(after->map)) {
        return error_set(err, "0A000", "maps of different schemes cannot be compared");
    }
    struct shard_overlap result = {.before_count = shard_map_shard_count(before->map),
                                   .after_count = shard_map_shard_count(after->map)};
    result.share = calloc(result.before_count * result.after_count, sizeof *result.share);
    if (result.share == NULL) {
        return error_set(err, "53200", "out of memory to compare two shard maps");
    }
    if (scheme == SHARD_RING) {
        overlap_rings(&result, before->state, after->state);
    } else if (!overlap_tables(&result, before, after, err)) {
        shard_overlap_done(&result);
        return false;
    }
    *overlap = result;
    return true;
}

void shard_overlap_done(struct shard_overlap *overlap)
{
    free(overlap->share);
    *overlap = (struct shard_overlap){0};
}

double shard_overlap_moved(const struct shard_overlap *overlap)
{
    double sum = 0;
    for (size_t i = 0; i < overlap->before_count; i++) {
        for (size_t j = 0; j < overlap->after_count; j++) {
            sum += i != j ? overlap->share[i * overlap->after_count + j] : 0;
        }
    }
    return sum;
}

double shard_overlap_moved_between_old(const struct shard_overlap *overlap)
{
    double sum = 0;
    for (size_t i = 0; i < overlap->before_count; i++) {
        for (size_t j = 0; j < overlap->after_count && j < overlap->before_count; j++) {
            sum += i != j ? overlap->share[i * overlap->after_count + j] : 0;
        }
    }
    return sum;
}

double shard_router_expected_skew(const struct shard_router *router)
{
    double shards = (double)shard_map_shard_count(router->map);
    if (shard_map_scheme(router->map) != SHARD_RING) {
        return 1;
    }
    return 1 + sqrt(2 * log(shards) * shards / (double)router->partition_count);
}
