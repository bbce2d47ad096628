/* load_test/results: turns what the threads left behind into the report.
 *
 * Everything that needs arithmetic after the run: which writes were measured,
 * their latencies, the lag of each on each replica, the series per second, and
 * whether this tool was the limit.  Does no I/O but the files asked for.
 */
#pragma once

#include "load_test/engine.h"
#include "load_test/run_files.h"

struct results { /* all borrowed */
    const struct engine *engine;
    struct writer_result *writes;
    struct reader_result *reads;
    struct sampler_result *samples;
    int64_t clock_ahead; /* µs: the primary's clock before this machine's */
    double cpu;          /* of a core, this process during the load */
    double wall;         /* seconds of the load */
};

/* Fills the report, adds its findings, and writes the files (`files` may be NULL). */
[[nodiscard]] bool results_report(const struct results *results, const struct target *target,
                                  const struct run_files *files, struct run_report *report,
                                  struct error *err);

/* CPU seconds of this process so far. */
[[nodiscard]] double results_process_cpu(void);
