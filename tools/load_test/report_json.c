/* The report as one JSON object; docs/load_test.schema.json describes it. */
#include <jansson.h>
#include <math.h>

#include "load_test/output.h"
#include "load_test/report.h"
#include "load_test/saved.h"

/* JSON has no NaN: what was not measured is null. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *replica_list(const struct run_report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->replica_count; i++) {
        const struct report_replica *replica = &report->replicas[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:b}", "name", replica->name, "place",
                                        replica->place, "sync_state", replica->sync_state,
                                        "is_checked", replica->is_checked > 0));
    }
    return list;
}

static json_t *finding_list(const struct run_report *report)
{
    static const char *const severities[] = {
        [REPORT_NOTE] = "note", [REPORT_SLOW] = "slow", [REPORT_FAIL] = "fail"};
    json_t *list = json_array();
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct report_finding *finding = &report->findings[i];
        json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "severity",
                                              severities[finding->severity], "exit_code",
                                              finding->exit_code, "text", finding->text));
    }
    return list;
}

static json_t *error_list(const struct run_report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->error_count; i++) {
        const struct report_error *error = &report->errors[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:o}", "sqlstate", error->sqlstate,
                                        "message", error->message, "writes", number(error->writes),
                                        "reads", number(error->reads)));
    }
    return list;
}

static json_t *second_list(const struct run_report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->second_count; i++) {
        const struct report_second *second = &report->series[i];
        json_t *visible = json_object();
        for (size_t j = 0; j < report->replica_count; j++) {
            json_object_set_new(visible, report->replicas[j].name, number(second->visible_max[j]));
        }
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "writes", number(second->writes), "reads",
                            number(second->reads), "failed", number(second->failed), "write_max_ms",
                            number(second->write_max), "visible_max_ms", visible));
    }
    return list;
}

static json_t *document(const struct run_report *report, const struct saved *all)
{
    json_t *object =
        json_pack("{s:s, s:i, s:s, s:s, s:b, s:i, s:{s:s, s:s}, s:o, s:o, s:o, s:o}", "program",
                  "load_test", "format", 1, "version", report->version, "started", report->started,
                  "interrupted", report->is_interrupted, "exit_code", report_exit_code(report),
                  "primary", "name", report->primary_name, "place", report->primary_place,
                  "replicas", replica_list(report), "findings", finding_list(report), "errors",
                  error_list(report), "seconds", second_list(report));
    if (object != NULL && !saved_write_json(all, object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

void report_write_json(const struct run_report *report, const struct saved *all, struct text *out)
{
    bool is_ok = output_json(document(report, all), 10, out);
    (void)is_ok; /* the text remembers */
}
