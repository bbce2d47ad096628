/* admin/console: the admin console: what a client of the database `reparto` or `pgbouncer` talks
 * to.
 *
 * Speaks the simple and the extended protocol to one session; its statements
 * are admin/query's.  Answers that need all workers come later (admin/gather);
 * meanwhile the session is busy and its client's bytes stay in the socket.
 * `admin_users` may do all, `stats_users` may only look.
 */
#pragma once

#include "admin/admin.h"
#include "session/session.h"

/* Has the hall's sessions find the console; `admin` is borrowed for as long as the hall lives. */
void console_attach(struct hall *hall, const struct admin *admin);
