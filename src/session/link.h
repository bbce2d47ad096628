/* session/link: gives a session a server connection, and takes it back.
 *
 * A linked server has the session's settings, and the client knows what it
 * reports.  In transaction pooling it's given back when nothing is owed, no
 * transaction is open and nothing pins it.
 */
#pragma once

#include <stdbool.h>

#include "session/session.h"

/* Asks for a server.  True: the session is linked; false: it waits (session_pump() will be called),
 * applies its settings first, or has ended. */
[[nodiscard]] bool link_begin(struct session *session);

/* The server's answer to the settings came: go on, or give up. */
void link_applied(struct session *session);
void link_apply_failed(struct session *session, const struct error *why);

/* Gives the server back if that may be now. */
void link_end(struct session *session);

/* Whether nothing ties the session to its server at this moment. */
[[nodiscard]] bool link_is_over(const struct session *session);

/* The client is gone or was thrown out: the server is rolled back and cleaned, or closed. */
void link_abort(struct session *session);

/* The server is gone: the client is told in the way that the protocol allows, and keeps its
 * connection where it can. */
void link_lost(struct session *session, const struct error *why);

/* Tells the client which reported parameters are other than it knows. */
void link_tell_parameters(struct session *session);

/* A RESET took away what the startup packet had set: it's set again.  False: there is nothing to
 * set. */
[[nodiscard]] bool link_reapply(struct session *session);
