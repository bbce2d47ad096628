/* load_test/options: the command line of the modes that run a load.
 *
 * One table for the plain run, `policies` and the repetitions of `compare`:
 * the same option means the same everywhere.  Values are borrowed from argv.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "common/options.h"
#include "load_test/plan.h"
#include "load_test/report.h"
#include "load_test/target.h"

struct load_options {
    const char *primary;
    struct option_list replicas;
    const char *lab_dir, *shard;
    long writers, readers, writes;
    int64_t duration, warmup;
    double rate, read_rate, sample_rate;
    bool is_closed, keep_table, no_data, no_verify, allow_failures, quiet;
    const char *seed, *read_from, *synchronous_commit;
    int64_t timeout, verify_timeout, wait_node;
    const char *json, *csv, *hgrm, *log, *output, *lang, *label;
    struct option_list expects; /* --expect: judged by expect.h */
    long repeat;
};

/* Every option that a mode may have, sorted by name.  */
extern const struct option_row load_option_rows[];
extern const size_t load_option_count;

void load_options_init(struct load_options *options);

/* Handles --help and --version (printed to stdout) and errors (to stderr).  True: go on; false:
 * leave with *status. */
[[nodiscard]] bool load_options_parse(const struct option_table *table, int argc, char **argv,
                                      struct load_options *options, struct option_list *words,
                                      int *status);

/* Turns the words into a plan; what it refuses is a usage error (exit 2). */
[[nodiscard]] bool load_options_plan(const struct load_options *options, struct run_plan *plan,
                                     enum report_language *language, struct error *err);

/* Finds the servers (exit 1 when it can't).  Call target_done() whatever it returns. */
[[nodiscard]] bool load_options_target(const struct load_options *options, struct target *target,
                                       struct error *err);
