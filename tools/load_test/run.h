/* load_test/run: one run from the first write to the verified report.
 *
 * Used by the plain mode, by `policies` and by the repetitions of `compare`.
 * Four threads: writers (and the reads that probe t = 0), readers, samplers of
 * the replay position, and the caller's, which watches the primary's gauges,
 * the progress line and Ctrl-C.  Each has its own data; they are merged after
 * the threads have ended.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "common/terminal.h"
#include "load_test/interrupt.h"
#include "load_test/plan.h"
#include "load_test/report.h"
#include "load_test/target.h"

struct run_files; /* what --csv, --hgrm and --log need beside the report: see run_files.h */

/* Runs `plan` against `target`.  `report` is report_init()ed by the caller with its language set,
 * and report_done() by it.  True when a report was made, even if its findings are failures: the
 * exit status is report_exit_code().  False: the run could not be done at all (exit 1); nothing of
 * it is left on the servers, unless the message says so.  `files` may be NULL. */
[[nodiscard]] bool run_execute(const struct run_plan *plan, const struct target *target,
                               struct interrupt *interrupt, struct progress *progress,
                               struct run_report *report, struct run_files *files,
                               struct error *err);
