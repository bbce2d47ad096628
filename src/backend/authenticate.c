#include "backend/authenticate.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "wire/md5.h"
#include "wire/message.h"

static const char plain_name[] = "SCRAM-SHA-256", plus_name[] = "SCRAM-SHA-256-PLUS";

static enum credential_kind kind_of(const struct authenticate *authenticate)
{
    return authenticate->credential == NULL ? CREDENTIAL_NONE : authenticate->credential->kind;
}

/* Says why this credential can't answer a request for `what`. */
static bool refuse(const struct authenticate *authenticate, const char *what, struct error *err)
{
    switch (kind_of(authenticate)) {
    case CREDENTIAL_NONE:
        error_set(err, "28000", "the server wants %s, but no password is known for user \"%s\"",
                  what, authenticate->user);
        return error_hint(err, "give the user a password in the auth file or the configuration");
    case CREDENTIAL_PLAIN: /* malformed requests only: a plain password answers all others */
        return error_set(err, "28000", "the server wants %s, which cannot be answered", what);
    case CREDENTIAL_MD5:
        error_set(err, "28000",
                  "the server wants %s, but only an MD5 hash is known for user \"%s\"", what,
                  authenticate->user);
        return error_hint(err, "an MD5 hash answers MD5 requests only: store the plain password or "
                               "a SCRAM secret");
    case CREDENTIAL_SCRAM:
        error_set(err, "28000",
                  "the server wants %s, but only a SCRAM secret is known for user \"%s\"", what,
                  authenticate->user);
        return error_hint(err, "a SCRAM secret answers SCRAM requests only: use scram-sha-256 in "
                               "the server's pg_hba.conf, or store the plain password");
    }
    return false;
}

static bool out_of_memory(struct error *err)
{
    return error_set(err, "53200", "out of memory");
}

bool authenticate_clear(struct authenticate *authenticate, struct buffer *out, struct error *err)
{
    if (kind_of(authenticate) != CREDENTIAL_PLAIN) {
        return refuse(authenticate, "the password in clear", err);
    }
    if (!authenticate->may_send_clear) {
        error_set(err, "28000",
                  "the server wants the password in clear, over a connection without "
                  "TLS: it is not sent");
        return error_hint(err, "use TLS to this server, or scram-sha-256 in its pg_hba.conf");
    }
    return message_write_string(out, 'p', authenticate->credential->text) || out_of_memory(err);
}

bool authenticate_md5(struct authenticate *authenticate, const unsigned char salt[4],
                      struct buffer *out, struct error *err)
{
    char stored[MD5_TEXT_SIZE], answer[MD5_TEXT_SIZE];
    enum credential_kind kind = kind_of(authenticate);

    if (kind != CREDENTIAL_PLAIN && kind != CREDENTIAL_MD5) {
        return refuse(authenticate, "an MD5 hash", err);
    }
    if (kind == CREDENTIAL_PLAIN) {
        md5_stored(authenticate->credential->text, authenticate->user, stored);
    }
    if (kind == CREDENTIAL_MD5) {
        assert(strlen(authenticate->credential->text) == MD5_TEXT_SIZE - 1);
        memcpy(stored, authenticate->credential->text, sizeof stored);
    }
    md5_answer(stored, salt, answer);
    bool is_written = message_write_string(out, 'p', answer);
    explicit_bzero(stored, sizeof stored);
    explicit_bzero(answer, sizeof answer);
    return is_written || out_of_memory(err);
}

/* False when the list is malformed. */
static bool find_mechanisms(const char *list, size_t size, bool *has_plain, bool *has_plus)
{
    struct message_reader reader;

    message_read_begin(&reader, list, size);
    for (;;) {
        const char *name = message_read_string(&reader);
        if (reader.has_failed) {
            return false;
        }
        if (name[0] == '\0') {
            return message_read_end(&reader);
        }
        *has_plain = *has_plain || strcmp(name, plain_name) == 0;
        *has_plus = *has_plus || strcmp(name, plus_name) == 0;
    }
}

static bool has_scram_key(const struct authenticate *authenticate, struct error *err)
{
    enum credential_kind kind = kind_of(authenticate);

    if (kind == CREDENTIAL_NONE || kind == CREDENTIAL_MD5) {
        return refuse(authenticate, "SCRAM authentication", err);
    }
    if (kind == CREDENTIAL_SCRAM && !authenticate->credential->scram.has_client_key) {
        error_set(err, "28000", "the SCRAM secret of user \"%s\" has no client key yet",
                  authenticate->user);
        return error_hint(err, "the key becomes known when the user logs in at the router with "
                               "SCRAM; to log in before that, store the plain password");
    }
    return true;
}

static bool write_initial(struct buffer *out, const char *mechanism, const char *text)
{
    struct message_writer writer = message_begin(out, 'p');

    message_put_string(&writer, mechanism);
    message_put_u32(&writer, (uint32_t)strlen(text));
    message_put_bytes(&writer, text, strlen(text));
    return message_end(&writer);
}

bool authenticate_sasl(struct authenticate *authenticate, const char *mechanisms, size_t size,
                       struct buffer *out, struct error *err)
{
    bool has_plain = false, has_plus = false;
    unsigned char nonce[SCRAM_NONCE_SIZE];
    char answer[SCRAM_TEXT_MAX];

    if (!find_mechanisms(mechanisms, size, &has_plain, &has_plus)) {
        return error_set(err, "08P01", "malformed list of SASL mechanisms");
    }
    bool takes_plus = has_plus && authenticate->end_point_size > 0;
    if (!takes_plus && !has_plain) {
        return error_set(err, "28000",
                         "the server offers none of the SASL mechanisms that are "
                         "known: SCRAM-SHA-256 and, over TLS, SCRAM-SHA-256-PLUS");
    }
    if (!has_scram_key(authenticate, err)) {
        return false;
    }
    if (getrandom(nonce, sizeof nonce, 0) != sizeof nonce) {
        return error_set(err, "58000", "getrandom: %s", strerror(errno));
    }
    bool is_plain = authenticate->credential->kind == CREDENTIAL_PLAIN;
    scram_client_begin(&authenticate->scram, is_plain ? authenticate->credential->text : NULL,
                       is_plain ? authenticate->known_secret : &authenticate->credential->scram,
                       authenticate->end_point_size > 0 ? authenticate->end_point : NULL,
                       authenticate->end_point_size, has_plus);
    return scram_client_first(&authenticate->scram, nonce, answer, sizeof answer, err) &&
           (write_initial(out, authenticate->scram.is_plus ? plus_name : plain_name, answer) ||
            out_of_memory(err));
}

bool authenticate_sasl_continue(struct authenticate *authenticate, const char *message, size_t size,
                                struct buffer *out, struct error *err)
{
    char answer[SCRAM_TEXT_MAX];

    if (!scram_client_final(&authenticate->scram, message, size, answer, sizeof answer, err)) {
        return false;
    }
    struct message_writer writer = message_begin(out, 'p');
    message_put_bytes(&writer, answer, strlen(answer));
    return message_end(&writer) || out_of_memory(err);
}

bool authenticate_sasl_final(struct authenticate *authenticate, const char *message, size_t size,
                             struct error *err)
{
    return scram_client_verify(&authenticate->scram, message, size, err);
}

const struct scram_secret *authenticate_made(const struct authenticate *authenticate)
{
    return authenticate->scram.made.iterations > 0 ? &authenticate->scram.made : NULL;
}

void authenticate_done(struct authenticate *authenticate)
{
    scram_client_done(&authenticate->scram);
    explicit_bzero(authenticate->end_point, sizeof authenticate->end_point);
    authenticate->end_point_size = 0;
}
