#include "load_test/report_saved.h"

#include <math.h>

#include "base/statistics.h"

static void set_unless_empty(struct saved *saved, const char *name, const char *value)
{
    if (value[0] != '\0') {
        saved_set(saved, name, "%s", value);
    }
}

void report_to_saved(const struct run_report *report, struct saved *saved)
{
    struct metrics metrics;
    set_unless_empty(saved, "load_test", report->version);
    set_unless_empty(saved, "started", report->started);
    set_unless_empty(saved, "postgresql", report->server_version);
    saved_set(saved, "loop", "%s", report->is_open_loop ? "open" : "closed");
    if (report->is_interrupted) {
        saved_set(saved, "interrupted", "yes");
    }
    for (size_t i = 0; i < report->setting_count; i++) {
        saved_set(saved, report->settings[i].name, "%s", report->settings[i].value);
    }
    report_to_metrics(report, &metrics);
    saved_add(saved, &metrics);
}

/* "writes.rate over 5 runs: median 801, from 780 to 812". */
static void append_spread(const struct saved *all, const char *name, bool is_spanish,
                          struct text *text)
{
    const struct saved_metric *metric = saved_find(all, name);
    double values[SAVED_REPETITIONS_MAX];
    size_t count = 0;

    for (size_t i = 0; metric != NULL && i < all->repetitions; i++) {
        if (isfinite(metric->values[i])) {
            values[count++] = metric->values[i];
        }
    }
    if (count == 0) {
        return;
    }
    double median = statistics_median(values, count); /* sorts them */
    text_appendf(text,
                 is_spanish ? "  %-14s en %zu corridas: mediana %.4g, de %.4g a %.4g\n"
                            : "  %-14s over %zu runs: median %.4g, from %.4g to %.4g\n",
                 name, count, median, values[0], values[count - 1]);
}

void report_write_text(const struct run_report *report, const struct saved *all, bool is_page_only,
                       bool use_color, struct text *out)
{
    bool is_spanish = report->language == REPORT_SPANISH;

    report_write_page(report, use_color, out);
    if (all->repetitions > 1) {
        text_append(out, is_spanish ? "\nREPETICIONES\n" : "\nREPETITIONS\n");
        append_spread(all, "writes.rate", is_spanish, out);
        append_spread(all, "reads.rate", is_spanish, out);
        append_spread(all, "visible.p99", is_spanish, out);
    }
    if (!is_page_only) {
        text_append(out, "\n");
        saved_write(all, out);
    }
}
