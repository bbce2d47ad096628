/* The report a person reads: two golden files, 80 columns whatever comes, and no raw nan.
 *
 * `test_report_text en` (or es) prints the golden file anew. */
#include "load_test/report_metric.h"

#include "unit/check.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- reports ---- */

static struct report_quantiles quantiles(double count, double p50, double p90, double p99,
                                         double p999, double max)
{
    return (struct report_quantiles){count, p50, p90, p99, p999, max};
}

static void fill_replica(struct report_replica *replica, const char *name, const char *place,
                         double shift)
{
    static const double found[] = {0.094, 0.354, 0.777, 0.951, 0.994, 1};
    snprintf(replica->name, sizeof replica->name, "%s", name);
    snprintf(replica->place, sizeof replica->place, "%s", place);
    snprintf(replica->sync_state, sizeof replica->sync_state, "async");
    replica->reads = 66510 + shift;
    replica->reads_failed = 0;
    replica->visible = quantiles(7970, 0.62, 1.44, 4.16 + shift, 8.71, 9.48);
    replica->applied = quantiles(7970, 1.3, 1.84, 2.92, 5.54, 16.5 - shift);
    replica->unseen = 0;
    replica->stale = 0.37;
    replica->samples_per_s = 3139 + shift;
    replica->width_p50 = 0.4;
    replica->width_p90 = 0.7;
    replica->probes = 797;
    replica->missed = 0.906;
    memcpy(replica->found, found, sizeof found);
    replica->replay_lag_samples = 100;
    replica->replay_lag_given = 83;
    replica->replay_lag_p50 = 0.61;
    replica->replay_lag_max = 5.06;
    replica->is_checked = 1;
    replica->lost = replica->twice = 0;
}

static void fill_figures(struct run_report *report)
{
    report->seconds = 10;
    report->warmup_seconds = 2;
    report->writes_asked = 800;
    report->writes_done = 7970;
    report->writes_rate = 797;
    report->writes_failed = report->writes_unknown = report->writes_unsent = 0;
    report->reads_done = 133021;
    report->reads_rate = 13302.1;
    report->reads_failed = report->reads_moved = report->primary_reads = 0;
    report->write_due = quantiles(7970, 0.73, 2.12, 6.19, 11.11, 12.91);
    report->write_sent = quantiles(7970, 0.58, 1.34, 4.24, 7.64, 9.28);
    report->read = quantiles(133021, 0.41, 0.98, 2.7, 5.1, 11.4);
    report->writes_late = 32;
    report->late_share = 0.004;
    report->cpu = 0.29;
    report->cpu_thread = 0.17;
    report->clock_error_ms = 0.021;
    report->connections_max = 14;
    report->connections_limit = 100;
    report->longest_query_s = 0.02;
    report->idle_in_transaction_max = 0;
    report->acknowledged = 9561;
    report->lost = report->twice = report->unwritten = report->unknown_there = 0;
    report->primary_checked = 1;
    report->primary_lost = report->primary_twice = 0;
}

static void fill(struct run_report *report, enum report_language language)
{
    report_init(report);
    report->language = language;
    snprintf(report->version, sizeof report->version, "0.1.0 (abcdef0)");
    snprintf(report->started, sizeof report->started, "2026-11-24 07:51:02 UTC");
    snprintf(report->primary_name, sizeof report->primary_name, "p");
    snprintf(report->primary_place, sizeof report->primary_place, "127.0.0.1:5433");
    snprintf(report->server_version, sizeof report->server_version, "15.18");
    report_set(report, "seed", "41");
    report_set(report, "writers", "4");
    report_set(report, "readers", "8");
    report_set(report, "read_rate", "unpaced");
    report_set(report, "synchronous_commit", "local");
    report_set(report, "synchronous_standby_names", "%s", "");
    report_set(report, "track_commit_timestamp", "on");
    fill_figures(report);
    report->replica_count = 2;
    fill_replica(&report->replicas[0], "r1", "127.0.0.1:5434", 0);
    fill_replica(&report->replicas[1], "r2", "127.0.0.1:5435", 1);
}

/* ---- checks on a page ---- */

static bool has_word(const char *line, const char *word)
{
    for (const char *at = line; (at = strstr(at, word)) != NULL; at++) {
        bool begins = at == line || !isalpha((unsigned char)at[-1]);
        if (begins && !isalpha((unsigned char)at[strlen(word)])) {
            return true;
        }
    }
    return false;
}

/* Fails on lines wider than 80 columns, blanks at an end of line, escapes, and C's own nan. */
static void check_page(const struct run_report *report)
{
    struct text page = {0};
    report_write_page(report, false, &page);
    assert_false(page.has_failed);
    assert_true(page.bytes[page.size - 1] == '\n');
    assert_null(strchr(page.bytes, '\x1b'));
    for (char *line = page.bytes, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        if (text_columns(line) > 80 || (end > line && end[-1] == ' ')) {
            fail_msg("%zu columns: \"%s\"", text_columns(line), line);
        }
        if (has_word(line, "nan") || has_word(line, "inf") || strchr(line, '{') != NULL) {
            fail_msg("\"%s\"", line);
        }
    }
    text_done(&page);
}

static void check_both_languages(struct run_report *report)
{
    report->language = REPORT_ENGLISH;
    check_page(report);
    report->language = REPORT_SPANISH;
    check_page(report);
}

static void assert_says(const struct run_report *report, const char *expected)
{
    struct text page = {0};
    report_write_page(report, false, &page);
    if (strstr(text_cstr(&page), expected) == NULL) {
        fail_msg("no \"%s\" in\n%s", expected, text_cstr(&page));
    }
    text_done(&page);
}

static void set_all(struct run_report *report, double value)
{
    for (size_t i = 0; i < report_run_metric_count; i++) {
        *report_run_field(report, &report_run_metrics[i]) = value;
    }
    for (size_t i = 0; i < report->replica_count; i++) {
        for (size_t j = 0; j < report_replica_metric_count; j++) {
            *report_replica_field(&report->replicas[i], &report_replica_metrics[j]) = value;
        }
    }
}

/* ---- tests ---- */

static void check_golden(enum report_language language, const char *path)
{
    static char golden[16384];
    struct run_report report;
    struct text page = {0};
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    golden[fread(golden, 1, sizeof golden - 1, file)] = '\0';
    fclose(file);
    fill(&report, language);
    report_write_page(&report, false, &page);
    assert_string_equal(text_cstr(&page), golden);
    text_done(&page);
    check_page(&report);
}

static void english_is_the_golden_file(void **)
{
    check_golden(REPORT_ENGLISH, GOLDEN "/load_test_report.en.txt");
}

static void spanish_is_the_golden_file(void **)
{
    check_golden(REPORT_SPANISH, GOLDEN "/load_test_report.es.txt");
}

static void nothing_measured_is_a_dash(void **)
{
    struct run_report report;
    for (size_t count = 0; count <= REPORT_REPLICA_MAX; count += REPORT_REPLICA_MAX) {
        report_init(&report);
        report.replica_count = count;
        check_both_languages(&report);
    }
    fill(&report, REPORT_ENGLISH);
    set_all(&report, NAN);
    check_both_languages(&report);
    report.language = REPORT_ENGLISH;
    assert_says(&report, "–");
    assert_says(&report, "the acknowledged writes were not counted on any node");
}

static void any_figure_fits_the_columns(void **)
{
    static const double values[] = {0,   -0.001, 0.5,   1,      999.995,  123456.789, 50e6,
                                    9e9, 1e12,   1e300, -1e300, INFINITY, -1e12,      1e15};
    struct run_report report;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        fill(&report, REPORT_ENGLISH);
        set_all(&report, values[i]);
        check_both_languages(&report);
    }
}

static void what_never_came_is_never(void **)
{
    struct run_report report;
    fill(&report, REPORT_ENGLISH);
    report.replicas[1].visible = quantiles(7970, 0.62, 1.44, INFINITY, INFINITY, INFINITY);
    report.replicas[1].unseen = 1234;
    check_both_languages(&report);
    assert_says(&report, " 0,62      1,44     nunca     nunca     nunca\n");
    assert_says(&report, "sin ver en r2 antes del final de la prueba: 1.234 escrituras (nunca)");
    report.language = REPORT_ENGLISH;
    assert_says(&report, " 0.62      1.44     never     never     never\n");
}

/* Fills a text with a letter of two bytes; a cut inside it would not be UTF-8. */
static void fill_long(char *text, size_t size)
{
    size_t i = 0;
    for (; i + 2 < size; i += 2) {
        memcpy(text + i, "ñ", 2);
    }
    text[i] = '\0';
}

static void long_names_and_sixteen_replicas_fit(void **)
{
    struct run_report report;
    fill(&report, REPORT_ENGLISH);
    fill_long(report.primary_name, sizeof report.primary_name);
    fill_long(report.primary_place, sizeof report.primary_place);
    fill_long(report.server_version, sizeof report.server_version);
    fill_long(report.version, sizeof report.version);
    fill_long(report.table, sizeof report.table);
    report.is_table_kept = true;
    report.replica_count = REPORT_REPLICA_MAX;
    report.error_count = 1;
    fill_long(report.errors[0].message, sizeof report.errors[0].message);
    for (size_t i = 0; i < REPORT_REPLICA_MAX; i++) {
        struct report_replica *replica = &report.replicas[i];
        fill_replica(replica, "", "", 1e9);
        fill_long(replica->name, sizeof replica->name);
        fill_long(replica->place, sizeof replica->place);
        replica->is_checked = i % 2 == 0;
        replica->unseen = replica->lost = replica->twice = 12345678;
    }
    for (int i = 0; i < 20; i++) {
        char name[24], value[REPORT_VALUE_SIZE];
        snprintf(name, sizeof name, "setting_%d", i);
        fill_long(value, (size_t)(i + 1) * sizeof value / 20);
        report_set(&report, name, "%s", value);
        report_add_finding(&report, REPORT_FAIL, 4, "%s %s", value, value);
    }
    check_both_languages(&report);
}

static void failures_come_first_and_nothing_passes_beside_them(void **)
{
    struct run_report report;
    fill(&report, REPORT_ENGLISH);
    report_add_finding(&report, REPORT_NOTE, 0, "a note");
    report_add_finding(&report, REPORT_SLOW, 0, "slow");
    assert_says(&report, "\nPASS  every acknowledged write is on every node, exactly once\n"
                         "SLOW  slow\nNOTE  a note\n");
    report_add_finding(&report, REPORT_FAIL, 3, "missed");
    assert_says(&report, "\n\nFAIL  missed\nSLOW  slow\nNOTE  a note\n");
}

static void passing_claims_only_what_was_checked(void **)
{
    struct run_report report;
    fill(&report, REPORT_ENGLISH);
    report.replicas[1].is_checked = 0;
    assert_says(&report, "PASS  nothing was missed; the writes were not counted on every node");
    assert_says(&report, "counted on p and r1: 0 lost, 0 twice\n  not counted: r2\n");
    report.writes_done = report.acknowledged = 0;
    assert_says(&report, "\nNOTE  no write was acknowledged");
    report.is_interrupted = true;
    report_add_finding(&report, REPORT_NOTE, 1, "%s", "");
    assert_says(&report, "\n\nINTERRUPTED  after 10.0 s; the figures are of that time\n\nTHROUGH");
    check_both_languages(&report);
}

static void the_tool_accuses_itself(void **)
{
    struct run_report report;
    fill(&report, REPORT_ENGLISH);
    report.late_share = 0.02;
    assert_says(&report, "98.0 % of the\n    writes on time: this machine's cores were taken");
    report.cpu_thread = 0.97;
    assert_says(&report, "it was the limit");
}

static void commit_timestamps_that_are_off_are_said(void **)
{
    struct run_report report;
    fill(&report, REPORT_ENGLISH);
    report_set(&report, "track_commit_timestamp", "off");
    report.replicas[0].applied = report.replicas[1].applied = quantiles(0, NAN, NAN, NAN, NAN, NAN);
    assert_says(&report, "applied: not measured: track_commit_timestamp is off\n");
    report_set(&report, "track_commit_timestamp", "on");
    assert_says(&report, "applied: not measured\n");
    check_both_languages(&report);
}

static void errors_are_counted_by_sqlstate(void **)
{
    struct run_report report;
    fill(&report, REPORT_ENGLISH);
    report.error_count = 1;
    report.errors[0] = (struct report_error){"57P01", "terminating connection", 12, 3};
    assert_says(&report, "  57P01             12           3  terminating connection\n");
}

static void colours_are_only_where_asked_for(void **)
{
    struct run_report report;
    struct text plain = {0}, colored = {0};
    fill(&report, REPORT_ENGLISH);
    report_write_page(&report, false, &plain);
    report_write_page(&report, true, &colored);
    assert_null(strchr(text_cstr(&plain), '\x1b'));
    assert_non_null(strstr(text_cstr(&colored), "\x1b[32mPASS\x1b[0m"));
    text_done(&plain);
    text_done(&colored);
}

static int print_golden(enum report_language language)
{
    struct run_report report;
    struct text page = {0};
    fill(&report, language);
    report_write_page(&report, false, &page);
    fputs(text_cstr(&page), stdout);
    text_done(&page);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(english_is_the_golden_file),
        cmocka_unit_test(spanish_is_the_golden_file),
        cmocka_unit_test(nothing_measured_is_a_dash),
        cmocka_unit_test(any_figure_fits_the_columns),
        cmocka_unit_test(what_never_came_is_never),
        cmocka_unit_test(long_names_and_sixteen_replicas_fit),
        cmocka_unit_test(failures_come_first_and_nothing_passes_beside_them),
        cmocka_unit_test(passing_claims_only_what_was_checked),
        cmocka_unit_test(the_tool_accuses_itself),
        cmocka_unit_test(commit_timestamps_that_are_off_are_said),
        cmocka_unit_test(errors_are_counted_by_sqlstate),
        cmocka_unit_test(colours_are_only_where_asked_for),
    };
    if (argc > 1) {
        return print_golden(strcmp(argv[1], "es") == 0 ? REPORT_SPANISH : REPORT_ENGLISH);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
