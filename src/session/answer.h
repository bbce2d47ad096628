/* session/answer: the server's messages, on their way to the client.
 *
 * Takes off the queue what was answered, keeps our own answers back, follows
 * transaction status, reported parameters and errors, and passes all else on as
 * it comes.  Stops reading the server while the client doesn't read.
 */
#pragma once

#include "session/session.h"

/* The server's stream has an event; `user` is the session. */
void answer_on_event(void *user);

/* Nothing that the session's server still owes is waited for any more: the objects are freed. */
void answer_forget(struct session *session);
