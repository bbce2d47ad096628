/* An error is told once, wrapped outward, and never overruns its buffers. */
#include "check.h"

#include <string.h>

#include "base/error.h"

static void wrap_puts_the_context_first(void **)
{
    struct error err = {0};

    assert_false(error_is_set(&err));
    assert_false(error_set(&err, "08001", "connection to %s refused", "n1"));
    assert_false(error_wrap(&err, "login to %s", "n1"));
    assert_true(error_is_set(&err));
    assert_string_equal(err.sqlstate, "08001");
    assert_string_equal(err.message, "login to n1: connection to n1 refused");
}

static void the_lowest_hint_wins(void **)
{
    struct error err = {0};

    error_set(&err, "08001", "refused");
    error_hint(&err, "start the server");
    error_hint(&err, "look at the log");
    assert_string_equal(err.hint, "start the server");
}

static void long_texts_are_cut(void **)
{
    char longer[1000];
    struct error err = {0};

    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    error_set(&err, "54000", "%s", longer);
    error_wrap(&err, "%s", longer);
    error_hint(&err, "%s", longer);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_int_equal(strlen(err.hint), sizeof err.hint - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrap_puts_the_context_first),
        cmocka_unit_test(the_lowest_hint_wins),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
