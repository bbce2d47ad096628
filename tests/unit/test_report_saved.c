/* What a report's text ends with is what was measured. */
#include "load_test/report_saved.h"

#include "unit/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void the_text_can_be_read_back(void **)
{
    struct run_report report;
    struct text text = {0};
    struct error err = {0};
    report_init(&report);
    report.language = REPORT_SPANISH;
    report.writes_done = 7970;
    report.write_due.p99 = 6.19;
    report.replica_count = 1;
    snprintf(report.replicas[0].name, REPORT_NAME_SIZE, "r1");
    report_set(&report, "seed", "41");
    struct saved *all = saved_create();
    assert_non_null(all);
    report_to_saved(&report, all);
    report_write_text(&report, all, false, false, &text);
    free(all);
    assert_false(text.has_failed);

    struct saved *saved = saved_parse(text_cstr(&text), text.size, &err);
    if (saved == NULL) {
        fail_msg("%s", err.message);
        return;
    }
    assert_int_equal(saved->repetitions, 1);
    assert_string_equal(saved_setting(saved, "seed"), "41");
    assert_true(saved_find(saved, "writes.done")->values[0] == 7970);
    assert_true(fabs(saved_find(saved, "write.p99")->values[0] - 6.19) < 1e-9);
    assert_true(isnan(saved_find(saved, "visible.r1.p99")->values[0]));
    free(saved);
    text_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_can_be_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
