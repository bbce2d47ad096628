/* What is lost, twice, unwritten or strange, against a model that looks through all rows. */
#include "check.h"
#include <string.h>

#include "base/random.h"
#include "load_test/audit.h"

enum { WRITERS = 4, SEQUENCES = 40, ROUNDS = 300 };

static struct write_record *add(struct write_log *log, unsigned writer, uint64_t sequence,
                                enum write_state state)
{
    struct write_record *record = write_log_append(log, SIZE_MAX);

    assert_non_null(record);
    record->writer = (uint16_t)writer;
    record->sequence = sequence;
    record->state = (uint8_t)state;
    return record;
}

static struct audit *make(const struct write_log *log)
{
    struct error err = {0};
    struct audit *audit = audit_create(log, &err);

    assert_non_null(audit);
    return audit;
}

static void each_state_is_judged_by_its_rows(void **)
{
    static const struct {
        enum write_state state;
        int rows;
        struct audit_counts counts;
    } cases[] = {
        {WRITE_ACKED, 0, {.lost = 1}},
        {WRITE_ACKED, 1, {0}},
        {WRITE_ACKED, 2, {.twice = 1}},
        {WRITE_ACKED, 9, {.twice = 1}},
        {WRITE_FAILED, 0, {0}},
        {WRITE_FAILED, 1, {.unwritten = 1}},
        {WRITE_FAILED, 2, {.unwritten = 1, .twice = 1}},
        {WRITE_UNKNOWN, 0, {0}},
        {WRITE_UNKNOWN, 1, {.unknown_there = 1}},
        {WRITE_UNKNOWN, 2, {.unknown_there = 1, .twice = 1}},
        {WRITE_SENT, 0, {0}},
        {WRITE_SENT, 1, {.unknown_there = 1}},
        {WRITE_UNSENT, 0, {0}},
        {WRITE_UNSENT, 1, {.strange = 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct write_log log = {0};
        add(&log, 3, 7, cases[i].state);
        struct audit *audit = make(&log);
        audit_begin(audit);
        for (int row = 0; row < cases[i].rows; row++) {
            audit_row(audit, 3, 7);
        }
        struct audit_counts counts = audit_end(audit);
        if (memcmp(&counts, &cases[i].counts, sizeof counts) != 0) {
            fail_msg("case %zu: lost %zu twice %zu unwritten %zu unknown %zu strange %zu", i,
                     counts.lost, counts.twice, counts.unwritten, counts.unknown_there,
                     counts.strange);
        }
        audit_destroy(audit);
        write_log_done(&log);
    }
}

static void rows_that_nobody_sent_are_strange(void **)
{
    struct write_log log = {0};
    add(&log, 1, 1, WRITE_ACKED);
    struct audit *audit = make(&log);

    audit_begin(audit);
    assert_int_equal(audit_row(audit, 1, 1), 0);
    assert_true(audit_row(audit, 1, 2) == SIZE_MAX);
    assert_true(audit_row(audit, 65537, 1) == SIZE_MAX); /* 1 in 16 bits */
    assert_true(audit_row(audit, UINT64_MAX, 1) == SIZE_MAX);
    assert_int_equal(audit_end(audit).strange, 3);
    audit_destroy(audit);
    write_log_done(&log);
}

static void a_write_recorded_twice_is_refused(void **)
{
    struct write_log log = {0};
    struct error err = {0};

    add(&log, 2, 5, WRITE_ACKED);
    add(&log, 2, 4, WRITE_ACKED);
    add(&log, 2, 5, WRITE_FAILED);
    assert_null(audit_create(&log, &err));
    assert_string_equal(err.message, "write 5 of writer 2 is recorded twice");
    write_log_done(&log);
}

static void an_empty_run_has_nothing_to_lose(void **)
{
    struct write_log log = {0};
    struct audit *audit = make(&log);
    size_t at = 0;

    audit_begin(audit);
    struct audit_counts counts = audit_end(audit), none = {0};
    assert_memory_equal(&counts, &none, sizeof none);
    assert_null(audit_next_lost(audit, &at));
    assert_int_equal(audit_totals(audit).acknowledged, 0);
    audit_destroy(audit);
}

/* What the rows of a node say, by looking through all rows for each write. */
struct model {
    int rows[WRITERS][SEQUENCES];  /* on the node */
    int state[WRITERS][SEQUENCES]; /* -1: no such write */
    bool was_lost[WRITERS][SEQUENCES], was_twice[WRITERS][SEQUENCES];
};

static struct audit_counts model_counts(struct model *model)
{
    struct audit_counts counts = {0};

    for (int writer = 0; writer < WRITERS; writer++) {
        for (int i = 0; i < SEQUENCES; i++) {
            int rows = model->rows[writer][i], state = model->state[writer][i];
            if (state < 0 || state == WRITE_UNSENT) {
                counts.strange += (size_t)rows;
                continue;
            }
            if (state == WRITE_ACKED && rows == 0) {
                counts.lost++;
                model->was_lost[writer][i] = true;
            }
            if (rows > 1) {
                counts.twice++;
                model->was_twice[writer][i] = true;
            }
            counts.unwritten += state == WRITE_FAILED && rows > 0;
            counts.unknown_there += (state == WRITE_UNKNOWN || state == WRITE_SENT) && rows > 0;
        }
    }
    return counts;
}

static void fill_randomly(struct random *random, struct model *model, struct write_log *log)
{
    for (int i = 0; i < SEQUENCES; i++) {
        for (int writer = WRITERS - 1; writer >= 0; writer--) { /* not in the order of keys */
            int state = (int)random_below(random, 6) - 1;
            model->state[writer][i] = state;
            if (state >= 0) {
                add(log, (unsigned)writer, (uint64_t)i + 1, (enum write_state)state);
            }
        }
    }
}

/* The rows of one node in random order, which is told to the audit. */
static void tell_rows(struct random *random, struct model *model, struct audit *audit)
{
    int left = 0;

    for (int writer = 0; writer < WRITERS; writer++) {
        for (int i = 0; i < SEQUENCES; i++) {
            static const int chances[] = {0, 1, 1, 1, 1, 2, 3};
            model->rows[writer][i] = chances[random_below(random, 7)];
            left += model->rows[writer][i];
        }
    }
    struct model rest = *model;
    while (left > 0) {
        unsigned writer = (unsigned)random_below(random, WRITERS);
        unsigned i = (unsigned)random_below(random, SEQUENCES);
        if (rest.rows[writer][i] > 0) {
            rest.rows[writer][i]--;
            left--;
            audit_row(audit, writer, i + 1);
        }
    }
}

static void check_lost_list(const struct model *model, const struct audit *audit, size_t lost)
{
    const struct write_record *record, *last = NULL;
    size_t at = 0, count = 0;

    while ((record = audit_next_lost(audit, &at)) != NULL) {
        assert_int_equal(model->rows[record->writer][record->sequence - 1], 0);
        assert_int_equal(record->state, WRITE_ACKED);
        assert_true(last == NULL || last->writer < record->writer ||
                    (last->writer == record->writer && last->sequence < record->sequence));
        last = record;
        count++;
    }
    assert_int_equal(count, lost);
}

static void counts_agree_with_a_slow_model(void **)
{
    struct random random;

    random_init(&random, 20, 1);
    for (int round = 0; round < ROUNDS; round++) {
        struct model model = {0};
        struct write_log log = {0};
        fill_randomly(&random, &model, &log);
        struct audit *audit = make(&log);
        for (int node = 0; node < 3; node++) {
            audit_begin(audit);
            tell_rows(&random, &model, audit);
            struct audit_counts expected = model_counts(&model), counts = audit_end(audit);
            assert_memory_equal(&counts, &expected, sizeof counts);
            check_lost_list(&model, audit, counts.lost);
        }
        struct audit_totals totals = audit_totals(audit), expected = {0};
        for (int writer = 0; writer < WRITERS; writer++) {
            for (int i = 0; i < SEQUENCES; i++) {
                expected.acknowledged += model.state[writer][i] == WRITE_ACKED;
                expected.lost += model.was_lost[writer][i];
                expected.twice += model.was_twice[writer][i];
            }
        }
        assert_memory_equal(&totals, &expected, sizeof totals);
        audit_destroy(audit);
        write_log_done(&log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_is_judged_by_its_rows),
        cmocka_unit_test(rows_that_nobody_sent_are_strange),
        cmocka_unit_test(a_write_recorded_twice_is_refused),
        cmocka_unit_test(an_empty_run_has_nothing_to_lose),
        cmocka_unit_test(counts_agree_with_a_slow_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
