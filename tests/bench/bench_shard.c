/* Keys routed in a second on one core, for each scheme: from the key's text
 * (as a parameter arrives) to the shard.  Median of rounds that take turns.
 *
 * usage: bench_shard [--json] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/statistics.h"
#include "shard/shard_router.h"

enum { SHARDS = 64, VNODES = 1024, KEYS = 1 << 20, KEY_SIZE = 16, ROUNDS = 7, SCHEMES = 5 };

/* The bar of the project, in keys a second, for these two schemes. */
static const double bar = 4e6;

static const struct {
    const char *name;
    enum shard_scheme scheme;
    enum ring_layout layout;
    bool has_bar;
} cases[SCHEMES] = {
    {"md5_modulo", SHARD_MD5_MODULO, RING_PLAIN, true}, {"ring", SHARD_RING, RING_PLAIN, true},
    {"ring, ketama", SHARD_RING, RING_KETAMA, false},   {"slots", SHARD_SLOTS, RING_PLAIN, false},
    {"pg_hash", SHARD_PG_HASH, RING_PLAIN, false},
};

struct keys {
    char bytes[KEYS][KEY_SIZE];
    unsigned char sizes[KEYS];
};

static void die(const struct error *err)
{
    error_print(err, "bench_shard", stderr);
    exit(1);
}

static struct shard_map *make_map(enum shard_scheme scheme, enum ring_layout layout)
{
    struct shard shards[SHARDS] = {0};
    struct error err = {0};
    for (int i = 0; i < SHARDS; i++) {
        snprintf(shards[i].name, sizeof shards[i].name, "s%d", i);
        shards[i].weight = SHARD_WEIGHT_ONE;
    }
    struct shard_map_plan plan = {.scheme = scheme,
                                  .layout = layout,
                                  .vnodes = scheme == SHARD_RING ? VNODES : 0,
                                  .shards = shards,
                                  .shard_count = SHARDS};
    struct shard_map *map = shard_map_create(&plan, &err);
    if (map == NULL) {
        die(&err);
    }
    return map;
}

/* Keys a second over all keys.  The counts keep the work from being optimized away. */
static double run_round(const struct shard_router *router, const struct keys *keys,
                        unsigned long counts[SHARDS])
{
    const struct key_type type = {.kind = KEY_TEXT};
    struct error err = {0};
    int64_t start = clock_now();
    for (size_t i = 0; i < KEYS; i++) {
        struct key_text key;
        if (!key_text_parse(&key, &type, NULL, keys->bytes[i], keys->sizes[i], &err)) {
            die(&err);
        }
        counts[shard_router_shard(router, &key)]++;
    }
    return KEYS / ((double)(clock_now() - start) / 1e9);
}

static void print_result(size_t index, double rate, bool is_json)
{
    bool is_met = rate >= bar;
    if (is_json) {
        printf("%s{\"scheme\": \"%s\", \"keys_per_second\": %.0f, \"bar\": %s}",
               index == 0 ? "" : ",\n  ", cases[index].name, rate,
               cases[index].has_bar ? "4000000" : "null");
        return;
    }
    printf("  %-14s %8.2f million keys/s  %6.1f ns a key%s\n", cases[index].name, rate / 1e6,
           1e9 / rate,
           !cases[index].has_bar ? ""
           : is_met              ? "  (bar 4: met)"
                                 : "  (bar 4: MISSED)");
}

int main(int argc, char **argv)
{
    bool is_json = argc == 2 && strcmp(argv[1], "--json") == 0;
    struct keys *keys = calloc(1, sizeof *keys);
    struct shard_map *maps[SCHEMES];
    struct shard_router *routers[SCHEMES];
    double rates[SCHEMES][ROUNDS];
    unsigned long counts[SHARDS] = {0}, sum = 0;
    struct error err = {0};

    if (keys == NULL || (argc > 1 && !is_json)) {
        fprintf(stderr, "usage: bench_shard [--json]\n");
        return 2;
    }
    for (int i = 0; i < KEYS; i++) {
        keys->sizes[i] = (unsigned char)snprintf(keys->bytes[i], KEY_SIZE, "user:%d", i);
    }
    for (size_t i = 0; i < SCHEMES; i++) {
        maps[i] = make_map(cases[i].scheme, cases[i].layout);
        routers[i] = shard_router_create(maps[i], &err);
        if (routers[i] == NULL) {
            die(&err);
        }
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SCHEMES; i++) {
            rates[i][round] = run_round(routers[i], keys, counts);
        }
    }
    if (!is_json) {
        printf(
            "%d shards, ring of %d points a shard, %d text keys, median of %d rounds, one core\n",
            SHARDS, VNODES, KEYS, ROUNDS);
    }
    printf("%s", is_json ? "{\"results\": [\n  " : "");
    bool is_missed = false;
    for (size_t i = 0; i < SCHEMES; i++) {
        double rate = statistics_median(rates[i], ROUNDS);
        print_result(i, rate, is_json);
        is_missed |= cases[i].has_bar && rate < bar;
        shard_router_destroy(routers[i]);
        shard_map_destroy(maps[i]);
    }
    for (size_t i = 0; i < SHARDS; i++) {
        sum += counts[i];
    }
    printf("%s", is_json ? "]}\n" : "");
    free(keys);
    return sum != (unsigned long)SCHEMES * ROUNDS * KEYS ? 1 : is_missed ? 3 : 0;
}
