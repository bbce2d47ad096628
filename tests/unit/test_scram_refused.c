/* SCRAM messages that must be refused, by either side, each with its SQLSTATE. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "wire/scram.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const unsigned char end_point[32] = "the digest of our certificate..";
static const unsigned char nonce[SCRAM_NONCE_SIZE] = "eighteen at random";
static const char nonce_text[] = "ZWlnaHRlZW4gYXQgcmFuZG9t";

struct refusal {
    const char *sqlstate, *message;
};

static void make(struct scram_secret *secret)
{
    assert_true(scram_secret_make("secret", (const unsigned char *)"salt", 4, 7, secret));
}

static void expect(bool is_done, const char *sqlstate, const struct error *err)
{
    assert_int_equal(is_done, sqlstate == NULL);
    assert_string_equal(err->sqlstate, sqlstate == NULL ? "" : sqlstate);
}

/* ---- the server's side ---- */

static void first(const struct refusal *refusal, bool is_tls, bool is_plus)
{
    struct scram_server server;
    struct scram_secret secret;
    struct error err = {0};
    char answer[SCRAM_TEXT_MAX];

    make(&secret);
    scram_server_begin(&server, &secret, is_tls ? end_point : NULL, is_tls ? sizeof end_point : 0,
                       is_plus);
    bool is_done = scram_server_first(&server, refusal->message, strlen(refusal->message), nonce,
                                      answer, sizeof answer, &err);
    expect(is_done, refusal->sqlstate, &err);
    scram_server_done(&server);
}

static void malformed_first_messages_are_refused(void **)
{
    static const struct refusal cases[] = {
        {NULL, "n,,n=,r=abc"},
        {NULL, "y,,n=ann,r=abc,x=extension,y="},
        {"08P01", ""},
        {"08P01", "n"},
        {"08P01", "n,"},
        {"08P01", "n,,"},
        {"08P01", "n,,n="},
        {"08P01", "n,,n=,"},
        {"08P01", "n,,n=,r"},
        {"08P01", "n,,n=,r="},
        {"08P01", "n,,r=abc"},
        {"08P01", "n,,r=abc,n="},
        {"08P01", "n,,n=,r=abc,"},
        {"08P01", "n,,n=,r=abc,1=x"},
        {"08P01", "n,,n=,r=abc,xx"},
        {"08P01", "n,,n=,r=a c"},
        {"08P01", "n,,n=,r=a\xc3\xa9"},
        {"08P01", "n,,n=,r=a\x7f"},
        {"08P01", "n,b,n=,r=abc"},
        {"08P01", "x,,n=,r=abc"},
        {"08P01", "nn,,n=,r=abc"},
        {"08P01", ",,n=,r=abc"},
        {"08P01", "p=tls-server-end-point,,n=,r=abc"}, /* the mechanism isn't PLUS */
        {"0A000", "n,a=bob,n=,r=abc"},
        {"0A000", "n,,m=must,n=,r=abc"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        first(&cases[i], false, false);
    }
}

static void channel_binding_that_was_taken_away_is_noticed(void **)
{
    first(&(struct refusal){"28000", "y,,n=,r=abc"}, true, false); /* we did offer it */
    first(&(struct refusal){NULL, "n,,n=,r=abc"}, true, false);
    first(&(struct refusal){"08P01", "n,,n=,r=abc"}, true, true);
    first(&(struct refusal){"08P01", "y,,n=,r=abc"}, true, true);
    first(&(struct refusal){"08P01", "p,,n=,r=abc"}, true, true);
    first(&(struct refusal){"28000", "p=tls-unique,,n=,r=abc"}, true, true);
    first(&(struct refusal){"28000", "p=tls-server-end-point2,,n=,r=abc"}, true, true);
    first(&(struct refusal){NULL, "p=tls-server-end-point,,n=,r=abc"}, true, true);
}

static void first_messages_have_a_limit(void **)
{
    char message[2 * SCRAM_TEXT_MAX];
    static const struct {
        const char *prefix;
        size_t fill;
        const char *sqlstate;
    } cases[] = {
        {"n,,n=,r=", 231, NULL}, /* with 24 of our own, the longest nonce */
        {"n,,n=,r=", 232, "08P01"},
        {"n,,n=,r=abc,x=", SCRAM_TEXT_MAX - 15, NULL},
        {"n,,n=,r=abc,x=", SCRAM_TEXT_MAX - 14, "08P01"},
        {"n,,n=,r=abc,x=", SCRAM_TEXT_MAX, "08P01"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t size = strlen(cases[i].prefix);
        memcpy(message, cases[i].prefix, size + 1);
        memset(message + size, 'z', cases[i].fill);
        message[size + cases[i].fill] = '\0';
        first(&(struct refusal){cases[i].sqlstate, message}, false, false);
    }
}

static void a_zero_byte_is_refused(void **)
{
    static const char with_zero[] = "n,,n=a\0b,r=abc";
    struct scram_server server;
    struct scram_secret secret;
    struct error err = {0};
    char answer[SCRAM_TEXT_MAX];

    make(&secret);
    scram_server_begin(&server, &secret, NULL, 0, false);
    bool is_done = scram_server_first(&server, with_zero, sizeof with_zero - 1, nonce, answer,
                                      sizeof answer, &err);
    expect(is_done, "08P01", &err);
    scram_server_done(&server);
}

/* The whole exchange, with `change` made to the client's last message. */
static void final(const char *sqlstate, bool is_plus, void change(char message[SCRAM_TEXT_MAX]))
{
    struct scram_client client;
    struct scram_server server;
    struct scram_secret secret;
    struct error err = {0};
    char message[SCRAM_TEXT_MAX], answer[SCRAM_TEXT_MAX];

    make(&secret);
    scram_client_begin(&client, NULL, &secret, is_plus ? end_point : NULL,
                       is_plus ? sizeof end_point : 0, is_plus);
    scram_server_begin(&server, &secret, is_plus ? end_point : NULL, is_plus ? sizeof end_point : 0,
                       is_plus);
    assert_true(scram_client_first(&client, nonce, message, sizeof message, &err));
    assert_true(
        scram_server_first(&server, message, strlen(message), nonce, answer, sizeof answer, &err));
    assert_true(scram_client_final(&client, answer, strlen(answer), message, sizeof message, &err));
    change(message);
    bool is_done =
        scram_server_final(&server, message, strlen(message), answer, sizeof answer, &err);
    expect(is_done, sqlstate, &err);
    scram_client_done(&client);
    scram_server_done(&server);
}

static void change_nothing(char message[SCRAM_TEXT_MAX])
{
    (void)message;
}

static void change_binding(char message[SCRAM_TEXT_MAX])
{
    message[4] = message[4] == 'A' ? 'B' : 'A';
}

static void change_end_point(char message[SCRAM_TEXT_MAX])
{
    char *at = strchr(message, ',') - 4;
    *at = *at == 'A' ? 'B' : 'A';
}

static void change_our_nonce(char message[SCRAM_TEXT_MAX])
{
    strstr(message, "r=")[2] = '!';
}

static void change_its_nonce(char message[SCRAM_TEXT_MAX])
{
    strstr(message, ",p=")[-1] = '!';
}

static void change_proof(char message[SCRAM_TEXT_MAX])
{
    char *at = strstr(message, ",p=") + 3;
    *at = *at == 'A' ? 'B' : 'A';
}

static void change_end_of_proof(char message[SCRAM_TEXT_MAX])
{
    char *at = message + strlen(message) - 3; /* "x==" would be another size: this is "xx=" */
    *at = *at == 'A' ? 'E' : 'A';
}

static void cut_proof(char message[SCRAM_TEXT_MAX])
{
    message[strlen(message) - 4] = '\0';
}

static void cut_all_of_proof(char message[SCRAM_TEXT_MAX])
{
    *strstr(message, ",p=") = '\0';
}

static void add_behind_proof(char message[SCRAM_TEXT_MAX])
{
    snprintf(message + strlen(message), 8, ",x=y");
}

static void add_an_extension(char message[SCRAM_TEXT_MAX])
{
    char *at = strstr(message, ",p=");
    assert_non_null(at);
    if (at == NULL) {
        return; /* gcc does not know that the assertion ends the test */
    }
    memmove(at + 4, at, strlen(at) + 1);
    memcpy(at, ",x=y", 4);
}

static void empty(char message[SCRAM_TEXT_MAX])
{
    message[0] = '\0';
}

static void drop_binding(char message[SCRAM_TEXT_MAX])
{
    memmove(message, strchr(message, ',') + 1, strlen(strchr(message, ',')));
}

static void lengthen(char message[SCRAM_TEXT_MAX])
{
    memset(message + 2, 'A', SCRAM_TEXT_MAX - 3);
    message[SCRAM_TEXT_MAX - 1] = '\0';
}

static void changed_last_messages_are_refused(void **)
{
    final(NULL, false, change_nothing);
    final(NULL, true, change_nothing);
    final("08P01", false, change_binding);
    final("28000", true, change_binding);
    final("28000", true, change_end_point);
    final("08P01", false, change_our_nonce);
    final("08P01", false, change_its_nonce);
    final("28P01", false, change_proof);
    final("28P01", true, change_proof);
    final("28P01", false, change_end_of_proof);
    final("28P01", false, add_an_extension); /* allowed, but the proof is not of it */
    final("08P01", false, cut_proof);
    final("08P01", false, cut_all_of_proof);
    final("08P01", false, add_behind_proof);
    final("08P01", false, empty);
    final("08P01", false, drop_binding);
    final("08P01", false, lengthen);
}

/* ---- the client's side ---- */

static void begin_client(struct scram_client *client, const char *password,
                         const struct scram_secret *secret)
{
    struct error err = {0};
    char answer[SCRAM_TEXT_MAX];
    scram_client_begin(client, password, secret, NULL, 0, false);
    assert_true(scram_client_first(client, nonce, answer, sizeof answer, &err));
    assert_string_equal(client->nonce, nonce_text);
}

static void refuse_server_first(const struct refusal *refusal, const char *password,
                                const struct scram_secret *secret)
{
    struct scram_client client;
    struct error err = {0};
    char answer[SCRAM_TEXT_MAX];

    begin_client(&client, password, secret);
    bool is_done = scram_client_final(&client, refusal->message, strlen(refusal->message), answer,
                                      sizeof answer, &err);
    expect(is_done, refusal->sqlstate, &err);
    scram_client_done(&client);
}

#define NONCE "r=ZWlnaHRlZW4gYXQgcmFuZG9t"

static void malformed_server_messages_are_refused(void **)
{
    static const struct refusal cases[] = {
        {NULL, NONCE "x,s=c2FsdA==,i=7"},
        {"08P01", ""},
        {"08P01", NONCE},
        {"08P01", NONCE "x"},
        {"08P01", NONCE "x,s=c2FsdA=="},
        {"08P01", NONCE "x,s=c2FsdA==,"},
        {"08P01", NONCE "x,s=c2FsdA==,i="},
        {"08P01", NONCE "x,s=c2FsdA==,i=0"},
        {"08P01", NONCE "x,s=c2FsdA==,i=-7"},
        {"08P01", NONCE "x,s=c2FsdA==,i=7 "},
        {"08P01", NONCE "x,s=c2FsdA==,i=1000001"},
        {"08P01", NONCE "x,s=c2FsdA==,i=4294967297"},
        {"08P01", NONCE "x,s=c2FsdA==,i=7,x=y"},
        {"08P01", NONCE "x,s=c2FsdA==,i=7,"},
        {"08P01", NONCE "x,s=c2FsdA=,i=7"},
        {"08P01", NONCE "x,s=,i=7"},
        {"08P01", NONCE "x,i=7,s=c2FsdA=="},
        {"08P01", "m=must," NONCE "x,s=c2FsdA==,i=7"},
        {"08P01", "e=other-error"},
        {"08P01", NONCE ",s=c2FsdA==,i=7"}, /* the server has added nothing */
        {"08P01", NONCE "x y,s=c2FsdA==,i=7"},
        {"08P01", "r=AWlnaHRlZW4gYXQgcmFuZG9tx,s=c2FsdA==,i=7"},
        {"08P01", "r=x,s=c2FsdA==,i=7"},
        {"08P01", "r=,s=c2FsdA==,i=7"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        refuse_server_first(&cases[i], "secret", NULL);
    }
}

static void a_salt_and_a_nonce_have_a_limit(void **)
{
    static const struct {
        size_t nonce_fill, salt_fill;
        const char *sqlstate;
    } cases[] = {
        {700, 84, NULL},   {800, 84, "08P01"}, {900, 84, "08P01"}, {1, 88, "08P01"}, /* 66 bytes */
        {1, 900, "08P01"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char message[2 * SCRAM_TEXT_MAX], fill[SCRAM_TEXT_MAX], salt[SCRAM_TEXT_MAX];
        memset(fill, 'x', sizeof fill);
        memset(salt, 'A', sizeof salt);
        snprintf(message, sizeof message, NONCE "%.*s,s=%.*s,i=7", (int)cases[i].nonce_fill, fill,
                 (int)cases[i].salt_fill, salt);
        refuse_server_first(&(struct refusal){cases[i].sqlstate, message}, "secret", NULL);
    }
}

static void a_secret_that_is_not_the_servers_is_not_used(void **)
{
    struct scram_secret secret;
    make(&secret);
    static const struct refusal cases[] = {
        {NULL, NONCE "x,s=c2FsdA==,i=7"},    {"28000", NONCE "x,s=c2FsdA==,i=8"},
        {"28000", NONCE "x,s=c2FsdQ==,i=7"}, {"28000", NONCE "x,s=c2FsdHM=,i=7"},
        {"08P01", NONCE "x,s=c2FsdB==,i=7"}, /* no base64: stray bits */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        refuse_server_first(&cases[i], NULL, &secret);
    }
}

static void a_server_that_does_not_know_the_secret_is_refused(void **)
{
    static const struct refusal cases[] = {
        {"28000", "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"28000", "e=invalid-proof"},
        {"08P01", ""},
        {"08P01", "v="},
        {"08P01", "v=AAAA"},
        {"08P01", "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"08P01", "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,x=y"},
        {"08P01", "w=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
    };
    static const char server_first[] = NONCE "x,s=c2FsdA==,i=7";
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scram_client client;
        struct error err = {0};
        char answer[SCRAM_TEXT_MAX];
        begin_client(&client, "secret", NULL);
        assert_true(scram_client_final(&client, server_first, sizeof server_first - 1, answer,
                                       sizeof answer, &err));
        bool is_done =
            scram_client_verify(&client, cases[i].message, strlen(cases[i].message), &err);
        expect(is_done, cases[i].sqlstate, &err);
        scram_client_done(&client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_first_messages_are_refused),
        cmocka_unit_test(channel_binding_that_was_taken_away_is_noticed),
        cmocka_unit_test(first_messages_have_a_limit),
        cmocka_unit_test(a_zero_byte_is_refused),
        cmocka_unit_test(changed_last_messages_are_refused),
        cmocka_unit_test(malformed_server_messages_are_refused),
        cmocka_unit_test(a_salt_and_a_nonce_have_a_limit),
        cmocka_unit_test(a_secret_that_is_not_the_servers_is_not_used),
        cmocka_unit_test(a_server_that_does_not_know_the_secret_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
