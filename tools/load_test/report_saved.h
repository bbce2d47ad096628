/* load_test/report_saved: a run's report as the named numbers that machines read.
 *
 * One way only: figures and settings go from struct run_report into the tables
 * that --expect, the DATA block and `compare` read.  Shares become percent;
 * what never happened before the end of the run stays INFINITY.
 */
#pragma once

#include "load_test/metric.h"
#include "load_test/report.h"
#include "load_test/saved.h"

/* Replaces `metrics` with all figures: the run's, the worst replica's ("visible.p99") and each
 * replica's ("visible.r1.p99").  A replica whose name would not fit or is not unique in a metric's
 * name is called by its place: "replica2". */
void report_to_metrics(const struct run_report *report, struct metrics *metrics);

/* Adds the report as one more repetition, and sets its settings: those of a later repetition
 * replace those of an earlier one. */
void report_to_saved(const struct run_report *report, struct saved *saved);
