/* wire/scram: SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides (RFC 5802, 7677, 5929).
 *
 * Pure: text in, text out; randomness is handed in.  Password preparation is
 * SASLprep as PostgreSQL does it (a password that is not valid UTF-8 is taken
 * as it is).  Proofs are compared in constant time; secrets are wiped when done.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    SCRAM_KEY_SIZE = 32,
    SCRAM_SALT_MAX = 64,
    SCRAM_NONCE_SIZE = 18, /* random bytes, before base64 */
    SCRAM_TEXT_MAX = 1024, /* longest message that we read or write */
    SCRAM_ITERATIONS = 4096
};

/* What a server stores: "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey". */
struct scram_secret {
    unsigned iterations;
    size_t salt_size;
    unsigned char salt[SCRAM_SALT_MAX];
    unsigned char stored_key[SCRAM_KEY_SIZE];
    unsigned char server_key[SCRAM_KEY_SIZE];
    bool has_client_key; /* recovered from a proof, or made from a password */
    unsigned char client_key[SCRAM_KEY_SIZE];
};

/* False when `text` is no such secret: err 22023, without its text. */
[[nodiscard]] bool scram_secret_parse(const char *text, struct scram_secret *secret,
                                      struct error *err);

/* With the client key.  Slow on purpose: about a millisecond for 4096 iterations. */
[[nodiscard]] bool scram_secret_make(const char *password, const unsigned char *salt,
                                     size_t salt_size, unsigned iterations,
                                     struct scram_secret *secret);

/* A secret that fits no password, the same each time for the same user and `seed`, so that an
 * unknown user's login looks like a known one's. */
void scram_secret_mock(const char *user, const unsigned char seed[32], struct scram_secret *secret);

/* ---- the server's side ---- */

struct scram_server {
    const struct scram_secret *secret; /* borrowed until done */
    unsigned char end_point[64];       /* digest of our certificate; size 0 in clear */
    size_t end_point_size;
    bool is_plus; /* the client chose SCRAM-SHA-256-PLUS */
    int step;
    char client_first_bare[SCRAM_TEXT_MAX], server_first[SCRAM_TEXT_MAX];
    char nonce[256], gs2[64];
    unsigned char client_key[SCRAM_KEY_SIZE]; /* after success */
};

/* `end_point` NULL in clear. */
void scram_server_begin(struct scram_server *server, const struct scram_secret *secret,
                        const unsigned char *end_point, size_t end_point_size, bool is_plus);

/* client-first-message → server-first-message.  `nonce`: SCRAM_NONCE_SIZE random bytes.
 * err 08P01: malformed; 28000: channel binding was stripped or is of a kind we don't have. */
[[nodiscard]] bool scram_server_first(struct scram_server *server, const char *message, size_t size,
                                      const unsigned char *nonce, char *answer, size_t answer_size,
                                      struct error *err);

/* client-final-message → server-final-message ("v=…"), and server->client_key.  err 28P01: the
 * proof is wrong. */
[[nodiscard]] bool scram_server_final(struct scram_server *server, const char *message, size_t size,
                                      char *answer, size_t answer_size, struct error *err);
void scram_server_done(struct scram_server *server); /* wipes */

/* ---- the client's side ---- */

struct scram_client {
    const char *password;              /* borrowed; NULL: `secret` is used */
    const struct scram_secret *secret; /* borrowed; its client key must be there, and fit the
                                          server's salt and iterations */
    unsigned char end_point[64];
    size_t end_point_size;
    bool is_plus;         /* we use SCRAM-SHA-256-PLUS */
    bool server_has_plus; /* it was offered: else, over TLS, we say "y" */
    char client_first_bare[SCRAM_TEXT_MAX];
    char nonce[64];
    unsigned char server_signature[SCRAM_KEY_SIZE];
};

void scram_client_begin(struct scram_client *client, const char *password,
                        const struct scram_secret *secret, const unsigned char *end_point,
                        size_t end_point_size, bool server_has_plus);

/* → client-first-message, user name left empty as libpq does. */
[[nodiscard]] bool scram_client_first(struct scram_client *client, const unsigned char *nonce,
                                      char *answer, size_t answer_size, struct error *err);

/* server-first → client-final.  Iterations above 1,000,000 are refused. */
[[nodiscard]] bool scram_client_final(struct scram_client *client, const char *message, size_t size,
                                      char *answer, size_t answer_size, struct error *err);

/* server-final: whether the server knows the secret too.  err 28000. */
[[nodiscard]] bool scram_client_verify(struct scram_client *client, const char *message,
                                       size_t size, struct error *err);
void scram_client_done(struct scram_client *client); /* wipes */
