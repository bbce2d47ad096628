/* Any bytes as SCRAM messages to either side, as a change to a message of a right exchange, as a
 * secret and as a password.  Only a right message is accepted, and nothing is read or written
 * beyond its end.  The first byte says which of these. */
#include <stdlib.h>
#include <string.h>

#include "wire/saslprep.h"
#include "wire/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const unsigned char end_point[32] = "the digest of our certificate..";
static const unsigned char nonce[SCRAM_NONCE_SIZE] = "eighteen at random";

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_answer(bool is_done, const char *answer, const char *prefix,
                         const struct error *err)
{
    check(error_is_set(err) == !is_done);
    if (is_done) {
        check(memchr(answer, '\0', SCRAM_TEXT_MAX) != NULL);
        check(strncmp(answer, prefix, strlen(prefix)) == 0);
    }
}

/* Few iterations: how many there are changes nothing here. */
static void make(struct scram_secret *secret)
{
    check(scram_secret_make("secret", (const unsigned char *)"salt", 4, 2, secret));
}

static void begin_server(struct scram_server *server, const struct scram_secret *secret, int mode)
{
    bool is_tls = (mode & 1) != 0;
    scram_server_begin(server, secret, is_tls ? end_point : NULL, is_tls ? sizeof end_point : 0,
                       is_tls && (mode & 2) != 0);
}

static void begin_client(struct scram_client *client, const struct scram_secret *secret, int mode)
{
    bool is_tls = (mode & 1) != 0;
    scram_client_begin(client, NULL, secret, is_tls ? end_point : NULL,
                       is_tls ? sizeof end_point : 0, (mode & 2) != 0);
}

/* Two messages, with a line feed between them. */
static void fuzz_server(int mode, const char *text, size_t size)
{
    const char *second = memchr(text, '\n', size);
    size_t first_size = second == NULL ? size : (size_t)(second - text);
    struct scram_secret secret;
    struct scram_server server;
    struct error err = {0};
    char answer[SCRAM_TEXT_MAX];

    make(&secret);
    begin_server(&server, &secret, mode);
    bool is_done =
        scram_server_first(&server, text, first_size, nonce, answer, sizeof answer, &err);
    check_answer(is_done, answer, "r=", &err);
    if (is_done && second != NULL) {
        is_done = scram_server_final(&server, second + 1, size - first_size - 1, answer,
                                     sizeof answer, &err);
        check_answer(is_done, answer, "v=", &err);
        check(!is_done || memcmp(server.client_key, secret.client_key, SCRAM_KEY_SIZE) == 0);
    }
    scram_server_done(&server);
}

static void fuzz_client(int mode, const char *text, size_t size)
{
    const char *second = memchr(text, '\n', size);
    size_t first_size = second == NULL ? size : (size_t)(second - text);
    struct scram_secret secret;
    struct scram_client client;
    struct error err = {0};
    char answer[SCRAM_TEXT_MAX];

    make(&secret);
    begin_client(&client, &secret, mode);
    check(scram_client_first(&client, nonce, answer, sizeof answer, &err));
    bool is_done = scram_client_final(&client, text, first_size, answer, sizeof answer, &err);
    check_answer(is_done, answer, "c=", &err);
    if (is_done && second != NULL) {
        is_done = scram_client_verify(&client, second + 1, size - first_size - 1, &err);
        check(error_is_set(&err) == !is_done);
    }
    scram_client_done(&client);
}

/* Puts `text` over `message` from the place that its first byte names; false when that changes
 * nothing. */
static bool change(char *message, size_t message_size, const char *text, size_t size)
{
    if (size < 2) {
        return false;
    }
    size_t at = (unsigned char)text[0] % message_size;
    size_t count = size - 1 < message_size - at ? size - 1 : message_size - at;
    if (memcmp(message + at, text + 1, count) == 0) {
        return false;
    }
    memcpy(message + at, text + 1, count);
    return true;
}

/* A right exchange, but for one of its last two messages: right if and only if it is unchanged. */
static void fuzz_exchange(int mode, const char *text, size_t size)
{
    struct scram_secret secret;
    struct scram_server server;
    struct scram_client client;
    struct error err = {0};
    char message[SCRAM_TEXT_MAX], answer[SCRAM_TEXT_MAX];
    bool changes_server = (mode & 4) != 0;

    make(&secret);
    begin_server(&server, &secret, mode);
    begin_client(&client, &secret, mode | (mode & 1) << 1); /* over TLS both bind the channel */
    server.is_plus = client.is_plus;
    check(scram_client_first(&client, nonce, message, sizeof message, &err));
    check(
        scram_server_first(&server, message, strlen(message), nonce, answer, sizeof answer, &err));
    check(scram_client_final(&client, answer, strlen(answer), message, sizeof message, &err));

    size_t message_size = strlen(message);
    bool is_changed = !changes_server && change(message, message_size, text, size);
    check(scram_server_final(&server, message, message_size, answer, sizeof answer, &err) !=
          is_changed);
    if (!is_changed) {
        size_t answer_size = strlen(answer);
        is_changed = changes_server && change(answer, answer_size, text, size);
        check(scram_client_verify(&client, answer, answer_size, &err) != is_changed);
    }
    check(error_is_set(&err) == is_changed);
    scram_client_done(&client);
    scram_server_done(&server);
}

static void fuzz_texts(const char *text, size_t size)
{
    struct scram_secret secret = {0};
    struct error err = {0};
    char *copy = strndup(text, size);
    char *prepared = copy == NULL ? NULL : saslprep_password(copy);

    if (prepared != NULL) {
        check(copy[0] == '\0' || prepared[0] != '\0');
        check(strlen(prepared) <= 11 * strlen(copy)); /* U+FDFA, the longest: 3 bytes to 33 */
        if (scram_secret_parse(copy, &secret, &err)) {
            check(secret.iterations > 0 && !secret.has_client_key);
            check(secret.salt_size > 0 && secret.salt_size <= SCRAM_SALT_MAX);
        } else {
            check(error_is_set(&err) && secret.iterations == 0);
        }
    }
    free(prepared);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const char *text = (const char *)bytes + 1;
    int mode = bytes[0];
    switch (mode >> 3 & 3) {
    case 0: fuzz_server(mode, text, size - 1); break;
    case 1: fuzz_client(mode, text, size - 1); break;
    case 2: fuzz_exchange(mode, text, size - 1); break;
    default: /* lint: not an enum */ fuzz_texts(text, size - 1); break;
    }
    return 0;
}
