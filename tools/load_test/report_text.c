#include <math.h>
#include <string.h>

#include "load_test/report_section.h"

enum { FACT_LABEL = 10, NAME_COLUMNS = 14, NUMBER_COLUMNS = 20, ROW_LABEL = 22 };

/* The columns of THROUGHPUT, next to a label of ROW_LABEL. */
static const size_t throughput_columns[] = {12, 13, 11, 11, 11};

static const char *number(const struct report_page *page, char buffer[PAGE_NUMBER_SIZE],
                          double value, int decimals)
{
    return page_number(buffer, page->language, value, decimals, NUMBER_COLUMNS);
}

static const char *setting_or_dash(const struct run_report *report, const char *name)
{
    const char *value = report_setting(report, name);
    return value != NULL ? value : "–";
}

/* ---- heading ---- */

static void write_title(struct report_page *page, const struct run_report *report)
{
    char warmup[PAGE_NUMBER_SIZE], seconds[PAGE_NUMBER_SIZE];
    const char *values[] = {
        report->version, setting_or_dash(report, "seed"),
        catalogue_text(page->language, report->is_open_loop ? TEXT_OPEN_LOOP : TEXT_CLOSED_LOOP),
        number(page, warmup, report->warmup_seconds, 1), number(page, seconds, report->seconds, 1)};
    struct text title = {0};

    catalogue_append(&title, page->language, TEXT_TITLE, values, 5);
    page_wrap_text(page, &title, 0, 2);
}

static void write_fact_label(struct report_page *page, enum catalogue_text name)
{
    text_append(page->out, "  ");
    page_label(page, catalogue_text(page->language, name), FACT_LABEL);
}

static void write_fact(struct report_page *page, enum catalogue_text name, const char *fact)
{
    write_fact_label(page, name);
    page_wrap(page, fact, 2 + FACT_LABEL, 2 + FACT_LABEL);
}

static void write_node(struct report_page *page, enum catalogue_text role, const char *name,
                       const char *place, const char *about, const char *about_value)
{
    const size_t indent = 2 + FACT_LABEL + NAME_COLUMNS;
    struct text fact = {0};
    write_fact_label(page, role);
    page_label(page, name, NAME_COLUMNS);
    text_appendf(&fact, "%s  %s%s", place, about, about_value);
    page_wrap_text(page, &fact, indent, indent);
}

static void write_asked(struct report_page *page, const struct run_report *report)
{
    char rate[PAGE_NUMBER_SIZE];
    const char *read_rate = report_setting(report, "read_rate");
    bool is_paced = read_rate != NULL && strcmp(read_rate, "unpaced") != 0;
    struct text pace = {0}, fact = {0};

    catalogue_append(&pace, page->language, is_paced ? TEXT_PACED : TEXT_UNPACED, &read_rate, 1);
    const char *values[] = {number(page, rate, report->writes_asked, 1),
                            setting_or_dash(report, "writers"), setting_or_dash(report, "readers"),
                            text_cstr(&pace)};
    if (report->is_open_loop) {
        catalogue_append(&fact, page->language, TEXT_ASKED_OPEN, values, 4);
    } else {
        catalogue_append(&fact, page->language, TEXT_ASKED_CLOSED, values + 1, 3);
    }
    text_done(&pace);
    write_fact_label(page, TEXT_ASKED);
    page_wrap_text(page, &fact, 2 + FACT_LABEL, 2 + FACT_LABEL);
}

static void write_heading(struct report_page *page, const struct run_report *report)
{
    write_title(page, report);
    if (report->started[0] != '\0') {
        write_fact(page, TEXT_STARTED, report->started);
    }
    write_node(page, TEXT_PRIMARY, report->primary_name, report->primary_place, "PostgreSQL ",
               report->server_version);
    for (size_t i = 0; i < report->replica_count; i++) {
        const struct report_replica *replica = &report->replicas[i];
        write_node(page, TEXT_REPLICA, replica->name, replica->place, replica->sync_state, "");
    }
    if (report->replica_count == 0) {
        write_fact(page, TEXT_REPLICA, catalogue_text(page->language, TEXT_NO_REPLICA));
    }
    write_asked(page, report);
    if (report->is_table_kept) {
        write_fact(page, TEXT_TABLE_KEPT, report->table);
    }
}

/* ---- verdict ---- */

/* Returns how wide the line is. */
static size_t write_verdict_word(struct report_page *page, enum catalogue_text word,
                                 enum terminal_color color)
{
    const char *string = catalogue_text(page->language, word);
    page_colored(page, color, string);
    text_append(page->out, "  ");
    return text_columns(string) + 2;
}

static void write_verdict_line(struct report_page *page, enum catalogue_text word,
                               enum terminal_color color, const char *sentence)
{
    size_t indent = write_verdict_word(page, word, color);
    page_wrap(page, sentence, indent, indent);
}

/* What a run without a failure may claim. */
static void write_pass(struct report_page *page, const struct run_report *report)
{
    bool is_checked = report->lost == 0 && report->twice == 0 && report->primary_checked > 0;
    for (size_t i = 0; i < report->replica_count; i++) {
        is_checked = is_checked && report->replicas[i].is_checked == 1;
    }
    if (report->acknowledged == 0 || report->writes_done == 0) {
        write_verdict_line(page, TEXT_NOTE, TERMINAL_YELLOW,
                           catalogue_text(page->language, TEXT_NOTHING_WRITTEN));
        return;
    }
    write_verdict_line(
        page, TEXT_PASS, TERMINAL_GREEN,
        catalogue_text(page->language, is_checked ? TEXT_PASS_CHECKED : TEXT_PASS_UNCHECKED));
}

static void write_interrupted(struct report_page *page, const struct run_report *report)
{
    char seconds[PAGE_NUMBER_SIZE];
    const char *value = number(page, seconds, report->seconds, 1);
    struct text sentence = {0};
    catalogue_append(&sentence, page->language, TEXT_INTERRUPTED_AFTER, &value, 1);
    size_t indent = write_verdict_word(page, TEXT_INTERRUPTED, TERMINAL_YELLOW);
    page_wrap_text(page, &sentence, indent, indent);
}

static void write_verdict(struct report_page *page, const struct run_report *report)
{
    static const struct {
        enum report_severity severity;
        enum catalogue_text word;
        enum terminal_color color;
    } kinds[] = {{REPORT_FAIL, TEXT_FAIL, TERMINAL_RED},
                 {REPORT_SLOW, TEXT_SLOW, TERMINAL_YELLOW},
                 {REPORT_NOTE, TEXT_NOTE, TERMINAL_YELLOW}};

    page_end_line(page);
    if (report->is_interrupted) {
        write_interrupted(page, report);
    } else if (report_exit_code(report) == 0) {
        write_pass(page, report);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (size_t j = 0; j < report->finding_count; j++) {
            const struct report_finding *finding = &report->findings[j];
            if (finding->severity == kinds[i].severity && finding->text[0] != '\0') {
                write_verdict_line(page, kinds[i].word, kinds[i].color, finding->text);
            }
        }
    }
}

/* ---- throughput, latency ---- */

static void write_row(struct report_page *page, size_t indent, const char *label,
                      const double *values, size_t count)
{
    static const int decimals[] = {0, 1, 0, 0, 0};
    text_append_repeated(page->out, " ", indent);
    page_label(page, label, ROW_LABEL - indent);
    for (size_t i = 0; i < count; i++) {
        page_cell(page, values[i], decimals[i], throughput_columns[i]);
    }
    page_end_line(page);
}

static void write_node_reads(struct report_page *page, const struct run_report *report)
{
    double per_second = report->seconds > 0 ? 1 / report->seconds : NAN;
    if (report->primary_reads > 0) {
        double row[] = {report->primary_reads, report->primary_reads * per_second};
        write_row(page, 4, report->primary_name, row, 2);
    }
    for (size_t i = 0; i < report->replica_count; i++) {
        const struct report_replica *replica = &report->replicas[i];
        double row[] = {replica->reads, replica->reads * per_second, replica->reads_failed};
        write_row(page, 4, replica->name, row, 3);
    }
}

static void write_throughput(struct report_page *page, const struct run_report *report)
{
    static const enum catalogue_text headings[] = {TEXT_DONE, TEXT_PER_SECOND, TEXT_FAILED,
                                                   TEXT_UNKNOWN, TEXT_UNSENT};
    const double writes[] = {report->writes_done, report->writes_rate, report->writes_failed,
                             report->writes_unknown, report->writes_unsent};
    const double reads[] = {report->reads_done, report->reads_rate, report->reads_failed};
    char share[PAGE_NUMBER_SIZE], asked[PAGE_NUMBER_SIZE], moved[PAGE_NUMBER_SIZE];

    page_section(page, TEXT_THROUGHPUT, ROW_LABEL);
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++) {
        page_heading(page, catalogue_text(page->language, headings[i]), throughput_columns[i]);
    }
    page_end_line(page);
    write_row(page, 2, catalogue_text(page->language, TEXT_WRITES), writes, 5);
    if (report->writes_asked > 0) {
        const char *values[] = {
            number(page, share, 100 * report->writes_rate / report->writes_asked, 1),
            number(page, asked, report->writes_asked, 1)};
        page_sentence(page, 4, TEXT_SHARE_OF_ASKED, values, 2);
    }
    write_row(page, 2, catalogue_text(page->language, TEXT_READS), reads, 3);
    write_node_reads(page, report);
    if (report->reads_moved > 0) {
        const char *value = number(page, moved, report->reads_moved, 0);
        page_sentence(page, 4, TEXT_READS_MOVED, &value, 1);
    }
}

void section_quantile_heading(struct report_page *page, enum catalogue_text title)
{
    static const char *const english[] = {"p50", "p90", "p99", "p99.9"};
    static const char *const spanish[] = {"p50", "p90", "p99", "p99,9"};
    const char *const *headings = page->language == REPORT_SPANISH ? spanish : english;

    page_section(page, title, SECTION_QUANTILE_LABEL);
    for (size_t i = 0; i < 4; i++) {
        page_heading(page, headings[i], SECTION_QUANTILE_COLUMN);
    }
    page_heading(page, catalogue_text(page->language, TEXT_MAX), SECTION_QUANTILE_COLUMN);
    page_end_line(page);
}

void section_quantiles(struct report_page *page, const char *label, size_t indent,
                       const struct report_quantiles *quantiles)
{
    const double values[] = {quantiles->p50, quantiles->p90, quantiles->p99, quantiles->p999,
                             quantiles->max};
    text_append_repeated(page->out, " ", indent);
    page_label(page, label, SECTION_QUANTILE_LABEL - indent);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        page_cell(page, values[i], 2, SECTION_QUANTILE_COLUMN);
    }
    page_end_line(page);
}

static void write_latency(struct report_page *page, const struct run_report *report)
{
    section_quantile_heading(page, TEXT_LATENCY);
    if (report->is_open_loop) { /* in a closed loop nothing is due before it is sent */
        section_quantiles(page, catalogue_text(page->language, TEXT_WRITE_DUE), 2,
                          &report->write_due);
    }
    section_quantiles(page, catalogue_text(page->language, TEXT_WRITE_SENT), 2,
                      &report->write_sent);
    section_quantiles(page, catalogue_text(page->language, TEXT_READ_SENT), 2, &report->read);
}

/* ---- all of it ---- */

void report_write_page(const struct run_report *report, bool use_color, struct text *out)
{
    struct report_page page = {out, report->language, use_color};
    write_heading(&page, report);
    write_verdict(&page, report);
    write_throughput(&page, report);
    write_latency(&page, report);
    report_section_lag(&page, report);
    report_section_checked(&page, report);
    report_section_errors(&page, report);
    report_section_settings(&page, report);
}
