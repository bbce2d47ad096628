/* DSNs are checked and shown without their password; a dead port gives a clear error. */
#include "check.h"

#include <string.h>

#include "common/pg.h"

static void places_are_told_without_passwords(void **)
{
    static const struct {
        const char *dsn, *place;
    } cases[] = {{"host=127.0.0.1 port=5433 password=s3cret", "127.0.0.1:5433"},
                 {"postgresql://app:s3cret@10.0.0.1:6000/shop", "10.0.0.1:6000"},
                 {"dbname=shop", "localhost:5432"},
                 {"host='unclosed", "malformed DSN"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buffer[PG_PLACE_SIZE];
        assert_string_equal(pg_place(buffer, cases[i].dsn), cases[i].place);
    }
}

static void malformed_dsns_are_refused_with_a_hint(void **)
{
    static const char *const cases[] = {"host='unclosed", "hots=127.0.0.1", "postgresql://[::1/x",
                                        "just words"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        assert_false(pg_check_dsn(cases[i], &err));
        assert_string_equal(err.sqlstate, "22023");
        assert_ptr_equal(strstr(err.message, "malformed DSN: "), err.message);
        assert_true(err.hint[0] != '\0');
    }
}

static void a_dead_port_says_what_to_do(void **)
{
    struct error err = {0};

    assert_null(pg_connect("host=127.0.0.1 port=1 dbname=x password=s3cret", "test", 2, &err));
    assert_string_equal(err.sqlstate, "08001");
    assert_ptr_equal(strstr(err.message, "cannot connect to 127.0.0.1:1: "), err.message);
    assert_non_null(strstr(err.hint, "is PostgreSQL running there?"));
    assert_null(strstr(err.message, "s3cret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_told_without_passwords),
        cmocka_unit_test(malformed_dsns_are_refused_with_a_hint),
        cmocka_unit_test(a_dead_port_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
