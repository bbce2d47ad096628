/* Every text is there in both languages, with the same places to fill. */
#include "load_test/catalogue.h"

#include "unit/check.h"

#include <string.h>

/* The places as bits; fails the test when a brace is not a place. */
static unsigned places(const char *text)
{
    unsigned result = 0;
    for (const char *at = text; *at != '\0'; at++) {
        assert_true(*at != '}');
        if (*at == '{') {
            assert_true(at[1] >= '1' && at[1] <= '9');
            assert_true(at[2] == '}');
            result |= 1u << (at[1] - '1');
            at += 2;
        }
    }
    return result;
}

static void no_text_is_missing(void **)
{
    for (int i = 0; i < CATALOGUE_COUNT; i++) {
        for (int language = REPORT_ENGLISH; language <= REPORT_SPANISH; language++) {
            const char *text =
                catalogue_text((enum report_language)language, (enum catalogue_text)i);
            if (text == NULL) {
                fail_msg("text %d, language %d", i, language);
            }
            assert_true(text[0] != '\0');
        }
    }
}

static void both_languages_have_the_same_places(void **)
{
    for (int i = 0; i < CATALOGUE_COUNT; i++) {
        const char *english = catalogue_text(REPORT_ENGLISH, (enum catalogue_text)i);
        const char *spanish = catalogue_text(REPORT_SPANISH, (enum catalogue_text)i);
        unsigned count = places(english);
        if (count != places(spanish)) {
            fail_msg("\"%s\" and \"%s\"", english, spanish);
        }
        assert_int_equal(count & (count + 1), 0); /* 1, 2, 3 … without a gap */
    }
}

/* A text that was copied and forgotten is the same in both. */
static void spanish_is_spanish(void **)
{
    for (int i = 0; i < CATALOGUE_COUNT; i++) {
        const char *english = catalogue_text(REPORT_ENGLISH, (enum catalogue_text)i);
        const char *spanish = catalogue_text(REPORT_SPANISH, (enum catalogue_text)i);
        if (strcmp(english, spanish) == 0) {
            fail_msg("\"%s\" is not translated", english);
        }
    }
}

static void places_are_filled_in_the_order_of_the_language(void **)
{
    static const char *const values[] = {"12", "r2"};
    struct text out = {0};
    catalogue_append(&out, REPORT_ENGLISH, TEXT_UNSEEN, values, 2);
    assert_string_equal(text_cstr(&out),
                        "not seen on r2 before the end of the run: 12 writes (never)");
    text_clear(&out);
    catalogue_append(&out, REPORT_SPANISH, TEXT_UNSEEN, values, 2);
    assert_string_equal(text_cstr(&out),
                        "sin ver en r2 antes del final de la prueba: 12 escrituras (nunca)");
    text_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_text_is_missing),
        cmocka_unit_test(both_languages_have_the_same_places),
        cmocka_unit_test(spanish_is_spanish),
        cmocka_unit_test(places_are_filled_in_the_order_of_the_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
