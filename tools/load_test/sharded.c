#include "load_test/sharded.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/statistics.h"

static const struct key_type key_type = {.kind = KEY_TEXT};

size_t sharded_key(char buffer[SHARDED_KEY_SIZE], uint64_t index)
{
    return (size_t)snprintf(buffer, SHARDED_KEY_SIZE, "user:%" PRIu64, index);
}

bool sharded_key_index(const char *key, uint64_t count, uint64_t *index)
{
    char again[SHARDED_KEY_SIZE];

    static const char prefix[] = "user:";
    if (strncmp(key, prefix, sizeof prefix - 1) != 0) {
        return false;
    }
    /* What strtoull() reads too kindly, a sign or an overflow, does not print as the key again. */
    *index = strtoull(key + sizeof prefix - 1, NULL, 10);
    if (*index >= count) {
        return false;
    }
    sharded_key(again, *index);
    return strcmp(key, again) == 0;
}

int64_t sharded_value(uint64_t seed, uint64_t index)
{
    struct random random;

    random_init(&random, seed, index);
    return (int64_t)(random_next(&random) >> 1);
}

struct shard_map *sharded_map(const struct sharded_plan *plan, enum shard_scheme scheme,
                              uint32_t vnodes, struct error *err)
{
    struct shard shards[SHARDED_SHARD_MAX];

    for (size_t i = 0; i < plan->shard_count; i++) {
        memcpy(shards[i].name, plan->shards[i].name, sizeof shards[i].name);
        shards[i].weight = SHARD_WEIGHT_ONE;
    }
    const struct shard_map_plan map = {.scheme = scheme,
                                       .layout = RING_PLAIN,
                                       .vnodes = scheme == SHARD_RING ? vnodes : 0,
                                       .shards = shards,
                                       .shard_count = plan->shard_count};
    return shard_map_create(&map, err);
}

size_t sharded_shard_of(const struct shard_router *router, uint64_t index)
{
    char buffer[SHARDED_KEY_SIZE];
    struct key_text key = {0};
    struct error err = {0};
    size_t size = sharded_key(buffer, index);

    bool is_good = key_text_parse(&key, &key_type, NULL, buffer, size, &err);
    assert(is_good); /* it is short, and ASCII */
    (void)is_good;
    return shard_router_shard(router, &key);
}

/* A name that no shard of ours has, for the one more. */
static void name_more(const struct sharded_plan *plan, char name[SHARD_NAME_SIZE])
{
    for (size_t number = plan->shard_count;; number++) {
        bool is_taken = false;
        snprintf(name, SHARD_NAME_SIZE, "s%zu", number);
        for (size_t i = 0; i < plan->shard_count; i++) {
            is_taken |= strcmp(plan->shards[i].name, name) == 0;
        }
        if (!is_taken) {
            return;
        }
    }
}

static bool count_moved(const struct sharded_plan *plan, const struct shard_router *router,
                        struct sharded_result *result, struct error *err)
{
    struct shard more = {.weight = SHARD_WEIGHT_ONE};
    struct shard_router *wider = NULL;

    name_more(plan, more.name);
    struct shard_map *map = shard_map_add(shard_router_map(router), &more, err);
    if (map != NULL) {
        wider = shard_router_create(map, err);
    }
    for (uint64_t i = 0; wider != NULL && i < (uint64_t)plan->keys; i++) {
        result->moved += sharded_shard_of(router, i) != sharded_shard_of(wider, i);
    }
    bool is_done = wider != NULL;
    shard_router_destroy(wider);
    shard_map_destroy(map);
    return is_done;
}

static double fullest_of(const uint64_t *counts, size_t count, long keys)
{
    uint64_t most = 0;

    for (size_t i = 0; i < count; i++) {
        most = counts[i] > most ? counts[i] : most;
    }
    return (double)most * (double)count / (double)keys;
}

/* How the keys spread over the shards. */
static void spread(const struct sharded_plan *plan, const struct shard_router *router,
                   uint64_t counts[SHARDED_SHARD_MAX])
{
    memset(counts, 0, SHARDED_SHARD_MAX * sizeof *counts);
    for (uint64_t i = 0; i < (uint64_t)plan->keys; i++) {
        counts[sharded_shard_of(router, i)]++;
    }
}

/* The same ring with another number of points, for comparison. */
static bool spread_other(const struct sharded_plan *plan, struct sharded_result *result,
                         struct error *err)
{
    uint64_t counts[SHARDED_SHARD_MAX];
    struct shard_router *router = NULL;

    result->other_vnodes =
        plan->vnodes == SHARD_VNODES_DEFAULT ? SHARDED_VNODES_FEW : SHARD_VNODES_DEFAULT;
    struct shard_map *map = sharded_map(plan, SHARD_RING, result->other_vnodes, err);
    if (map != NULL) {
        router = shard_router_create(map, err);
    }
    bool is_done = router != NULL;
    if (is_done) {
        spread(plan, router, counts);
        result->other_fullest = fullest_of(counts, plan->shard_count, plan->keys);
    }
    shard_router_destroy(router);
    shard_map_destroy(map);
    return is_done;
}

static void judge(const struct sharded_plan *plan, const uint64_t *counts,
                  struct sharded_result *result)
{
    double expected[SHARDED_SHARD_MAX];

    for (size_t i = 0; i < plan->shard_count; i++) {
        expected[i] = (double)plan->keys / (double)plan->shard_count;
        result->rows[i].routed = counts[i];
    }
    result->fullest = fullest_of(counts, plan->shard_count, plan->keys);
    result->degrees = (unsigned)plan->shard_count - 1;
    if (result->degrees > 0) {
        result->chi_square = statistics_chi_square(counts, expected, plan->shard_count);
        result->p = statistics_chi_square_p(result->chi_square, result->degrees);
    }
}

bool sharded_route(const struct sharded_plan *plan, enum shard_scheme scheme,
                   struct sharded_result *result, struct error *err)
{
    uint64_t counts[SHARDED_SHARD_MAX];
    struct shard_router *router = NULL;

    memset(result, 0, sizeof *result);
    result->scheme = scheme;
    result->vnodes = scheme == SHARD_RING ? plan->vnodes : 0;
    result->chi_square = result->p = result->other_fullest = NAN;
    struct shard_map *map = sharded_map(plan, scheme, plan->vnodes, err);
    if (map != NULL) {
        router = shard_router_create(map, err);
    }
    bool is_done = router != NULL && count_moved(plan, router, result, err);
    if (is_done) {
        spread(plan, router, counts);
        judge(plan, counts, result);
        result->expected_skew = shard_router_expected_skew(router);
        is_done = scheme != SHARD_RING || spread_other(plan, result, err);
    }
    shard_router_destroy(router);
    shard_map_destroy(map);
    return is_done;
}

static int exit_code_of(const struct sharded_rows *rows)
{
    if (rows->misplaced + rows->altered + rows->doubled + rows->misplaced_sql > 0) {
        return 4;
    }
    if (rows->is_counted &&
        (rows->counted < rows->written || rows->counted > rows->written + rows->unknown)) {
        return 4;
    }
    return error_is_set(&rows->fail) || rows->written != rows->routed || !rows->is_counted;
}

int sharded_exit_code(const struct sharded_plan *plan, const struct sharded_result *results,
                      size_t count)
{
    int code = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; results[i].is_written && j < plan->shard_count; j++) {
            int one = exit_code_of(&results[i].rows[j]);
            code = one > code ? one : code;
        }
    }
    return code;
}
