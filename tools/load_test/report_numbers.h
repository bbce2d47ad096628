/* load_test/report_numbers: a run's report as the named numbers that --expect, the DATA block and
 * `compare` read.
 *
 * One way only.  Shares become percent; what never happened before the end of
 * the run stays INFINITY, what was not measured NAN.  Pure; owns nothing.
 */
#pragma once

#include "load_test/metric.h"
#include "load_test/report.h"

/* Replaces `metrics` with all figures: the run's, the worst replica's ("visible.p99") and each
 * replica's ("visible.r1.p99").  A replica whose name would not fit or is not unique in a metric's
 * name is called by its place: "replica2". */
void report_to_metrics(const struct run_report *report, struct metrics *metrics);
