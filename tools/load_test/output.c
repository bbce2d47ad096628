#include "load_test/output.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/statistics.h"
#include "common/terminal.h"

bool output_error(const char *what, int code, struct error *err)
{
    error_set(err, code == ENOSPC ? "53100" : "58030", "cannot write %s: %s", what, strerror(code));
    return code == ENOSPC ? error_hint(err, "make room on the disk, or choose another place")
                          : false;
}

static bool write_all(FILE *out, const struct text *text, const char *what, struct error *err)
{
    if (text->has_failed) {
        return error_set(err, "53200", "out of memory for the report");
    }
    errno = 0;
    fputs(text_cstr(text), out);
    if (fflush(out) != 0 || ferror(out)) {
        return output_error(what, errno, err);
    }
    return true;
}

bool output_text(const struct text *text, struct error *err)
{
    return write_all(stdout, text, "the report to stdout", err);
}

bool output_file(const char *path, const struct text *text, struct error *err)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        return output_error(path, errno, err);
    }
    bool is_ok = write_all(out, text, path, err);
    if (fclose(out) != 0 && is_ok) {
        return output_error(path, errno, err);
    }
    return is_ok;
}

/* "writes/s over 5 runs: median 801, 780 to 812", and the same of the lag. */
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

bool output_report(const struct run_report *report, const struct saved *all, bool is_page_only,
                   const char *json, struct error *err)
{
    struct text text = {0}, document = {0};
    bool is_spanish = report->language == REPORT_SPANISH;

    report_write_page(report, terminal_has_color(stdout), &text);
    if (all->repetitions > 1) {
        text_append(&text, is_spanish ? "\nREPETICIONES\n" : "\nREPETITIONS\n");
        append_spread(all, "writes.rate", is_spanish, &text);
        append_spread(all, "reads.rate", is_spanish, &text);
        append_spread(all, "visible.p99", is_spanish, &text);
    }
    if (!is_page_only) {
        text_append(&text, "\n");
        saved_write(all, &text);
    }
    bool is_ok = output_text(&text, err);
    if (is_ok && json != NULL) {
        report_write_json(report, all, &document);
        is_ok = output_file(json, &document, err);
    }
    text_done(&text);
    text_done(&document);
    return is_ok;
}
