/* The plain run: writes on the primary, reads on the replicas, lag, and every write counted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "common/terminal.h"
#include "load_test/expect.h"
#include "load_test/mode.h"
#include "load_test/options.h"
#include "load_test/output.h"
#include "load_test/report_numbers.h"
#include "load_test/report_saved.h"
#include "load_test/run.h"
#include "load_test/run_files.h"
#include "version.h"

static const char usage[] =
    "load_test [run] [options]                 one run: writes, reads, lag, verification\n"
    "       load_test verify FILE [options]           counts a saved run's writes again\n"
    "       load_test sharded-writes [options]        rows per shard, routed and counted\n"
    "       load_test policies [options]              what each synchronous_commit costs and buys\n"
    "       load_test compare A B [options]           is the difference more than chance?";

static const char epilogue[] =
    "Without --primary it tests the running lab (reparto lab up). The report goes to stdout,\n"
    "progress to stderr.\n\n"
    "examples:\n"
    "  load_test > artifacts/mi_run.txt\n"
    "  load_test --primary 'host=db1 dbname=shop' --replica 'host=db2 dbname=shop'\n"
    "  load_test --rate 800 --duration 30s --expect 'visible.p99<50ms' --json run.json\n\n"
    "exit status: 0 pass, 1 could not run or operations failed, 2 wrong usage, 3 an expectation\n"
    "missed, 4 an acknowledged write is lost or there twice";

struct expectations {
    struct expect list[OPTION_LIST_MAX];
    size_t count;
};

static bool parse_expectations(const struct option_list *texts, struct expectations *expectations,
                               struct error *err)
{
    for (expectations->count = 0; expectations->count < texts->count; expectations->count++) {
        if (!expect_parse(texts->items[expectations->count],
                          &expectations->list[expectations->count], err)) {
            return error_wrap(err, "--expect");
        }
    }
    return true;
}

/* Before anything is written: would a run against these servers have such metrics? */
static bool check_expectations(const struct expectations *expectations, const struct target *target,
                               struct error *err)
{
    struct run_report report;
    struct metrics *metrics = calloc(1, sizeof *metrics);
    bool is_ok = metrics != NULL ? true : error_set(err, "53200", "out of memory");

    report_init(&report);
    report.replica_count = target->replica_count;
    for (size_t i = 0; i < target->replica_count; i++) {
        snprintf(report.replicas[i].name, sizeof report.replicas[i].name, "%s",
                 target->replicas[i].name);
    }
    if (is_ok) {
        report_to_metrics(&report, metrics);
    }
    for (size_t i = 0; is_ok && i < expectations->count; i++) {
        is_ok = expect_fits(&expectations->list[i], metrics, err) || error_wrap(err, "--expect");
    }
    report_done(&report);
    free(metrics);
    return is_ok;
}

static void judge(const struct expectations *expectations, struct run_report *report)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    char line[EXPECT_LINE_SIZE];

    if (metrics == NULL) {
        report_add_finding(report, REPORT_FAIL, 1, "out of memory for --expect");
        return;
    }
    report_to_metrics(report, metrics);
    for (size_t i = 0; i < expectations->count; i++) {
        if (!expect_judge(&expectations->list[i], metrics, line)) {
            report_add_finding(report, REPORT_FAIL, 3, "%s", line);
        }
    }
    free(metrics);
}

/* The graver of two exit statuses: a lost write before a failure before a missed expectation. */
static int graver(int a, int b)
{
    static const int order[] = {4, 1, 3, 0};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (a == order[i] || b == order[i]) {
            return order[i];
        }
    }
    return a;
}

/* What earlier repetitions found wrong, for the page of the last one. */
struct carried {
    int exit_code;
    long run;
    char text[REPORT_FINDING_SIZE];
};

enum { CARRIED_MAX = 16 };

struct runs {
    struct carried carried[CARRIED_MAX];
    size_t carried_count;
    long run; /* 1, 2, … */
    const struct load_options *options;
    struct run_plan plan;
    enum report_language language;
    struct target target;
    struct interrupt interrupt;
    struct expectations expectations;
};

static void carry_findings(struct runs *runs, const struct run_report *report)
{
    for (size_t i = 0; i < report->finding_count && runs->carried_count < CARRIED_MAX; i++) {
        if (report->findings[i].exit_code != 0) {
            struct carried *carried = &runs->carried[runs->carried_count++];
            carried->exit_code = report->findings[i].exit_code;
            carried->run = runs->run;
            memcpy(carried->text, report->findings[i].text, sizeof carried->text);
        }
    }
}

static void add_carried(const struct runs *runs, struct run_report *report)
{
    bool is_spanish = report->language == REPORT_SPANISH;
    for (size_t i = 0; i < runs->carried_count; i++) {
        const struct carried *carried = &runs->carried[i];
        report_add_finding(report, REPORT_FAIL, carried->exit_code,
                           is_spanish ? "corrida %ld de %ld: %.200s" : "run %ld of %ld: %.200s",
                           carried->run, runs->options->repeat, carried->text);
    }
}

/* One repetition; the last one is printed.  Returns its exit status, with `err` when it could not
 * be done. */
static int run_once(struct runs *runs, bool is_last, struct saved *all, struct error *err)
{
    const struct load_options *options = runs->options;
    struct run_files files = {.csv = options->csv, .hgrm = options->hgrm, .log = options->log};
    struct run_report report;
    struct progress progress;
    int status = 1;

    progress_init(&progress, stderr, options->quiet);
    report_init(&report);
    report.language = runs->language;
    snprintf(report.version, sizeof report.version, "%s (%s)", REPARTO_VERSION, REPARTO_COMMIT);
    if (run_execute(&runs->plan, &runs->target, &runs->interrupt, &progress, &report,
                    is_last ? &files : NULL, err)) {
        judge(&runs->expectations, &report);
        report_to_saved(&report, all);
        bool is_shown = is_last || report.is_interrupted;
        if (is_shown) {
            add_carried(runs, &report);
        } else {
            carry_findings(runs, &report);
        }
        status = report_exit_code(&report);
        if (is_shown && !output_report(&report, all, options->no_data, options->json, err)) {
            status = 1;
        }
    }
    report_done(&report);
    return status;
}

static int run_all(struct runs *runs, struct error *err)
{
    struct saved *all = saved_create();
    long count = runs->options->repeat;
    int status = 0;

    if (all == NULL) {
        error_set(err, "53200", "out of memory");
        return 1;
    }
    for (long i = 0; i < count && !runs->interrupt.is_asked && !error_is_set(err); i++) {
        runs->run = i + 1;
        status = graver(status, run_once(runs, i + 1 == count, all, err));
        runs->plan.seed++;
    }
    free(all);
    return status;
}

int mode_run(int argc, char **argv)
{
    const struct option_table table = {.program = "load_test",
                                       .usage = usage,
                                       .description =
                                           "Measures replication on real PostgreSQL: throughput, "
                                           "latency, the lag of every write, and\n"
                                           "that no acknowledged write is lost.",
                                       .rows = load_option_rows,
                                       .row_count = load_option_count,
                                       .epilogue = epilogue};
    struct load_options options;
    struct runs runs = {.options = &options, .interrupt = {.fd = -1}};
    struct option_list words;
    struct error err = {0};
    int status = 1;

    load_options_init(&options);
    if (!load_options_parse(&table, argc, argv, &options, &words, &status)) {
        return status;
    }
    if (words.count > 0) {
        error_set(&err, "42601", "unexpected argument \"%s\"", words.items[0]);
    }
    if (error_is_set(&err) || !load_options_plan(&options, &runs.plan, &runs.language, &err) ||
        !parse_expectations(&options.expects, &runs.expectations, &err)) {
        error_print(&err, "load_test", stderr);
        return 2;
    }
    status = 1;
    if (interrupt_init(&runs.interrupt, &err) &&
        load_options_target(&options, &runs.target, &err)) {
        bool is_right = check_expectations(&runs.expectations, &runs.target, &err);
        status = is_right ? run_all(&runs, &err) : 2;
    }
    target_done(&runs.target);
    interrupt_done(&runs.interrupt);
    if (error_is_set(&err)) {
        error_print(&err, "load_test", stderr);
    }
    return status;
}
