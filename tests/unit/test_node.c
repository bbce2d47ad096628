/* Which node is primary: only one candidate is ever believed. */
#include "check.h"

#include "cluster/node.h"

#define PRIMARY(t)                                                                                 \
    {                                                                                              \
        .contact = NODE_ANSWERING, .timeline = (t)                                                 \
    }
#define REPLICA(t)                                                                                 \
    {                                                                                              \
        .contact = NODE_ANSWERING, .timeline = (t), .is_in_recovery = true                         \
    }
#define GONE(how, t)                                                                               \
    {                                                                                              \
        .contact = (how), .timeline = (t)                                                          \
    }

static void one_candidate_or_none(void **)
{
    static const struct {
        struct node_facts nodes[3];
        uint32_t timeline_seen;
        enum shard_verdict verdict;
        size_t primary;
    } cases[] = {
        {{PRIMARY(1), REPLICA(1), REPLICA(1)}, 1, SHARD_HAS_PRIMARY, 0},
        {{REPLICA(1), PRIMARY(2), REPLICA(1)}, 2, SHARD_HAS_PRIMARY, 1},
        {{REPLICA(1), REPLICA(1), REPLICA(1)}, 1, SHARD_NO_PRIMARY, 9},
        /* The old primary came back: even an older timeline makes none trusted. */
        {{PRIMARY(1), PRIMARY(2), REPLICA(2)}, 2, SHARD_TWO_PRIMARIES, 9},
        {{PRIMARY(2), PRIMARY(2), PRIMARY(2)}, 2, SHARD_TWO_PRIMARIES, 9},
        /* A primary that doesn't answer is no candidate, and doesn't hide one. */
        {{GONE(NODE_DOWN, 1), PRIMARY(2), REPLICA(2)}, 2, SHARD_HAS_PRIMARY, 1},
        {{GONE(NODE_SILENT, 1), REPLICA(1), REPLICA(1)}, 1, SHARD_NO_PRIMARY, 9},
        {{GONE(NODE_NEVER_ANSWERED, 0), REPLICA(1), REPLICA(1)}, 1, SHARD_NO_PRIMARY, 9},
        /* A lone candidate from before the failover that was already seen. */
        {{PRIMARY(1), GONE(NODE_DOWN, 2), REPLICA(2)}, 2, SHARD_NO_PRIMARY, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t primary = 9;
        assert_int_equal(shard_find_primary(cases[i].nodes, 3, cases[i].timeline_seen, &primary),
                         cases[i].verdict);
        assert_int_equal(primary, cases[i].primary);
    }
}

static void names_are_words(void **)
{
    assert_string_equal(node_contact_name(NODE_SILENT), "no answer");
    assert_string_equal(shard_verdict_name(SHARD_TWO_PRIMARIES), "two primaries: none is trusted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_candidate_or_none),
        cmocka_unit_test(names_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
