#include "wire/scram.h"

#include <assert.h>
#include <limits.h>
#include <nettle/hmac.h>
#include <nettle/pbkdf2.h>
#include <stdlib.h>
#include <string.h>

#include "wire/saslprep.h"
#include "wire/scram_text.h"

static const char prefix[] = "SCRAM-SHA-256$";

enum { MOCK_SALT_SIZE = 16 }; /* as PostgreSQL's own */

/* The text up to `end`, which is passed over; false when it isn't there. */
static bool take(const char **at, char end, struct scram_span *part)
{
    size_t size = strcspn(*at, (char[]){end, '\0'});
    *part = (struct scram_span){.bytes = *at, .size = size};
    if ((*at)[size] != end) {
        return false;
    }
    *at += size + (end == '\0' ? 0 : 1);
    return true;
}

static bool read_key(const struct scram_span *text, unsigned char key[SCRAM_KEY_SIZE])
{
    size_t size;
    return scram_decode(text, key, SCRAM_KEY_SIZE, &size) && size == SCRAM_KEY_SIZE;
}

static bool read_secret(const char *text, struct scram_secret *secret)
{
    struct scram_span iterations, salt, stored_key, server_key;

    if (strncmp(text, prefix, strlen(prefix)) != 0) {
        return false;
    }
    text += strlen(prefix);
    return take(&text, ':', &iterations) && take(&text, '$', &salt) &&
           take(&text, ':', &stored_key) && take(&text, '\0', &server_key) &&
           scram_read_number(&iterations, INT_MAX, &secret->iterations) &&
           scram_decode(&salt, secret->salt, sizeof secret->salt, &secret->salt_size) &&
           secret->salt_size > 0 && read_key(&stored_key, secret->stored_key) &&
           read_key(&server_key, secret->server_key);
}

bool scram_secret_parse(const char *text, struct scram_secret *secret, struct error *err)
{
    struct scram_secret result = {0};
    bool is_read = read_secret(text, &result);
    if (is_read) {
        *secret = result;
    }
    explicit_bzero(&result, sizeof result);
    return is_read || error_set(err, "22023", "invalid SCRAM secret");
}

bool scram_secret_make(const char *password, const unsigned char *salt, size_t salt_size,
                       unsigned iterations, struct scram_secret *secret)
{
    assert(salt_size > 0);
    assert(salt_size <= SCRAM_SALT_MAX);
    assert(iterations > 0);
    char *prepared = saslprep_password(password);
    if (prepared == NULL) {
        return false;
    }
    unsigned char salted[SCRAM_KEY_SIZE];
    size_t size = strlen(prepared);
    pbkdf2_hmac_sha256(size, (const unsigned char *)prepared, iterations, salt_size, salt,
                       sizeof salted, salted);
    explicit_bzero(prepared, size);
    free(prepared);

    *secret = (struct scram_secret){
        .iterations = iterations, .salt_size = salt_size, .has_client_key = true};
    memcpy(secret->salt, salt, salt_size);
    scram_hmac(salted, "Client Key", secret->client_key);
    scram_hash(secret->client_key, secret->stored_key);
    scram_hmac(salted, "Server Key", secret->server_key);
    explicit_bzero(salted, sizeof salted);
    return true;
}

/* Bytes that only who knows `seed` can tell from random ones. */
static void derive(const unsigned char seed[32], const char *purpose, const char *user,
                   unsigned char bytes[SCRAM_KEY_SIZE])
{
    struct hmac_sha256_ctx hmac;

    hmac_sha256_set_key(&hmac, 32, seed);
    hmac_sha256_update(&hmac, strlen(purpose) + 1, (const unsigned char *)purpose);
    hmac_sha256_update(&hmac, strlen(user), (const unsigned char *)user);
    hmac_sha256_digest(&hmac, SCRAM_KEY_SIZE, bytes);
    explicit_bzero(&hmac, sizeof hmac);
}

void scram_secret_mock(const char *user, const unsigned char seed[32], struct scram_secret *secret)
{
    unsigned char salt[SCRAM_KEY_SIZE];

    *secret = (struct scram_secret){.iterations = SCRAM_ITERATIONS, .salt_size = MOCK_SALT_SIZE};
    derive(seed, "salt", user, salt);
    memcpy(secret->salt, salt, MOCK_SALT_SIZE);
    derive(seed, "stored key", user, secret->stored_key);
    derive(seed, "server key", user, secret->server_key);
}
