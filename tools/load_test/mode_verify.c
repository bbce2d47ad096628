/* `load_test verify FILE`: counts again what a run could not count, for a node was away then. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_test/mode.h"
#include "load_test/options.h"
#include "load_test/verify.h"

static const char usage[] = "load_test verify FILE [options]";

static const char epilogue[] =
    "FILE is the load_test-acks-SEED.csv that a run leaves when it could not check a node. "
    "Without\n"
    "--primary the servers are those of the running lab.\n\n"
    "examples:\n"
    "  load_test verify load_test-acks-41.csv\n"
    "  load_test verify load_test-acks-41.csv --primary 'host=db1 dbname=shop' --wait-node 1min\n\n"
    "exit status: 0 every acknowledged write is on every node once, 1 a node could not be "
    "checked,\n"
    "2 wrong usage, 4 an acknowledged write is lost or there twice";

/* Those of the plain run that mean something here, in the same words. */
static const char *const option_names[] = {"lab",     "lang",           "output",
                                           "primary", "replica",        "shard",
                                           "timeout", "verify-timeout", "wait-node"};

enum { OPTION_COUNT = sizeof option_names / sizeof option_names[0] };

static void pick_options(struct option_row rows[OPTION_COUNT])
{
    size_t count = 0;

    for (size_t i = 0; i < load_option_count && count < OPTION_COUNT; i++) {
        if (strcmp(load_option_rows[i].name, option_names[count]) == 0) {
            rows[count++] = load_option_rows[i];
        }
    }
    assert(count == OPTION_COUNT);
}

static void print_node(const struct run_report *report, const char *name, const char *place,
                       bool is_checked, double lost, double twice)
{
    bool is_spanish = report->language == REPORT_SPANISH;

    if (!is_checked) {
        printf("%-6s %-22s %s\n", name, place, is_spanish ? "no comprobado" : "not checked");
        return;
    }
    printf("%-6s %-22s %.0f %s, %.0f %s, %.0f %s\n", name, place, report->acknowledged,
           is_spanish ? "confirmadas" : "acknowledged", lost, is_spanish ? "perdidas" : "lost",
           twice, is_spanish ? "dobles" : "twice");
}

/* Returns whether all of it could be printed. */
static bool print_report(const struct run_report *report)
{
    print_node(report, report->primary_name, report->primary_place, report->primary_checked > 0,
               report->primary_lost, report->primary_twice);
    for (size_t i = 0; i < report->replica_count; i++) {
        const struct report_replica *replica = &report->replicas[i];
        print_node(report, replica->name, replica->place, replica->is_checked > 0, replica->lost,
                   replica->twice);
    }
    if (report->unknown_there > 0) {
        printf(report->language == REPORT_SPANISH
                   ? "escrituras de resultado desconocido que están en el primario: %.0f\n"
                   : "writes of unknown outcome that are on the primary: %.0f\n",
               report->unknown_there);
    }
    for (size_t i = 0; i < report->finding_count; i++) {
        printf("%-4s  %s\n", report->findings[i].severity == REPORT_NOTE ? "note" : "FAIL",
               report->findings[i].text);
    }
    if (report_exit_code(report) == 0) {
        printf(report->language == REPORT_SPANISH ? "PASS  ninguna perdida, ninguna dos veces\n"
                                                  : "PASS  nothing lost, nothing twice\n");
    }
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

/* Names for the nodes; whether they are what they should be is seen while they are counted, as one
 * that is down must not keep the others from being checked. */
static void name_nodes(const struct target *target, struct run_report *report)
{
    snprintf(report->primary_name, sizeof report->primary_name, "%s", target->primary.name);
    snprintf(report->primary_place, sizeof report->primary_place, "%s", target->primary.place);
    report->replica_count = target->replica_count;
    for (size_t i = 0; i < target->replica_count; i++) {
        struct report_replica *replica = &report->replicas[i];
        snprintf(replica->name, sizeof replica->name, "%s", target->replicas[i].name);
        snprintf(replica->place, sizeof replica->place, "%s", target->replicas[i].place);
    }
}

/* The lost ids go to a file with the seed of the run; FILE's name has it, its owner may have
 * renamed it. */
static uint64_t seed_of(const char *path)
{
    static const char prefix[] = "load_test-acks-";
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;

    if (strncmp(name, prefix, sizeof prefix - 1) != 0) {
        return 0;
    }
    return strtoull(name + sizeof prefix - 1, NULL, 10);
}

static int verify_file(const char *path, struct run_plan *plan, enum report_language language,
                       const struct target *target, struct interrupt *interrupt, struct error *err)
{
    struct run_report report;
    struct write_log writes = {0};
    int status = 1;

    report_init(&report);
    report.language = language;
    plan->seed = seed_of(path);
    name_nodes(target, &report);
    if (verify_load(path, report.table, &writes, err) &&
        verify_run(plan, target, interrupt, &writes, &report, err)) {
        status = report_exit_code(&report);
        if (!print_report(&report)) {
            error_set(err, "58030", "the result could not be written to stdout");
            status = 1;
        }
    }
    write_log_done(&writes);
    report_done(&report);
    return status;
}

static bool find_file(const struct option_list *words, const char **path, struct error *err)
{
    if (words->count != 1) {
        error_set(err, "42601", "%s", words->count == 0 ? "no FILE given" : "more than one FILE");
        return error_hint(err, "'load_test verify --help' tells more");
    }
    *path = words->items[0];
    return true;
}

int mode_verify(int argc, char **argv)
{
    struct option_row rows[OPTION_COUNT];
    const struct option_table table = {
        .program = "load_test verify",
        .usage = usage,
        .description = "Counts the writes of a run that is over, on every node.",
        .rows = rows,
        .row_count = OPTION_COUNT,
        .epilogue = epilogue};
    struct load_options options;
    struct option_list words = {0};
    struct run_plan plan;
    enum report_language language = REPORT_ENGLISH;
    struct target target = {0};
    struct interrupt interrupt = {.fd = -1};
    struct error err = {0};
    const char *path = "";
    int status;

    pick_options(rows);
    load_options_init(&options);
    if (!load_options_parse(&table, argc, argv, &options, &words, &status)) {
        return status;
    }
    if (!find_file(&words, &path, &err) || !load_options_plan(&options, &plan, &language, &err)) {
        error_print(&err, table.program, stderr);
        return 2;
    }
    status = 1;
    if (interrupt_init(&interrupt, &err) && load_options_target(&options, &target, &err)) {
        status = verify_file(path, &plan, language, &target, &interrupt, &err);
    }
    target_done(&target);
    interrupt_done(&interrupt);
    if (error_is_set(&err)) {
        error_print(&err, table.program, stderr);
    }
    return status;
}
