/* A list keeps order under pushes, pops and removals from the middle. */
#include "check.h"

#include "base/list.h"

struct member {
    int number;
    struct list_link link;
};

static int number_of(struct list_link *link)
{
    return LIST_MEMBER(link, struct member, link)->number;
}

static void order_is_kept(void **)
{
    struct member members[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct list list;
    static const int expected[] = {3, 0, 2};
    size_t seen = 0;

    list_init(&list);
    assert_true(list_is_empty(&list));
    assert_null(list_pop_first(&list));
    for (int i = 0; i < 3; i++) {
        list_push_last(&list, &members[i].link);
    }
    list_push_first(&list, &members[3].link);
    list_remove(&list, &members[1].link);
    assert_false(list_contains_link(&members[1].link));
    assert_true(list_contains_link(&members[2].link));
    for (struct list_link *at = list_first(&list); at != NULL; at = list_next(&list, at)) {
        assert_int_equal(number_of(at), expected[seen++]);
    }
    assert_int_equal(seen, 3);
    assert_int_equal(list.count, 3);
    assert_int_equal(number_of(list_pop_first(&list)), 3);
    assert_int_equal(number_of(list_pop_first(&list)), 0);
    assert_int_equal(number_of(list_pop_first(&list)), 2);
    assert_true(list_is_empty(&list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_is_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
