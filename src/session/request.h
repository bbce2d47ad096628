/* session/request: the client's messages, on their way to the server.
 *
 * Decides for each message whether a server is needed, what must be looked at,
 * translated (prepared statements' names) or put in front of it, notes which
 * answer is now owed, and passes the bytes on.  Bodies that need no look are
 * passed as they come, so a message of a gigabyte needs no memory.
 */
#pragma once

#include <stddef.h>

#include "session/session.h"

/* Handles bytes[0..size) as far as it can; returns how many bytes are done with.  What is left must
 * be kept until there is more, or a server. */
[[nodiscard]] size_t request_feed(struct session *session, const char *bytes, size_t size);

/* An error of ours in answer to the message at hand, outside of any transaction: after it the
 * client's messages up to Sync are skipped, or for a simple query it's ready at once. */
void request_refuse(struct session *session, char type, const struct error *error);
