/* A text grows by any mix of appends; columns count code points; numbers group by three. */
#include "check.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

static void appends_add_up(void **)
{
    struct text text = {0};

    assert_string_equal(text_cstr(&text), "");
    text_append(&text, "a");
    text_appendf(&text, "%d-%s", 42, "b");
    text_append_bytes(&text, "xyz", 2);
    text_append_repeated(&text, "=", 3);
    assert_string_equal(text_cstr(&text), "a42-bxy===");
    assert_int_equal(text.size, 10);
    text_clear(&text);
    assert_string_equal(text_cstr(&text), "");
    for (int i = 0; i < 1000; i++) {
        text_append(&text, "0123456789");
    }
    assert_int_equal(text.size, 10000);
    assert_false(text.has_failed);
    text_done(&text);
}

static void impossible_sizes_fail_and_stay_failed(void **)
{
    struct text text = {0};

    text_append(&text, "kept");
    text_append_bytes(&text, "", SIZE_MAX - 2);
    assert_true(text.has_failed);
    text_append(&text, "not added");
    assert_string_equal(text_cstr(&text), "kept");
    text_done(&text);
}

static void padding_counts_columns_not_bytes(void **)
{
    struct text text = {0};

    assert_int_equal(text_columns("ñandú ▏"), 7);
    text_append_right(&text, "é", 3);
    text_append_left(&text, "ü", 3);
    text_append_left(&text, "longer", 2);
    assert_string_equal(text_cstr(&text), "  éü  longer");
    text_done(&text);
}

static void numbers_group_by_three(void **)
{
    static const struct {
        int64_t number;
        const char *text;
    } cases[] = {{0, "0"},
                 {7, "7"},
                 {999, "999"},
                 {1000, "1,000"},
                 {-1000, "-1,000"},
                 {-999, "-999"},
                 {132480, "132,480"},
                 {INT64_MAX, "9,223,372,036,854,775,807"},
                 {INT64_MIN, "-9,223,372,036,854,775,808"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buffer[TEXT_NUMBER_SIZE];
        assert_string_equal(text_grouped(buffer, cases[i].number, ','), cases[i].text);
    }
}

static void distance_is_levenshteins(void **)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } cases[] = {{"", "", 0},
                 {"", "abc", 3},
                 {"kitten", "sitting", 3},
                 {"rate", "rates", 1},
                 {"replica", "repilca", 2},
                 {"abc", "abc", 0}};
    char longer[65];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(text_distance(cases[i].a, cases[i].b), cases[i].distance);
        assert_int_equal(text_distance(cases[i].b, cases[i].a), cases[i].distance);
    }
    memset(longer, 'x', 64);
    longer[64] = '\0';
    assert_int_equal(text_distance(longer, "x"), SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_add_up),
        cmocka_unit_test(impossible_sizes_fail_and_stay_failed),
        cmocka_unit_test(padding_counts_columns_not_bytes),
        cmocka_unit_test(numbers_group_by_three),
        cmocka_unit_test(distance_is_levenshteins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
