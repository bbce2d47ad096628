/* Passwords as PostgreSQL prepares them; each was also compared with its own SCRAM secret
 * (test_scram_secret). */
#include <stdlib.h>

#include "check.h"
#include "wire/saslprep.h"

struct preparation {
    const char *password, *prepared;
};

static void expect_prepared(const struct preparation *preparations, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *prepared = saslprep_password(preparations[i].password);
        assert_string_equal(prepared, preparations[i].prepared);
        free(prepared);
    }
}

static void passwords_are_mapped_and_normalized(void **)
{
    static const struct preparation cases[] = {
        {"", ""},
        {"secret", "secret"},
        {"\x01\x7f", "\x01\x7f"}, /* ASCII is as it is, control characters too */
        {"p\xc3\xa4ssword", "p\xc3\xa4ssword"},
        {"pa\xcc\x88ssword", "p\xc3\xa4ssword"},
        {"\xe2\x85\xa8", "IX"}, /* the examples of RFC 4013 */
        {"I\xc2\xadX", "IX"},
        {"\xc2\xaa", "a"},
        {"USER\xc3\xa9", "USER\xc3\xa9"},
        {"a\xc2\xa0\xe3\x80\x80z", "a  z"},
        {"\xe2\x80\x8b\xc3\xa9", " \xc3\xa9"}, /* U+200B is in both tables: a space first */
        {"\xef\xac\x81", "fi"},
        {"\xe2\x84\xab", "\xc3\x85"},
        {"\xd8\xa7\x31\xd8\xa8", "\xd8\xa7\x31\xd8\xa8"}, /* from right to left */
        {"\xf0\xaf\xa1\xa8", "\xe3\x9b\xbc"},             /* the five of Corrigendum 4 */
        {"\xf0\xaf\xa1\xb4", "\xe5\xbd\x93"},
        {"\xf0\xaf\xa4\x9f", "\xf0\xa4\x8e\xab"},
        {"\xf0\xaf\xa5\x9f", "\xe7\xab\xae"},
        {"\xf0\xaf\xa6\xbf", "\xe4\x97\x97"},
    };
    expect_prepared(cases, sizeof cases / sizeof cases[0]);
}

static void passwords_that_cannot_be_prepared_are_taken_as_they_are(void **)
{
    static const char *passwords[] = {
        "\xff", /* not UTF-8 */
        "\xc2\xaa\xff",
        "\xc3",
        "\xc2\xaa\xc0\xaf",         /* overlong */
        "\xed\xa0\x80\xc2\xaa",     /* a surrogate */
        "\xf4\x90\x80\x80\xc2\xaa", /* above U+10FFFF */
        "\xc2\xaa\x07",             /* a control character */
        "\xc2\xaa\xee\x80\x80",     /* private use */
        "\xc2\xaa\xef\xbf\xbd",
        "\xc2\xaa\xcd\x80",         /* U+0340, which normalization would have taken away */
        "\xc2\xaa\xf0\x9f\x98\x80", /* not in Unicode 3.2 */
        "\xc2\xad",                 /* nothing would be left */
        "\xd8\xa7\x31",             /* from right to left, but its end isn't */
        "1\xd8\xa7",
        "\xd8\xa7\xc2\xaa\xd8\xa8", /* both directions */
    };
    for (size_t i = 0; i < sizeof passwords / sizeof passwords[0]; i++) {
        expect_prepared(&(struct preparation){passwords[i], passwords[i]}, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_mapped_and_normalized),
        cmocka_unit_test(passwords_that_cannot_be_prepared_are_taken_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
