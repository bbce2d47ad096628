/* Any text on the console: it is read or refused with a reason, always goes on, stays inside its
 * limits, and selects rows without harm. */
#include <stdlib.h>
#include <string.h>

#include "admin/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static const struct column columns[] = {
    {"a", COLUMN_TEXT, MERGE_KEY, "-"},
    {"b", COLUMN_INT8, MERGE_SUM, "-"},
};

static void select_rows(const struct query *query)
{
    struct error err = {0}, again = {0};
    struct rows rows;

    rows_init(&rows, columns, 2);
    for (int64_t i = 0; i < 5; i++) {
        rows_text(&rows, i == 3 ? NULL : i % 2 == 0 ? "x%_\\y" : "día");
        rows_number(&rows, 5 - i);
    }
    bool is_ok = rows_select(&rows, query, &err);
    expect(is_ok == rows_check(columns, 2, query, &again));
    expect(is_ok != error_is_set(&err));
    expect(!is_ok || query->limit < 0 || rows_count(&rows) <= (size_t)query->limit);
    rows_done(&rows);
}

static void read_all(const char *sql, size_t size, const struct query_parameters *parameters)
{
    size_t at = 0;

    for (;;) {
        struct error err = {0};
        struct query query;
        size_t used = 0;
        if (!query_read(sql + at, size - at, parameters, &query, &used, &err)) {
            expect(strlen(err.sqlstate) == 5 && err.message[0] != '\0');
            return;
        }
        expect(used <= size - at);
        expect(query.parameter_count <= QUERY_PARAMETER_MAX);
        expect(memchr(query.name, '\0', sizeof query.name) != NULL);
        expect(memchr(query.value, '\0', sizeof query.value) != NULL);
        if (query.kind == QUERY_EMPTY) {
            expect(at + used == size);
            return;
        }
        expect(used > 0);
        select_rows(&query);
        at += used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *const values[] = {"x", NULL, "3"};
    const struct query_parameters unbound = {0}, bound = {values, 3};

    read_all((const char *)bytes, size, &unbound);
    read_all((const char *)bytes, size, &bound);
    return 0;
}
