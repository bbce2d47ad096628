/* load_test/run_files: what a run leaves beside its report: --csv, --hgrm and --log.
 *
 * Written after the run, from the records; each file is whole or the error
 * says which one is not (a full disk is an error, exit 1).
 */
#pragma once

#include "base/error.h"
#include "base/histogram.h"
#include "load_test/record.h"
#include "load_test/report.h"

struct run_files {
    const char *csv, *hgrm, *log; /* paths, borrowed; NULL: not wanted; "-" is not special */
};

/* What the files are made of; all borrowed. */
struct run_details {
    int64_t started; /* clock_now() of the first measured moment */
    const struct write_log *writes;
    const struct histogram *write_due, *write_sent, *read; /* µs */
    size_t replica_count;
    const int64_t *seen; /* [writes->count][replica_count]: clock_now() when each write was
                          * proven visible; 0: never */
};

[[nodiscard]] bool run_files_write(const struct run_files *files, const struct run_report *report,
                                   const struct run_details *details, struct error *err);
