/* session/greet: a client's way in, from its first byte to being let in.
 *
 * One state machine (docs/machines/greet.mmd): direct TLS (first byte 0x16, with ALPN),
 * GSSENCRequest (answered 'N'), SSLRequest, startup or CancelRequest, the rule
 * of the hba table, authentication.  Plaintext that came behind an SSLRequest
 * ends the connection.  It never blocks: step it at each event.  It writes
 * AuthenticationOk, not what follows (parameters, key, ReadyForQuery): the session does that, and
 * flushes both together.
 * Failures are answered by itself as FATAL with PostgreSQL's SQLSTATE and wording, the same whether
 * the user exists or not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "config/credential.h"
#include "config/hba.h"
#include "net/stream.h"
#include "wire/startup.h"

struct greet_plan {
    const struct config *config;    /* borrowed until greet_destroy(), as all here */
    const struct hba *hba;          /* NULL: config's auth_type for all */
    struct tls_context *tls;        /* NULL: no TLS: SSLRequest is answered 'N' */
    const unsigned char *seed;      /* 32 random bytes of the process, for mock secrets */
    const struct sockaddr *address; /* the client's; NULL: a Unix socket */
};

enum greet_status {
    GREET_MORE,
    GREET_NEEDS_CREDENTIAL, /* of greet_startup()->user: answer with greet_credential() (not asked
                               for with trust, cert and peer) */
    GREET_ACCEPTED,
    GREET_CANCEL, /* a CancelRequest: greet_startup()->cancel_…; then close */
    GREET_CLOSED  /* refused, failed or gone: `err` says why, for the log; close */
};

struct greet; /* opaque */

/* NULL: out of memory. */
[[nodiscard]] struct greet *greet_create(struct stream *stream, const struct greet_plan *plan);
void greet_destroy(struct greet *greet); /* wipes */

[[nodiscard]] enum greet_status greet_step(struct greet *greet, struct error *err);

/* What was found of the user; copied.  NULL: no such user (the client is told only that
 * authentication failed).  Then step again.  A PLAIN one without has_scram costs a PBKDF2 here if
 * SCRAM is the method: keep credentials in an auth_cache. */
void greet_credential(struct greet *greet, const struct credential *credential);

/* A lookup that failed (auth_query could not be run): FATAL with this error, then GREET_CLOSED. */
void greet_refuse(struct greet *greet, const struct error *why);

/* The startup packet; borrowed until greet_destroy().  Valid from GREET_NEEDS_CREDENTIAL on; NULL
 * before. */
[[nodiscard]] const struct startup *greet_startup(const struct greet *greet);

/* The protocol version that both speak: what the client asked for, at most 3.2 (decides the size of
 * its cancel key). */
[[nodiscard]] uint32_t greet_version(const struct greet *greet);

/* After GREET_ACCEPTED: the client key of a SCRAM login, for pass-through to the server; false when
 * the client logged in otherwise. */
[[nodiscard]] bool greet_client_key(const struct greet *greet, unsigned char key[SCRAM_KEY_SIZE]);

/* After GREET_ACCEPTED: what greet_credential() was given, which the client has shown to know;
 * borrowed.  NULL: it was not asked for. */
[[nodiscard]] const struct credential *greet_known(const struct greet *greet);

/* What the client has sent behind its login already; borrowed.  `*size` 0: nothing. */
[[nodiscard]] const char *greet_left_over(const struct greet *greet, size_t *size);

/* How it was let in, for the log: "scram-sha-256", "cert", … static. */
[[nodiscard]] const char *greet_method(const struct greet *greet);
