/* What an operator holds back, by name and all at once. */
#include "check.h"

#include "backend/holds.h"

static void databases_are_held_and_let_go_by_name(void **)
{
    struct holds holds = {0};

    assert_false(holds_is_paused(&holds, "a"));
    assert_true(holds_pause(&holds, "a", true));
    assert_true(holds_disable(&holds, "a", true));
    assert_true(holds_disable(&holds, "b", true));
    assert_true(holds_is_paused(&holds, "a") && holds_is_disabled(&holds, "a"));
    assert_true(!holds_is_paused(&holds, "b") && holds_is_disabled(&holds, "b"));
    assert_true(holds_pause(&holds, "a", false));
    assert_true(!holds_is_paused(&holds, "a") && holds_is_disabled(&holds, "a"));
    assert_true(holds_disable(&holds, "a", false));
    assert_int_equal(holds.count, 1); /* nothing is kept of one that is free again */
    assert_true(holds_is_disabled(&holds, "b"));
    assert_true(holds_pause(&holds, "c", false)); /* it was not */
    holds_done(&holds);
    assert_false(holds_is_disabled(&holds, "b"));
}

static void a_pause_of_all_is_one_of_each(void **)
{
    struct holds holds = {.all_paused = true};

    assert_true(holds_is_paused(&holds, "a"));
    assert_false(holds_is_disabled(&holds, "a"));
    holds_done(&holds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(databases_are_held_and_let_go_by_name),
        cmocka_unit_test(a_pause_of_all_is_one_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
