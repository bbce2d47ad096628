/* session/inquiry: asks the server what is set in it, when that can't be told from the statements.
 *
 * set_config() with a parameter, a DO block, a function that sets something: after the
 * transaction one query of ours reads the settings whose source is the session, and they become
 * the session's, as if each had been SET.  So nothing needs to be pinned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "session/session.h"

/* Whether the transaction that has just ended may have set more than its statements tell. */
[[nodiscard]] bool inquiry_is_needed(const struct session *session);

/* Sends the query; the session is SESSION_APPLYING until inquiry_end(). */
void inquiry_begin(struct session *session);

/* A DataRow of its answer. */
void inquiry_row(struct session *session, const char *body, size_t size);

/* It's answered: well, or with an error, after which the session keeps its connection. */
void inquiry_end(struct session *session);
