/* The server's side of SCRAM. */
#include <assert.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <string.h>

#include "wire/scram_text.h"

enum { STEP_FIRST, STEP_FINAL, STEP_DONE };

static const char binding_flag[] = "p=tls-server-end-point";

void scram_server_begin(struct scram_server *server, const struct scram_secret *secret,
                        const unsigned char *end_point, size_t end_point_size, bool is_plus)
{
    assert(end_point_size <= sizeof server->end_point);
    assert(!is_plus || end_point != NULL);
    *server = (struct scram_server){.secret = secret, .is_plus = is_plus, .step = STEP_FIRST};
    if (end_point != NULL) {
        memcpy(server->end_point, end_point, end_point_size);
        server->end_point_size = end_point_size;
    }
}

/* "n", "y" or "p=…": whether it fits what was offered and chosen. */
static bool check_flag(const struct scram_server *server, const struct scram_span *flag,
                       struct error *err)
{
    if (flag->size >= 2 && flag->bytes[0] == 'p' && flag->bytes[1] == '=') {
        if (!server->is_plus) {
            return scram_malformed(err, "channel binding data without SCRAM-SHA-256-PLUS");
        }
        return scram_span_is(flag, binding_flag) ||
               error_set(err, "28000", "unsupported SCRAM channel-binding type");
    }
    if (!scram_span_is(flag, "n") && !scram_span_is(flag, "y")) {
        return scram_malformed(err, "unexpected channel-binding flag");
    }
    if (server->is_plus) {
        return scram_malformed(err, "SCRAM-SHA-256-PLUS without channel binding data");
    }
    if (flag->bytes[0] == 'y' && server->end_point_size > 0) {
        error_set(err, "28000", "SCRAM channel binding negotiation error");
        return error_hint(err, "The client supports channel binding but was told that we do not: "
                               "someone may have changed what was sent.");
    }
    return true;
}

/* "flag,authzid,": stays in server->gs2; `bare` is what follows. */
static bool read_gs2(struct scram_server *server, const char *message, size_t size,
                     struct scram_span *bare, struct error *err)
{
    const char *comma = memchr(message, ',', size);
    if (comma == NULL) {
        return scram_malformed(err, "comma expected");
    }
    struct scram_span flag = {.bytes = message, .size = (size_t)(comma - message)};
    if (!check_flag(server, &flag, err)) {
        return false;
    }
    size_t left = size - flag.size - 1;
    if (left > 0 && comma[1] == 'a') {
        return error_set(err, "0A000",
                         "client uses authorization identity, but it is not supported");
    }
    if (left == 0 || comma[1] != ',') {
        return scram_malformed(err, "unexpected attribute before the user's name");
    }
    *bare = (struct scram_span){.bytes = comma + 2, .size = left - 1};
    snprintf(server->gs2, sizeof server->gs2, "%.*s", (int)flag.size + 2, message);
    return true;
}

/* "n=user,r=nonce" and extensions, which are ignored; the user's name too, as PostgreSQL does: it
 * is the startup packet's. */
static bool read_bare(const struct scram_span *bare, struct scram_span *nonce, struct error *err)
{
    struct scram_reader reader;
    struct scram_span value;
    char name;

    if (bare->size > 0 && bare->bytes[0] == 'm') {
        return error_set(err, "0A000", "client requires an unsupported SCRAM extension");
    }
    scram_read_begin(&reader, bare->bytes, bare->size);
    if (!scram_read(&reader, 'n', &value)) {
        return scram_malformed(err, "attribute n expected");
    }
    if (!scram_read(&reader, 'r', nonce) || !scram_span_is_nonce(nonce)) {
        return scram_malformed(err, "attribute r with a printable nonce expected");
    }
    while (!scram_read_end(&reader)) {
        if (!scram_read_any(&reader, &name, &value)) {
            return scram_malformed(err, "attribute expected");
        }
    }
    return true;
}

bool scram_server_first(struct scram_server *server, const char *message, size_t size,
                        const unsigned char *nonce, char *answer, size_t answer_size,
                        struct error *err)
{
    struct scram_span bare = {.bytes = message};
    struct scram_span client_nonce = {0};
    char encoded[SCRAM_ENCODED_MAX];

    assert(server->step == STEP_FIRST);
    assert(answer_size >= SCRAM_TEXT_MAX);
    if (!scram_check_text(message, size, err) || !read_gs2(server, message, size, &bare, err) ||
        !read_bare(&bare, &client_nonce, err)) {
        return false;
    }
    int length = snprintf(server->nonce, sizeof server->nonce, "%.*s%s", (int)client_nonce.size,
                          client_nonce.bytes, scram_encode(nonce, SCRAM_NONCE_SIZE, encoded));
    if (length < 0 || (size_t)length >= sizeof server->nonce) {
        return scram_malformed(err, "its nonce is too long");
    }
    length =
        snprintf(server->server_first, sizeof server->server_first, "r=%s,s=%s,i=%u", server->nonce,
                 scram_encode(server->secret->salt, server->secret->salt_size, encoded),
                 server->secret->iterations);
    assert((size_t)length < sizeof server->server_first);     /* the nonce's limit sees to it */
    memcpy(server->client_first_bare, bare.bytes, bare.size); /* zeroed: it ends with a zero */
    memcpy(answer, server->server_first, (size_t)length + 1);
    server->step = STEP_FINAL;
    return true;
}

struct final {
    struct scram_span binding, nonce, without_proof;
    unsigned char proof[SCRAM_KEY_SIZE];
};

/* "c=binding,r=nonce,…,p=proof" */
static bool read_final(const char *message, size_t size, struct final *final, struct error *err)
{
    struct scram_reader reader;
    struct scram_span value;
    const char *proof_at;
    char name;

    scram_read_begin(&reader, message, size);
    if (!scram_read(&reader, 'c', &final->binding) || !scram_read(&reader, 'r', &final->nonce)) {
        return scram_malformed(err, "attributes c and r expected");
    }
    do {
        proof_at = reader.at;
        if (!scram_read_any(&reader, &name, &value)) {
            return scram_malformed(err, "attribute p expected");
        }
    } while (name != 'p');
    size_t proof_size;
    if (!scram_read_end(&reader) ||
        !scram_decode(&value, final->proof, sizeof final->proof, &proof_size) ||
        proof_size != sizeof final->proof) {
        return scram_malformed(err, "a proof expected at its end");
    }
    final->without_proof =
        (struct scram_span){.bytes = message, .size = (size_t)(proof_at - 1 - message)};
    return true;
}

static bool check_binding(const struct scram_server *server, const struct final *final,
                          struct error *err)
{
    char expected[SCRAM_ENCODED_MAX];
    size_t end_point_size = server->is_plus ? server->end_point_size : 0;

    scram_binding(server->gs2, server->end_point, end_point_size, expected);
    if (!scram_span_is(&final->binding, expected)) {
        return server->is_plus
                   ? error_set(err, "28000", "SCRAM channel binding check failed")
                   : error_set(err, "08P01", "unexpected SCRAM channel-binding attribute");
    }
    return scram_span_is(&final->nonce, server->nonce) ||
           error_set(err, "08P01", "invalid SCRAM response: the nonce does not match");
}

/* The client's key is what its proof hides behind the signature of the messages. */
static bool check_proof(struct scram_server *server, const struct scram_span *server_first,
                        const struct final *final)
{
    unsigned char client_key[SCRAM_KEY_SIZE], stored_key[SCRAM_KEY_SIZE];

    scram_sign(server->secret->stored_key, server->client_first_bare, server_first,
               &final->without_proof, client_key);
    scram_xor(client_key, final->proof);
    scram_hash(client_key, stored_key);
    bool is_right = memeql_sec(stored_key, server->secret->stored_key, SCRAM_KEY_SIZE) != 0;
    if (is_right) {
        memcpy(server->client_key, client_key, SCRAM_KEY_SIZE);
    }
    explicit_bzero(client_key, sizeof client_key);
    explicit_bzero(stored_key, sizeof stored_key);
    return is_right;
}

bool scram_server_final(struct scram_server *server, const char *message, size_t size, char *answer,
                        size_t answer_size, struct error *err)
{
    struct final final;
    struct scram_span server_first = {server->server_first, strlen(server->server_first)};
    unsigned char signature[SCRAM_KEY_SIZE];
    char encoded[SCRAM_ENCODED_MAX];

    assert(server->step == STEP_FINAL);
    assert(answer_size >= SCRAM_TEXT_MAX);
    server->step = STEP_DONE; /* one guess for each exchange */
    if (!scram_check_text(message, size, err) || !read_final(message, size, &final, err) ||
        !check_binding(server, &final, err)) {
        return false;
    }
    if (!check_proof(server, &server_first, &final)) {
        return error_set(err, "28P01", "password authentication failed");
    }
    scram_sign(server->secret->server_key, server->client_first_bare, &server_first,
               &final.without_proof, signature);
    snprintf(answer, answer_size, "v=%s", scram_encode(signature, sizeof signature, encoded));
    return true;
}

void scram_server_done(struct scram_server *server)
{
    explicit_bzero(server, sizeof *server);
}
