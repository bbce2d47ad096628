/* load_test/report_section: the sections of the text report.
 *
 * Between the files of report_text only: each writes what a reader asks at one
 * glance, begins with a blank line and is left out when it has nothing to say.
 * They borrow the report, own nothing, and cannot fail but by lack of memory,
 * which the page's text remembers.
 */
#pragma once

#include "load_test/report_page.h"

/* report_text_lag.c: REPLICATION LAG, and what a read after the commit finds. */
void report_section_lag(struct report_page *page, const struct run_report *report);

/* report_text_checked.c: CHECKED, ERRORS (when there are any), SETTINGS. */
void report_section_checked(struct report_page *page, const struct run_report *report);
void report_section_errors(struct report_page *page, const struct run_report *report);
void report_section_settings(struct report_page *page, const struct run_report *report);

enum { SECTION_QUANTILE_LABEL = 28, SECTION_QUANTILE_COLUMN = 10 };

/* "p50 p90 p99 p99.9 max" of a section with rows of section_quantiles(), and a line break. */
void section_quantile_heading(struct report_page *page, enum catalogue_text title);

/* A row of them, `label` indented. */
void section_quantiles(struct report_page *page, const char *label, size_t indent,
                       const struct report_quantiles *quantiles);
