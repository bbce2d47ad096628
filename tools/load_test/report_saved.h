/* load_test/report_saved: a run's report as a repetition of a saved one, and the text that ends
 * with it.
 *
 * The figures are those of report_numbers.h.  Nothing here keeps what it is
 * given; out of memory is remembered by the text.
 */
#pragma once

#include "load_test/report_numbers.h"
#include "load_test/saved.h"

/* Adds the report as one more repetition, and sets its settings: those of a later repetition
 * replace those of an earlier one. */
void report_to_saved(const struct run_report *report, struct saved *saved);
