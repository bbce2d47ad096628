#include "load_test/report.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_test/report_metric.h"

const double report_delays_ms[REPORT_DELAY_COUNT] = {0, 0.5, 1, 2, 5, 10};

void report_init(struct run_report *report)
{
    memset(report, 0, sizeof *report);
    report->is_open_loop = true;
    for (size_t i = 0; i < report_run_metric_count; i++) {
        *report_run_field(report, &report_run_metrics[i]) = NAN;
    }
    for (size_t i = 0; i < REPORT_REPLICA_MAX; i++) {
        for (size_t j = 0; j < report_replica_metric_count; j++) {
            *report_replica_field(&report->replicas[i], &report_replica_metrics[j]) = NAN;
        }
    }
}

void report_done(struct run_report *report)
{
    free(report->series);
    report->series = NULL;
    report->second_count = 0;
}

/* The value of the rank that `share` of all have reached. */
static double quantile(const struct histogram *histogram, double units_per_ms, uint64_t beyond,
                       double share)
{
    double total = (double)histogram->total;
    /* As histogram_percentile() does: 0.999 of 20,000 is 19,980 exactly. */
    double rank = fmax(1, ceil(share * (total + (double)beyond) - 1e-6));
    if (rank > total) {
        return INFINITY;
    }
    return (double)histogram_percentile(histogram, 100 * rank / total) / units_per_ms;
}

void report_quantiles_fill(struct report_quantiles *quantiles, const struct histogram *histogram,
                           double units_per_ms, uint64_t beyond)
{
    assert(units_per_ms > 0);
    *quantiles = (struct report_quantiles){0, NAN, NAN, NAN, NAN, NAN};
    quantiles->count = (double)(histogram->total + beyond);
    if (quantiles->count == 0) {
        return;
    }
    quantiles->p50 = quantile(histogram, units_per_ms, beyond, 0.5);
    quantiles->p90 = quantile(histogram, units_per_ms, beyond, 0.9);
    quantiles->p99 = quantile(histogram, units_per_ms, beyond, 0.99);
    quantiles->p999 = quantile(histogram, units_per_ms, beyond, 0.999);
    quantiles->max = beyond > 0 ? INFINITY : (double)histogram->max / units_per_ms;
}

static struct report_setting *find_setting(struct run_report *report, const char *name)
{
    for (size_t i = 0; i < report->setting_count; i++) {
        if (strcmp(report->settings[i].name, name) == 0) {
            return &report->settings[i];
        }
    }
    return NULL;
}

void report_set(struct run_report *report, const char *name, const char *format, ...)
{
    struct report_setting *setting = find_setting(report, name);
    va_list args;

    if (setting == NULL) {
        assert(report->setting_count < REPORT_SETTING_MAX);
        setting = &report->settings[report->setting_count++];
        snprintf(setting->name, sizeof setting->name, "%s", name);
    }
    va_start(args, format);
    vsnprintf(setting->value, sizeof setting->value, format, args);
    va_end(args);
    for (char *at = setting->value; *at != '\0'; at++) { /* one line each in the DATA block */
        if ((unsigned char)*at < ' ') {
            *at = ' ';
        }
    }
}

const char *report_setting(const struct run_report *report, const char *name)
{
    for (size_t i = 0; i < report->setting_count; i++) {
        if (strcmp(report->settings[i].name, name) == 0) {
            return report->settings[i].value;
        }
    }
    return NULL;
}

void report_add_finding(struct run_report *report, enum report_severity severity, int exit_code,
                        const char *format, ...)
{
    va_list args;
    size_t at = report->finding_count;

    if (at == REPORT_FINDING_MAX) {
        at--; /* the last one gives way: its line is lost, an exit code must not be */
        if (report->findings[at].exit_code != 0) {
            exit_code = exit_code == 4 ? 4 : report->findings[at].exit_code;
            severity = REPORT_FAIL;
        }
    } else {
        report->finding_count++;
    }
    report->findings[at].severity = severity;
    report->findings[at].exit_code = exit_code;
    va_start(args, format);
    vsnprintf(report->findings[at].text, sizeof report->findings[at].text, format, args);
    va_end(args);
}

int report_exit_code(const struct run_report *report)
{
    static const int most_serious_first[] = {4, 1, 3};
    for (size_t i = 0; i < sizeof most_serious_first / sizeof most_serious_first[0]; i++) {
        for (size_t j = 0; j < report->finding_count; j++) {
            if (report->findings[j].exit_code == most_serious_first[i]) {
                return most_serious_first[i];
            }
        }
    }
    return 0;
}

enum report_tool report_tool(const struct run_report *report)
{
    const double busy_limit = 0.9, late_limit = 0.01;
    if (report->cpu_thread > busy_limit) {
        return REPORT_TOOL_BUSY;
    }
    return report->late_share > late_limit ? REPORT_TOOL_LATE : REPORT_TOOL_FREE;
}
