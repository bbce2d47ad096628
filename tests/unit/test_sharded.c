#include "load_test/sharded.h"

#include <math.h>
#include <string.h>

#include "check.h"

static struct sharded_plan plan_of(size_t shards, long keys, uint32_t vnodes)
{
    struct sharded_plan plan = {
        .keys = keys, .vnodes = vnodes, .shard_count = shards, .timeout = 1};

    for (size_t i = 0; i < shards; i++) {
        snprintf(plan.shards[i].name, sizeof plan.shards[i].name, "s%zu", i);
    }
    return plan;
}

static void test_keys_come_back(void **state)
{
    static const struct {
        const char *text;
        bool is_ours;
        uint64_t index;
    } cases[] = {
        {"user:0", true, 0},   {"user:99", true, 99}, {"user:100", false, 0},
        {"user:07", false, 0}, {"user:", false, 0},   {"user:7 ", false, 0},
        {"users:7", false, 0}, {"user:-1", false, 0}, {"", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t index = 0;
        assert_int_equal(sharded_key_index(cases[i].text, 100, &index), cases[i].is_ours);
        if (cases[i].is_ours) {
            assert_int_equal(index, cases[i].index);
        }
    }
    assert_true(sharded_value(1, 5) != sharded_value(1, 6));
    assert_true(sharded_value(1, 5) != sharded_value(2, 5));
}

static void test_every_key_is_routed(void **state)
{
    static const enum shard_scheme schemes[] = {SHARD_MD5_MODULO, SHARD_RING, SHARD_SLOTS};
    struct sharded_plan plan = plan_of(4, 20000, 160);
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct sharded_result result;
        struct error err = {0};
        uint64_t sum = 0;
        assert_true(sharded_route(&plan, schemes[i], &result, &err));
        for (size_t j = 0; j < 4; j++) {
            sum += result.rows[j].routed;
        }
        assert_int_equal(sum, 20000);
        assert_int_equal(result.degrees, 3);
        assert_int_equal(isnan(result.other_fullest), schemes[i] != SHARD_RING);
        /* A modulus of one more moves 4 in 5; the others about 1 in 5, and the ring as it falls. */
        double moved = (double)result.moved / 20000;
        assert_true(schemes[i] == SHARD_MD5_MODULO ? fabs(moved - 0.8) < 0.02
                                                   : fabs(moved - 0.2) < 0.06);
        if (schemes[i] != SHARD_RING) {
            assert_true(result.p > 0.001);
        }
    }
}

static void test_one_point_a_shard_is_uneven(void **state)
{
    struct sharded_plan plan = plan_of(4, 20000, 1);
    struct sharded_result result;
    struct error err = {0};
    (void)state;

    assert_true(sharded_route(&plan, SHARD_RING, &result, &err));
    assert_true(result.p < 0.001);
    assert_true(result.fullest > 1.5);
    assert_true(result.other_fullest < 1.2);
}

static void test_exit_codes(void **state)
{
    static const struct {
        struct sharded_rows rows;
        int code;
    } cases[] = {
        {{.routed = 9, .written = 9, .counted = 9, .is_counted = true}, 0},
        {{.routed = 9, .written = 9, .counted = 8, .is_counted = true}, 4},
        {{.routed = 9, .written = 9, .counted = 10, .is_counted = true}, 4},
        {{.routed = 9, .written = 9, .counted = 9, .is_counted = true, .misplaced = 1}, 4},
        {{.routed = 9, .written = 9, .counted = 9, .is_counted = true, .misplaced_sql = 1}, 4},
        {{.routed = 9, .written = 9, .counted = 9, .is_counted = true, .doubled = 1}, 4},
        {{.routed = 9, .written = 9, .counted = 9, .is_counted = true, .altered = 1}, 4},
        {{.routed = 9, .written = 4, .is_counted = false}, 1},
        {{.routed = 9, .written = 4, .unknown = 2, .counted = 6, .is_counted = true}, 1},
        {{.routed = 9, .written = 4, .unknown = 2, .counted = 7, .is_counted = true}, 4},
        {{.routed = 9, .written = 9, .is_counted = false}, 1},
    };
    struct sharded_plan plan = plan_of(1, 9, 1);
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sharded_result result = {.is_written = true};
        result.rows[0] = cases[i].rows;
        assert_int_equal(sharded_exit_code(&plan, &result, 1), cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_come_back),
        cmocka_unit_test(test_every_key_is_routed),
        cmocka_unit_test(test_one_point_a_shard_is_uneven),
        cmocka_unit_test(test_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
