/* MD5 passwords: figures by Python's hashlib and by PostgreSQL. */
#include "check.h"
#include "wire/md5.h"

static void what_is_stored_and_sent_is_as_postgresql_has_it(void **)
{
    static const struct {
        const char *password, *user, *stored;
        unsigned char salt[4];
        const char *answer;
    } cases[] = {
        {"secret",
         "ann",
         "md59d792a3a8853c2411afb9163d088c036",
         {1, 2, 0, 255},
         "md5baa56ba77857927b3162c07c55fc9918"},
        {"",
         "",
         "md5d41d8cd98f00b204e9800998ecf8427e",
         {0, 0, 0, 0},
         "md591b86670dcd47857d222fa05653500aa"},
        {"p\xc3"
         "\xa4"
         "ssword",
         "o'brien",
         "md5aa3bf9014f501a0ac8c001927d761752",
         {128, 129, 254, 10},
         "md5d0c5c0df2459512fe114a5a186439cfc"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "u",
         "md545e448d8f6e51b40b8ad57f1e53110a1",
         {9, 8, 7, 6},
         "md5642259cb8158fe946695c54c58d3b995"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char stored[MD5_TEXT_SIZE], answer[MD5_TEXT_SIZE];
        md5_stored(cases[i].password, cases[i].user, stored);
        assert_string_equal(stored, cases[i].stored);
        md5_answer(stored, cases[i].salt, answer);
        assert_string_equal(answer, cases[i].answer);
    }
}

static void texts_are_equal_when_all_of_them_is(void **)
{
    static const char text[] = "md59d792a3a8853c2411afb9163d088c036";
    static const char *others[] = {"",
                                   "md5",
                                   "xd59d792a3a8853c2411afb9163d088c036",
                                   "md59d792a3a8853c2411afb9163d088c037",
                                   "md59D792a3a8853c2411afb9163d088c036",
                                   "md59d792a3a8853c2411afb9163d088c03",
                                   "md59d792a3a8853c2411afb9163d088c0366"};
    assert_true(md5_equal(text, text));
    assert_true(md5_equal("", ""));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(md5_equal(text, others[i]));
        assert_false(md5_equal(others[i], text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_and_sent_is_as_postgresql_has_it),
        cmocka_unit_test(texts_are_equal_when_all_of_them_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
