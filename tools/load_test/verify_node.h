/* load_test/verify_node: tells the rows of one node to the audit.
 *
 * One attempt each; who wants to wait for a node that is down calls again.
 * Everything ends at the limits given, or when a signal comes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "load_test/audit.h"
#include "load_test/interrupt.h"
#include "load_test/plan.h"
#include "load_test/record.h"
#include "load_test/target.h"

struct verify_job {
    int64_t timeout;             /* ns: to connect, for a short answer */
    int64_t verify_timeout;      /* ns: to replay and be counted */
    struct interrupt *interrupt; /* borrowed */
    const char *table;           /* schema.name, as SQL reads it */
    struct write_log *writes;    /* borrowed; committed_utc is set from the primary */
    struct audit *audit;         /* borrowed */
    char flushed[32];            /* LSN that replicas must reach; "" until the primary told it */
    bool is_table_there;         /* on the primary: a replica without it has lost it */
};

/* Makes the primary flush what it has acknowledged, and sets job->flushed.  Fails when it is not a
 * primary now. */
[[nodiscard]] bool verify_ask_position(struct verify_job *job, const struct target_node *node,
                                       struct error *err);

/* audit_begin(), then every row of the table: of the primary, or of a replica once it has replayed
 * job->flushed.  After a failure the audit's rows are incomplete. */
[[nodiscard]] bool verify_count_primary(struct verify_job *job, const struct target_node *node,
                                        struct error *err);
[[nodiscard]] bool verify_count_replica(struct verify_job *job, const struct target_node *node,
                                        struct error *err);
