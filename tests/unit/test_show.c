/* The tables of SHOW: found by name, without doubles, each column documented. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "admin/show.h"

static void tables_are_sorted_and_found_in_any_case(void **)
{
    for (size_t i = 0; show_at(i) != NULL; i++) {
        assert_true(i == 0 || strcmp(show_at(i - 1)->name, show_at(i)->name) < 0);
        assert_ptr_equal(show_find(show_at(i)->name), show_at(i));
        assert_true(show_at(i)->help[0] != '\0');
    }
    assert_non_null(show_find("CliEnts"));
    assert_null(show_find("client"));
    assert_null(show_find(""));
}

static void columns_have_different_names_and_help(void **)
{
    for (size_t i = 0; show_at(i) != NULL; i++) {
        const struct show *show = show_at(i);
        assert_true(show->column_count > 0 && show->column_count <= ROWS_COLUMN_MAX);
        for (size_t k = 0; k < show->column_count; k++) {
            assert_true(show->columns[k].help != NULL && show->columns[k].help[0] != '\0');
            for (size_t other = 0; other < k; other++) {
                assert_string_not_equal(show->columns[k].name, show->columns[other].name);
            }
        }
    }
}

/* Else the rows of the workers could not become the answer. */
static void what_has_a_raw_table_has_a_finish(void **)
{
    for (size_t i = 0; show_at(i) != NULL; i++) {
        assert_int_equal(show_at(i)->raw != NULL, show_at(i)->finish != NULL);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_sorted_and_found_in_any_case),
        cmocka_unit_test(columns_have_different_names_and_help),
        cmocka_unit_test(what_has_a_raw_table_has_a_finish),
    };
    if (argc == 2 && strcmp(argv[1], "--document") == 0) {
        show_document(stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
