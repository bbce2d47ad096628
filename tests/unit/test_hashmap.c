/* A hash map behaves as a plain array of pairs under random operations; SipHash-1-3 is the
 * published function. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "base/hashmap.h"
#include "base/random.h"

static const uint64_t seed[2] = {1, 2};

static void same_as_an_array_under_random_operations(void **)
{
    enum { KEYS = 300, STEPS = 50000 };
    static char keys[KEYS][8];
    static int values[2][KEYS];
    int *model[KEYS] = {0};
    size_t count = 0;
    struct hashmap map;
    struct random random;

    random_init(&random, 7, 0);
    hashmap_init(&map, seed);
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
    }
    for (int step = 0; step < STEPS; step++) {
        size_t i = random_below(&random, KEYS);
        size_t size = strlen(keys[i]);
        if (random_below(&random, 2) == 0) {
            int *value = &values[random_below(&random, 2)][i];
            assert_true(hashmap_put(&map, keys[i], size, value));
            count += model[i] == NULL;
            model[i] = value;
        } else {
            assert_ptr_equal(hashmap_remove(&map, keys[i], size), model[i]);
            count -= model[i] != NULL;
            model[i] = NULL;
        }
        assert_int_equal(map.count, count);
        size_t other = random_below(&random, KEYS);
        assert_ptr_equal(hashmap_get(&map, keys[other], strlen(keys[other])), model[other]);
    }
    size_t seen = 0, at = 0;
    while (hashmap_next(&map, &at) != NULL) {
        seen++;
    }
    assert_int_equal(seen, count);
    hashmap_done(&map);
}

static void empty_map_has_nothing(void **)
{
    struct hashmap map;
    size_t at = 0;

    hashmap_init(&map, seed);
    assert_null(hashmap_get(&map, "a", 1));
    assert_null(hashmap_remove(&map, "a", 1));
    assert_null(hashmap_next(&map, &at));
    hashmap_done(&map);
}

/* Made by Python 3.11, whose hash() of bytes is SipHash-1-3 with the key of PYTHONHASHSEED:
 * with seed 0 the key is zero.  PYTHONHASHSEED=0 python3 -c
 * 'print(hash(b"reparto") & (2**64-1))', and so on. */
static void hash_is_siphash_1_3(void **)
{
    static const struct {
        const char *bytes;
        uint64_t hash;
    } cases[] = {
        {"r", UINT64_C(4884991110967100679)},
        {"re", UINT64_C(801383619050972753)},
        {"repar", UINT64_C(1567402294507859101)},
        {"reparto", UINT64_C(5523409164707534064)},
        {"12345678", UINT64_C(3785724242978802311)},
        {"0123456789abcdef", UINT64_C(2108444454683020324)},
        {"0123456789abcdefg", UINT64_C(3684970308279301995)},
    };
    static const uint64_t zero[2] = {0, 0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(hashmap_hash(zero, cases[i].bytes, strlen(cases[i].bytes)), cases[i].hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_an_array_under_random_operations),
        cmocka_unit_test(empty_map_has_nothing),
        cmocka_unit_test(hash_is_siphash_1_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
