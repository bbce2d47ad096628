/* load_test/report_metric: the table of figures behind report_metric().
 *
 * One row names a figure, its unit and how many decimals are written; the DATA
 * block of the text, its parser and the JSON all walk the same rows, so none
 * can forget a figure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "load_test/report.h"

struct report_metric_row {
    const char *name;  /* "visible.p99": with a replica's name "visible.r1.p99" */
    size_t offset;     /* of a double, in struct run_report or struct report_replica */
    int decimals;      /* as written into the DATA block */
    const char *unit;  /* "ms", "/s", "share", "count", "s", "cores" */
    bool is_good_high; /* the worst replica is the lowest */
};

extern const struct report_metric_row report_run_metrics[];
extern const size_t report_run_metric_count;
extern const struct report_metric_row report_replica_metrics[];
extern const size_t report_replica_metric_count;

/* The figure itself. */
[[nodiscard]] double *report_run_field(struct run_report *report,
                                       const struct report_metric_row *row);
[[nodiscard]] double report_run_value(const struct run_report *report,
                                      const struct report_metric_row *row);
[[nodiscard]] double *report_replica_field(struct report_replica *replica,
                                           const struct report_metric_row *row);
[[nodiscard]] double report_replica_value(const struct report_replica *replica,
                                          const struct report_metric_row *row);

/* "visible.r1.p99" of row "visible.p99" and replica "r1".  Returns `buffer`. */
const char *report_replica_metric_name(char buffer[REPORT_METRIC_SIZE],
                                       const struct report_metric_row *row, const char *replica);
