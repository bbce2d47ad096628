/* What /metrics says of rows: both formats, labels escaped, several workers summed. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "admin/metrics.h"

static void put(struct rows *rows, const char *kind, const char *label, const char *user,
                int64_t number)
{
    rows_text(rows, kind);
    rows_text(rows, label);
    rows_text(rows, user);
    for (size_t i = 3; i < METRICS_COLUMN_COUNT; i++) {
        rows_number(rows, number);
    }
}

static void write_all(bool is_openmetrics, struct text *out)
{
    const struct admin admin = {.worker_count = 2, .started_at = 1500000};
    const struct metrics_process process = {.is_draining = true, .client_count = 7};
    struct rows rows;

    rows_init(&rows, metrics_columns, METRICS_COLUMN_COUNT);
    put(&rows, "worker", "0", "", 1000000);
    put(&rows, "pool", "a\"b\\c\n", "u", 2);
    put(&rows, "worker", "1", "", 3);
    put(&rows, "pool", "a\"b\\c\n", "u", 3);
    metrics_write(&admin, &process, &rows, is_openmetrics, out);
    assert_false(out->has_failed);
    rows_done(&rows);
}

static void assert_has(const struct text *text, const char *line)
{
    if (strstr(text_cstr(text), line) == NULL) {
        fail_msg("lacks %s in:\n%s", line, text_cstr(text));
    }
}

static void workers_are_summed_and_labels_escaped(void **)
{
    struct text text = {0};

    write_all(false, &text);
    assert_has(&text, "\nreparto_clients 7\n");
    assert_has(&text, "\nreparto_draining 1\n");
    assert_has(&text, "\nreparto_start_time_seconds 1.500000\n");
    assert_has(&text, "\nreparto_worker_clients{worker=\"0\"} 1000000\n");
    assert_has(&text, "\nreparto_worker_cpu_seconds_total{worker=\"0\"} 1\n");
    assert_has(&text, "\nreparto_pool_queries_total{database=\"a\\\"b\\\\c\\n\",user=\"u\"} 5\n");
    assert_has(&text,
               "\nreparto_pool_paused{database=\"a\\\"b\\\\c\\n\",user=\"u\"} 3\n"); /* a maximum */
    assert_has(&text, "user=\"u\",le=\"+Inf\"} 5\n");
    text_done(&text);
}

static void each_format_names_counters_its_own_way(void **)
{
    struct text text = {0}, open = {0};

    write_all(false, &text);
    write_all(true, &open);
    assert_has(&text, "# TYPE reparto_pool_queries_total counter\n");
    assert_has(&open, "# TYPE reparto_pool_queries counter\n");
    assert_has(&open, "# TYPE reparto_build info\n");
    assert_has(&open, "# UNIT reparto_pool_wait_seconds seconds\n");
    assert_null(strstr(text_cstr(&text), "# UNIT"));
    assert_null(strstr(text_cstr(&text), "# EOF"));
    assert_string_equal(text_cstr(&open) + open.size - 6, "# EOF\n");
    text_done(&text);
    text_done(&open);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_summed_and_labels_escaped),
        cmocka_unit_test(each_format_names_counters_its_own_way),
    };
    if (argc == 2 && strcmp(argv[1], "--document") == 0) {
        metrics_document(stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
