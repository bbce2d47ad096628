/* backend/login: logs in at a server, over a stream that is connecting.
 *
 * One state machine (docs/machines/login.mmd): TLS as sslmode asks, startup,
 * authentication (SCRAM with channel binding, MD5, cleartext only over TLS or
 * a Unix socket), parameters, until the first ReadyForQuery.  It never blocks:
 * step it at each event of the stream.  No secret ends in an error or a log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/credential.h"
#include "net/stream.h"
#include "net/tls.h"
#include "wire/startup.h"

struct login_plan {
    const char *host; /* for TLS and messages; borrowed until done, as all here */
    const char *user, *database;
    const struct credential *credential;        /* NULL: none */
    const struct startup_parameter *parameters; /* more for the startup packet */
    size_t parameter_count;
    enum tls_mode tls_mode;
    struct tls_context *tls; /* NULL with TLS_DISABLE */
    bool is_local;           /* a Unix socket: no TLS, and cleartext passwords are allowed */
    bool wants_3_2;          /* ask for protocol 3.2; a server that has only 3.0 negotiates down */
};

enum login_status { LOGIN_MORE, LOGIN_READY, LOGIN_FAILED };

struct login; /* opaque */

/* What the server told; owned by the login. */
struct login_result {
    const struct startup_parameter *parameters; /* ParameterStatus, in order */
    size_t parameter_count;
    uint32_t pid;
    const unsigned char *key;
    size_t key_size;
    uint32_t version; /* negotiated */
};

/* `stream` and what `plan` points to are borrowed until login_destroy().  NULL: out of memory. */
[[nodiscard]] struct login *login_create(struct stream *stream, const struct login_plan *plan);
void login_destroy(struct login *login); /* wipes */

/* To be called at each event of the stream, until it's not LOGIN_MORE.  LOGIN_FAILED sets `err`:
 * the server's own SQLSTATE and message where it sent an error ("login to 10.0.0.5: …"), 08006 for
 * a lost connection, 08P01 for what makes no sense, 28P01/28000 for authentication.  After
 * LOGIN_READY no byte of the stream has been read too much. */
[[nodiscard]] enum login_status login_step(struct login *login, struct error *err);
[[nodiscard]] const struct login_result *login_result(const struct login *login); /* when ready */
