/* load_test/policy_settings: synchronous_standby_names of a primary, changed and put back.
 *
 * The value goes into postgresql.auto.conf by ALTER SYSTEM.  What stood there
 * before is kept in the table load_test.policy_marker of the primary, so that
 * the next start finds it when this process could not put it back (kill -9, a
 * lost machine), and does so first.  Needs a superuser.  One at a time: a lock
 * on the primary keeps a second one out.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "load_test/interrupt.h"
#include "load_test/report.h"
#include "load_test/target.h"

enum policy_standbys { POLICY_ASYNC, POLICY_FIRST_1, POLICY_ANY_1, POLICY_ANY_2 };

enum { POLICY_NAMES_SIZE = REPORT_REPLICA_MAX * (REPORT_NAME_SIZE + 4) + 16 };

struct policy_settings {
    const struct target *target;
    struct interrupt *interrupt;
    int64_t timeout;    /* ns: one statement, and for a change to be seen */
    PGconn *connection; /* owned; holds the lock */
    bool is_marked;     /* the old value is to be put back */
    bool was_restored;  /* an earlier run had left the setting changed: it was put back */
};

/* Takes the lock, puts back what an earlier run left, and marks the present value.  42501: no
 * superuser; 55006: another run.  Call policy_settings_done() whatever it returns. */
[[nodiscard]] bool policy_settings_init(struct policy_settings *settings,
                                        const struct target *target, struct interrupt *interrupt,
                                        int64_t timeout, struct error *err);

/* Sets it, and waits until pg_stat_replication shows every replica in its new state. */
[[nodiscard]] bool policy_settings_apply(struct policy_settings *settings,
                                         enum policy_standbys standbys, struct error *err);

/* Puts the old value back, whatever signal has come, and removes the marker.  False: the message
 * says what to do by hand; the marker stays. */
[[nodiscard]] bool policy_settings_put_back(struct policy_settings *settings, struct error *err);
void policy_settings_done(struct policy_settings *settings); /* closes the connection */

/* 'ANY 2 ("r1", "r2")' of these replicas; '' for POLICY_ASYNC.  Returns `buffer`.  Pure. */
const char *policy_names(char buffer[POLICY_NAMES_SIZE], enum policy_standbys standbys,
                         const struct target *target);
