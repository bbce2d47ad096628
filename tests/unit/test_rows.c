/* Rows: WHERE, ORDER BY, LIMIT, and rows of several workers becoming one. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "admin/rows.h"

static const struct column columns[] = {
    {"name", COLUMN_TEXT, MERGE_KEY, "-"},
    {"count", COLUMN_INT8, MERGE_SUM, "-"},
    {"most", COLUMN_INT4, MERGE_MAX, "-"},
    {"note", COLUMN_TEXT, MERGE_FIRST, "-"},
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void add(struct rows *rows, const char *name, int64_t count, int64_t most, const char *note)
{
    rows_text(rows, name);
    rows_number(rows, count);
    rows_number(rows, most);
    rows_text(rows, note);
}

static void fill(struct rows *rows)
{
    rows_init(rows, columns, COLUMNS);
    add(rows, "b", 10, 3, "x_y");
    add(rows, "a", 9, 4, "x%y");
    add(rows, "c", 9, 1, NULL);
    add(rows, "a", -1, 7, "día");
}

/* The names that are left, then the counts of them. */
static const char *written(const struct rows *rows, char *out, size_t size)
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t row = 0; row < rows_count(rows); row++) {
        char buffer[ROWS_NUMBER_SIZE];
        length += (size_t)snprintf(out + length, size - length, "%s%s", row == 0 ? "" : " ",
                                   rows_at(rows, row, 0)->text);
        length += (size_t)snprintf(out + length, size - length, "%s",
                                   rows_cell_text(rows_at(rows, row, 1), buffer));
    }
    return out;
}

static const char *selected(const char *clause, char *out, size_t size)
{
    const struct query_parameters unbound = {0};
    struct error err = {0};
    struct query query;
    struct rows rows;
    char sql[300];
    size_t used = 0;

    snprintf(sql, sizeof sql, "SHOW t %s", clause);
    assert_true(query_read(sql, strlen(sql), &unbound, &query, &used, &err));
    fill(&rows);
    if (rows_select(&rows, &query, &err)) {
        written(&rows, out, size);
    } else {
        snprintf(out, size, "%s", err.sqlstate);
    }
    rows_done(&rows);
    return out;
}

static void clauses_select_rows(void **)
{
    static const struct {
        const char *clause, *left;
    } cases[] = {
        {"", "b10 a9 c9 a-1"},
        {"WHERE name = 'a'", "a9 a-1"},
        {"WHERE name <> 'a'", "b10 c9"},
        {"WHERE name > 'a' AND count < 10", "c9"},
        {"WHERE count = '9'", "a9 c9"},
        {"WHERE count >= 9", "b10 a9 c9"},
        {"WHERE count <= -1", "a-1"},
        {"WHERE count LIKE '%0'", "b10"},
        {"WHERE count NOT LIKE '9'", "b10 a-1"},
        {"WHERE note LIKE 'x%'", "b10 a9"},
        {"WHERE note LIKE 'x\\%y'", "a9"},
        {"WHERE note LIKE 'x\\_y'", "b10"},
        {"WHERE note LIKE 'd_a'", "a-1"},
        {"WHERE note LIKE '%%%y%'", "b10 a9"},
        {"WHERE note LIKE ''", ""},
        {"WHERE note <> 'q'", "b10 a9 a-1"}, /* NULL is neither equal nor not */
        {"ORDER BY name", "a9 a-1 b10 c9"},  /* stable */
        {"ORDER BY name DESC, count", "c9 b10 a-1 a9"},
        {"ORDER BY count", "a-1 a9 c9 b10"}, /* as numbers */
        {"ORDER BY note", "a-1 a9 b10 c9"},  /* NULLs are the largest */
        {"ORDER BY note DESC LIMIT 2", "c9 b10"},
        {"LIMIT 0", ""},
        {"LIMIT 99", "b10 a9 c9 a-1"},
        {"WHERE nam = 'a'", "42703"},
        {"ORDER BY x", "42703"},
        {"WHERE count = 'a'", "22P02"},
        {"WHERE count = 1.5", "22P02"},
        {"WHERE count = 99999999999999999999", "22P02"},
    };
    char out[200];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(selected(cases[i].clause, out, sizeof out), cases[i].left);
    }
}

static void an_unknown_column_gets_a_guess(void **)
{
    const struct query_parameters unbound = {0};
    static const char sql[] = "SHOW t WHERE cuont = 1";
    struct error err = {0};
    struct query query;
    size_t used = 0;

    assert_true(query_read(sql, sizeof sql - 1, &unbound, &query, &used, &err));
    assert_false(rows_check(columns, COLUMNS, &query, &err));
    assert_string_equal(err.hint, "did you mean \"count\"?");
}

static void rows_of_the_same_key_become_one(void **)
{
    struct rows rows, all;
    char out[100];

    fill(&rows);
    rows_init(&all, columns, COLUMNS);
    rows_append(&all, &rows);
    rows_append(&all, &rows);
    rows_done(&rows); /* texts are the copy's own */
    rows_merge(&all);
    assert_string_equal(written(&all, out, sizeof out), "b20 a16 c18");
    assert_int_equal(rows_at(&all, 1, 2)->number, 7);
    assert_string_equal(rows_at(&all, 1, 3)->text, "x%y");
    assert_true(rows_at(&all, 2, 3)->is_null);
    rows_done(&all);
    rows_done(&all); /* twice does no harm */
}

static void long_texts_and_many_rows_are_kept(void **)
{
    struct rows rows;
    static char text[20000];

    memset(text, 'x', sizeof text - 1);
    rows_init(&rows, columns, COLUMNS);
    for (int64_t i = 0; i < 1000; i++) {
        add(&rows, "n", i, i, i % 100 == 0 ? text : "short");
    }
    assert_false(rows.has_failed);
    assert_int_equal(rows_count(&rows), 1000);
    assert_int_equal(strlen(rows_at(&rows, 900, 3)->text), sizeof text - 1);
    assert_int_equal(rows_at(&rows, 999, 1)->number, 999);
    rows_done(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clauses_select_rows),
        cmocka_unit_test(an_unknown_column_gets_a_guess),
        cmocka_unit_test(rows_of_the_same_key_become_one),
        cmocka_unit_test(long_texts_and_many_rows_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
