/* Time goes forward, deadlines round up, and UTC prints as ISO 8601. */
#include "check.h"

#include "base/clock.h"

static void sleep_reaches_its_deadline(void **)
{
    int64_t deadline = clock_now() + 2 * CLOCK_MS;
    assert_true(clock_sleep_until(deadline));
    assert_true(clock_now() >= deadline);
}

static void poll_timeouts_round_up(void **)
{
    static const struct {
        int64_t wait;
        int ms;
    } cases[] = {
        {-5, 0}, {0, 0}, {1, 1}, {CLOCK_MS, 1}, {CLOCK_MS + 1, 2}, {INT64_MAX / 2, 3600 * 1000}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(clock_poll_timeout(1000 + cases[i].wait, 1000), cases[i].ms);
    }
}

static void utc_prints_as_iso(void **)
{
    char buffer[CLOCK_TEXT_SIZE];
    assert_string_equal(clock_iso(buffer, 0), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_iso(buffer, INT64_C(1795506662125999)), "2026-11-24T07:51:02.125Z");
    assert_true(clock_utc() > INT64_C(1700000000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleep_reaches_its_deadline),
        cmocka_unit_test(poll_timeouts_round_up),
        cmocka_unit_test(utc_prints_as_iso),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
