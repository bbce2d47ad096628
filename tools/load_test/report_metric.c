#include "load_test/report_metric.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RUN(field) offsetof(struct run_report, field)
#define REPLICA(field) offsetof(struct report_replica, field)
/* Literals that are glued together, and macros that are called, can't be put in parentheses. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define QUANTILES(name, at, field)                                                                 \
    {name ".count", at(field.count), 0, "count", true},                                            \
        {name ".p50", at(field.p50), 3, "ms", false},                                              \
        {name ".p90", at(field.p90), 3, "ms", false},                                              \
        {name ".p99", at(field.p99), 3, "ms", false},                                              \
        {name ".p99.9", at(field.p999), 3, "ms", false},                                           \
    {                                                                                              \
        name ".max", at(field.max), 3, "ms", false                                                 \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

const struct report_metric_row report_run_metrics[] = {
    {"seconds", RUN(seconds), 3, "s", false},
    {"warmup", RUN(warmup_seconds), 3, "s", false},
    {"writes.asked", RUN(writes_asked), 1, "/s", true},
    {"writes.done", RUN(writes_done), 0, "count", true},
    {"writes.rate", RUN(writes_rate), 1, "/s", true},
    {"writes.failed", RUN(writes_failed), 0, "count", false},
    {"writes.unknown", RUN(writes_unknown), 0, "count", false},
    {"writes.unsent", RUN(writes_unsent), 0, "count", false},
    {"writes.late", RUN(writes_late), 0, "count", false},
    {"writes.late_share", RUN(late_share), 5, "share", false},
    {"reads.done", RUN(reads_done), 0, "count", true},
    {"reads.rate", RUN(reads_rate), 1, "/s", true},
    {"reads.failed", RUN(reads_failed), 0, "count", false},
    {"reads.moved", RUN(reads_moved), 0, "count", false},
    {"reads.primary", RUN(primary_reads), 0, "count", true},
    QUANTILES("write", RUN, write_due),
    QUANTILES("write_sent", RUN, write_sent),
    QUANTILES("read", RUN, read),
    {"cpu", RUN(cpu), 3, "cores", false},
    {"cpu.thread", RUN(cpu_thread), 3, "cores", false},
    {"clock.error", RUN(clock_error_ms), 4, "ms", false},
    {"connections.max", RUN(connections_max), 0, "count", false},
    {"connections.limit", RUN(connections_limit), 0, "count", true},
    {"query.longest", RUN(longest_query_s), 3, "s", false},
    {"query.idle_in_transaction", RUN(idle_in_transaction_max), 0, "count", false},
    {"check.acknowledged", RUN(acknowledged), 0, "count", true},
    {"check.lost", RUN(lost), 0, "count", false},
    {"check.twice", RUN(twice), 0, "count", false},
    {"check.unwritten", RUN(unwritten), 0, "count", false},
    {"check.unknown_there", RUN(unknown_there), 0, "count", false},
    {"check.primary", RUN(primary_checked), 0, "count", true},
    {"check.primary_lost", RUN(primary_lost), 0, "count", false},
    {"check.primary_twice", RUN(primary_twice), 0, "count", false},
    {"check.seconds", RUN(verify_seconds), 3, "s", false},
};
const size_t report_run_metric_count = sizeof report_run_metrics / sizeof report_run_metrics[0];

const struct report_metric_row report_replica_metrics[] = {
    {"reads.done", REPLICA(reads), 0, "count", true},
    {"reads.failed", REPLICA(reads_failed), 0, "count", false},
    QUANTILES("visible", REPLICA, visible),
    QUANTILES("applied", REPLICA, applied),
    {"unseen", REPLICA(unseen), 0, "count", false},
    {"stale", REPLICA(stale), 5, "share", false},
    {"samples", REPLICA(samples_per_s), 1, "/s", true},
    {"width.p50", REPLICA(width_p50), 3, "ms", false},
    {"width.p90", REPLICA(width_p90), 3, "ms", false},
    {"probes", REPLICA(probes), 0, "count", true},
    {"missed", REPLICA(missed), 5, "share", false},
    {"found.0ms", REPLICA(found[0]), 5, "share", true},
    {"found.500us", REPLICA(found[1]), 5, "share", true},
    {"found.1ms", REPLICA(found[2]), 5, "share", true},
    {"found.2ms", REPLICA(found[3]), 5, "share", true},
    {"found.5ms", REPLICA(found[4]), 5, "share", true},
    {"found.10ms", REPLICA(found[5]), 5, "share", true},
    {"replay_lag.samples", REPLICA(replay_lag_samples), 0, "count", true},
    {"replay_lag.given", REPLICA(replay_lag_given), 0, "count", true},
    {"replay_lag.p50", REPLICA(replay_lag_p50), 3, "ms", false},
    {"replay_lag.max", REPLICA(replay_lag_max), 3, "ms", false},
    {"checked", REPLICA(is_checked), 0, "count", true},
    {"lost", REPLICA(lost), 0, "count", false},
    {"twice", REPLICA(twice), 0, "count", false},
};
const size_t report_replica_metric_count =
    sizeof report_replica_metrics / sizeof report_replica_metrics[0];
static_assert(REPORT_DELAY_COUNT == 6, "one row found.* for each column");

double *report_run_field(struct run_report *report, const struct report_metric_row *row)
{
    return (double *)(void *)((char *)report + row->offset);
}

double report_run_value(const struct run_report *report, const struct report_metric_row *row)
{
    return *(const double *)(const void *)((const char *)report + row->offset);
}

double *report_replica_field(struct report_replica *replica, const struct report_metric_row *row)
{
    return (double *)(void *)((char *)replica + row->offset);
}

double report_replica_value(const struct report_replica *replica,
                            const struct report_metric_row *row)
{
    return *(const double *)(const void *)((const char *)replica + row->offset);
}

const char *report_replica_metric_name(char buffer[REPORT_METRIC_SIZE],
                                       const struct report_metric_row *row, const char *replica)
{
    size_t head = strcspn(row->name, ".");
    snprintf(buffer, REPORT_METRIC_SIZE, "%.*s.%s%s", (int)head, row->name, replica,
             row->name + head);
    return buffer;
}

static const struct report_metric_row *find_run_row(const char *name)
{
    for (size_t i = 0; i < report_run_metric_count; i++) {
        if (strcmp(report_run_metrics[i].name, name) == 0) {
            return &report_run_metrics[i];
        }
    }
    return NULL;
}

/* The row whose name is head[0..head_size) + tail. */
static const struct report_metric_row *find_replica_row(const char *head, size_t head_size,
                                                        const char *tail)
{
    for (size_t i = 0; i < report_replica_metric_count; i++) {
        const char *name = report_replica_metrics[i].name;
        if (strncmp(name, head, head_size) == 0 && strcmp(name + head_size, tail) == 0) {
            return &report_replica_metrics[i];
        }
    }
    return NULL;
}

/* "visible.r1.p99" -> the row and the replica's number. */
static const struct report_metric_row *find_named(const struct run_report *report, const char *name,
                                                  size_t *replica)
{
    size_t head = strcspn(name, ".");
    if (name[head] == '\0') {
        return NULL;
    }
    for (size_t i = 0; i < report->replica_count; i++) {
        const char *rest = name + head + 1;
        size_t size = strlen(report->replicas[i].name);
        if (strncmp(rest, report->replicas[i].name, size) == 0 &&
            (rest[size] == '.' || rest[size] == '\0')) {
            *replica = i;
            return find_replica_row(name, head, rest + size);
        }
    }
    return NULL;
}

/* One replica that was not measured makes the worst one unknown. */
static double worst(const struct run_report *report, const struct report_metric_row *row)
{
    double result = NAN;
    for (size_t i = 0; i < report->replica_count; i++) {
        double value = report_replica_value(&report->replicas[i], row);
        if (isnan(value)) {
            return NAN;
        }
        if (isnan(result) || (row->is_good_high ? value < result : value > result)) {
            result = value;
        }
    }
    return result;
}

bool report_metric(const struct run_report *report, const char *name, double *value)
{
    size_t replica = 0;
    const struct report_metric_row *row = find_run_row(name);
    if (row != NULL) {
        *value = report_run_value(report, row);
        return true;
    }
    row = find_named(report, name, &replica);
    if (row != NULL) {
        *value = report_replica_value(&report->replicas[replica], row);
        return true;
    }
    row = find_replica_row(name, strlen(name), "");
    if (row != NULL) {
        *value = worst(report, row);
        return true;
    }
    return false;
}

const char *report_metric_name(const struct run_report *report, size_t index,
                               char buffer[REPORT_METRIC_SIZE])
{
    if (index < report_run_metric_count) {
        snprintf(buffer, REPORT_METRIC_SIZE, "%s", report_run_metrics[index].name);
        return buffer;
    }
    index -= report_run_metric_count;
    if (index < report_replica_metric_count) { /* the worst replica */
        snprintf(buffer, REPORT_METRIC_SIZE, "%s", report_replica_metrics[index].name);
        return buffer;
    }
    index -= report_replica_metric_count;
    size_t replica = index / report_replica_metric_count;
    if (replica >= report->replica_count) {
        return NULL;
    }
    return report_replica_metric_name(buffer,
                                      &report_replica_metrics[index % report_replica_metric_count],
                                      report->replicas[replica].name);
}

const char *report_metric_unit(const char *name)
{
    const struct report_metric_row *row = find_run_row(name);
    if (row != NULL) {
        return row->unit;
    }
    row = find_replica_row(name, strlen(name), "");
    if (row != NULL) {
        return row->unit;
    }
    /* With a replica's name in the middle: "visible.r1.p99". */
    size_t head = strcspn(name, ".");
    const char *rest = name[head] == '.' ? name + head + 1 : "";
    row = find_replica_row(name, head, rest + strcspn(rest, "."));
    return row != NULL && rest[0] != '\0' ? row->unit : "";
}
