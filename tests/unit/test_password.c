/* What a client must show: every method, over every kind of stored credential, by a client that
 * does it right, wrong, or not at all. */
#include "check.h"

#include "greet_guest.h"
#include "session/greet_private.h"
#include "session/password.h"
#include "wire/scram.h"

static const char startup[] = "\0\0\0\x14\0\3\0\0user\0alice\0\0";

static struct credential credential_of(const char *text)
{
    struct credential credential;
    struct error err = {0};

    assert_true(credential_parse(text, &credential, &err));
    return credential;
}

/* Kinds of what is stored, by letter. */
static const struct credential *stored_as(char kind, struct credential *credential)
{
    char md5[MD5_TEXT_SIZE];

    switch (kind) {
    case 'p': *credential = credential_of("secret"); return credential;
    case 'm':
        md5_stored("secret", "alice", md5);
        *credential = credential_of(md5);
        return credential;
    case 's':
        *credential = (struct credential){.kind = CREDENTIAL_SCRAM, .has_scram = true};
        assert_true(scram_secret_make("secret", (const unsigned char *)"0123456789abcdef", 16,
                                      SCRAM_ITERATIONS, &credential->scram));
        credential->scram.has_client_key = false;
        return credential;
    case 'n': *credential = (struct credential){.kind = CREDENTIAL_NONE}; return credential;
    default: /* lint: not an enum; no such user */ return NULL;
    }
}

struct attempt {
    const char *password;
    struct scram_client scram;
    struct text notes;
    size_t sizes[8]; /* of the messages */
    size_t count;
    char salt[64]; /* of server-first */
};

static void answer_md5(struct guest *guest, const struct attempt *attempt, const char *body)
{
    char stored[MD5_TEXT_SIZE], answer[MD5_TEXT_SIZE];

    md5_stored(attempt->password, "alice", stored);
    md5_answer(stored, (const unsigned char *)body + 4, answer);
    guest_answer(guest, answer, sizeof answer);
}

static void answer_mechanisms(struct guest *guest, struct attempt *attempt)
{
    static const unsigned char nonce[SCRAM_NONCE_SIZE] = "eighteen bytes are";
    char first[SCRAM_TEXT_MAX];
    struct buffer out = {0};
    struct error err = {0};

    scram_client_begin(&attempt->scram, attempt->password, NULL, NULL, 0, false);
    assert_true(scram_client_first(&attempt->scram, nonce, first, sizeof first, &err));
    char size[4];
    message_set_u32(size, (uint32_t)strlen(first));
    assert_true(buffer_append(&out, "SCRAM-SHA-256", 14));
    assert_true(buffer_append(&out, size, sizeof size));
    assert_true(buffer_append(&out, first, strlen(first)));
    guest_answer(guest, buffer_bytes(&out), buffer_size(&out));
    buffer_done(&out);
}

static void answer_challenge(struct guest *guest, struct attempt *attempt, const char *data,
                             size_t size)
{
    char final[SCRAM_TEXT_MAX];
    struct error err = {0};
    const char *salt = memmem(data, size, "s=", 2);

    assert_non_null(salt);
    snprintf(attempt->salt, sizeof attempt->salt, "%.*s", (int)(data + size - salt), salt);
    assert_true(scram_client_final(&attempt->scram, data, size, final, sizeof final, &err));
    guest_answer(guest, final, strlen(final));
}

/* Does what each message asks for; notes all. */
static const char *try_login(struct guest *guest, struct attempt *attempt)
{
    char body[2048];
    struct frame frame;
    struct error err = {0};

    guest_send(guest, startup, sizeof startup - 1);
    while (guest_message(guest, &frame, body, sizeof body)) {
        attempt->sizes[attempt->count++] = frame.body_size;
        guest_note_message(&attempt->notes, &frame, body);
        uint32_t code = frame.type == 'R' ? message_get_u32(body) : 0;
        if (code == 3) {
            guest_answer(guest, attempt->password, strlen(attempt->password) + 1);
        } else if (code == 5) {
            answer_md5(guest, attempt, body);
        } else if (code == 10) {
            answer_mechanisms(guest, attempt);
        } else if (code == 11) {
            answer_challenge(guest, attempt, body + 4, frame.body_size - 4);
        } else if (code == 12) {
            assert_true(scram_client_verify(&attempt->scram, body + 4, frame.body_size - 4, &err));
        }
    }
    return text_cstr(&attempt->notes);
}

static void attempt_done(struct attempt *attempt)
{
    scram_client_done(&attempt->scram);
    text_done(&attempt->notes);
}

#define REFUSED "E28P01 password authentication failed for user \"alice\" "

struct login {
    enum hba_method method;
    char stored;
    const char *password, *told, *method_name; /* NULL: refused */
    const char *reason;                        /* for the log */
};

static const struct login logins[] = {
    {HBA_SCRAM, 's', "secret", "R10 R11 R12 R0 ", "scram-sha-256", ""},
    {HBA_SCRAM, 'p', "secret", "R10 R11 R12 R0 ", "scram-sha-256", ""},
    {HBA_SCRAM, 's', "wrong", "R10 R11 " REFUSED, NULL, "wrong password"},
    {HBA_SCRAM, 'p', "wrong", "R10 R11 " REFUSED, NULL, "wrong password"},
    {HBA_SCRAM, 'm', "secret", "R10 R11 " REFUSED, NULL,
     "the user has an MD5 password, SCRAM can't use it"},
    {HBA_SCRAM, 'n', "secret", "R10 R11 " REFUSED, NULL, "no such user, or one without a password"},
    {HBA_SCRAM, '-', "secret", "R10 R11 " REFUSED, NULL, "no such user, or one without a password"},
    {HBA_MD5, 'm', "secret", "R5 R0 ", "md5", ""},
    {HBA_MD5, 'p', "secret", "R5 R0 ", "md5", ""},
    {HBA_MD5, 's', "secret", "R10 R11 R12 R0 ", "scram-sha-256", ""},
    {HBA_MD5, 'm', "wrong", "R5 " REFUSED, NULL, "wrong password"},
    {HBA_MD5, 'p', "wrong", "R5 " REFUSED, NULL, "wrong password"},
    {HBA_MD5, '-', "secret", "R10 R11 " REFUSED, NULL, "no such user, or one without a password"},
    {HBA_PASSWORD, 's', "secret", "R3 R0 ", "password", ""},
    {HBA_PASSWORD, 'm', "secret", "R3 R0 ", "password", ""},
    {HBA_PASSWORD, 'p', "secret", "R3 R0 ", "password", ""},
    {HBA_PASSWORD, 's', "wrong", "R3 " REFUSED, NULL, "wrong password"},
    {HBA_PASSWORD, 'm', "wrong", "R3 " REFUSED, NULL, "wrong password"},
    {HBA_PASSWORD, 'p', "wrong", "R3 " REFUSED, NULL, "wrong password"},
    {HBA_PASSWORD, 'p', "secre", "R3 " REFUSED, NULL, "wrong password"},
    {HBA_PASSWORD, 'p', "secrets", "R3 " REFUSED, NULL, "wrong password"},
    {HBA_PASSWORD, 'n', "secret", "R3 " REFUSED, NULL, "no such user, or one without a password"},
    {HBA_PASSWORD, '-', "secret", "R3 " REFUSED, NULL, "no such user, or one without a password"},
};

static void methods_and_credentials_meet_as_in_postgresql(void **)
{
    for (size_t i = 0; i < sizeof logins / sizeof logins[0]; i++) {
        const struct login *login = &logins[i];
        struct attempt attempt = {.password = login->password};
        struct credential credential;
        struct guest guest;
        print_message("# %zu: method %d, stored %c\n", i, (int)login->method, login->stored);
        guest_open(&guest,
                   &(struct guest_rules){.auth_type = login->method,
                                         .credential = stored_as(login->stored, &credential)});
        assert_string_equal(try_login(&guest, &attempt), login->told);
        assert_int_equal(guest.lookups, 1);
        assert_int_equal(guest.status, login->method_name != NULL ? GREET_ACCEPTED : GREET_CLOSED);
        assert_string_equal(guest.err.hint, login->reason);
        if (login->method_name != NULL) {
            assert_string_equal(greet_method(guest.greet), login->method_name);
        }
        attempt_done(&attempt);
        guest_close(&guest);
    }
}

/* What a stranger can see of a login: the sizes of its messages, the salt, the words. */
static void look(char stored, struct attempt *attempt)
{
    struct credential credential;
    struct guest guest;

    *attempt = (struct attempt){.password = "wrong"};
    guest_open(&guest, &(struct guest_rules){.auth_type = HBA_SCRAM,
                                             .credential = stored_as(stored, &credential)});
    assert_string_equal(try_login(&guest, attempt), "R10 R11 " REFUSED);
    guest_close(&guest);
}

static void nobody_sees_whether_a_user_exists(void **)
{
    static const char kinds[] = "smnp-";
    struct attempt unknown, other;

    look('-', &unknown);
    for (const char *kind = kinds; *kind != '\0'; kind++) {
        look(*kind, &other);
        assert_int_equal(other.count, unknown.count);
        assert_memory_equal(other.sizes, unknown.sizes, sizeof other.sizes);
        if (*kind != 's') { /* that one's salt is its own; all others' are made, and stay */
            assert_string_equal(other.salt, unknown.salt);
        }
        attempt_done(&other);
    }
    attempt_done(&unknown);
}

static void the_client_key_is_recovered_from_scram_alone(void **)
{
    static const struct {
        enum hba_method method;
        char stored;
        bool has_key;
    } cases[] = {{HBA_SCRAM, 's', true},
                 {HBA_MD5, 's', true},
                 {HBA_PASSWORD, 's', true},
                 {HBA_MD5, 'm', false},
                 {HBA_PASSWORD, 'p', false}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char key[SCRAM_KEY_SIZE];
        struct attempt attempt = {.password = "secret"};
        struct credential credential;
        struct scram_secret made;
        struct guest guest;
        guest_open(&guest,
                   &(struct guest_rules){.auth_type = cases[i].method,
                                         .credential = stored_as(cases[i].stored, &credential)});
        (void)try_login(&guest, &attempt);
        assert_int_equal(guest.status, GREET_ACCEPTED);
        assert_int_equal(greet_client_key(guest.greet, key), cases[i].has_key);
        if (cases[i].has_key) {
            assert_true(scram_secret_make("secret", credential.scram.salt,
                                          credential.scram.salt_size, SCRAM_ITERATIONS, &made));
            assert_memory_equal(key, made.client_key, SCRAM_KEY_SIZE);
        }
        attempt_done(&attempt);
        guest_close(&guest);
    }
}

/* ---- answers that are none ---- */

struct bad_answer {
    enum hba_method method;
    const char *bytes; /* behind the startup packet, in one piece */
    size_t size;
    const char *told; /* "": closed without a word */
    const char *message;
};

#define BYTES(text) (text), sizeof(text) - 1
#define EXPECTED_PASSWORD "expected password response, got message type "
#define EXPECTED_SASL "expected SASL response, got message type "
#define MECHANISM "client selected an invalid SASL authentication mechanism"
#define INITIAL "p\0\0\0\x20SCRAM-SHA-256\0\0\0\0\x0an,,n=,r=ab" /* client-first */

static const struct bad_answer bad_answers[] = {
    {HBA_PASSWORD, BYTES("Q\0\0\0\5\0"), "R3 E08P01 " EXPECTED_PASSWORD "81",
     EXPECTED_PASSWORD "81"},
    {HBA_PASSWORD, BYTES("X\0\0\0\4"), "R3 E08P01 " EXPECTED_PASSWORD "88", EXPECTED_PASSWORD "88"},
    {HBA_PASSWORD, BYTES("\0"), "R3 E08P01 " EXPECTED_PASSWORD "0", EXPECTED_PASSWORD "0"},
    {HBA_PASSWORD, BYTES("p\0\0\0\4"), "R3 E08P01 invalid password packet size",
     "invalid password packet size"},
    {HBA_PASSWORD, BYTES("p\0\0\0\5x"), "R3 E08P01 invalid password packet size",
     "invalid password packet size"},
    {HBA_PASSWORD, BYTES("p\0\0\0\x0fsecret\0\0\0\0\0"), "R3 E08P01 invalid password packet size",
     "invalid password packet size"},
    {HBA_PASSWORD, BYTES("p\0\0\0\5\0"), "R3 E28P01 empty password returned by client",
     "empty password returned by client"},
    {HBA_PASSWORD, BYTES("p\0\0\0\3"), "R3", "message of type 0x70 has the impossible length 3"},
    {HBA_PASSWORD, BYTES("p\xff\xff\xff\xff"), "R3",
     "message of type 0x70 has the impossible length 4294967295"},
    {HBA_PASSWORD, BYTES("p\0\0\x1f\x45"), "R3", "invalid message length: 8001 bytes of password"},
    {HBA_MD5, BYTES("Q\0\0\0\5\0"), "R5 E08P01 " EXPECTED_PASSWORD "81", EXPECTED_PASSWORD "81"},
    {HBA_MD5, BYTES("p\0\0\4\5"), "R5", "invalid message length: 1025 bytes of password"},
    {HBA_MD5, BYTES("p\0\0\0\x0bsecret\0"),
     "R5 E28P01 password authentication failed for user \"alice\"",
     "password authentication failed for user \"alice\""},
    {HBA_MD5, BYTES("p\0\0\0\5\0"), "R5 E28P01 empty password returned by client",
     "empty password returned by client"},
    {HBA_SCRAM, BYTES("Q\0\0\0\5\0"), "R10 E08P01 " EXPECTED_SASL "81", EXPECTED_SASL "81"},
    {HBA_SCRAM, BYTES("p\0\0\4\5"), "R10", "invalid message length: 1025 bytes of password"},
    {HBA_SCRAM, BYTES("p\0\0\0\4"), "R10 E08P01 " MECHANISM, MECHANISM},
    {HBA_SCRAM, BYTES("p\0\0\0\x0bsecret\0"), "R10 E08P01 " MECHANISM, MECHANISM},
    {HBA_SCRAM, BYTES("p\0\0\0\x1bSCRAM-SHA-256-PLUS\0\0\0\0\0"), "R10 E08P01 " MECHANISM,
     MECHANISM},
    {HBA_SCRAM, BYTES("p\0\0\0\x16SCRAM-SHA-256\0\0\0\0\1"),
     "R10 E08P01 malformed SASLInitialResponse message", "malformed SASLInitialResponse message"},
    {HBA_SCRAM, BYTES("p\0\0\0\x12SCRAM-SHA-256\0"),
     "R10 E08P01 malformed SASLInitialResponse message", "malformed SASLInitialResponse message"},
    {HBA_SCRAM, BYTES("p\0\0\0\x18SCRAM-SHA-256\0\xff\xff\xff\xffn,"),
     "R10 E08P01 malformed SASLInitialResponse message", "malformed SASLInitialResponse message"},
    {HBA_SCRAM, BYTES("p\0\0\0\x16SCRAM-SHA-256\0\xff\xff\xff\xffQ\0\0\0\4"),
     "R10 R11 E08P01 " EXPECTED_SASL "81", EXPECTED_SASL "81"},
    {HBA_SCRAM, BYTES(INITIAL "Q\0\0\0\4"), "R10 R11 E08P01 " EXPECTED_SASL "81",
     EXPECTED_SASL "81"},
    {HBA_SCRAM, BYTES(INITIAL "p\0\0\4\5"), "R10 R11",
     "invalid message length: 1025 bytes of password"},
};

static void what_is_no_answer_ends_it_as_in_postgresql(void **)
{
    static const size_t pieces[] = {SIZE_MAX / 2, 1};

    for (size_t i = 0; i < 2 * (sizeof bad_answers / sizeof bad_answers[0]); i++) {
        const struct bad_answer *bad = &bad_answers[i / 2];
        size_t piece = pieces[i % 2];
        struct credential credential;
        struct guest guest;
        print_message("# %zu\n", i / 2);
        guest_open(&guest, &(struct guest_rules){.auth_type = bad->method,
                                                 .credential = stored_as('p', &credential)});
        guest_send(&guest, startup, sizeof startup - 1);
        for (size_t at = 0; at < bad->size && guest.status == GREET_MORE; at += piece) {
            guest_send(&guest, bad->bytes + at, bad->size - at < piece ? bad->size - at : piece);
        }
        assert_string_equal(guest_told(&guest), bad->told);
        assert_int_equal(guest.status, GREET_CLOSED);
        assert_string_equal(guest.err.message, bad->message);
        guest_close(&guest);
    }
}

static void malformed_scram_is_answered(void **)
{
    static const char *const firsts[] = {"",
                                         "n",
                                         "n,,",
                                         "n,,n=,r=",
                                         "p=tls-unique,,n=,r=ab",
                                         "n,a=bob,n=,r=ab",
                                         "x,,n=,r=ab",
                                         "n,,m=x,n=,r=ab"};
    static const char *const finals[] = {"", "c=biws", "c=biws,r=x,p=AAAA",
                                         "c=eSws,r=x,p=", "p=AAAA,c=biws"};

    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        char body[64] = "SCRAM-SHA-256";
        struct guest guest;
        size_t size = strlen(firsts[i]);
        guest_open(&guest, &(struct guest_rules){.auth_type = HBA_SCRAM});
        guest_send(&guest, startup, sizeof startup - 1);
        message_set_u32(body + 14, (uint32_t)size);
        memcpy(body + 18, firsts[i], size);
        guest_answer(&guest, body, 18 + size);
        assert_int_equal(strncmp(guest_told(&guest), "R10 E", 5), 0);
        assert_int_equal(guest.status, GREET_CLOSED);
        guest_close(&guest);
    }
    for (size_t i = 0; i < sizeof finals / sizeof finals[0]; i++) {
        struct guest guest;
        guest_open(&guest, &(struct guest_rules){.auth_type = HBA_SCRAM});
        guest_send(&guest, startup, sizeof startup - 1);
        guest_send(&guest, BYTES(INITIAL));
        guest_answer(&guest, finals[i], strlen(finals[i]));
        assert_int_equal(strncmp(guest_told(&guest), "R10 R11 E", 9), 0);
        assert_int_equal(guest.status, GREET_CLOSED);
        guest_close(&guest);
    }
}

/* The data may come in a message of its own (RFC 4422: no initial response). */
static void an_empty_initial_response_gets_an_empty_challenge(void **)
{
    struct guest guest;

    guest_open(&guest, &(struct guest_rules){.auth_type = HBA_SCRAM});
    guest_send(&guest, startup, sizeof startup - 1);
    guest_answer(&guest, BYTES("SCRAM-SHA-256\0\xff\xff\xff\xff"));
    assert_int_equal(guest.greet->state, GREET_WAITS_FIRST);
    guest_answer(&guest, BYTES("n,,n=,r=ab"));
    assert_int_equal(guest.greet->state, GREET_WAITS_PROOF);
    assert_string_equal(guest_told(&guest), "R10 R11 R11");
    guest_close(&guest);
}

static void every_prefix_of_an_answer_and_then_silence_closes(void **)
{
    static const char answer[] = "p\0\0\0\x0bsecret";

    for (size_t prefix = 0; prefix < sizeof answer - 1; prefix++) {
        struct credential credential;
        struct guest guest;
        guest_open(&guest, &(struct guest_rules){.auth_type = HBA_PASSWORD,
                                                 .credential = stored_as('p', &credential)});
        guest_send(&guest, startup, sizeof startup - 1);
        guest_send(&guest, answer, prefix);
        assert_int_equal(guest.status, GREET_MORE);
        guest_hang_up(&guest);
        assert_int_equal(guest.status, GREET_CLOSED);
        assert_string_equal(guest.err.sqlstate, "08006");
        assert_string_equal(guest_told(&guest), "R3");
        guest_close(&guest);
    }
}

/* One guess for each connection: a second one, sent along, is not looked at. */
static void a_second_password_is_no_second_chance(void **)
{
    static const char guesses[] = "p\0\0\0\x0awrong\0p\0\0\0\x0bsecret";
    static const char right[] = "p\0\0\0\x0bsecret\0p\0\0\0\x0awrong";
    struct credential credential;
    struct guest guest;
    struct guest_rules rules = {.auth_type = HBA_PASSWORD,
                                .credential = stored_as('p', &credential)};
    size_t size;

    guest_open(&guest, &rules);
    guest_send(&guest, startup, sizeof startup - 1);
    guest_send(&guest, guesses, sizeof guesses);
    assert_string_equal(guest_told(&guest),
                        "R3 E28P01 password authentication failed for user \"alice\"");
    assert_int_equal(guest.status, GREET_CLOSED);
    guest_close(&guest);
    guest_open(&guest, &rules);
    guest_send(&guest, startup, sizeof startup - 1);
    guest_send(&guest, right, sizeof right);
    assert_int_equal(guest.status, GREET_ACCEPTED);
    (void)greet_left_over(guest.greet, &size);
    assert_int_equal(size, 11);
    guest_close(&guest);
}

static void a_failed_lookup_is_told(void **)
{
    struct error why = {0};
    struct guest guest;

    error_set(&why, "08006", "auth_query could not be run");
    guest_open(&guest, &(struct guest_rules){.auth_type = HBA_SCRAM, .lookup_error = &why});
    guest_send(&guest, startup, sizeof startup - 1);
    assert_string_equal(guest_told(&guest), "E08006 auth_query could not be run");
    assert_int_equal(guest.status, GREET_CLOSED);
    assert_string_equal(guest.err.message, "auth_query could not be run");
    guest_close(&guest);
}

/* The pool writes a link over a block's first bytes: the password is longer. */
static void no_password_stays_in_memory_given_back(void **)
{
    struct guest guest;

    guest_open(&guest, &(struct guest_rules){.auth_type = HBA_PASSWORD});
    guest_send(&guest, startup, sizeof startup - 1);
    guest_send(&guest, BYTES("p\0\0\0\x1aopen sesame and mor"));
    const char *block = guest.greet->in.bytes; /* stays in the pool */
    assert_non_null(block);
    if (block == NULL) {
        return; /* gcc does not know that the assertion ends the test */
    }
    assert_non_null(memmem(block, BUFFER_BLOCK_SIZE, "sesame", 6));
    guest_send(&guest, "ee", 3);
    assert_int_equal(guest.status, GREET_CLOSED);
    assert_null(guest.greet->in.bytes);
    assert_null(memmem(block, BUFFER_BLOCK_SIZE, "sesame", 6));
    guest_close(&guest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_and_credentials_meet_as_in_postgresql),
        cmocka_unit_test(nobody_sees_whether_a_user_exists),
        cmocka_unit_test(the_client_key_is_recovered_from_scram_alone),
        cmocka_unit_test(what_is_no_answer_ends_it_as_in_postgresql),
        cmocka_unit_test(malformed_scram_is_answered),
        cmocka_unit_test(an_empty_initial_response_gets_an_empty_challenge),
        cmocka_unit_test(every_prefix_of_an_answer_and_then_silence_closes),
        cmocka_unit_test(a_second_password_is_no_second_chance),
        cmocka_unit_test(a_failed_lookup_is_told),
        cmocka_unit_test(no_password_stays_in_memory_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
