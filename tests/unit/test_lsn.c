/* LSNs are read exactly as PostgreSQL reads pg_lsn, printed back the same, and subtract to bytes.
 */
#include "check.h"

#include <string.h>

#include "base/random.h"
#include "cluster/lsn.h"

static void texts_that_are_lsns(void **)
{
    static const struct {
        const char *text;
        uint64_t lsn;
    } cases[] = {
        {"0/0", 0},
        {"0/1", 1},
        {"16/B374D848", UINT64_C(0x16B374D848)},
        {"16/b374d848", UINT64_C(0x16B374D848)},
        {"FFFFFFFF/FFFFFFFF", UINT64_MAX},
        {"00000001/00000002", UINT64_C(0x100000002)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t lsn = 7;
        assert_true(lsn_parse(cases[i].text, strlen(cases[i].text), &lsn));
        assert_int_equal(lsn, cases[i].lsn);
    }
}

static void other_texts_are_refused(void **)
{
    static const char *const cases[] = {
        "",      "/",     "0/",   "/0",    "0",   "0/0 ",        " 0/0",        "+0/0",  "-0/0",
        "0x0/0", "0/0x0", "0//0", "0/0/0", "g/0", "000000000/0", "0/123456789", "0/0\n", "0 /0",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t lsn = 7;
        assert_false(lsn_parse(cases[i], strlen(cases[i]), &lsn));
        assert_int_equal(lsn, 7);
    }
    uint64_t lsn;
    assert_false(lsn_parse("0/0\0", 4, &lsn));  /* a zero byte is no digit */
    assert_true(lsn_parse("0/0junk", 3, &lsn)); /* only the given bytes are read */
}

static void printed_is_read_back(void **)
{
    struct random random;
    char buffer[LSN_TEXT_SIZE];

    random_init(&random, 1, 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t lsn = random_next(&random) >> random_below(&random, 64), read;
        lsn_print(buffer, lsn);
        assert_true(lsn_parse(buffer, strlen(buffer), &read));
        assert_int_equal(read, lsn);
    }
    assert_string_equal(lsn_print(buffer, UINT64_C(0x16B374D848)), "16/B374D848");
    assert_string_equal(lsn_print(buffer, 0), "0/0");
}

static void bytes_behind_never_wraps(void **)
{
    assert_int_equal(lsn_bytes_behind(10, 15), 5);
    assert_int_equal(lsn_bytes_behind(15, 15), 0);
    assert_int_equal(lsn_bytes_behind(16, 15), 0);
    assert_true(lsn_bytes_behind(0, UINT64_MAX) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_lsns),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(printed_is_read_back),
        cmocka_unit_test(bytes_behind_never_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
