/* server/lookup: finds what a worker must know and does not: addresses and credentials.
 *
 * Answers at once where it can, later by the worker's loop where it must ask
 * somebody: the resolver's thread for a host's address, a server for a user's
 * password (auth_query).
 */
#pragma once

#include "backend/backend.h"
#include "session/session.h"

/* backend->resolve: answers by pool_resolved(). */
void lookup_address(struct backend *backend, struct pool *pool);

/* hall->look_up: answers by session_credential(): from the auth file, from what auth_query told a
 * short while ago, or from auth_query. */
void lookup_credential(struct session *session);

/* hall->stop_look_up and hall->distrust. */
void lookup_stop(struct session *session);
void lookup_distrust(struct session *session);
