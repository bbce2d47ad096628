/* What each kind of credential can answer, and with which mechanism a channel is bound. */
#include "check.h"

#include <string.h>

#include "backend/authenticate.h"
#include "wire/md5.h"
#include "wire/message.h"

static const char both[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0", only_plain[] = "SCRAM-SHA-256\0",
                  only_plus[] = "SCRAM-SHA-256-PLUS\0", neither[] = "OAUTHBEARER\0",
                  longer[] = "SCRAM-SHA-256-X\0SCRAM-SHA-2\0", none[] = "";

static const struct credential plain = {.kind = CREDENTIAL_PLAIN, .text = "secret"};

static void the_channel_is_bound_whenever_it_can_be(void **)
{
    static const struct {
        const char *list;
        size_t size;
        size_t end_point_size;
        const char *mechanism; /* NULL: none that we know */
        const char *header;
    } cases[] = {
        {both, sizeof both, 32, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r="},
        {only_plus, sizeof only_plus, 48, "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r="},
        {only_plain, sizeof only_plain, 32, "SCRAM-SHA-256",
         "y,,n=,r="},                                        /* the offer was not lost */
        {both, sizeof both, 0, "SCRAM-SHA-256", "n,,n=,r="}, /* a certificate without a digest */
        {only_plain, sizeof only_plain, 0, "SCRAM-SHA-256", "n,,n=,r="},
        {only_plus, sizeof only_plus, 0, NULL, NULL},
        {neither, sizeof neither, 32, NULL, NULL},
        {longer, sizeof longer, 32, NULL, NULL},
        {none, sizeof none, 32, NULL, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct authenticate authenticate = {
            .user = "ann", .credential = &plain, .end_point_size = cases[i].end_point_size};
        struct buffer out = {0};
        struct error err = {0};

        bool is_done = authenticate_sasl(&authenticate, cases[i].list, cases[i].size, &out, &err);
        assert_int_equal(is_done, cases[i].mechanism != NULL);
        assert_string_equal(err.sqlstate, is_done ? "" : "28000");
        if (is_done) {
            const char *message = buffer_bytes(&out);
            size_t name_size = strlen(cases[i].mechanism) + 1;
            assert_memory_equal(message + 5, cases[i].mechanism, name_size);
            assert_int_equal(message_get_u32(message + 5 + name_size),
                             buffer_size(&out) - 5 - name_size - 4);
            assert_memory_equal(message + 5 + name_size + 4, cases[i].header,
                                strlen(cases[i].header));
        }
        assert_int_equal(buffer_size(&out) > 0, is_done);
        authenticate_done(&authenticate);
        buffer_done(&out);
    }
}

static void nonces_differ(void **)
{
    char first[64];

    for (int i = 0; i < 2; i++) {
        struct authenticate authenticate = {.user = "ann", .credential = &plain};
        struct buffer out = {0};
        struct error err = {0};

        assert_true(authenticate_sasl(&authenticate, only_plain, sizeof only_plain, &out, &err));
        if (i == 1) {
            assert_int_not_equal(strcmp(first, authenticate.scram.nonce), 0);
        }
        memcpy(first, authenticate.scram.nonce, sizeof first);
        authenticate_done(&authenticate);
        buffer_done(&out);
    }
}

static void an_md5_request_gets_the_same_answer_from_password_and_hash(void **)
{
    struct credential stored = {.kind = CREDENTIAL_MD5};
    char expected[MD5_TEXT_SIZE];

    md5_stored("secret", "ann", stored.text);
    md5_answer(stored.text, (const unsigned char *)"salt", expected);
    for (int i = 0; i < 2; i++) {
        struct authenticate authenticate = {.user = "ann", .credential = i == 0 ? &plain : &stored};
        struct buffer out = {0};
        struct error err = {0};

        assert_true(authenticate_md5(&authenticate, (const unsigned char *)"salt", &out, &err));
        assert_int_equal(buffer_size(&out), 5 + MD5_TEXT_SIZE);
        assert_memory_equal(buffer_bytes(&out) + 5, expected, MD5_TEXT_SIZE);
        buffer_done(&out);
    }
}

enum request { CLEAR, MD5, SASL, REQUEST_COUNT };

static bool answer(struct authenticate *authenticate, enum request request, struct buffer *out,
                   struct error *err)
{
    switch (request) {
    case CLEAR: return authenticate_clear(authenticate, out, err);
    case MD5: return authenticate_md5(authenticate, (const unsigned char *)"salt", out, err);
    case SASL: return authenticate_sasl(authenticate, both, sizeof both, out, err);
    case REQUEST_COUNT: break;
    }
    return false;
}

static void each_kind_answers_what_it_can_and_says_what_not(void **)
{
    static const struct {
        struct credential credential;
        bool can[REQUEST_COUNT];
    } cases[] = {
        {{.kind = CREDENTIAL_NONE}, {false, false, false}},
        {{.kind = CREDENTIAL_PLAIN, .text = "s3cret"}, {true, true, true}},
        {{.kind = CREDENTIAL_MD5, .text = "md500000000000000000000000000s3cret"},
         {false, true, false}},
        {{.kind = CREDENTIAL_SCRAM, .scram.has_client_key = true}, {false, false, true}},
        {{.kind = CREDENTIAL_SCRAM}, {false, false, false}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int request = CLEAR; request < REQUEST_COUNT; request++) {
            struct authenticate authenticate = {
                .user = "ann", .credential = &cases[i].credential, .may_send_clear = true};
            struct buffer out = {0};
            struct error err = {0};

            bool is_done = answer(&authenticate, (enum request)request, &out, &err);
            assert_int_equal(is_done, cases[i].can[request]);
            assert_int_equal(buffer_size(&out) > 0, is_done);
            if (!is_done) {
                assert_string_equal(err.sqlstate, "28000");
                assert_non_null(strstr(err.message, "\"ann\""));
                assert_null(strstr(err.message, "s3cret"));
                assert_true(err.hint[0] != '\0');
            }
            authenticate_done(&authenticate);
            buffer_done(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_channel_is_bound_whenever_it_can_be),
        cmocka_unit_test(nonces_differ),
        cmocka_unit_test(an_md5_request_gets_the_same_answer_from_password_and_hash),
        cmocka_unit_test(each_kind_answers_what_it_can_and_says_what_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
