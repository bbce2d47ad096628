/* session/password: asks a client for its password, and checks what it answers.
 *
 * SCRAM-SHA-256 (PLUS over TLS), MD5 and cleartext, as bodies of 'p' messages
 * in and 'R' messages out; no sockets.  A user who does not exist, has no
 * password, or one of a kind that the method can't use goes through the same
 * exchange, over a mock secret, to the same refusal.  Secrets are copied, and
 * wiped by password_done().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "config/credential.h"
#include "wire/scram.h"

enum {
    /* Bodies of what a client may answer.  A cleartext password longer than this can't be one of
     * ours, and one with an MD5 or SASL message is malformed (PostgreSQL: 65535 and 1024). */
    PASSWORD_CLEAR_MAX = 8000,
    PASSWORD_SASL_MAX = 1024
};

enum password_method { PASSWORD_SCRAM, PASSWORD_MD5, PASSWORD_CLEAR };

struct password_check {
    enum password_method method; /* what is really asked for */
    const char *user;            /* borrowed until done */
    struct credential credential;
    struct scram_secret secret; /* the user's, or a mock one */
    bool is_mock;
    unsigned char end_point[64]; /* digest of our certificate; size 0 in clear */
    size_t end_point_size;
    unsigned char salt[4]; /* MD5's */
    struct scram_server scram;
};

struct password_plan {
    enum password_method method; /* MD5: SCRAM where the credential allows only that */
    const char *user;
    const struct credential *credential; /* NULL: no such user */
    const unsigned char *seed;           /* 32 bytes, for mock secrets */
    const unsigned char *end_point;
    size_t end_point_size;
};

/* Chooses the method and the secret.  `check` may be uninitialised before; password_done() after.
 * XX000, 53200: no random numbers, or no memory. */
[[nodiscard]] bool password_begin(struct password_check *check, const struct password_plan *plan,
                                  struct error *err);
void password_done(struct password_check *check); /* wipes; a zeroed one is allowed */

/* The request.  False when memory ran out. */
[[nodiscard]] bool password_ask(const struct password_check *check, struct buffer *out);

/* Bodies of the answers; the session tells the client of `err`: 28P01 with the wording that is the
 * same for all wrong answers (its hint is for the log alone), or 08P01 for what is malformed. */
[[nodiscard]] bool password_clear(struct password_check *check, const char *body, size_t size,
                                  struct error *err);
[[nodiscard]] bool password_md5(struct password_check *check, const char *body, size_t size,
                                struct error *err);

/* SASLInitialResponse; writes AuthenticationSASLContinue.  `*has_begun` false: it held no data, the
 * challenge is empty, and what password_sasl_first() takes must come next. */
[[nodiscard]] bool password_sasl_initial(struct password_check *check, const char *body,
                                         size_t size, struct buffer *out, bool *has_begun,
                                         struct error *err);
[[nodiscard]] bool password_sasl_first(struct password_check *check, const char *data, size_t size,
                                       struct buffer *out, struct error *err);

/* The proof; writes AuthenticationSASLFinal. */
[[nodiscard]] bool password_sasl_final(struct password_check *check, const char *data, size_t size,
                                       struct buffer *out, struct error *err);

/* "scram-sha-256-plus", "scram-sha-256", "md5", "password"; static. */
[[nodiscard]] const char *password_method_name(const struct password_check *check);

/* After password_sasl_final(), or after password_clear() with a SCRAM secret. */
[[nodiscard]] bool password_client_key(const struct password_check *check,
                                       unsigned char key[SCRAM_KEY_SIZE]);
