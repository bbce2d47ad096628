/* wire/scram: SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, both sides (RFC 5802, 7677, 5929).
 *
 * Pure: text in, text out; randomness is handed in.  Password preparation is
 * SASLprep as PostgreSQL does it (wire/saslprep).  Proofs are compared in constant time; secrets
 * are wiped when done.
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
    SCRAM_ITERATIONS = 4096,
    SCRAM_ITERATIONS_MAX = 1000000 /* that a server may make us do */
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

/* With the client key.  Slow on purpose: about a millisecond for 4096 iterations.  The salt has 1
 * to SCRAM_SALT_MAX bytes.  False when memory ran out. */
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

/* client-first-message → server-first-message.  `nonce`: SCRAM_NONCE_SIZE random bytes.  All
 * answers are zero-terminated, and `answer_size` is SCRAM_TEXT_MAX or more.  err 08P01: malformed;
 * 28000: channel binding was stripped or is of a kind we don't have; 0A000: it asks for an
 * authorization identity or an extension. */
[[nodiscard]] bool scram_server_first(struct scram_server *server, const char *message, size_t size,
                                      const unsigned char *nonce, char *answer, size_t answer_size,
                                      struct error *err);

/* client-final-message → server-final-message ("v=…"), and server->client_key.  err 28P01: the
 * proof is wrong; 28000: it is bound to another channel; 08P01: malformed. */
[[nodiscard]] bool scram_server_final(struct scram_server *server, const char *message, size_t size,
                                      char *answer, size_t answer_size, struct error *err);
void scram_server_done(struct scram_server *server); /* wipes */

/* ---- the client's side ---- */

struct scram_client {
    const char *password;              /* borrowed; NULL: only `secret` can be used */
    const struct scram_secret *secret; /* borrowed; with its client key.  Used, at the price of a
                                          few HMACs, if its salt and iterations are the server's */
    struct scram_secret made;          /* else made from the password, slowly: a copy of it is the
                                          secret for the next login; iterations 0: not made */
    unsigned char end_point[64];
    size_t end_point_size;
    bool is_plus;         /* we use SCRAM-SHA-256-PLUS */
    bool server_has_plus; /* it was offered: else, over TLS, we say "y" */
    int step;
    char client_first_bare[SCRAM_TEXT_MAX];
    char nonce[64];
    unsigned char server_signature[SCRAM_KEY_SIZE];
};

/* `password` or `secret` must be there, or both.  `end_point` NULL: in clear, or the server's
 * certificate has no digest; the mechanism to name is "SCRAM-SHA-256-PLUS" if client->is_plus. */
void scram_client_begin(struct scram_client *client, const char *password,
                        const struct scram_secret *secret, const unsigned char *end_point,
                        size_t end_point_size, bool server_has_plus);

/* → client-first-message, user name left empty as libpq does.  `nonce`: SCRAM_NONCE_SIZE random
 * bytes.  All answers are zero-terminated, and `answer_size` is SCRAM_TEXT_MAX or more. */
[[nodiscard]] bool scram_client_first(struct scram_client *client, const unsigned char *nonce,
                                      char *answer, size_t answer_size, struct error *err);

/* server-first → client-final.  err 08P01: malformed, or more than SCRAM_ITERATIONS_MAX; 28000:
 * only a secret is there, and the server's is another; 53200. */
[[nodiscard]] bool scram_client_final(struct scram_client *client, const char *message, size_t size,
                                      char *answer, size_t answer_size, struct error *err);

/* server-final: whether the server knows the secret too.  err 28000; 08P01: malformed. */
[[nodiscard]] bool scram_client_verify(struct scram_client *client, const char *message,
                                       size_t size, struct error *err);
void scram_client_done(struct scram_client *client); /* wipes */
