/* session/session_log: what the log says of a session, in every format.
 *
 * PgBouncer's wording, where it has one, so that pgBadger counts our clients
 * too.  No secrets, no row data.
 */
#pragma once

#include "base/error.h"
#include "session/session.h"

void session_log_login(const struct session *session);
void session_log_end(const struct session *session, const char *reason);

/* It was told of an error of ours. */
void session_log_refusal(const struct session *session, const struct error *error);

/* It did not get in. */
void session_log_failed_login(const struct session *session, const struct error *error);
