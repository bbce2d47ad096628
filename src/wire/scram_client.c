/* The client's side of SCRAM. */
#include <assert.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <string.h>

#include "wire/scram_text.h"

enum { STEP_FIRST, STEP_FINAL, STEP_VERIFY, STEP_DONE };

void scram_client_begin(struct scram_client *client, const char *password,
                        const struct scram_secret *secret, const unsigned char *end_point,
                        size_t end_point_size, bool server_has_plus)
{
    assert(password != NULL || secret != NULL);
    assert(secret == NULL || secret->has_client_key);
    assert(end_point_size <= sizeof client->end_point);
    *client = (struct scram_client){.password = password,
                                    .secret = secret,
                                    .is_plus = server_has_plus && end_point != NULL,
                                    .server_has_plus = server_has_plus,
                                    .step = STEP_FIRST};
    if (end_point != NULL) {
        memcpy(client->end_point, end_point, end_point_size);
        client->end_point_size = end_point_size;
    }
}

static const char *gs2_of(const struct scram_client *client)
{
    if (client->is_plus) {
        return "p=tls-server-end-point,,";
    }
    /* "y" says that we could have bound the channel: a server that did offer it then knows that
     * someone took the offer away. */
    return client->end_point_size > 0 && !client->server_has_plus ? "y,," : "n,,";
}

bool scram_client_first(struct scram_client *client, const unsigned char *nonce, char *answer,
                        size_t answer_size, struct error *err)
{
    char encoded[SCRAM_ENCODED_MAX];
    (void)err; /* nothing here can fail */

    assert(client->step == STEP_FIRST);
    assert(answer_size >= SCRAM_TEXT_MAX);
    snprintf(client->nonce, sizeof client->nonce, "%s",
             scram_encode(nonce, SCRAM_NONCE_SIZE, encoded));
    snprintf(client->client_first_bare, sizeof client->client_first_bare, "n=,r=%s", client->nonce);
    snprintf(answer, answer_size, "%s%s", gs2_of(client), client->client_first_bare);
    client->step = STEP_FINAL;
    return true;
}

struct server_first {
    struct scram_span nonce;
    unsigned char salt[SCRAM_SALT_MAX];
    size_t salt_size;
    unsigned iterations;
};

/* Whether it is ours, with the server's part behind it. */
static bool is_nonce_ours(const struct scram_client *client, const struct scram_span *nonce)
{
    size_t size = strlen(client->nonce);
    return nonce->size > size && memcmp(nonce->bytes, client->nonce, size) == 0 &&
           scram_span_is_nonce(nonce);
}

/* "r=nonce,s=salt,i=iterations" */
static bool read_server_first(const struct scram_client *client, const char *message, size_t size,
                              struct server_first *first, struct error *err)
{
    struct scram_reader reader;
    struct scram_span salt, iterations;

    scram_read_begin(&reader, message, size);
    if (!scram_read(&reader, 'r', &first->nonce) || !scram_read(&reader, 's', &salt) ||
        !scram_read(&reader, 'i', &iterations) || !scram_read_end(&reader)) {
        return scram_malformed(err, "attributes r, s and i expected");
    }
    if (!is_nonce_ours(client, &first->nonce)) {
        return error_set(err, "08P01", "invalid SCRAM response: the nonce does not match");
    }
    if (!scram_decode(&salt, first->salt, sizeof first->salt, &first->salt_size) ||
        first->salt_size == 0) {
        return scram_malformed(err, "invalid salt");
    }
    return scram_read_number(&iterations, SCRAM_ITERATIONS_MAX, &first->iterations) ||
           scram_malformed(err, "invalid iteration count");
}

static bool is_secret_for(const struct scram_secret *secret, const struct server_first *first)
{
    return secret != NULL && secret->iterations == first->iterations &&
           secret->salt_size == first->salt_size &&
           memcmp(secret->salt, first->salt, first->salt_size) == 0;
}

/* NULL sets `err`. */
static const struct scram_secret *choose_secret(struct scram_client *client,
                                                const struct server_first *first, struct error *err)
{
    if (is_secret_for(client->secret, first)) {
        return client->secret;
    }
    if (client->password == NULL) {
        error_set(err, "28000", "the server has another SCRAM secret than we know");
        error_hint(err, "The user's secret (pg_authid.rolpassword) must be the same everywhere.");
        return NULL;
    }
    if (!scram_secret_make(client->password, first->salt, first->salt_size, first->iterations,
                           &client->made)) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    return &client->made;
}

bool scram_client_final(struct scram_client *client, const char *message, size_t size, char *answer,
                        size_t answer_size, struct error *err)
{
    struct server_first first;
    char encoded[SCRAM_ENCODED_MAX];

    assert(client->step == STEP_FINAL);
    assert(answer_size >= SCRAM_TEXT_MAX);
    if (!scram_check_text(message, size, err) ||
        !read_server_first(client, message, size, &first, err)) {
        return false;
    }
    size_t end_point_size = client->is_plus ? client->end_point_size : 0;
    scram_binding(gs2_of(client), client->end_point, end_point_size, encoded);
    int length = snprintf(answer, answer_size, "c=%s,r=%.*s", encoded, (int)first.nonce.size,
                          first.nonce.bytes);
    if (length < 0 || (size_t)length + SCRAM_ENCODED_MAX > answer_size) {
        return scram_malformed(err, "its nonce is too long");
    }
    const struct scram_secret *secret = choose_secret(client, &first, err);
    if (secret == NULL) {
        return false;
    }
    struct scram_span server_first = {.bytes = message, .size = size};
    struct scram_span without_proof = {.bytes = answer, .size = (size_t)length};
    unsigned char proof[SCRAM_KEY_SIZE];
    scram_sign(secret->stored_key, client->client_first_bare, &server_first, &without_proof, proof);
    scram_xor(proof, secret->client_key);
    scram_sign(secret->server_key, client->client_first_bare, &server_first, &without_proof,
               client->server_signature);
    snprintf(answer + length, answer_size - (size_t)length, ",p=%s",
             scram_encode(proof, sizeof proof, encoded));
    client->step = STEP_VERIFY;
    return true;
}

bool scram_client_verify(struct scram_client *client, const char *message, size_t size,
                         struct error *err)
{
    struct scram_reader reader;
    struct scram_span value;
    unsigned char signature[SCRAM_KEY_SIZE];
    size_t signature_size;
    char name;

    assert(client->step == STEP_VERIFY);
    client->step = STEP_DONE;
    if (!scram_check_text(message, size, err)) {
        return false;
    }
    scram_read_begin(&reader, message, size);
    if (!scram_read_any(&reader, &name, &value) || !scram_read_end(&reader)) {
        return scram_malformed(err, "attribute v expected");
    }
    if (name == 'e') {
        return error_set(err, "28000", "the server refused the SCRAM exchange: %.*s",
                         (int)value.size, value.bytes);
    }
    if (name != 'v' || !scram_decode(&value, signature, sizeof signature, &signature_size) ||
        signature_size != sizeof signature) {
        return scram_malformed(err, "a server's signature expected");
    }
    return memeql_sec(signature, client->server_signature, sizeof signature) != 0 ||
           error_set(err, "28000", "incorrect server signature: it does not know the password");
}

void scram_client_done(struct scram_client *client)
{
    explicit_bzero(client, sizeof *client);
}
