/* A new shard moves keys to itself only, about its share of them, for many rings and slots. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "shard/shard_router.h"
#include "shard/shard_sql.h"

enum { KEYS = 4000, SEEDS = 60 };

struct pair {
    struct shard_map *map, *next;
    struct shard_router *before, *after;
};

static void pair_done(struct pair *pair)
{
    shard_router_destroy(pair->before);
    shard_router_destroy(pair->after);
    shard_map_destroy(pair->map);
    shard_map_destroy(pair->next);
}

static struct key_text key_of(char buffer[32], uint64_t seed, int number)
{
    const struct key_type type = {.kind = KEY_TEXT};
    struct key_text key;
    struct error err = {0};
    int size = snprintf(buffer, 32, "%llx:%d", (unsigned long long)seed, number);
    assert_true(key_text_parse(&key, &type, NULL, buffer, (size_t)size, &err));
    return key;
}

/* Shards with names, and if wanted weights, of this seed; then one more. */
static struct pair make_pair(const struct shard_map_plan *facts, uint64_t seed, size_t count,
                             bool is_weighted)
{
    struct shard shards[64] = {0};
    struct random random;
    struct error err = {0};
    struct pair pair = {0};
    random_init(&random, seed, 1);
    for (size_t i = 0; i <= count; i++) {
        snprintf(shards[i].name, sizeof shards[i].name, "n%llu-%zu",
                 (unsigned long long)random_below(&random, 1000), i);
        shards[i].weight = is_weighted ? 500 + (uint32_t)random_below(&random, 4000) : 1000;
    }
    struct shard_map_plan plan = *facts;
    plan.shards = shards;
    plan.shard_count = count;
    if ((pair.map = shard_map_create(&plan, &err)) == NULL ||
        (pair.next = shard_map_add(pair.map, &shards[count], &err)) == NULL ||
        (pair.before = shard_router_create(pair.map, &err)) == NULL ||
        (pair.after = shard_router_create(pair.next, &err)) == NULL) {
        fail_msg("%s", err.message);
    }
    return pair;
}

static size_t count_moves(const struct pair *pair, uint64_t seed, size_t newcomer)
{
    size_t moved = 0;
    for (int i = 0; i < KEYS; i++) {
        char buffer[32];
        struct key_text key = key_of(buffer, seed, i);
        size_t from = shard_router_shard(pair->before, &key);
        size_t to = shard_router_shard(pair->after, &key);
        if (from != to) {
            assert_int_equal(to, newcomer);
            moved++;
        }
    }
    return moved;
}

static void a_new_shard_takes_its_share_and_disturbs_nobody_else(void **)
{
    static const struct shard_map_plan plans[] = {
        {.scheme = SHARD_RING, .vnodes = 1},
        {.scheme = SHARD_RING, .vnodes = 160},
        {.scheme = SHARD_RING, .vnodes = 1024},
        {.scheme = SHARD_RING, .layout = RING_KETAMA, .vnodes = 160},
        {.scheme = SHARD_SLOTS},
        {.scheme = SHARD_MD5_MODULO, .partition_count = 4096},
        {.scheme = SHARD_PG_HASH, .partition_count = 4096},
    };
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const struct shard_map_plan *plan = &plans[seed % (sizeof plans / sizeof plans[0])];
        size_t count = 1 + seed * 7 % 40;
        bool is_weighted = seed % 2 == 0 && plan->layout == RING_PLAIN;
        struct pair pair = make_pair(plan, seed, count, is_weighted);
        struct shard_overlap overlap;
        struct error err = {0};
        size_t moved = count_moves(&pair, seed, count);

        assert_true(shard_overlap_init(&overlap, pair.before, pair.after, &err));
        double share = shard_overlap_moved(&overlap);
        /* The computed share and the counted keys agree to 6 standard errors. */
        double error = fabs((double)moved / KEYS - share);
        assert_true(error < 6 * sqrt(share * (1 - share) / KEYS) + 1e-9);
        assert_true(shard_overlap_moved_between_old(&overlap) < 1e-12);
        if (plan->vnodes != 1 && !is_weighted) {
            assert_true(fabs(share * (double)(count + 1) - 1) < 0.5); /* about 1/(N+1) */
        }
        shard_overlap_done(&overlap);
        pair_done(&pair);
    }
}

static void a_new_modulus_moves_nearly_all(void **)
{
    const struct shard_map_plan plan = {.scheme = SHARD_MD5_MODULO};
    for (size_t count = 1; count < 40; count++) {
        struct pair pair = make_pair(&plan, count, count, false);
        struct shard_overlap overlap;
        struct error err = {0};
        assert_true(shard_overlap_init(&overlap, pair.before, pair.after, &err));
        double expected = (double)count / (double)(count + 1);
        assert_true(fabs(shard_overlap_moved(&overlap) - expected) < 1e-9);
        shard_overlap_done(&overlap);
        pair_done(&pair);
    }
}

static void shares_follow_the_weights(void **)
{
    struct shard shards[3] = {{"a", 1000}, {"b", 2000}, {"c", 5000}};
    static const struct {
        enum shard_scheme scheme;
        enum ring_layout layout;
        uint32_t vnodes, partitions;
        double tolerance;
    } cases[] = {{SHARD_RING, RING_PLAIN, 4096, 0, 0.05},
                 {SHARD_RING, RING_KETAMA, 4096, 0, 0.05},
                 {SHARD_SLOTS, RING_PLAIN, 0, 0, 0.001},
                 {SHARD_MD5_MODULO, RING_PLAIN, 0, 8000, 0.001},
                 {SHARD_PG_HASH, RING_PLAIN, 0, 8000, 0.001}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shard_map_plan plan = {.scheme = cases[i].scheme,
                                      .layout = cases[i].layout,
                                      .vnodes = cases[i].vnodes,
                                      .partition_count = cases[i].partitions,
                                      .shards = shards,
                                      .shard_count = 3};
        struct error err = {0};
        struct shard_overlap overlap;
        struct shard_map *map = shard_map_create(&plan, &err);
        struct shard_router *router = shard_router_create(map, &err);
        assert_true(shard_overlap_init(&overlap, router, router, &err));
        for (size_t j = 0; j < 3; j++) {
            double expected = shards[j].weight / 8000.0, share = overlap.share[j * 3 + j];
            if (fabs(share / expected - 1) > cases[i].tolerance) {
                fail_msg("case %zu, shard %zu: %f, not %f", i, j, share, expected);
            }
        }
        shard_overlap_done(&overlap);
        shard_router_destroy(router);
        shard_map_destroy(map);
    }
}

/* 32-bit points collide at this size; then, too, names decide and not the order. */
static void the_order_of_the_shards_changes_no_ring(void **)
{
    struct shard shards[64] = {0}, reversed[64];
    struct error err = {0};
    for (size_t i = 0; i < 64; i++) {
        snprintf(shards[i].name, sizeof shards[i].name, "s%zu", i);
        shards[i].weight = SHARD_WEIGHT_ONE;
        reversed[63 - i] = shards[i];
    }
    for (int layout = 0; layout < RING_LAYOUT_COUNT; layout++) {
        struct shard_map_plan plan = {.scheme = SHARD_RING,
                                      .layout = (enum ring_layout)layout,
                                      .vnodes = 1024,
                                      .shards = shards,
                                      .shard_count = 64};
        struct shard_map *map = shard_map_create(&plan, &err);
        plan.shards = reversed;
        struct shard_map *other = shard_map_create(&plan, &err);
        struct shard_router *a = shard_router_create(map, &err);
        struct shard_router *b = shard_router_create(other, &err);
        struct shard_overlap overlap;
        assert_true(shard_overlap_init(&overlap, a, b, &err));
        for (size_t i = 0; i < 64; i++) {
            for (size_t j = 0; j < 64; j++) {
                assert_true((overlap.share[i * 64 + j] > 0) == (i + j == 63));
            }
        }
        shard_overlap_done(&overlap);
        shard_router_destroy(a);
        shard_router_destroy(b);
        shard_map_destroy(map);
        shard_map_destroy(other);
    }
}

static void sql_quotes_the_column(void **)
{
    struct shard shards[1] = {{"a", 1000}};
    struct shard_map_plan plan = {.scheme = SHARD_SLOTS, .shards = shards, .shard_count = 1};
    struct key_type type = {.kind = KEY_INT8};
    struct error err = {0};
    struct text out = {0};
    struct shard_map *map = shard_map_create(&plan, &err);

    assert_true(shard_sql_partition(map, &type, "t.us\"er", &out, &err));
    assert_non_null(strstr(text_cstr(&out), "md5(\"t\".\"us\"\"er\"::text)"));
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (struct error){0};
        assert_false(shard_sql_partition(map, &type, bad[i], &out, &err));
        assert_string_equal(err.sqlstate, "42602");
    }
    shard_map_destroy(map);
    plan.scheme = SHARD_RING;
    err = (struct error){0};
    map = shard_map_create(&plan, &err);
    assert_false(shard_sql_partition(map, &type, "k", &out, &err));
    assert_string_equal(err.sqlstate, "0A000");
    shard_map_destroy(map);
    text_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_shard_takes_its_share_and_disturbs_nobody_else),
        cmocka_unit_test(a_new_modulus_moves_nearly_all),
        cmocka_unit_test(shares_follow_the_weights),
        cmocka_unit_test(the_order_of_the_shards_changes_no_ring),
        cmocka_unit_test(sql_quotes_the_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
