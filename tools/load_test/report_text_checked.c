#include <math.h>
#include <string.h>

#include "load_test/report_section.h"

enum {
    ITEM_COLUMNS = 20,
    STATE_COLUMNS = 8,
    ERROR_COLUMNS = 12,
    MESSAGE_GAP = 2,
};

static const char *number(const struct report_page *page, char buffer[PAGE_NUMBER_SIZE],
                          double value, int decimals)
{
    return page_number(buffer, page->language, value, decimals, ITEM_COLUMNS);
}

/* ---- the nodes, the primary first ---- */

struct node {
    const char *name;
    double checked, lost, twice;
};

static struct node node_at(const struct run_report *report, size_t index)
{
    if (index == 0) {
        return (struct node){report->primary_name, report->primary_checked, report->primary_lost,
                             report->primary_twice};
    }
    const struct report_replica *replica = &report->replicas[index - 1];
    return (struct node){replica->name, replica->is_checked, replica->lost, replica->twice};
}

/* "p, r1 and r2": the nodes that were counted, or those that were not.  Returns how many. */
static size_t list_nodes(const struct report_page *page, const struct run_report *report,
                         bool is_checked, struct text *list)
{
    const char *names[REPORT_REPLICA_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i <= report->replica_count; i++) {
        struct node node = node_at(report, i);
        if ((node.checked > 0) == is_checked) {
            names[count++] = node.name;
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool is_last = i + 1 == count;
        if (i > 0 && is_last) {
            text_appendf(list, " %s ", catalogue_text(page->language, TEXT_AND));
        } else if (i > 0) {
            text_append(list, ", ");
        }
        text_append(list, names[i]);
    }
    return count;
}

static void write_damaged_nodes(struct report_page *page, const struct run_report *report)
{
    for (size_t i = 0; i <= report->replica_count; i++) {
        struct node node = node_at(report, i);
        char lost[PAGE_NUMBER_SIZE], twice[PAGE_NUMBER_SIZE];
        if (node.lost > 0 || node.twice > 0) {
            const char *values[] = {node.name, number(page, lost, node.lost, 0),
                                    number(page, twice, node.twice, 0)};
            page_sentence(page, 4, TEXT_COUNTED_NODE, values, 3);
        }
    }
}

static void write_counted(struct report_page *page, const struct run_report *report)
{
    char writes[PAGE_NUMBER_SIZE], lost[PAGE_NUMBER_SIZE], twice[PAGE_NUMBER_SIZE];
    struct text checked = {0}, unchecked = {0};

    if (list_nodes(page, report, true, &checked) == 0) {
        page_sentence(page, 2, TEXT_COUNTED_NONE, NULL, 0);
    } else {
        const char *values[] = {number(page, writes, report->acknowledged, 0), text_cstr(&checked),
                                number(page, lost, report->lost, 0),
                                number(page, twice, report->twice, 0)};
        page_sentence(page, 2, TEXT_COUNTED, values, 4);
        write_damaged_nodes(page, report);
        if (list_nodes(page, report, false, &unchecked) > 0) {
            const char *value = text_cstr(&unchecked);
            page_sentence(page, 2, TEXT_NOT_CHECKED, &value, 1);
        }
    }
    page->out->has_failed = page->out->has_failed || checked.has_failed || unchecked.has_failed;
    text_done(&checked);
    text_done(&unchecked);
}

static void write_uncertain(struct report_page *page, const struct run_report *report)
{
    char count[PAGE_NUMBER_SIZE], there[PAGE_NUMBER_SIZE];
    if (report->writes_unknown > 0 || report->unknown_there > 0) {
        const char *values[] = {number(page, count, report->writes_unknown, 0),
                                number(page, there, report->unknown_there, 0)};
        page_sentence(page, 2, TEXT_UNKNOWN_THERE, values, 2);
    }
    if (report->unwritten > 0) {
        const char *value = number(page, count, report->unwritten, 0);
        page_sentence(page, 2, TEXT_UNWRITTEN, &value, 1);
    }
}

/* ---- what the server and this tool say of themselves ---- */

static void write_replay_lag(struct report_page *page, const struct report_replica *replica)
{
    char given[PAGE_NUMBER_SIZE], samples[PAGE_NUMBER_SIZE], p50[PAGE_NUMBER_SIZE],
        max[PAGE_NUMBER_SIZE];
    const char *values[] = {replica->name, number(page, given, replica->replay_lag_given, 0),
                            number(page, samples, replica->replay_lag_samples, 0),
                            number(page, p50, replica->replay_lag_p50, 2),
                            number(page, max, replica->replay_lag_max, 2)};
    if (replica->replay_lag_samples > 0) {
        page_sentence(page, 2, TEXT_REPLAY_LAG, values, 5);
    }
}

static void write_connections(struct report_page *page, const struct run_report *report)
{
    char most[PAGE_NUMBER_SIZE], limit[PAGE_NUMBER_SIZE], longest[PAGE_NUMBER_SIZE],
        idle[PAGE_NUMBER_SIZE];
    const char *values[] = {number(page, most, report->connections_max, 0),
                            number(page, limit, report->connections_limit, 0),
                            number(page, longest, report->longest_query_s, 2),
                            number(page, idle, report->idle_in_transaction_max, 0)};
    if (!isnan(report->connections_max)) {
        page_sentence(page, 2, TEXT_CONNECTIONS, values, 4);
    }
}

static void write_tool(struct report_page *page, const struct run_report *report)
{
    static const enum catalogue_text verdicts[] = {[REPORT_TOOL_FREE] = TEXT_NOT_THE_LIMIT,
                                                   [REPORT_TOOL_BUSY] = TEXT_WAS_THE_LIMIT,
                                                   [REPORT_TOOL_LATE] = TEXT_CORES_TAKEN};
    char cpu[PAGE_NUMBER_SIZE], thread[PAGE_NUMBER_SIZE], on_time[PAGE_NUMBER_SIZE];
    const char *verdict = catalogue_text(page->language, verdicts[report_tool(report)]);
    const char *used = number(page, cpu, 100 * report->cpu, 0);
    const char *busiest = number(page, thread, 100 * report->cpu_thread, 0);

    if (isnan(report->cpu) || isnan(report->cpu_thread)) {
        return; /* without them nothing can be said of the limit */
    }
    if (isnan(report->late_share)) {
        page_sentence(page, 2, TEXT_TOOL, (const char *[]){used, busiest, verdict}, 3);
        return;
    }
    const char *values[] = {used, busiest, number(page, on_time, 100 - 100 * report->late_share, 1),
                            verdict};
    page_sentence(page, 2, TEXT_TOOL_ON_TIME, values, 4);
}

void report_section_checked(struct report_page *page, const struct run_report *report)
{
    page_section(page, TEXT_CHECKED, 0);
    page_end_line(page);
    write_counted(page, report);
    write_uncertain(page, report);
    for (size_t i = 0; i < report->replica_count; i++) {
        write_replay_lag(page, &report->replicas[i]);
    }
    write_connections(page, report);
    write_tool(page, report);
}

void report_section_errors(struct report_page *page, const struct run_report *report)
{
    const size_t indent = 2 + STATE_COLUMNS + 2 * ERROR_COLUMNS + MESSAGE_GAP;
    if (report->error_count == 0) {
        return;
    }
    page_section(page, TEXT_ERRORS, 2 + STATE_COLUMNS);
    page_heading(page, catalogue_text(page->language, TEXT_WRITES), ERROR_COLUMNS);
    page_heading(page, catalogue_text(page->language, TEXT_READS), ERROR_COLUMNS);
    text_append_repeated(page->out, " ", MESSAGE_GAP);
    text_append(page->out, catalogue_text(page->language, TEXT_FIRST_MESSAGE));
    page_end_line(page);
    for (size_t i = 0; i < report->error_count; i++) {
        const struct report_error *error = &report->errors[i];
        text_append(page->out, "  ");
        page_label(page, error->sqlstate, STATE_COLUMNS);
        page_cell(page, error->writes, 0, ERROR_COLUMNS);
        page_cell(page, error->reads, 0, ERROR_COLUMNS);
        text_append_repeated(page->out, " ", MESSAGE_GAP);
        page_wrap(page, error->message, indent, indent);
    }
}

/* One list "name=value", broken between settings; one too long for a line has lines of its own. */
void report_section_settings(struct report_page *page, const struct run_report *report)
{
    size_t at = 0;
    page_section(page, TEXT_SETTINGS, 0);
    page_end_line(page);
    for (size_t i = 0; i < report->setting_count; i++) {
        const struct report_setting *setting = &report->settings[i];
        struct text item = {0};
        text_appendf(&item, "%s=%s", setting->name,
                     setting->value[0] != '\0' ? setting->value : "''");
        size_t wide = text_columns(text_cstr(&item));
        if (at > 0 && at + 2 + wide > PAGE_COLUMNS) {
            page_end_line(page);
            at = 0;
        }
        text_append(page->out, "  ");
        at += 2;
        if (at + wide > PAGE_COLUMNS) {
            page_wrap_text(page, &item, at, 4);
            at = 0;
            continue;
        }
        text_append(page->out, text_cstr(&item));
        at += wide;
        text_done(&item);
    }
    if (at > 0) {
        page_end_line(page);
    }
}
