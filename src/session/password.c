#include "session/password.h"

#include <assert.h>
#include <nettle/memops.h>
#include <string.h>
#include <sys/random.h>

#include "wire/md5.h"
#include "wire/message.h"

/* Codes of Authentication messages ('R'). */
enum { ASK_CLEAR = 3, ASK_MD5 = 5, ASK_SASL = 10, ASK_SASL_CONTINUE = 11, TELL_SASL_FINAL = 12 };

static const char scram_name[] = "SCRAM-SHA-256";
static const char scram_plus_name[] = "SCRAM-SHA-256-PLUS";

static bool get_random(void *bytes, size_t size, struct error *err)
{
    if (getrandom(bytes, size, 0) != (ssize_t)size) {
        return error_set(err, "XX000", "could not generate random numbers");
    }
    return true;
}

/* One wording for all who fail; why is for the log. */
static bool refuse(const struct password_check *check, const char *why, struct error *err)
{
    *err = (struct error){0};
    error_set(err, "28P01", "password authentication failed for user \"%s\"", check->user);
    return error_hint(err, "%s", why);
}

/* Why a login of this user can't succeed, or that the password was wrong. */
static const char *reason(const struct password_check *check)
{
    switch (check->credential.kind) {
    case CREDENTIAL_NONE: return "no such user, or one without a password";
    case CREDENTIAL_MD5:
        return check->method == PASSWORD_SCRAM ? "the user has an MD5 password, SCRAM can't use it"
                                               : "wrong password";
    case CREDENTIAL_PLAIN:
    case CREDENTIAL_SCRAM: break;
    }
    return "wrong password";
}

static enum password_method choose_method(const struct password_plan *plan,
                                          enum credential_kind kind)
{
    bool has_md5 = kind == CREDENTIAL_MD5 || kind == CREDENTIAL_PLAIN;
    return plan->method == PASSWORD_MD5 && !has_md5 ? PASSWORD_SCRAM : plan->method;
}

static bool choose_secret(struct password_check *check, const struct password_plan *plan,
                          struct error *err)
{
    bool makes_scram =
        check->method == PASSWORD_SCRAM && check->credential.kind == CREDENTIAL_PLAIN;

    if (makes_scram && !credential_scram(&check->credential, check->user, plan->seed, err)) {
        return false;
    }
    if (check->credential.kind == CREDENTIAL_SCRAM || makes_scram) {
        check->secret = check->credential.scram;
        return true;
    }
    check->is_mock = true;
    scram_secret_mock(check->user, plan->seed, &check->secret);
    return true;
}

bool password_begin(struct password_check *check, const struct password_plan *plan,
                    struct error *err)
{
    assert(plan->end_point_size <= sizeof check->end_point);
    memset(check, 0, sizeof *check);
    check->user = plan->user;
    if (plan->credential != NULL) {
        check->credential = *plan->credential;
    }
    check->method = choose_method(plan, check->credential.kind);
    check->end_point_size = plan->end_point_size;
    if (plan->end_point_size > 0) {
        memcpy(check->end_point, plan->end_point, plan->end_point_size);
    }
    if (check->method == PASSWORD_MD5 && !get_random(check->salt, sizeof check->salt, err)) {
        return false;
    }
    return choose_secret(check, plan, err);
}

void password_done(struct password_check *check)
{
    scram_server_done(&check->scram);
    explicit_bzero(check, sizeof *check);
}

static bool write_request(struct buffer *out, uint32_t code, const void *data, size_t size)
{
    struct message_writer writer = message_begin(out, 'R');

    message_put_u32(&writer, code);
    message_put_bytes(&writer, data, size);
    return message_end(&writer);
}

bool password_ask(const struct password_check *check, struct buffer *out)
{
    /* Lists of names end in an empty one: the literals' own zeros, and one more. */
    static const char clear_mechanisms[] = "SCRAM-SHA-256\0";
    static const char tls_mechanisms[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";

    switch (check->method) {
    case PASSWORD_CLEAR: return write_request(out, ASK_CLEAR, "", 0);
    case PASSWORD_MD5: return write_request(out, ASK_MD5, check->salt, sizeof check->salt);
    case PASSWORD_SCRAM: break;
    }
    if (check->end_point_size > 0) {
        return write_request(out, ASK_SASL, tls_mechanisms, sizeof tls_mechanisms);
    }
    return write_request(out, ASK_SASL, clear_mechanisms, sizeof clear_mechanisms);
}

/* The one string of a PasswordMessage; NULL when it is no such message. */
static const char *read_password(const char *body, size_t size, struct error *err)
{
    struct message_reader reader;

    message_read_begin(&reader, body, size);
    const char *password = message_read_string(&reader);
    if (!message_read_end(&reader)) {
        error_set(err, "08P01", "invalid password packet size");
        return NULL;
    }
    if (password[0] == '\0') {
        error_set(err, "28P01", "empty password returned by client");
        return NULL;
    }
    return password;
}

/* Whether `password` is the plain one of the credential; its length may show in the time. */
static bool is_plain(const struct credential *credential, const char *password)
{
    size_t size = strlen(credential->text);
    return strlen(password) == size && memeql_sec(password, credential->text, size) != 0;
}

static bool is_md5(const struct password_check *check, const char *password)
{
    char stored[MD5_TEXT_SIZE];

    md5_stored(password, check->user, stored);
    bool is_equal = md5_equal(stored, check->credential.text);
    explicit_bzero(stored, sizeof stored);
    return is_equal;
}

/* The slow hash is made whatever the credential is, so that the time does not tell whether the user
 * exists. */
bool password_clear(struct password_check *check, const char *body, size_t size, struct error *err)
{
    struct scram_secret made;
    bool is_right = false;

    const char *password = read_password(body, size, err);
    if (password == NULL) {
        return false;
    }
    if (!scram_secret_make(password, check->secret.salt, check->secret.salt_size,
                           check->secret.iterations, &made)) {
        return error_set(err, "53200", "the password's hash could not be made");
    }
    switch (check->credential.kind) {
    case CREDENTIAL_NONE: break;
    case CREDENTIAL_PLAIN: is_right = is_plain(&check->credential, password); break;
    case CREDENTIAL_MD5: is_right = is_md5(check, password); break;
    case CREDENTIAL_SCRAM:
        is_right = memeql_sec(made.stored_key, check->secret.stored_key, SCRAM_KEY_SIZE) != 0;
        break;
    }
    if (is_right && !check->is_mock) {
        check->secret = made;
    }
    explicit_bzero(&made, sizeof made);
    return is_right || refuse(check, reason(check), err);
}

bool password_md5(struct password_check *check, const char *body, size_t size, struct error *err)
{
    char stored[MD5_TEXT_SIZE], expected[MD5_TEXT_SIZE];

    const char *answer = read_password(body, size, err);
    if (answer == NULL) {
        return false;
    }
    if (check->credential.kind == CREDENTIAL_PLAIN) {
        md5_stored(check->credential.text, check->user, stored);
    } else {
        assert(check->credential.kind == CREDENTIAL_MD5);
        memcpy(stored, check->credential.text, sizeof stored - 1);
        stored[sizeof stored - 1] = '\0';
    }
    md5_answer(stored, check->salt, expected);
    bool is_right = md5_equal(answer, expected);
    explicit_bzero(stored, sizeof stored);
    explicit_bzero(expected, sizeof expected);
    return is_right || refuse(check, reason(check), err);
}

/* Reads the mechanism's name; false when it is none that was offered. */
static bool read_mechanism(const struct password_check *check, struct message_reader *reader,
                           bool *is_plus)
{
    const char *mechanism = message_read_string(reader);

    *is_plus = strcmp(mechanism, scram_plus_name) == 0;
    return *is_plus ? check->end_point_size > 0 : strcmp(mechanism, scram_name) == 0;
}

bool password_sasl_initial(struct password_check *check, const char *body, size_t size,
                           struct buffer *out, bool *has_begun, struct error *err)
{
    struct message_reader reader;
    bool is_plus;

    message_read_begin(&reader, body, size);
    if (!read_mechanism(check, &reader, &is_plus)) {
        return error_set(err, "08P01", "client selected an invalid SASL authentication mechanism");
    }
    uint32_t data_size = message_read_u32(&reader);
    *has_begun = data_size != UINT32_MAX; /* -1: the data comes by itself */
    const char *data = *has_begun ? message_read_bytes(&reader, data_size) : "";
    if (!message_read_end(&reader)) {
        return error_set(err, "08P01", "malformed SASLInitialResponse message");
    }
    bool has_tls = check->end_point_size > 0;
    scram_server_begin(&check->scram, &check->secret, has_tls ? check->end_point : NULL,
                       check->end_point_size, is_plus);
    if (!*has_begun) {
        return write_request(out, ASK_SASL_CONTINUE, "", 0) ||
               error_set(err, "53200", "out of memory");
    }
    return password_sasl_first(check, data, data_size, out, err);
}

bool password_sasl_first(struct password_check *check, const char *data, size_t size,
                         struct buffer *out, struct error *err)
{
    unsigned char nonce[SCRAM_NONCE_SIZE];
    char answer[SCRAM_TEXT_MAX];

    if (!get_random(nonce, sizeof nonce, err) ||
        !scram_server_first(&check->scram, data, size, nonce, answer, sizeof answer, err)) {
        return false;
    }
    return write_request(out, ASK_SASL_CONTINUE, answer, strlen(answer)) ||
           error_set(err, "53200", "out of memory");
}

bool password_sasl_final(struct password_check *check, const char *data, size_t size,
                         struct buffer *out, struct error *err)
{
    char answer[SCRAM_TEXT_MAX];

    if (!scram_server_final(&check->scram, data, size, answer, sizeof answer, err)) {
        return strcmp(err->sqlstate, "28P01") == 0 && refuse(check, reason(check), err);
    }
    if (check->is_mock) {
        return refuse(check, reason(check), err); /* nobody can know the mock one; if, then still */
    }
    memcpy(check->secret.client_key, check->scram.client_key, SCRAM_KEY_SIZE);
    check->secret.has_client_key = true;
    return write_request(out, TELL_SASL_FINAL, answer, strlen(answer)) ||
           error_set(err, "53200", "out of memory");
}

const char *password_method_name(const struct password_check *check)
{
    switch (check->method) {
    case PASSWORD_SCRAM: return check->scram.is_plus ? "scram-sha-256-plus" : "scram-sha-256";
    case PASSWORD_MD5: return "md5";
    case PASSWORD_CLEAR: break;
    }
    return "password";
}

bool password_client_key(const struct password_check *check, unsigned char key[SCRAM_KEY_SIZE])
{
    if (check->is_mock || !check->secret.has_client_key) {
        return false;
    }
    memcpy(key, check->secret.client_key, SCRAM_KEY_SIZE);
    return true;
}
