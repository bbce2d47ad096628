/* backend/authenticate: answers a server's requests for a password.
 *
 * Knows what each kind of credential can answer: a plain password everything,
 * a stored MD5 hash only MD5, a SCRAM secret only SCRAM, and that only with its
 * client key ("pass-through").  A password is never sent in clear over a network
 * without TLS.  No I/O; no secret ends in an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "config/credential.h"
#include "wire/scram.h"

struct authenticate {
    const char *user;                        /* borrowed until done, as the next one */
    const struct credential *credential;     /* NULL: none */
    const struct scram_secret *known_secret; /* borrowed; made of this plain password before, and
                                                used again if it's still the server's; NULL: none */
    bool may_send_clear;                     /* over TLS, or to a Unix socket */
    unsigned char end_point[64]; /* digest of the server's certificate; size 0 in clear */
    size_t end_point_size;
    struct scram_client scram; /* between authenticate_sasl() and authenticate_done() */
};

/* Each appends the answer to `out`.  False with err 28000 when the credential cannot answer, 08P01
 * when the request is malformed, 53200 without memory: nothing was appended. */
[[nodiscard]] bool authenticate_clear(struct authenticate *authenticate, struct buffer *out,
                                      struct error *err);
[[nodiscard]] bool authenticate_md5(struct authenticate *authenticate, const unsigned char salt[4],
                                    struct buffer *out, struct error *err);

/* `mechanisms`: names with a zero each, and an empty one at the end; SCRAM-SHA-256-PLUS is taken
 * when the server has it and there is a certificate's digest. */
[[nodiscard]] bool authenticate_sasl(struct authenticate *authenticate, const char *mechanisms,
                                     size_t size, struct buffer *out, struct error *err);
[[nodiscard]] bool authenticate_sasl_continue(struct authenticate *authenticate,
                                              const char *message, size_t size, struct buffer *out,
                                              struct error *err);

/* Whether the server has proved that it knows the secret too; else 28000. */
[[nodiscard]] bool authenticate_sasl_final(struct authenticate *authenticate, const char *message,
                                           size_t size, struct error *err);

/* The secret that was made of the plain password, slowly; NULL: none had to be.  Until done. */
[[nodiscard]] const struct scram_secret *authenticate_made(const struct authenticate *authenticate);

void authenticate_done(struct authenticate *authenticate); /* wipes; a zeroed one is allowed */
