/* backend/login: logs in at a server, over a stream that is connecting.
 *
 * One state machine (docs/machines/login.mmd): TLS as sslmode asks, startup,
 * authentication (SCRAM with channel binding, MD5, cleartext only over TLS or
 * a Unix socket), parameters, until the first ReadyForQuery.  It never blocks:
 * step it at each event of the stream; a deadline is its owner's.  What a server
 * can make it keep is limited.  No secret ends in an error or a log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/machine.h"
#include "config/credential.h"
#include "net/stream.h"
#include "net/tls.h"
#include "wire/startup.h"

enum {
    LOGIN_MESSAGE_MAX = 32 * 1024,    /* bytes of one message's body */
    LOGIN_PARAMETER_BYTES = 64 * 1024 /* names and values of all ParameterStatus together */
};

struct login_plan {
    const char *host; /* for TLS and messages; borrowed until done, as all here */
    const char *user, *database;
    const struct credential *credential;        /* NULL: none */
    const struct scram_secret *known_secret;    /* login_result.made_secret of an earlier login with
                                                   this plain password: milliseconds are saved; or
                                                   NULL */
    const struct startup_parameter *parameters; /* more for the startup packet */
    size_t parameter_count;                     /* at most STARTUP_PARAMETER_MAX */
    enum tls_mode tls_mode;
    struct tls_context *tls; /* NULL with TLS_DISABLE */
    bool is_local;           /* a Unix socket: no TLS, and cleartext passwords are allowed */
    bool wants_3_2;          /* ask for protocol 3.2; a server that has only 3.0 negotiates down */
};

enum login_status { LOGIN_MORE, LOGIN_READY, LOGIN_FAILED };

struct login; /* opaque */

/* What the server told; owned by the login. */
struct login_result {
    const struct startup_parameter *parameters; /* ParameterStatus, in order; a name once */
    size_t parameter_count;
    uint32_t pid;
    const unsigned char *key;
    size_t key_size;  /* 0: the server gave none, nothing there can be cancelled */
    uint32_t version; /* negotiated */
    const struct scram_secret *made_secret; /* worth a copy, see the plan; NULL: none was made */
};

/* `stream` and what `plan` points to are borrowed until login_destroy().  NULL: out of memory. */
[[nodiscard]] struct login *login_create(struct stream *stream, const struct login_plan *plan);
void login_destroy(struct login *login); /* wipes; NULL is allowed */

/* To be called at each event of the stream, until it's not LOGIN_MORE.  LOGIN_FAILED sets `err`:
 * the server's own SQLSTATE, message and hint where it sent an error ("login to 10.0.0.5: …":
 * 53300 too many connections, 57P03 starting up), 08001 for no connection or no TLS, 08006 for a
 * lost one, 08P01 for what makes no sense, 28000 when we can't or won't authenticate.  After
 * LOGIN_READY no byte of the stream has been read too much. */
[[nodiscard]] enum login_status login_step(struct login *login, struct error *err);
[[nodiscard]] const struct login_result *login_result(const struct login *login); /* when ready */

/* After LOGIN_FAILED: whether sslmode asks for a second attempt, and with which mode in the plan.
 * TLS_PREFER: TLS_DISABLE, when the handshake failed or the server refused who we are over TLS.
 * TLS_ALLOW: TLS_REQUIRE, when it refused in clear, or wanted a password in clear.  The second
 * attempt is the last.  As libpq, but for errors that TLS can't change (not of class 28). */
[[nodiscard]] bool login_other_mode(const struct login *login, enum tls_mode *mode);

extern const struct machine login_machine; /* for tests and docs */
