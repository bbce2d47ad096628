/* One event is one line, whatever its details hold. */
#include "check.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"

static void log_to(char *line, size_t size, enum log_format format, enum log_level level,
                   const char *details)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const struct log log = {.fd = ends[1], .level_max = LOG_INFO, .format = format};
    const struct log_context context = {.log = &log, .session_id = 42, .node = "n2"};

    log_event(level, &context, "replica_skipped", "%s", details);
    close(ends[1]);
    ssize_t got = read(ends[0], line, size - 1);
    line[got > 0 ? got : 0] = '\0';
    close(ends[0]);
}

static void text_line_has_its_parts(void **)
{
    char line[2000];
    log_to(line, sizeof line, LOG_TEXT, LOG_WARN, "lag_ms=5300");
    assert_string_equal(strstr(line, " level="),
                        " level=warn event=replica_skipped session=42 node=n2 lag_ms=5300\n");
}

static void json_line_stays_json(void **)
{
    char line[2000];
    log_to(line, sizeof line, LOG_JSON, LOG_ERROR, "a \"b\" c\\d");
    assert_string_equal(strstr(line, ",\"level\""),
                        ",\"level\":\"error\",\"event\":\"replica_skipped\",\"session\":42,"
                        "\"node\":\"n2\",\"details\":\"a 'b' c'd\"}\n");
}

static void pgbouncer_line_has_its_wording_where_there_is_one(void **)
{
    int ends[2];
    unsigned long lost = 0;
    char line[2000] = "";

    assert_int_equal(pipe(ends), 0);
    const struct log log = {
        .fd = ends[1], .level_max = LOG_INFO, .format = LOG_PGBOUNCER, .lost_count = &lost};
    struct log_context context = {.log = &log, .subject = "C-0x2a: shop/ann@10.0.0.1:5501"};
    log_event(LOG_WARN, &context, "client_refused", "sqlstate=%s", "28P01");
    context.words = "login attempt: db=shop user=ann tls=no";
    log_event(LOG_INFO, &context, "client_logged_in", "tls=off");
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "] WARNING C-0x2a: shop/ann@10.0.0.1:5501 client_refused: "
                                 "sqlstate=28P01\n"));
    assert_non_null(strstr(line, "] LOG C-0x2a: shop/ann@10.0.0.1:5501 login attempt: db=shop "
                                 "user=ann tls=no\n"));
    assert_int_equal(strstr(line, " UTC [") - line, (int)strlen("2026-11-24 07:51:02.125"));
    close(ends[0]);
    close(ends[1]);
    log_event(LOG_INFO, &context, "client_logged_in", "nobody takes it");
    assert_int_equal(lost, 1);
}

static void nothing_breaks_the_line(void **)
{
    char line[2000], longer[3000];
    log_to(line, sizeof line, LOG_TEXT, LOG_INFO, "a\nb\x1b[0m");
    assert_non_null(strstr(line, "a?b?[0m\n"));
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    log_to(line, sizeof line, LOG_TEXT, LOG_INFO, longer);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    log_to(line, sizeof line, LOG_TEXT, LOG_DEBUG, "below the level");
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_line_has_its_parts),
        cmocka_unit_test(json_line_stays_json),
        cmocka_unit_test(pgbouncer_line_has_its_wording_where_there_is_one),
        cmocka_unit_test(nothing_breaks_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
