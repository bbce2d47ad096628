/* A shard without a primary to trust: nothing becomes 0, nothing blocks, everything is said. */
#include "check.h"

#include <string.h>

#include "base/clock.h"
#include "monitor/lag.h"

static const struct probe_limits limits = {.interval = 20 * CLOCK_MS,
                                           .connect_limit = 200 * CLOCK_MS,
                                           .answer_limit = 200 * CLOCK_MS,
                                           .backoff_min = 20 * CLOCK_MS,
                                           .backoff_max = 40 * CLOCK_MS};

/* Port 1 is nobody's: refused at once. */
static const char dsn[] = "hostaddr=127.0.0.1 port=1 user=u dbname=d";

static void unreachable_nodes_are_down_and_unknown(void **)
{
    const char *const dsns[] = {dsn, dsn, dsn};
    struct error err = {0};
    int64_t start = clock_now();
    struct lag *lag = lag_create(dsns, 3, &limits, start, &err);

    assert_non_null(lag);
    assert_int_equal(lag_count(lag), 3);
    assert_true(lag_run(lag, start + 150 * CLOCK_MS));
    int64_t now = clock_now();
    size_t primary = 9;
    assert_int_equal(lag_primary(lag, now, &primary), SHARD_NO_PRIMARY);
    assert_int_equal(primary, 9);
    for (size_t i = 0; i < 3; i++) {
        struct staleness staleness = lag_staleness(lag, i, now);
        assert_int_equal(lag_facts(lag, i, now).contact, NODE_DOWN);
        assert_non_null(strstr(lag_error(lag, i)->message, "Connection refused"));
        assert_int_equal(staleness.basis, STALENESS_UNKNOWN);
        assert_true(staleness.conservative == INT64_MAX);
        assert_int_equal(lag_silent_since(lag, i, now), start);
    }
    assert_true(lag_deadline(lag) <= now + limits.backoff_max);
    lag_destroy(lag);
}

static void one_malformed_dsn_refuses_all(void **)
{
    const char *const dsns[] = {dsn, "nonsense"};
    struct error err = {0};

    assert_null(lag_create(dsns, 2, &limits, clock_now(), &err));
    assert_string_equal(err.sqlstate, "22023");
    lag_destroy(NULL);
}

static void waiting_lasts_as_long_as_asked(void **)
{
    const char *const dsns[] = {dsn};
    struct error err = {0};
    int64_t start = clock_now();
    struct lag *lag = lag_create(dsns, 1, &limits, start, &err);

    assert_non_null(lag);
    assert_true(lag_run(lag, start + 50 * CLOCK_MS));
    assert_true(clock_now() >= start + 50 * CLOCK_MS);
    assert_true(lag_run(lag, start)); /* the past: at once */
    lag_destroy(lag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unreachable_nodes_are_down_and_unknown),
        cmocka_unit_test(one_malformed_dsn_refuses_all),
        cmocka_unit_test(waiting_lasts_as_long_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
