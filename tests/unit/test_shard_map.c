/* A map's text form comes back byte for byte; everything else is refused with its line. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "shard/shard_map.h"

static struct shard_map *make(enum shard_scheme scheme, uint32_t partitions, size_t count,
                              struct error *err)
{
    static const char *const names[] = {"b", "a.x", "c-1:6543", "d_"};
    struct shard shards[4] = {0};
    for (size_t i = 0; i < count; i++) {
        snprintf(shards[i].name, sizeof shards[i].name, "%s", names[i]);
        shards[i].weight = SHARD_WEIGHT_ONE;
    }
    struct shard_map_plan plan = {
        .scheme = scheme, .partition_count = partitions, .shards = shards, .shard_count = count};
    return shard_map_create(&plan, err);
}

static void expect_round_trip(const struct shard_map *map)
{
    struct text first = {0}, second = {0};
    struct error err = {0};
    shard_map_print(map, &first);
    struct shard_map *again = shard_map_parse(first.bytes, first.size, &err);
    if (again == NULL) {
        fail_msg("%s\n%s", err.message, text_cstr(&first));
    }
    shard_map_print(again, &second);
    assert_string_equal(text_cstr(&first), text_cstr(&second));
    text_done(&first);
    text_done(&second);
    shard_map_destroy(again);
}

static void every_scheme_comes_back(void **)
{
    struct shard more = {.name = "new", .weight = 2500};
    for (int scheme = 0; scheme < SHARD_SCHEME_COUNT; scheme++) {
        bool is_modular = scheme == SHARD_MD5_MODULO || scheme == SHARD_PG_HASH;
        struct error err = {0};
        struct shard_map *map = make((enum shard_scheme)scheme, is_modular ? 60 : 0, 4, &err);
        assert_non_null(map);
        expect_round_trip(map);
        struct shard_map *next = shard_map_add(map, &more, &err);
        assert_non_null(next);
        assert_int_equal(shard_map_version(next), 2);
        assert_int_equal(shard_map_find(next, "new"), 4);
        expect_round_trip(next);
        shard_map_destroy(next);
        shard_map_destroy(map);
    }
}

static void partitions_can_be_moved(void **)
{
    struct error err = {0};
    struct shard_map *map = make(SHARD_SLOTS, 0, 3, &err);
    struct shard_map *next = shard_map_move(map, 100, 199, 2, &err);
    assert_non_null(next);
    for (uint32_t i = 0; i < SHARD_SLOT_COUNT; i++) {
        bool is_moved = i >= 100 && i <= 199;
        assert_int_equal(shard_map_owners(next)[i], is_moved ? 2 : shard_map_owners(map)[i]);
    }
    expect_round_trip(next);
    assert_null(shard_map_move(map, 0, SHARD_SLOT_COUNT, 1, &err));
    shard_map_destroy(next);
    shard_map_destroy(map);
}

#define HEAD "reparto shard map 1\nversion 3\nscheme md5_modulo\npartitions 4\n"
#define SHARDS "shard a weight 1\nshard b weight 1\n"

static void malformed_maps_are_refused(void **)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 1"},
        {"reparto shard map 2\n", "line 1"},
        {"reparto shard map 1\n", "line 2"},
        {"reparto shard map 1\nversion 0\n", "line 2"},
        {"reparto shard map 1\nversion 18446744073709551616\n", "line 2"},
        {"reparto shard map 1\nversion 03\n", "line 2"},
        {"reparto shard map 1\nversion  3\n", "line 2"},
        {"reparto shard map 1\nversion 3\nscheme foo\n", "line 3"},
        {"reparto shard map 1\nversion 3\nscheme md5_modulo\npartitions 65537\n", "line 4"},
        {"reparto shard map 1\nversion 3\nscheme ring\nvnodes 8\nlayout odd\n", "line 5"},
        {HEAD "shard a weight 1.0\n", "line 5"},
        {HEAD "shard a weight 1001\n", "line 5"},
        {HEAD SHARDS "owner 0-1 a\nowner 3-3 b\nend\n", "line 8"},
        {HEAD SHARDS "owner 0-1 a\nowner 2-4 b\nend\n", "line 8"},
        {HEAD SHARDS "owner 0-1 a\nowner 2-3 c\nend\n", "line 8"},
        {HEAD SHARDS "owner 0-1 a\nowner 2-3 a\nend\n", "line 8"},
        {HEAD SHARDS "owner 0-3 a\n", "line 8"},
        {HEAD SHARDS "owner 0-3 a\nend\nmore\n", "line 8"},
        {HEAD SHARDS "owner 0-3 a\nend", "line 8"},
        {HEAD "shard a weight 1\nshard a weight 1\nowner 0-3 a\nend\n", "named twice"},
        {HEAD "shard -a weight 1\nowner 0-3 -a\nend\n", "no name for a shard"},
        {"reparto shard map 1\nversion 3\nscheme slots\npartitions 4\n" SHARDS "owner 0-3 a\nend\n",
         "slots always has 16384"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        assert_null(shard_map_parse(cases[i].text, strlen(cases[i].text), &err));
        if (strstr(err.message, cases[i].message) == NULL) {
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.message, cases[i].message);
        }
    }
    struct error err = {0};
    const char *good = HEAD SHARDS "owner 0-0 a\nowner 1-3 b\nend\n";
    struct shard_map *map = shard_map_parse(good, strlen(good), &err);
    assert_non_null(map);
    expect_round_trip(map);
    shard_map_destroy(map);
}

static void limits_are_kept(void **)
{
    struct shard shards[2] = {{"a", SHARD_WEIGHT_ONE}, {"b", SHARD_WEIGHT_MAX}};
    static struct shard many[SHARD_COUNT_MAX + 1];
    const struct {
        struct shard_map_plan plan;
        const char *sqlstate;
    } cases[] = {
        {{.scheme = SHARD_RING, .vnodes = 65536, .shards = shards, .shard_count = 2}, "54000"},
        {{.scheme = SHARD_RING, .vnodes = 65537, .shards = shards, .shard_count = 2}, "22023"},
        {{.scheme = SHARD_RING,
          .layout = RING_KETAMA,
          .vnodes = 6,
          .shards = shards,
          .shard_count = 2},
         "22023"},
        {{.scheme = SHARD_RING,
          .layout = RING_KETAMA,
          .vnodes = 8,
          .shards = shards,
          .shard_count = 2},
         "22023"}, /* a gets no point */
        {{.scheme = SHARD_RING, .partition_count = 3, .shards = shards, .shard_count = 2}, "22023"},
        {{.scheme = SHARD_MD5_MODULO, .shards = shards, .shard_count = 2}, "22023"}, /* weights */
        {{.scheme = SHARD_PG_HASH, .partition_count = 1, .shards = shards, .shard_count = 2},
         "22023"},
        {{.scheme = SHARD_PG_HASH, .partition_count = 65537, .shards = shards, .shard_count = 2},
         "22023"},
        {{.scheme = SHARD_PG_HASH, .partition_count = 100, .shards = shards, .shard_count = 2},
         "22023"}, /* a gets none */
        {{.scheme = SHARD_SLOTS, .partition_count = 100, .shards = shards, .shard_count = 2},
         "22023"},
        {{.scheme = SHARD_SLOTS, .shards = shards, .shard_count = 0}, "54000"},
        {{.scheme = SHARD_SLOTS, .shards = many, .shard_count = SHARD_COUNT_MAX + 1}, "54000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        if (shard_map_create(&cases[i].plan, &err) != NULL) {
            fail_msg("case %zu was accepted", i);
        }
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
    }
}

static void weights_have_one_form(void **)
{
    static const struct {
        const char *text;
        uint32_t weight; /* 0: refused */
    } cases[] = {{"1", 1000},     {"2.5", 2500},
                 {"0.001", 1},    {"1000", 1000000},
                 {"1000.001", 0}, {"0", 0},
                 {"0.0001", 0},   {"1.", 0},
                 {".5", 0},       {"-1", 0},
                 {"1e3", 0},      {"", 0},
                 {"1.2.3", 0},    {"99999999999999999999", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t weight = 0;
        char printed[SHARD_WEIGHT_TEXT_SIZE];
        bool is_ok = shard_weight_parse(cases[i].text, strlen(cases[i].text), &weight);
        if (is_ok != (cases[i].weight > 0)) {
            fail_msg("weight \"%s\"", cases[i].text);
        }
        assert_int_equal(weight, cases[i].weight);
        if (is_ok) {
            assert_string_equal(shard_weight_print(printed, weight), cases[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme_comes_back),    cmocka_unit_test(partitions_can_be_moved),
        cmocka_unit_test(malformed_maps_are_refused), cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(weights_have_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
