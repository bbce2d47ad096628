/* The plain run: writes on the primary, reads on the replicas, lag, and every write counted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "common/terminal.h"
#include "load_test/mode.h"
#include "load_test/options.h"
#include "load_test/output.h"
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

static int run_once(const struct load_options *options, const struct run_plan *plan,
                    enum report_language language, const struct target *target,
                    struct interrupt *interrupt, struct error *err)
{
    struct run_report report;
    struct run_files files = {.csv = options->csv, .hgrm = options->hgrm, .log = options->log};
    struct progress progress;
    int status = 1;

    progress_init(&progress, stderr, options->quiet);
    report_init(&report);
    report.language = language;
    snprintf(report.version, sizeof report.version, "%s (%s)", REPARTO_VERSION, REPARTO_COMMIT);
    if (run_execute(plan, target, interrupt, &progress, &report, &files, err) &&
        output_report(&report, options->json, err)) {
        status = report_exit_code(&report);
    }
    report_done(&report);
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
    struct option_list words;
    struct run_plan plan;
    enum report_language language = REPORT_ENGLISH;
    struct target target = {0};
    struct interrupt interrupt = {.fd = -1};
    struct error err = {0};
    int status;

    load_options_init(&options);
    if (!load_options_parse(&table, argc, argv, &options, &words, &status)) {
        return status;
    }
    if (words.count > 0) {
        error_set(&err, "42601", "unexpected argument \"%s\"", words.items[0]);
    }
    if (error_is_set(&err) || !load_options_plan(&options, &plan, &language, &err)) {
        error_print(&err, "load_test", stderr);
        return 2;
    }
    status = 1;
    if (interrupt_init(&interrupt, &err) && load_options_target(&options, &target, &err)) {
        status = run_once(&options, &plan, language, &target, &interrupt, &err);
    }
    target_done(&target);
    interrupt_done(&interrupt);
    if (error_is_set(&err)) {
        error_print(&err, "load_test", stderr);
    }
    return status;
}
