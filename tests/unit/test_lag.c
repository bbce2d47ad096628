/* The merge passes say of every write what looking at each sample says; and a history whose
 * truth is known is never contradicted. */
#include "check.h"

#include <stdlib.h>

#include "base/random.h"
#include "load_test/lag.h"

enum { WRITES = 300, SAMPLES = 500, ROUNDS = 60 };

static int64_t brute_seen(const struct write_record *write, const struct replay_log *samples)
{
    for (size_t i = 0; i < samples->count; i++) {
        if (samples->samples[i].lsn >= write->lsn_high) {
            return samples->samples[i].answered;
        }
    }
    return 0;
}

static int64_t brute_stale(const struct write_record *write, const struct replay_log *samples)
{
    int64_t last = 0;
    for (size_t i = 0; i < samples->count; i++) {
        const struct replay_sample *sample = &samples->samples[i];
        if (sample->lsn <= write->lsn_low && sample->asked > write->acked) {
            last = sample->asked - write->acked;
        }
    }
    return last;
}

/* Writes in any order of acknowledgement, some without LSNs; samples that never go back. */
static void make_history(struct random *random, struct write_log *writes,
                         struct replay_log *samples)
{
    uint64_t lsn = 1;
    int64_t now = 1;

    for (int i = 0; i < WRITES; i++) {
        struct write_record *write = write_log_append(writes, WRITES);
        assert_non_null(write);
        write->lsn_low = 1 + random_below(random, 3000);
        write->lsn_high = write->lsn_low + 1 + random_below(random, 40);
        write->acked = 1 + (int64_t)random_below(random, 5000);
        write->state = random_below(random, 10) == 0 ? WRITE_FAILED : WRITE_ACKED;
        if (random_below(random, 10) == 0) {
            write->lsn_high = 0;
        }
    }
    for (int i = 0; i < SAMPLES; i++) {
        now += 1 + (int64_t)random_below(random, 15);
        lsn += random_below(random, 12);
        int64_t asked = now;
        now += (int64_t)random_below(random, 5);
        assert_true(replay_log_append(
            samples, (struct replay_sample){.asked = asked, .answered = now, .lsn = lsn}));
    }
}

static void merging_equals_looking_at_each_sample(void **)
{
    struct random random;
    random_init(&random, 20261124, 0);

    for (int round = 0; round < ROUNDS; round++) {
        struct write_log writes = {0};
        struct replay_log samples = {0};
        struct lag_interval intervals[WRITES];

        make_history(&random, &writes, &samples);
        assert_true(lag_match(&writes, &samples, intervals));
        for (size_t i = 0; i < writes.count; i++) {
            const struct write_record *write = &writes.records[i];
            bool is_known = write->state == WRITE_ACKED && write->lsn_high != 0;
            int64_t seen = is_known ? brute_seen(write, &samples) : 0;
            assert_int_equal(intervals[i].seen, seen);
            assert_int_equal(intervals[i].at_least, is_known ? brute_stale(write, &samples) : 0);
            assert_int_equal(intervals[i].at_most, seen == 0             ? INT64_MAX
                                                   : seen > write->acked ? seen - write->acked
                                                                         : 0);
        }
        write_log_done(&writes);
        replay_log_done(&samples);
    }
}

/* A replica applies each commit at a time that we choose; samples read it truthfully. The
 * interval must hold the truth. */
static void the_truth_lies_in_the_interval(void **)
{
    struct random random;
    struct write_log writes = {0};
    struct replay_log samples = {0};
    int64_t applied[WRITES];
    struct lag_interval intervals[WRITES];
    int64_t now = 0, last = 0;

    random_init(&random, 7, 0);
    for (int i = 0; i < WRITES; i++) {
        struct write_record *write = write_log_append(&writes, WRITES);
        assert_non_null(write);
        now += 10 + (int64_t)random_below(&random, 50);
        *write = (struct write_record){.acked = now,
                                       .lsn_low = (uint64_t)i * 100 + 50,
                                       .lsn_high = (uint64_t)i * 100 + 100,
                                       .state = WRITE_ACKED};
        int64_t at = now - 5 + (int64_t)random_below(&random, 400);
        last = at > last ? at : last; /* in order, as WAL is */
        applied[i] = last;
    }
    for (int64_t asked = 1; asked < last + 100; asked += 7) {
        int64_t read_at = asked + 2, answered = asked + 4;
        uint64_t lsn = 0;
        for (int i = 0; i < WRITES && applied[i] <= read_at; i++) {
            lsn = (uint64_t)i * 100 + 100;
        }
        assert_true(replay_log_append(
            &samples, (struct replay_sample){.asked = asked, .answered = answered, .lsn = lsn}));
    }
    assert_true(lag_match(&writes, &samples, intervals));
    for (int i = 0; i < WRITES; i++) {
        int64_t truth = applied[i] - writes.records[i].acked;
        truth = truth < 0 ? 0 : truth;
        assert_true(intervals[i].at_least <= truth);
        assert_true(intervals[i].at_most >= truth);
    }
    write_log_done(&writes);
    replay_log_done(&samples);
}

static void nothing_in_gives_nothing_out(void **)
{
    struct write_log writes = {0};
    struct replay_log samples = {0};
    struct lag_interval interval;

    assert_true(lag_match(&writes, &samples, &interval));
    struct write_record *write = write_log_append(&writes, 1);
    assert_non_null(write);
    *write = (struct write_record){.state = WRITE_ACKED, .lsn_low = 1, .lsn_high = 2, .acked = 3};
    assert_true(lag_match(&writes, &samples, &interval));
    assert_int_equal(interval.at_most, INT64_MAX);
    assert_null(write_log_append(&writes, 1)); /* the limit holds */
    write_log_done(&writes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging_equals_looking_at_each_sample),
        cmocka_unit_test(the_truth_lies_in_the_interval),
        cmocka_unit_test(nothing_in_gives_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
