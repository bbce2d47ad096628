/* backend/server_cancel: cancel requests under way for pooled connections.
 *
 * Only backend/server and this use it.  A request outlives the connection that
 * it is for, if that is closed meanwhile.
 */
#pragma once

#include "backend/server.h"

/* The connection is gone: requests for it end by themselves. */
void server_cancels_forget(struct server *server);

/* A cleaning that only waited for requests to end may be over. */
void server_try_ready(struct server *server);
