#include "load_test/report_saved.h"

#include <stdlib.h>

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

void report_write_text(const struct run_report *report, bool use_color, struct text *out)
{
    struct saved *saved = saved_create();
    if (saved == NULL) {
        out->has_failed = true;
        return;
    }
    report_write_page(report, use_color, out);
    text_append(out, "\n");
    report_to_saved(report, saved);
    saved_write(saved, out);
    free(saved);
}
