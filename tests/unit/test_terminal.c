/* Bars and sparks scale; nothing is shown where no person looks. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "common/terminal.h"

static void bars_fill_in_eighths(void **)
{
    static const struct {
        double share;
        const char *bar;
    } cases[] = {{0, "    "},       {1, "████"},  {0.5, "██  "},
                 {0.53125, "██▏ "}, {-1, "    "}, {7, "████"}};
    char buffer[TERMINAL_BAR_SIZE];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(terminal_bar(buffer, cases[i].share, 4), cases[i].bar);
    }
    assert_int_equal(strlen(terminal_bar(buffer, 1, 60)), 180);
}

static void sparks_scale_to_the_largest(void **)
{
    static const double values[] = {0, 7, 14, -1}, zeros[] = {0, 0};
    char buffer[TERMINAL_BAR_SIZE];

    assert_string_equal(terminal_spark(buffer, values, 4), "▁▅█▁");
    assert_string_equal(terminal_spark(buffer, zeros, 2), "▁▁");
}

static void a_file_gets_no_colour_and_no_progress(void **)
{
    char text[200] = "";
    FILE *out = tmpfile();
    struct progress progress;

    unsetenv("NO_COLOR");
    unsetenv("PG_COLOR");
    assert_false(terminal_has_color(out));
    setenv("PG_COLOR", "always", 1);
    assert_true(terminal_has_color(out));
    setenv("NO_COLOR", "1", 1);
    assert_false(terminal_has_color(out));
    progress_init(&progress, out, false);
    progress_show(&progress, "%d %%", 50);
    progress_erase(&progress);
    rewind(out);
    assert_int_equal(fread(text, 1, sizeof text, out), 0);
    assert_string_equal(terminal_color(TERMINAL_RED, false), "");
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bars_fill_in_eighths),
        cmocka_unit_test(sparks_scale_to_the_largest),
        cmocka_unit_test(a_file_gets_no_colour_and_no_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
