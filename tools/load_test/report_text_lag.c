#include <math.h>
#include <stdio.h>
#include <string.h>

#include "load_test/report_section.h"

enum { FOUND_LABEL = 18, FOUND_COLUMN = 10, LIST_NUMBER_COLUMNS = 20 };

static const char *number(const struct report_page *page, char buffer[PAGE_NUMBER_SIZE],
                          double value, int decimals)
{
    return page_number(buffer, page->language, value, decimals, LIST_NUMBER_COLUMNS);
}

/* The largest (`sign` 1) or smallest (-1) of the replicas; what is not measured doesn't count. */
static double extreme(const struct run_report *report, size_t offset, double sign)
{
    double result = NAN;
    for (size_t i = 0; i < report->replica_count; i++) {
        double value = *(const double *)(const void *)((const char *)&report->replicas[i] + offset);
        if (!isnan(value) && (isnan(result) || sign * value > sign * result)) {
            result = value;
        }
    }
    return result;
}

static double largest(const struct run_report *report, size_t offset)
{
    return extreme(report, offset, 1);
}

static void write_visible(struct report_page *page, const struct run_report *report)
{
    page_sentence(page, 2, TEXT_VISIBLE, NULL, 0);
    for (size_t i = 0; i < report->replica_count; i++) {
        section_quantiles(page, report->replicas[i].name, 4, &report->replicas[i].visible);
    }
    for (size_t i = 0; i < report->replica_count; i++) {
        char unseen[PAGE_NUMBER_SIZE];
        if (report->replicas[i].unseen > 0) {
            const char *values[] = {number(page, unseen, report->replicas[i].unseen, 0),
                                    report->replicas[i].name};
            page_sentence(page, 4, TEXT_UNSEEN, values, 2);
        }
    }
}

static void write_applied(struct report_page *page, const struct run_report *report)
{
    const char *tracking = report_setting(report, "track_commit_timestamp");
    char clock[PAGE_NUMBER_SIZE];

    if (isnan(largest(report, offsetof(struct report_replica, applied.p50)))) {
        bool is_off = tracking == NULL || strcmp(tracking, "off") == 0;
        page_sentence(page, 2, is_off ? TEXT_APPLIED_OFF : TEXT_APPLIED_NONE, NULL, 0);
        return;
    }
    if (isnan(report->clock_error_ms)) {
        page_sentence(page, 2, TEXT_APPLIED, NULL, 0);
    } else {
        const char *value = number(page, clock, report->clock_error_ms, 3);
        page_sentence(page, 2, TEXT_APPLIED_CLOCK, &value, 1);
    }
    for (size_t i = 0; i < report->replica_count; i++) {
        section_quantiles(page, report->replicas[i].name, 4, &report->replicas[i].applied);
    }
}

static void write_stale(struct report_page *page, const struct run_report *report)
{
    char share[PAGE_NUMBER_SIZE];
    struct text list = {0};
    for (size_t i = 0; i < report->replica_count; i++) {
        text_appendf(&list, "%s%s %s %%", i > 0 ? ", " : "", report->replicas[i].name,
                     number(page, share, 100 * report->replicas[i].stale, 1));
    }
    const char *value = text_cstr(&list);
    page_sentence(page, 2, TEXT_STALE, &value, 1);
    page->out->has_failed = page->out->has_failed || list.has_failed;
    text_done(&list);
}

/* Of the replica that was seen least well. */
static void write_resolution(struct report_page *page, const struct run_report *report)
{
    char p50[PAGE_NUMBER_SIZE], p90[PAGE_NUMBER_SIZE], rate[PAGE_NUMBER_SIZE];
    const char *values[] = {
        number(page, p50, largest(report, offsetof(struct report_replica, width_p50)), 2),
        number(page, p90, largest(report, offsetof(struct report_replica, width_p90)), 2),
        number(page, rate, extreme(report, offsetof(struct report_replica, samples_per_s), -1), 0)};
    page_sentence(page, 2, TEXT_RESOLUTION, values, 3);
}

static void write_found_heading(struct report_page *page)
{
    text_append_repeated(page->out, " ", FOUND_LABEL);
    page_heading(page, "t = 0", FOUND_COLUMN);
    for (size_t i = 1; i < REPORT_DELAY_COUNT; i++) {
        char heading[PAGE_NUMBER_SIZE + 4];
        char delay[PAGE_NUMBER_SIZE];
        bool is_whole = report_delays_ms[i] == floor(report_delays_ms[i]);
        snprintf(heading, sizeof heading, "%s ms",
                 number(page, delay, report_delays_ms[i], is_whole ? 0 : 1));
        page_heading(page, heading, FOUND_COLUMN);
    }
    page_end_line(page);
}

static void write_found_row(struct report_page *page, const struct report_replica *replica)
{
    text_append(page->out, "    ");
    page_label(page, replica->name, FOUND_LABEL - 4);
    for (size_t i = 0; i < REPORT_DELAY_COUNT; i++) {
        bool is_known = !isnan(replica->found[i]);
        page_cell(page, 100 * replica->found[i], 1, FOUND_COLUMN - (is_known ? 2 : 0));
        text_append(page->out, is_known ? " %" : "");
    }
    page_end_line(page);
}

static bool is_found_known(const struct run_report *report)
{
    for (size_t i = 0; i < report->replica_count; i++) {
        for (size_t j = 0; j < REPORT_DELAY_COUNT; j++) {
            if (!isnan(report->replicas[i].found[j])) {
                return true;
            }
        }
    }
    return false;
}

static void write_found(struct report_page *page, const struct run_report *report)
{
    char count[PAGE_NUMBER_SIZE];
    double probes = 0;

    page_end_line(page);
    if (!is_found_known(report)) {
        page_sentence(page, 2, TEXT_FOUND_NONE, NULL, 0);
        return;
    }
    page_sentence(page, 2, TEXT_FOUND, NULL, 0);
    write_found_heading(page);
    for (size_t i = 0; i < report->replica_count; i++) {
        write_found_row(page, &report->replicas[i]);
        probes += report->replicas[i].probes > 0 ? report->replicas[i].probes : 0;
    }
    const char *value = number(page, count, probes, 0);
    page_sentence(page, 2, TEXT_PROBES, &value, 1);
}

void report_section_lag(struct report_page *page, const struct run_report *report)
{
    if (report->replica_count == 0) {
        return;
    }
    section_quantile_heading(page, TEXT_LAG);
    if (isnan(largest(report, offsetof(struct report_replica, samples_per_s)))) {
        page_sentence(page, 2, TEXT_LAG_NONE, NULL, 0);
    } else {
        write_visible(page, report);
        write_applied(page, report);
        write_stale(page, report);
        write_resolution(page, report);
    }
    write_found(page, report);
}
