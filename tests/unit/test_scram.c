/* SCRAM: the exchange of RFC 7677, both sides against each other, and what must be refused. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "wire/scram.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const unsigned char end_point[32] = "the digest of our certificate..";
static const unsigned char client_nonce[SCRAM_NONCE_SIZE] = "a client's nonce.";
static const unsigned char server_nonce[SCRAM_NONCE_SIZE] = "a server's nonce.";

/* ---- the example of RFC 7677, section 3 ---- */

static const char rfc_secret[] =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
static const char rfc_bare[] = "n=user,r=rOprNGfwEbeRWgbNEkqO";
static const char rfc_nonce[] = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const char rfc_server_first[] = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                       "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
static const char rfc_client_final[] =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
static const char rfc_server_final[] = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

static void the_client_speaks_as_rfc_7677(void **)
{
    struct scram_client client;
    struct error err = {0};
    char answer[SCRAM_TEXT_MAX];

    scram_client_begin(&client, "pencil", NULL, NULL, 0, false);
    assert_true(scram_client_first(&client, client_nonce, answer, sizeof answer, &err));
    snprintf(client.client_first_bare, sizeof client.client_first_bare, "%s", rfc_bare);
    snprintf(client.nonce, sizeof client.nonce, "rOprNGfwEbeRWgbNEkqO");
    assert_true(scram_client_final(&client, rfc_server_first, strlen(rfc_server_first), answer,
                                   sizeof answer, &err));
    assert_string_equal(answer, rfc_client_final);
    assert_true(scram_client_verify(&client, rfc_server_final, strlen(rfc_server_final), &err));
    scram_client_done(&client);
}

static void the_server_speaks_as_rfc_7677(void **)
{
    static const char client_first[] = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    struct scram_secret secret, made;
    struct scram_server server;
    struct error err = {0};
    char answer[SCRAM_TEXT_MAX];

    assert_true(scram_secret_parse(rfc_secret, &secret, &err));
    scram_server_begin(&server, &secret, NULL, 0, false);
    assert_true(scram_server_first(&server, client_first, strlen(client_first), server_nonce,
                                   answer, sizeof answer, &err));
    assert_string_equal(server.client_first_bare, rfc_bare);
    assert_memory_equal(answer, "r=rOprNGfwEbeRWgbNEkqOYSBzZXJ2ZXIncyBub25jZS4A,", 47);
    assert_string_equal(strchr(answer, ','), strchr(rfc_server_first, ','));

    snprintf(server.nonce, sizeof server.nonce, "%s", rfc_nonce);
    snprintf(server.server_first, sizeof server.server_first, "%s", rfc_server_first);
    assert_true(scram_server_final(&server, rfc_client_final, strlen(rfc_client_final), answer,
                                   sizeof answer, &err));
    assert_string_equal(answer, rfc_server_final);
    assert_true(scram_secret_make("pencil", secret.salt, secret.salt_size, 4096, &made));
    assert_memory_equal(server.client_key, made.client_key, SCRAM_KEY_SIZE);
    scram_server_done(&server);
}

/* ---- both sides ---- */

struct exchange {
    struct scram_client client;
    struct scram_server server;
    char client_first[SCRAM_TEXT_MAX], server_first[SCRAM_TEXT_MAX];
    char client_final[SCRAM_TEXT_MAX], server_final[SCRAM_TEXT_MAX];
};

/* Up to and with the client's last message. */
static void exchange_begin(struct exchange *exchange, struct error *err)
{
    assert_true(scram_client_first(&exchange->client, client_nonce, exchange->client_first,
                                   SCRAM_TEXT_MAX, err));
    assert_true(scram_server_first(&exchange->server, exchange->client_first,
                                   strlen(exchange->client_first), server_nonce,
                                   exchange->server_first, SCRAM_TEXT_MAX, err));
    assert_true(scram_client_final(&exchange->client, exchange->server_first,
                                   strlen(exchange->server_first), exchange->client_final,
                                   SCRAM_TEXT_MAX, err));
}

static bool exchange_finish(struct exchange *exchange, struct error *err)
{
    return scram_server_final(&exchange->server, exchange->client_final,
                              strlen(exchange->client_final), exchange->server_final,
                              SCRAM_TEXT_MAX, err);
}

static void exchange_done(struct exchange *exchange)
{
    static const struct exchange zero;
    scram_client_done(&exchange->client);
    scram_server_done(&exchange->server);
    assert_memory_equal(&exchange->client, &zero.client, sizeof zero.client); /* wiped */
    assert_memory_equal(&exchange->server, &zero.server, sizeof zero.server);
}

static void make(const char *password, struct scram_secret *secret)
{
    assert_true(scram_secret_make(password, (const unsigned char *)"salt", 4, 7, secret));
}

static void both_sides_agree_with_and_without_channel_binding(void **)
{
    static const struct {
        bool client_has_tls, server_has_tls, is_plus;
        const char *gs2;
    } cases[] = {
        {false, false, false, "n,,n="},
        {true, false, false, "y,,n="},
        {false, true, false, "n,,n="}, /* over TLS, but the client knows no channel binding */
        {true, true, true, "p=tls-server-end-point,,n="},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct exchange exchange;
        struct scram_secret secret;
        struct error err = {0};
        make("secret", &secret);
        scram_client_begin(&exchange.client, "secret", NULL,
                           cases[i].client_has_tls ? end_point : NULL,
                           cases[i].client_has_tls ? sizeof end_point : 0, cases[i].is_plus);
        assert_int_equal(exchange.client.is_plus, cases[i].is_plus);
        scram_server_begin(&exchange.server, &secret, cases[i].server_has_tls ? end_point : NULL,
                           cases[i].server_has_tls ? sizeof end_point : 0, cases[i].is_plus);
        exchange_begin(&exchange, &err);
        assert_memory_equal(exchange.client_first, cases[i].gs2, strlen(cases[i].gs2));
        assert_true(exchange_finish(&exchange, &err));
        assert_true(scram_client_verify(&exchange.client, exchange.server_final,
                                        strlen(exchange.server_final), &err));
        assert_memory_equal(exchange.server.client_key, secret.client_key, SCRAM_KEY_SIZE);
        exchange_done(&exchange);
    }
}

/* What the pooler does: a client's key, recovered from its proof, logs in at the server, without a
 * password and without PBKDF2. */
static void a_recovered_key_logs_in(void **)
{
    struct exchange exchange;
    struct scram_secret secret, stored;
    struct error err = {0};

    make("secret", &secret);
    stored = secret;
    stored.has_client_key = false;
    memset(stored.client_key, 0, SCRAM_KEY_SIZE);
    scram_client_begin(&exchange.client, "secret", NULL, NULL, 0, false);
    scram_server_begin(&exchange.server, &stored, NULL, 0, false);
    exchange_begin(&exchange, &err);
    assert_true(exchange_finish(&exchange, &err));
    memcpy(stored.client_key, exchange.server.client_key, SCRAM_KEY_SIZE);
    stored.has_client_key = true;
    exchange_done(&exchange);

    scram_client_begin(&exchange.client, NULL, &stored, NULL, 0, false);
    scram_server_begin(&exchange.server, &secret, NULL, 0, false);
    exchange_begin(&exchange, &err);
    assert_true(exchange_finish(&exchange, &err));
    assert_true(scram_client_verify(&exchange.client, exchange.server_final,
                                    strlen(exchange.server_final), &err));
    exchange_done(&exchange);
}

static void a_password_is_hashed_once_and_its_secret_kept(void **)
{
    struct exchange exchange;
    struct scram_secret secret, old, made;
    struct error err = {0};

    make("secret", &secret);
    assert_true(scram_secret_make("secret", (const unsigned char *)"other", 5, 7, &old));
    scram_client_begin(&exchange.client, "secret", &old, NULL, 0, false); /* the salt has changed */
    scram_server_begin(&exchange.server, &secret, NULL, 0, false);
    exchange_begin(&exchange, &err);
    assert_true(exchange_finish(&exchange, &err));
    made = exchange.client.made;
    assert_memory_equal(made.client_key, secret.client_key, SCRAM_KEY_SIZE);
    exchange_done(&exchange);

    scram_client_begin(&exchange.client, "not used", &made, NULL, 0, false);
    scram_server_begin(&exchange.server, &secret, NULL, 0, false);
    exchange_begin(&exchange, &err);
    assert_int_equal(exchange.client.made.iterations, 0); /* nothing was made */
    assert_true(exchange_finish(&exchange, &err));
    exchange_done(&exchange);
}

static void a_wrong_password_is_refused(void **)
{
    struct exchange exchange;
    struct scram_secret secret;
    struct error err = {0};
    static const unsigned char zero[SCRAM_KEY_SIZE];

    make("secret", &secret);
    scram_client_begin(&exchange.client, "Secret", NULL, NULL, 0, false);
    scram_server_begin(&exchange.server, &secret, NULL, 0, false);
    exchange_begin(&exchange, &err);
    assert_false(exchange_finish(&exchange, &err));
    assert_string_equal(err.sqlstate, "28P01");
    assert_memory_equal(exchange.server.client_key, zero, sizeof zero);
    exchange_done(&exchange);
}

static void an_unknown_user_looks_like_a_known_one_and_is_refused(void **)
{
    static const unsigned char seed[32] = "seed", other_seed[32] = "another";
    struct exchange exchange;
    struct scram_secret mock, again, other;
    struct error err = {0};

    scram_secret_mock("ann", seed, &mock);
    scram_secret_mock("ann", seed, &again);
    assert_memory_equal(&mock, &again, sizeof mock);
    assert_int_equal(mock.iterations, SCRAM_ITERATIONS);
    assert_int_equal(mock.salt_size, 16); /* as PostgreSQL's */
    assert_false(mock.has_client_key);
    scram_secret_mock("bob", seed, &other);
    assert_memory_not_equal(mock.salt, other.salt, mock.salt_size);
    scram_secret_mock("ann", other_seed, &other);
    assert_memory_not_equal(mock.salt, other.salt, mock.salt_size);
    assert_memory_not_equal(mock.stored_key, other.stored_key, SCRAM_KEY_SIZE);

    scram_client_begin(&exchange.client, "secret", NULL, NULL, 0, false);
    scram_server_begin(&exchange.server, &mock, NULL, 0, false);
    exchange_begin(&exchange, &err);
    assert_false(exchange_finish(&exchange, &err));
    assert_string_equal(err.sqlstate, "28P01");
    exchange_done(&exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_speaks_as_rfc_7677),
        cmocka_unit_test(the_server_speaks_as_rfc_7677),
        cmocka_unit_test(both_sides_agree_with_and_without_channel_binding),
        cmocka_unit_test(a_recovered_key_logs_in),
        cmocka_unit_test(a_password_is_hashed_once_and_its_secret_kept),
        cmocka_unit_test(a_wrong_password_is_refused),
        cmocka_unit_test(an_unknown_user_looks_like_a_known_one_and_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
