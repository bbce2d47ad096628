/* The ring against a model that remembers every sample, and the cases an operator meets. */
#include "check.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "cluster/staleness.h"

enum { TICK_MS = 100 };

static const int64_t tick = TICK_MS * CLOCK_MS, patience = 3 * TICK_MS * CLOCK_MS;

/* Feeds one sample, answered 1 ms after it was asked. */
static void sample(struct staleness_ring *ring, uint64_t lsn, int64_t sent)
{
    assert_true(staleness_ring_sample(ring, 1, lsn, sent, sent + CLOCK_MS));
}

static struct staleness of(struct staleness_ring *ring, uint64_t replay, int64_t asked, int64_t now)
{
    struct staleness_replica replica = {.timeline = 1, .replay_lsn = replay, .sent = asked};
    return staleness_of(ring, &replica, now, patience);
}

static void empty_ring_knows_nothing(void **)
{
    struct staleness_ring *ring = staleness_ring_create(8);
    struct staleness result = of(ring, 5, 0, CLOCK_SECOND);

    assert_int_equal(result.basis, STALENESS_UNKNOWN);
    assert_true(result.conservative == INT64_MAX);
    staleness_ring_destroy(ring);
    staleness_ring_destroy(NULL);
}

static void idle_stays_zero_and_takes_no_room(void **)
{
    struct staleness_ring *ring = staleness_ring_create(8);

    for (int64_t i = 0; i < 1200; i++) {
        sample(ring, 1000, i * tick);
        struct staleness result = of(ring, 1000, i * tick + tick / 2, i * tick + tick / 2);
        assert_int_equal(result.basis, STALENESS_MEASURED);
        assert_int_equal(result.gauge, 0);
        assert_int_equal(result.conservative, tick / 2);
    }
    assert_int_equal(staleness_ring_count(ring), 1);
    staleness_ring_destroy(ring);
}

static void frozen_grows_and_thawed_falls(void **)
{
    struct staleness_ring *ring = staleness_ring_create(64);

    /* 100 bytes a tick; the replica stops at tick 9, for 40 ticks. */
    for (int64_t i = 0; i < 50; i++) {
        sample(ring, 1000 + (uint64_t)i * 100, i * tick);
        int64_t now = i * tick + tick / 2;
        uint64_t replay = 1000 + (uint64_t)(i < 9 ? i : 9) * 100;
        struct staleness result = of(ring, replay, now, now);
        int64_t lacks_since = 10 * tick + CLOCK_MS;
        assert_int_equal(result.basis, STALENESS_MEASURED);
        assert_int_equal(result.gauge, i < 10 ? 0 : now - lacks_since);
        assert_int_equal(result.conservative, now - (i < 9 ? i : 9) * tick);
        assert_int_equal(result.error, 0);
    }
    int64_t now = 49 * tick + tick / 2;
    assert_int_equal(of(ring, 1000 + 49 * 100, now, now).gauge, 0);
    assert_int_equal(of(ring, 1000 + 48 * 100, now, now).gauge, tick / 2 - CLOCK_MS);
    staleness_ring_destroy(ring);
}

static void a_fresher_primary_sample_does_not_blame_an_answering_replica(void **)
{
    struct staleness_ring *ring = staleness_ring_create(8);

    sample(ring, 100, 0);
    sample(ring, 200, tick);
    /* Asked before the second sample was there: it may well have replayed it since. */
    int64_t asked = tick / 2, seen = tick + CLOCK_MS;
    assert_int_equal(of(ring, 100, asked, asked + patience).gauge, 0);
    /* But when it doesn't answer any more, what it said last counts. */
    sample(ring, 200, 2 * tick + patience);
    assert_int_equal(of(ring, 100, asked, asked + patience + 1).gauge, asked + patience + 1 - seen);
    staleness_ring_destroy(ring);
}

static void a_young_ring_says_at_least(void **)
{
    struct staleness_ring *ring = staleness_ring_create(8);

    sample(ring, 100, 0);
    struct staleness result = of(ring, 50, tick, tick + CLOCK_MS);
    assert_int_equal(result.basis, STALENESS_AT_LEAST);
    assert_int_equal(result.why, STALENESS_RING_YOUNG);
    assert_int_equal(result.gauge, tick);
    assert_true(result.conservative == INT64_MAX);
    staleness_ring_destroy(ring);
}

static void a_silent_primary_makes_zero_at_least_zero(void **)
{
    struct staleness_ring *ring = staleness_ring_create(8);

    sample(ring, 100, 0);
    assert_int_equal(of(ring, 100, patience, patience).basis, STALENESS_MEASURED);
    struct staleness result = of(ring, 100, 5 * CLOCK_SECOND, 5 * CLOCK_SECOND);
    assert_int_equal(result.basis, STALENESS_AT_LEAST);
    assert_int_equal(result.why, STALENESS_PRIMARY_SILENT);
    assert_int_equal(result.gauge, 0);
    assert_int_equal(result.conservative, 5 * CLOCK_SECOND);
    staleness_ring_destroy(ring);
}

static void a_promotion_forgets_the_old_history(void **)
{
    struct staleness_ring *ring = staleness_ring_create(8);
    struct staleness_replica old = {.timeline = 1, .replay_lsn = 900, .sent = 2 * tick};

    sample(ring, 1000, 0);
    assert_true(staleness_ring_sample(ring, 2, 500, tick, tick + CLOCK_MS));
    assert_int_equal(staleness_ring_timeline(ring), 2);
    assert_int_equal(staleness_ring_lsn(ring), 500);
    assert_int_equal(staleness_ring_count(ring), 1);
    /* Further than the new primary, but on the old history: never 0. */
    struct staleness result = staleness_of(ring, &old, 2 * tick, patience);
    assert_int_equal(result.basis, STALENESS_AT_LEAST);
    assert_int_equal(result.why, STALENESS_OTHER_TIMELINE);
    assert_int_equal(result.gauge, tick - CLOCK_MS);
    assert_true(result.conservative == INT64_MAX);
    /* The old primary's late answers are refused. */
    assert_false(staleness_ring_sample(ring, 1, 2000, 2 * tick, 2 * tick));
    assert_int_equal(staleness_ring_lsn(ring), 500);
    staleness_ring_reset(ring);
    assert_int_equal(staleness_ring_timeline(ring), 0);
    staleness_ring_destroy(ring);
}

static void bad_times_are_refused_and_lost_positions_reset(void **)
{
    struct staleness_ring *ring = staleness_ring_create(8);

    sample(ring, 100, tick);
    assert_false(staleness_ring_sample(ring, 1, 200, 3 * tick, 2 * tick));
    assert_false(staleness_ring_sample(ring, 1, 200, 0, 2 * tick));
    assert_int_equal(staleness_ring_lsn(ring), 100);
    assert_true(staleness_ring_sample(ring, 1, 50, 2 * tick, 2 * tick));
    assert_int_equal(staleness_ring_count(ring), 1);
    assert_int_equal(staleness_ring_lsn(ring), 50);
    staleness_ring_destroy(ring);
}

/* Every sample ever, searched from the start. */
struct model {
    struct {
        uint64_t lsn;
        int64_t sent, received;
    } samples[20000];
    size_t count;
};

static void check_against_model(const struct model *model, struct staleness_ring *ring,
                                uint64_t replay, int64_t now)
{
    int64_t gauge = 0, conservative = INT64_MAX;
    struct staleness result = of(ring, replay, now, now);

    for (size_t i = 0; i < model->count; i++) {
        if (model->samples[i].lsn > replay) {
            gauge = now - model->samples[i].received;
            break;
        }
        conservative = now - model->samples[i].sent;
    }
    assert_true(result.gauge >= gauge); /* never under-reported */
    assert_true(result.gauge - gauge <= result.error);
    assert_true(result.error <= result.gauge);
    assert_true(result.conservative >= conservative);
    assert_true(result.conservative >= result.gauge);
}

static void never_under_reports(void **)
{
    struct model *model = malloc(sizeof *model);
    struct random random;

    assert_non_null(model);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        random_init(&random, seed, 0);
        struct staleness_ring *ring = staleness_ring_create(8 + random_below(&random, 60));
        uint64_t lsn = 1000, busy = random_below(&random, 10);
        int64_t now = 0;
        model->count = 0;
        for (int step = 0; step < 2000; step++) {
            now += (int64_t)random_below(&random, (uint64_t)(2 * tick)) + 2 * CLOCK_MS;
            lsn += random_below(&random, 10) < busy ? random_below(&random, 5000) : 0;
            sample(ring, lsn, now);
            model->samples[model->count].lsn = lsn;
            model->samples[model->count].sent = now;
            model->samples[model->count++].received = now + CLOCK_MS;
            uint64_t replay = 900 + random_below(&random, lsn - 900 + 2);
            check_against_model(model, ring, replay, now + 2 * CLOCK_MS);
        }
        staleness_ring_destroy(ring);
    }
    free(model);
}

static void a_week_of_writes_costs_under_four_percent(void **)
{
    struct staleness_ring *ring = staleness_ring_create(1024);
    const int64_t count = 7 * 24 * 3600 * 10;
    int64_t now = count * tick;

    for (int64_t i = 0; i < count; i++) {
        sample(ring, (uint64_t)i + 1, i * tick);
    }
    for (double age_s = 0.2; age_s < 604800; age_s *= 1.1) {
        int64_t i = count - (int64_t)(age_s * 10);
        struct staleness result = of(ring, (uint64_t)i, now, now);
        int64_t truth = now - (i * tick + CLOCK_MS);
        assert_true(result.gauge >= truth);
        assert_true(result.gauge - truth <= truth / 25);
        assert_true(age_s > 1 || result.gauge == truth);
    }
    staleness_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_ring_knows_nothing),
        cmocka_unit_test(idle_stays_zero_and_takes_no_room),
        cmocka_unit_test(frozen_grows_and_thawed_falls),
        cmocka_unit_test(a_fresher_primary_sample_does_not_blame_an_answering_replica),
        cmocka_unit_test(a_young_ring_says_at_least),
        cmocka_unit_test(a_silent_primary_makes_zero_at_least_zero),
        cmocka_unit_test(a_promotion_forgets_the_old_history),
        cmocka_unit_test(bad_times_are_refused_and_lost_positions_reset),
        cmocka_unit_test(never_under_reports),
        cmocka_unit_test(a_week_of_writes_costs_under_four_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
