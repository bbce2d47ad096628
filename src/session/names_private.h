/* session/names_private: what session/names and session/names_sql have in common.
 *
 * Only those two use it.
 */
#pragma once

#include <stdbool.h>

#include "base/text.h"
#include "session/names.h"

/* What the client's name means; borrowed; NULL: nothing. */
[[nodiscard]] struct statement *names_meaning(struct session *session, const char *name);

/* The server will have the statement when it comes to what follows; false: out of memory. */
[[nodiscard]] bool names_ensure(struct session *session, struct statement *statement);

/* The server will not have it then. */
[[nodiscard]] bool names_free(struct session *session, struct statement *statement);

/* The text with our names instead of the client's, after what it needs was sent.  False: out of
 * memory. */
[[nodiscard]] bool names_rewrite(struct session *session, struct facts *facts, struct text *sql);

/* A PREPARE was completed: the name means that, and the server has it. */
void names_made(struct session *session, const char *name, struct statement *statement);

/* A DEALLOCATE was completed. */
void names_dropped(struct session *session, const char *name);
