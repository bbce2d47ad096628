#include "load_test/verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "load_test/ask.h"
#include "load_test/verify_node.h"

#define RETRY_PAUSE (200 * CLOCK_MS)
#define RECOVERY_CONFLICT "40001" /* replay needed what the COPY held: asked again, it works */

enum { EXIT_FAILED = 1, EXIT_VERIFICATION = 4, PATH_SIZE = 600 };

struct verification {
    struct verify_job job;
    const struct run_plan *plan;
    struct run_report *report;
    int64_t wait_until; /* clock_now(): how long a node that is down is waited for */
    bool is_stopped;    /* by a signal: the other nodes are not asked any more */
    bool is_incomplete; /* a node was not checked */
    FILE *lost_file;    /* owned; NULL until a row is lost */
    bool lost_file_failed;
    char lost_path[PATH_SIZE];
};

typedef bool (*node_step)(struct verify_job *job, const struct target_node *node,
                          struct error *err);

[[gnu::format_arg(2), gnu::format_arg(3)]] static const char *
say(const struct verification *verification, const char *english, const char *spanish)
{
    return verification->report->language == REPORT_SPANISH ? spanish : english;
}

/* Does `step`, again while the node is down and is waited for. */
static bool try_step(struct verification *verification, node_step step,
                     const struct target_node *node, struct error *err)
{
    int64_t conflict_until = clock_now() + verification->plan->verify_timeout;

    for (;;) {
        if (step(&verification->job, node, err)) {
            return true;
        }
        int64_t until = strcmp(err->sqlstate, RECOVERY_CONFLICT) == 0 ? conflict_until
                                                                      : verification->wait_until;
        if (strcmp(err->sqlstate, ASK_INTERRUPTED) == 0) {
            verification->is_stopped = true;
            return false;
        }
        struct error ignored = {0};
        struct ask_limit limit = {.deadline = until, .interrupt = verification->job.interrupt};
        if (clock_now() >= until) {
            return false;
        }
        if (!ask_pause(RETRY_PAUSE, limit, &ignored)) {
            verification->is_stopped = true;
            return false;
        }
        *err = (struct error){0};
    }
}

static void add_unchecked(struct verification *verification, const struct target_node *node,
                          const char *reason)
{
    verification->is_incomplete = true;
    report_add_finding(verification->report, REPORT_FAIL, EXIT_FAILED, "%s %s: %s", node->name,
                       say(verification, "was not checked", "no se comprobó"), reason);
}

/* The ids are kept, for they are what a person looks for next. */
static void keep_lost(struct verification *verification, const struct target_node *node)
{
    size_t at = 0;
    const struct write_record *record;

    if (verification->lost_file == NULL && !verification->lost_file_failed) {
        verification->lost_file = fopen(verification->lost_path, "we");
        verification->lost_file_failed = verification->lost_file == NULL;
        if (verification->lost_file != NULL) {
            fputs("node,writer,sequence\n", verification->lost_file);
        }
    }
    while (verification->lost_file != NULL &&
           (record = audit_next_lost(verification->job.audit, &at)) != NULL) {
        fprintf(verification->lost_file, "%s,%u,%llu\n", node->name, (unsigned)record->writer,
                (unsigned long long)record->sequence);
    }
}

static void close_lost(struct verification *verification)
{
    bool has_failed = verification->lost_file_failed;

    if (verification->lost_file != NULL) {
        has_failed = fflush(verification->lost_file) != 0 || ferror(verification->lost_file);
        has_failed = fclose(verification->lost_file) != 0 || has_failed;
    }
    if (has_failed) {
        report_add_finding(verification->report, REPORT_FAIL, EXIT_FAILED, "%s %s",
                           say(verification, "the ids of the lost rows could not be written to",
                               "no se pudieron escribir los identificadores de las filas perdidas "
                               "en"),
                           verification->lost_path);
    }
}

static void add_count(struct verification *verification, const struct target_node *node,
                      size_t count, const char *english, const char *spanish)
{
    if (count > 0) {
        report_add_finding(verification->report, REPORT_FAIL, EXIT_VERIFICATION, "%s: %s: %zu",
                           node->name, say(verification, english, spanish), count);
    }
}

static struct audit_counts judge(struct verification *verification, const struct target_node *node)
{
    struct audit_counts counts = audit_end(verification->job.audit);

    if (counts.lost > 0) {
        keep_lost(verification, node);
        report_add_finding(verification->report, REPORT_FAIL, EXIT_VERIFICATION,
                           say(verification,
                               "%s: acknowledged writes lost: %zu; their ids are in %s",
                               "%s: escrituras confirmadas que se perdieron: %zu; sus "
                               "identificadores están en %s"),
                           node->name, counts.lost, verification->lost_path);
    }
    add_count(verification, node, counts.twice, "writes that are there more than once",
              "escrituras que están más de una vez");
    add_count(verification, node, counts.unwritten, "refused writes that are there all the same",
              "escrituras rechazadas que sin embargo están");
    add_count(verification, node, counts.strange, "rows that this run has not written",
              "filas que esta ejecución no escribió");
    if (!(verification->report->unwritten >= (double)counts.unwritten)) {
        verification->report->unwritten = (double)counts.unwritten; /* of the worst node */
    }
    return counts;
}

static void check_primary(struct verification *verification, const struct target_node *node)
{
    struct run_report *report = verification->report;
    struct error err = {0};

    report->primary_checked = 0;
    if (!try_step(verification, verify_ask_position, node, &err) ||
        !try_step(verification, verify_count_primary, node, &err)) {
        add_unchecked(verification, node, err.message);
        return;
    }
    struct audit_counts counts = judge(verification, node);
    report->primary_checked = 1;
    report->primary_lost = (double)counts.lost;
    report->primary_twice = (double)counts.twice;
    report->unknown_there = (double)counts.unknown_there;
}

static void check_replica(struct verification *verification, const struct target_node *node,
                          struct report_replica *replica)
{
    struct error err = {0};

    replica->is_checked = 0;
    if (verification->is_stopped) {
        add_unchecked(verification, node, say(verification, "interrupted", "interrumpido"));
        return;
    }
    if (verification->job.flushed[0] == '\0') {
        add_unchecked(verification, node,
                      say(verification, "without the primary nobody knows how far it must be",
                          "sin el primario no se sabe hasta dónde debe llegar"));
        return;
    }
    if (!try_step(verification, verify_count_replica, node, &err)) {
        add_unchecked(verification, node, err.message);
        return;
    }
    struct audit_counts counts = judge(verification, node);
    replica->is_checked = 1;
    replica->lost = (double)counts.lost;
    replica->twice = (double)counts.twice;
}

/* What can't be checked now can be later, if it is known then what was acknowledged. */
static void keep_acks(struct verification *verification)
{
    char path[PATH_SIZE];
    struct error err = {0};
    const struct run_plan *plan = verification->plan;

    snprintf(path, sizeof path, "%s/load_test-acks-%llu.csv", plan->output,
             (unsigned long long)plan->seed);
    if (!verify_save(path, verification->job.table, verification->job.writes, &err)) {
        report_add_finding(verification->report, REPORT_FAIL, EXIT_FAILED, "%s", err.message);
        return;
    }
    report_add_finding(
        verification->report, REPORT_NOTE, 0, "%s: load_test verify %s",
        say(verification, "to check the rest later", "para comprobar el resto más tarde"), path);
}

static void add_totals(struct verification *verification)
{
    struct run_report *report = verification->report;
    struct audit_totals totals = audit_totals(verification->job.audit);
    bool is_any_checked = report->primary_checked > 0;

    for (size_t i = 0; i < report->replica_count; i++) {
        is_any_checked = is_any_checked || report->replicas[i].is_checked > 0;
    }
    report->acknowledged = (double)totals.acknowledged;
    report->lost = is_any_checked ? (double)totals.lost : NAN;
    report->twice = is_any_checked ? (double)totals.twice : NAN;
}

bool verify_run(const struct run_plan *plan, const struct target *target,
                struct interrupt *interrupt, struct write_log *writes, struct run_report *report,
                struct error *err)
{
    int64_t started = clock_now();
    struct verification verification = {.job = {.timeout = plan->timeout,
                                                .verify_timeout = plan->verify_timeout,
                                                .interrupt = interrupt,
                                                .table = report->table,
                                                .writes = writes,
                                                .audit = audit_create(writes, err)},
                                        .plan = plan,
                                        .report = report,
                                        .wait_until = started + plan->wait_node};

    if (verification.job.audit == NULL) {
        return false;
    }
    snprintf(verification.lost_path, sizeof verification.lost_path, "%s/load_test-lost-%llu.csv",
             plan->output, (unsigned long long)plan->seed);
    check_primary(&verification, &target->primary);
    for (size_t i = 0; i < target->replica_count; i++) {
        check_replica(&verification, &target->replicas[i], &report->replicas[i]);
    }
    close_lost(&verification);
    add_totals(&verification);
    if (verification.is_incomplete) {
        keep_acks(&verification);
    }
    audit_destroy(verification.job.audit);
    report->verify_seconds = (double)(clock_now() - started) / (double)CLOCK_SECOND;
    return true;
}

bool verify_is_unfinished(const struct run_report *report)
{
    /* Not measured is NAN, which is not 0: a run without verification has left nothing. */
    bool is_unfinished = report->primary_checked == 0;

    for (size_t i = 0; i < report->replica_count; i++) {
        is_unfinished = is_unfinished || report->replicas[i].is_checked == 0;
    }
    return is_unfinished;
}
