/* admin/metrics: what /metrics tells: one table of all metrics.
 *
 * Collected in each worker's thread as one row for each pool and one for the
 * worker, summed where they were asked for, written as OpenMetrics 1.0 or as
 * Prometheus' text format 0.0.4.  docs/metrics.md comes from the table.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "admin/admin.h"
#include "admin/rows.h"
#include "base/text.h"

/* Of the process as a whole, known where it's asked. */
struct metrics_process {
    bool is_draining;
    long client_count, client_max;
    uint64_t config_version;
};

/* For a gather. */
enum { METRICS_COLUMN_COUNT = 4 + 60 };
extern const struct column metrics_columns[METRICS_COLUMN_COUNT];
void metrics_collect(struct hall *hall, const void *argument, struct rows *rows);

/* All that was collected. */
void metrics_write(const struct admin *admin, const struct metrics_process *process,
                   struct rows *rows, bool is_openmetrics, struct text *out);

/* docs/metrics.md */
void metrics_document(FILE *out);
