/* session/names: the client's names for prepared statements, and the servers' for them.
 *
 * In transaction pooling a client's statement may be wanted on any server
 * connection: its name is translated to ours in Parse, Bind, Describe and
 * Close, and in PREPARE, EXECUTE and DEALLOCATE; a Parse is put in front where the
 * connection doesn't have it yet.  Errors are always made by the server, so
 * that pipelines and transactions end as they would without us.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "session/session.h"

struct facts;

/* A message from the client, of which `has` bytes are there. */
struct request {
    char type;
    bool is_whole;
    const char *bytes; /* borrowed: its header, */
    const char *body;  /* and what follows it */
    size_t has;        /* bytes at `bytes` */
    size_t body_size;  /* of the whole message */
};

enum names_result {
    NAMES_DONE,
    NAMES_NEED_MORE,
    NAMES_WAIT, /* until more has been answered */
    NAMES_NO_MEMORY,
    NAMES_MALFORMED
};

/* Parse, Bind, Describe or Close: passes it on, translated; what of its body has not come yet
 * follows. */
[[nodiscard]] enum names_result names_translate(struct session *session,
                                                const struct request *request);

/* A query string with facts: passes it on, with what it needs before and after.  `facts`: a share,
 * taken over.  False when out of memory. */
[[nodiscard]] bool names_query(struct session *session, const struct request *request,
                               struct facts *facts);

/* Whether a text has names of prepared statements in it; NULL is allowed. */
[[nodiscard]] bool names_are_in(const struct facts *facts);
/* What a text with such names needs on the server, before it's described or run there; facts NULL:
 * nothing. */
[[nodiscard]] bool names_ground(struct session *session, const struct facts *facts);

/* Where in the client's text that is which the server calls `position` (characters from 1) in ours;
 * for facts with something attached. */
[[nodiscard]] size_t names_position(const struct facts *facts, size_t position);

/* Statement `part` of a query string, or of an Execute, was completed: what the client's names mean
 * now. */
void names_done(struct session *session, const struct facts *facts, unsigned part);

/* The facts of the statement behind the named portal of an Execute; borrowed; NULL: none. */
[[nodiscard]] struct facts *names_portal_facts(struct session *session,
                                               const struct request *request);

/* The server has answered a message about a statement. */
void names_answered(struct session *session, struct expected *entry, bool is_good);

/* An error response belongs to this entry: a plan that no longer fits is made anew next time. */
void names_error(struct session *session, const struct expected *entry, const char *sqlstate);

/* How the client calls a statement that a server's message calls by our name; NULL: not one of its.
 */
[[nodiscard]] const char *names_of_client(const struct session *session, const char *server_name);

/* DEALLOCATE ALL, DISCARD ALL: the client has none any more. */
void names_forget(struct session *session);

/* The transaction is over: its portals are gone. */
void names_end(struct session *session);

/* The bytes as they came. */
[[nodiscard]] bool request_forward(struct session *session, const struct request *request);
