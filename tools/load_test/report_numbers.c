#include "load_test/report_numbers.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "load_test/report_metric.h"

enum {
    RUN_METRICS_MAX = 80,
    REPLICA_METRICS_MAX = 48,
    KEY_SIZE = 28, /* of a replica: "replay_lag." + 27 + ".samples" fits a metric's name */
};
static_assert(METRICS_MAX >= RUN_METRICS_MAX + REPLICA_METRICS_MAX * (REPORT_REPLICA_MAX + 1));
static_assert(METRIC_NAME_SIZE >= sizeof "replay_lag..samples" + KEY_SIZE);

static const struct {
    const char *from, *to;
    double factor;
} units[] = {{"share", "%", 100}, {"count", "-", 1}, {"cores", "-", 1}};

static void add_figure(struct metrics *metrics, const struct report_metric_row *row,
                       const char *name, double value)
{
    const char *unit = row->unit;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].from) == 0) {
            metrics_add(metrics, value * units[i].factor, units[i].to, "%s", name);
            return;
        }
    }
    assert(metric_unit_is_known(unit));
    metrics_add(metrics, value, unit, "%s", name);
}

/* Whether no other replica has the name, and all of it may stand in a metric's name. */
static bool may_be_key(const struct run_report *report, size_t replica)
{
    const char *name = report->replicas[replica].name;
    size_t size = strlen(name);
    if (size >= KEY_SIZE || !metric_name_is_valid(name, size)) {
        return false;
    }
    for (size_t i = 0; i < report->replica_count; i++) {
        if (i != replica && strcmp(report->replicas[i].name, name) == 0) {
            return false;
        }
    }
    return true;
}

static void add_replica(const struct run_report *report, size_t replica, struct metrics *metrics)
{
    char place[KEY_SIZE], name[REPORT_METRIC_SIZE];
    const char *key = report->replicas[replica].name;
    if (!may_be_key(report, replica)) {
        snprintf(place, sizeof place, "replica%zu", replica + 1);
        key = place;
    }
    for (size_t i = 0; i < report_replica_metric_count; i++) {
        const struct report_metric_row *row = &report_replica_metrics[i];
        add_figure(metrics, row, report_replica_metric_name(name, row, key),
                   report_replica_value(&report->replicas[replica], row));
    }
}

/* The worst replica, unless the name already stands for the whole run ("reads.done"). */
static void add_worst(const struct run_report *report, struct metrics *metrics)
{
    for (size_t i = 0; i < report_replica_metric_count; i++) {
        const struct report_metric_row *row = &report_replica_metrics[i];
        double value;
        if (metrics_find(metrics, row->name) == NULL && report_metric(report, row->name, &value)) {
            add_figure(metrics, row, row->name, value);
        }
    }
}

void report_to_metrics(const struct run_report *report, struct metrics *metrics)
{
    assert(report_run_metric_count <= RUN_METRICS_MAX);
    assert(report_replica_metric_count <= REPLICA_METRICS_MAX);
    metrics->count = 0;
    for (size_t i = 0; i < report_run_metric_count; i++) {
        const struct report_metric_row *row = &report_run_metrics[i];
        add_figure(metrics, row, row->name, report_run_value(report, row));
    }
    if (report->replica_count == 0) {
        return; /* no lag figures, rather than a table of "not measured" */
    }
    add_worst(report, metrics);
    for (size_t i = 0; i < report->replica_count; i++) {
        add_replica(report, i, metrics);
    }
}
