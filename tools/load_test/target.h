/* load_test/target: which servers a run uses, checked before anything is written.
 *
 * From --primary and --replica, or from the running lab.  The check connects
 * to each node, within the time limit, and refuses a node that plays the wrong
 * role, another cluster's replica, or a server that is too old.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "load_test/interrupt.h"
#include "load_test/report.h"

struct target_node {
    char name[REPORT_NAME_SIZE];
    char place[REPORT_VALUE_SIZE]; /* host:port, for messages */
    char *dsn;                     /* owned; may hold a password: never print it */
};

struct target {
    struct target_node primary;
    size_t replica_count;
    struct target_node replicas[REPORT_REPLICA_MAX];
};

/* Copies the DSNs.  Without a primary: shard `shard` (NULL: the first) of the lab in `lab_dir`
 * (NULL: the default folder).  Call target_done() whatever it returns. */
[[nodiscard]] bool target_resolve(struct target *target, const char *primary,
                                  const char *const *replicas, size_t replica_count,
                                  const char *lab_dir, const char *shard, struct error *err);
void target_done(struct target *target);

/* Connects to every node, checks roles and the system identifier, and notes versions and settings
 * in `report`. */
[[nodiscard]] bool target_check(const struct target *target, int64_t timeout,
                                struct interrupt *interrupt, struct run_report *report,
                                struct error *err);
