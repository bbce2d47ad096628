/* load_test/verify: is every acknowledged write on every node, once?
 *
 * Reads the run's table (writer integer, sequence bigint, payload text; no
 * unique constraint, so that a row that is there twice can be seen) from each
 * node and compares it with what was acknowledged.  A write of unknown outcome
 * may be there or not, and is neither lost nor an error; a refused write that
 * is there all the same is "unwritten".  Bounded: a node that does not answer
 * within the limits is reported as not checked, never as right.
 */
#pragma once

#include "load_test/interrupt.h"
#include "load_test/plan.h"
#include "load_test/record.h"
#include "load_test/report.h"
#include "load_test/target.h"

/* Waits (plan->wait_node) for nodes that are down and (plan->verify_timeout) for replicas to have
 * replayed what the primary has flushed, then counts on every node.  Fills the report's counts
 * (acknowledged, lost, twice, unwritten, unknown_there, primary_*, replicas[].is_checked, lost,
 * twice, verify_seconds), adds findings (exit 4 for lost, twice, unwritten, or a row of nobody's;
 * exit 1 for a node that could not be checked), and writes the ids of lost rows to
 * plan->output/load_test-lost-SEED.csv.  Sets committed_utc in the records where the primary tracks
 * commit timestamps.  When not every node could be checked, the acknowledgements go to
 * plan->output/load_test-acks-SEED.csv for `load_test verify`. False only when it could not be done
 * at all. */
[[nodiscard]] bool verify_run(const struct run_plan *plan, const struct target *target,
                              struct interrupt *interrupt, struct write_log *writes,
                              struct run_report *report, struct error *err);

/* Whether verify_run() had to leave a node unchecked: then the table is still needed. */
[[nodiscard]] bool verify_is_unfinished(const struct run_report *report);

/* The file that `load_test verify FILE` reads: the table's name, then writer, sequence and state of
 * each settled write. */
[[nodiscard]] bool verify_save(const char *path, const char *table, const struct write_log *writes,
                               struct error *err);
[[nodiscard]] bool verify_load(const char *path, char table[REPORT_VALUE_SIZE],
                               struct write_log *writes, struct error *err);
