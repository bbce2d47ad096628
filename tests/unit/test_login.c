/* The login against a scripted server: whole logins cut at every byte, each message that a state
 * does not expect, malformed ones, lost connections, sslmode's answers, and limits. */
#include "login_peer.h"

#include <stdio.h>

static const struct login_plan clear_plan = {
    .host = "n1", .user = "ann", .database = "shop", .tls_mode = TLS_DISABLE};

static void expect_facts(const struct login *login)
{
    const struct login_result *result = login_result(login);

    assert_int_equal(result->parameter_count, 2);
    assert_string_equal(result->parameters[0].name, "server_version");
    assert_string_equal(result->parameters[0].value, "15.20");
    assert_string_equal(result->parameters[1].name, "TimeZone");
    assert_string_equal(result->parameters[1].value, "Asia/Tokyo");
    assert_int_equal(result->pid, 0x1234);
    assert_int_equal(result->key_size, 4);
    assert_memory_equal(result->key, "key!", 4);
    assert_int_equal(result->version, STARTUP_VERSION_3_0);
}

static void a_login_may_arrive_in_two_parts_cut_anywhere(void **)
{
    struct buffer script = {0};
    struct peer peer;

    put_authentication(&script, 0, NULL, 0);
    put_settling(&script);
    size_t size = buffer_size(&script);
    for (size_t cut = 0; cut < size; cut++) {
        peer_begin(&peer, &clear_plan);
        if (cut > 0) {
            peer_send(&peer, buffer_bytes(&script), cut);
        }
        assert_int_equal(peer.status, LOGIN_MORE);
        peer_send(&peer, buffer_bytes(&script) + cut, size - cut);
        assert_int_equal(peer.status, LOGIN_READY);
        expect_facts(peer.login);
        peer_end(&peer);
    }
    buffer_done(&script);
}

static void a_login_may_arrive_byte_by_byte(void **)
{
    struct buffer script = {0};
    struct peer peer;

    put_authentication(&script, 0, NULL, 0);
    put_settling(&script);
    peer_begin(&peer, &clear_plan);
    for (size_t i = 0; i < buffer_size(&script); i++) {
        assert_int_equal(peer.status, LOGIN_MORE);
        peer_send(&peer, buffer_bytes(&script) + i, 1);
    }
    assert_int_equal(peer.status, LOGIN_READY);
    expect_facts(peer.login);
    peer_end(&peer);
    buffer_done(&script);
}

static void what_follows_the_login_is_left_in_the_stream(void **)
{
    struct buffer script = {0};
    struct peer peer;
    char rest[64];

    put_authentication(&script, 0, NULL, 0);
    put_settling(&script);
    assert_true(buffer_append(&script, "A notification", 14));
    peer_begin(&peer, &clear_plan);
    peer_send_buffer(&peer, &script);
    assert_int_equal(peer.status, LOGIN_READY);
    assert_true(peer.stream.may_read);
    assert_int_equal(stream_read(&peer.stream, rest, sizeof rest), 14);
    assert_memory_equal(rest, "A notification", 14);
    peer_end(&peer);
}

static void the_startup_packet_says_who_and_what(void **)
{
    const struct startup_parameter parameters[] = {{"application_name", "x"}, {"TimeZone", "UTC"}};
    static const bool wants[] = {false, true};

    for (size_t i = 0; i < 2; i++) {
        struct login_plan plan = clear_plan;
        struct startup startup;
        struct error err = {0};
        struct peer peer;
        size_t consumed;

        plan.parameters = parameters;
        plan.parameter_count = 2;
        plan.wants_3_2 = wants[i];
        peer_begin(&peer, &plan);
        peer_take(&peer);
        assert_int_equal(startup_read(peer.sent, peer.sent_size, &startup, &consumed, &err),
                         STARTUP_OK);
        assert_int_equal(consumed, peer.sent_size);
        assert_int_equal(startup.version, wants[i] ? STARTUP_VERSION_3_2 : STARTUP_VERSION_3_0);
        assert_string_equal(startup.user, "ann");
        assert_string_equal(startup.database, "shop");
        assert_int_equal(startup.parameter_count, 2);
        assert_string_equal(startup.parameters[1].value, "UTC");
        peer_end(&peer);
    }
}

static void a_packet_that_no_server_takes_is_not_sent(void **)
{
    static char value[STARTUP_PACKET_MAX];
    const struct startup_parameter parameters[] = {{"application_name", value}};
    struct login_plan plan = clear_plan;
    struct peer peer;

    memset(value, 'x', sizeof value - 1);
    plan.parameters = parameters;
    plan.parameter_count = 1;
    peer_begin(&peer, &plan);
    assert_int_equal(peer.status, LOGIN_FAILED);
    assert_string_equal(peer.err.sqlstate, "54000");
    peer_end(&peer);
}

/* ---- each state ---- */

static const struct credential plain = {.kind = CREDENTIAL_PLAIN, .text = "secret"};

enum { NO_REQUEST = 99 };

/* What leads into a state, and the types of the messages that are legal there. */
static const struct {
    const char *name;
    uint32_t request;     /* authentication; NO_REQUEST: none */
    const char *messages; /* but authentication requests */
    const char *requests; /* '0'…'d': 0…13 */
} states[] = {
    {"started", NO_REQUEST, "NES", "035a"},
    {"password sent", 3, "NES", "0"},
    {"password sent as MD5", 5, "NES", "0"},
    {"SASL begun", 10, "NES", "b"},
    {"settling", 0, "SKZNE", ""},
};

static void put_request(struct buffer *out, uint32_t code)
{
    static const char mechanisms[] = "SCRAM-SHA-256\0";

    size_t size = code == 5 ? 4 : code == 10 ? sizeof mechanisms : 0;
    put_authentication(out, code, code == 5 ? "salt" : mechanisms, size);
}

static void lead_into(struct peer *peer, size_t state)
{
    struct login_plan plan = clear_plan;
    struct buffer script = {0};

    plan.credential = &plain;
    plan.is_local = true;
    peer_begin(peer, &plan);
    if (states[state].request != NO_REQUEST) {
        put_request(&script, states[state].request);
        peer_send_buffer(peer, &script);
    }
    assert_int_equal(peer->status, LOGIN_MORE);
}

static void put_any(struct buffer *out, char type)
{
    switch (type) { /* lint: not an enum */
    case 'E': put_error(out, "FATAL", "53300", "sorry, too many clients already"); break;
    case 'N': put_error(out, "WARNING", "01000", "a warning"); break;
    case 'S': assert_true(message_write_parameter(out, "a", "b")); break;
    case 'K': put_message(out, 'K', "\0\0\0\1keys", 8); break;
    case 'Z': assert_true(message_write_ready(out, 'I')); break;
    default: put_message(out, type, "\0\0\0\0\0\0\0\0", 8); break; /* lint: not an enum */
    }
}

static void messages_that_a_state_does_not_expect_end_the_login(void **)
{
    int refused = 0;

    for (size_t state = 0; state < sizeof states / sizeof states[0]; state++) {
        for (int type = 1; type < 256; type++) {
            struct buffer script = {0};
            struct peer peer;

            if (type == 'R' || strchr(states[state].messages, type) != NULL) {
                continue;
            }
            lead_into(&peer, state);
            put_any(&script, (char)type);
            peer_send_buffer(&peer, &script);
            assert_int_equal(peer.status, LOGIN_FAILED);
            assert_string_equal(peer.err.sqlstate, "08P01");
            assert_non_null(strstr(peer.err.message, "login to n1: "));
            refused++;
            peer_end(&peer);
        }
    }
    assert_true(refused > 1000);
}

static void requests_that_a_state_does_not_expect_end_the_login(void **)
{
    for (size_t state = 0; state < sizeof states / sizeof states[0]; state++) {
        for (uint32_t code = 0; code <= 13; code++) {
            struct buffer script = {0};
            struct peer peer;

            if (strchr(states[state].requests, "0123456789abcd"[code]) != NULL) {
                continue;
            }
            lead_into(&peer, state);
            put_request(&script, code);
            peer_send_buffer(&peer, &script);
            assert_int_equal(peer.status, LOGIN_FAILED);
            bool is_method = state == 0 && code != 11 && code != 12; /* one that we don't have */
            assert_string_equal(peer.err.sqlstate, is_method ? "28000" : "08P01");
            peer_end(&peer);
        }
    }
}

static void an_error_keeps_its_sqlstate_in_every_state(void **)
{
    static const struct {
        const char sqlstate[6], *text;
    } errors[] = {{"53300", "sorry, too many clients already"},
                  {"57P03", "the database system is starting up"},
                  {"28P01", "password authentication failed for user \"ann\""},
                  {"3D000", "database \"shop\" does not exist"}};

    for (size_t state = 0; state < sizeof states / sizeof states[0]; state++) {
        for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
            struct buffer script = {0};
            char message[200];
            struct peer peer;

            lead_into(&peer, state);
            put_error(&script, "FATAL", errors[i].sqlstate, errors[i].text);
            peer_send_buffer(&peer, &script);
            assert_int_equal(peer.status, LOGIN_FAILED);
            assert_string_equal(peer.err.sqlstate, errors[i].sqlstate);
            snprintf(message, sizeof message, "login to n1: %s", errors[i].text);
            assert_string_equal(peer.err.message, message);
            peer_end(&peer);
        }
    }
}

static void a_connection_lost_in_any_state_is_08006(void **)
{
    for (size_t state = 0; state < sizeof states / sizeof states[0]; state++) {
        for (size_t part = 0; part < 8; part++) { /* with a part of a message before it, or none */
            struct peer peer;

            lead_into(&peer, state);
            if (part > 0) {
                peer_send(&peer, "S\0\0\0\x10name", part);
            }
            peer_hang_up(&peer);
            assert_int_equal(peer.status, LOGIN_FAILED);
            assert_string_equal(peer.err.sqlstate, "08006");
            peer_end(&peer);
        }
    }
}

/* ---- malformed, or too much ---- */

static void malformed_messages_end_the_login(void **)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"R\0\0\0\3", 5},                 /* a length below its own size */
        {"R\xff\xff\xff\xff", 5},         /* 4 GB */
        {"R\x3f\xff\xff\xff", 5},         /* the longest that the protocol allows */
        {"S\0\0\x80\x05", 5},             /* one byte more than a login allows */
        {"R\0\0\0\4", 5},                 /* no request in it */
        {"R\0\0\0\x09\0\0\0\0x", 10},     /* AuthenticationOk with something behind it */
        {"R\0\0\0\x0b\0\0\0\5sal", 12},   /* MD5 with 3 bytes of salt */
        {"R\0\0\0\x0d\0\0\0\5salty", 14}, /* and with 5 */
        {"R\0\0\0\x09\0\0\0\3x", 10},     /* cleartext, and something behind it */
        {"R\0\0\0\x08\0\0\0\x0a", 9},     /* SASL without a list */
        {"R\0\0\0\x0b\0\0\0\x0aSCR", 12}, /* a list that does not end */
        {"R\0\0\0\x0a\0\0\0\x0a\0x", 11}, /* a list that ends twice */
        {"S\0\0\0\4", 5},                 /* no name */
        {"S\0\0\0\6ab", 7},               /* no zero */
        {"S\0\0\0\7a\0b", 8},             /* no zero behind the value */
        {"S\0\0\0\7\0b\0", 8},            /* an empty name */
        {"S\0\0\0\x09"
         "a\0b\0x",
         10},                               /* and something behind it */
        {"E\0\0\0\5S", 6},                  /* a field without text */
        {"E\0\0\0\4", 5},                   /* an error without fields and their end */
        {"v\0\0\0\x0c\0\3\0\0\0\0\0\0", 13} /* negotiates 3.0, which we asked for */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct login_plan plan = clear_plan;
        struct peer peer;

        plan.credential = &plain;
        plan.is_local = true;
        peer_begin(&peer, &plan);
        peer_send(&peer, cases[i].bytes, cases[i].size);
        assert_int_equal(peer.status, LOGIN_FAILED);
        assert_string_equal(peer.err.sqlstate, "08P01");
        peer_end(&peer);
    }
}

static void settle_with(struct peer *peer, const char *message, size_t size)
{
    struct buffer script = {0};

    peer_begin(peer, &clear_plan);
    put_authentication(&script, 0, NULL, 0);
    assert_true(buffer_append(&script, message, size));
    assert_true(message_write_ready(&script, 'I'));
    peer_send_buffer(peer, &script);
}

static void cancel_keys_have_4_to_256_bytes(void **)
{
    static const struct {
        size_t size;
        enum login_status status;
    } cases[] = {{0, LOGIN_FAILED}, {3, LOGIN_FAILED},  {4, LOGIN_READY},
                 {32, LOGIN_READY}, {256, LOGIN_READY}, {257, LOGIN_FAILED}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[4 + 257] = "\0\0\0\7";
        struct buffer script = {0};
        struct peer peer;

        memset(body + 4, 'k', sizeof body - 4);
        put_message(&script, 'K', body, 4 + cases[i].size);
        settle_with(&peer, buffer_bytes(&script), buffer_size(&script));
        assert_int_equal(peer.status, cases[i].status);
        if (peer.status == LOGIN_READY) {
            assert_int_equal(login_result(peer.login)->pid, 7);
            assert_int_equal(login_result(peer.login)->key_size, cases[i].size);
            assert_memory_equal(login_result(peer.login)->key, body + 4, cases[i].size);
        }
        peer_end(&peer);
        buffer_done(&script);
    }
}

static void a_server_without_cancel_keys_is_taken(void **)
{
    struct peer peer;

    settle_with(&peer, NULL, 0);
    assert_int_equal(peer.status, LOGIN_READY);
    assert_int_equal(login_result(peer.login)->key_size, 0);
    assert_int_equal(login_result(peer.login)->parameter_count, 0);
    peer_end(&peer);
}

static void a_session_that_begins_in_a_transaction_is_refused(void **)
{
    static const char states_of_it[] = "TEx";

    for (size_t i = 0; i < 3; i++) {
        struct buffer script = {0};
        struct peer peer;

        peer_begin(&peer, &clear_plan);
        put_authentication(&script, 0, NULL, 0);
        assert_true(message_write_ready(&script, states_of_it[i]));
        peer_send_buffer(&peer, &script);
        assert_int_equal(peer.status, LOGIN_FAILED);
        assert_string_equal(peer.err.sqlstate, "08P01");
        peer_end(&peer);
    }
}

static void parameters_are_limited_in_number(void **)
{
    for (int count = STARTUP_PARAMETER_MAX; count <= STARTUP_PARAMETER_MAX + 1; count++) {
        struct buffer script = {0};
        struct peer peer;
        char name[20];

        for (int i = 0; i < count; i++) {
            snprintf(name, sizeof name, "name%d", i);
            assert_true(message_write_parameter(&script, name, "value"));
        }
        settle_with(&peer, buffer_bytes(&script), buffer_size(&script));
        bool fits = count == STARTUP_PARAMETER_MAX;
        assert_int_equal(peer.status, fits ? LOGIN_READY : LOGIN_FAILED);
        assert_string_equal(peer.err.sqlstate, fits ? "" : "54000");
        peer_end(&peer);
        buffer_done(&script);
    }
}

static void parameters_are_limited_in_bytes(void **)
{
    static char value[20000];
    struct buffer script = {0};
    struct peer peer;

    memset(value, 'v', sizeof value - 1);
    for (int i = 0; i < 4; i++) { /* the same one: what it was before is kept, too */
        assert_true(message_write_parameter(&script, "name", value));
    }
    settle_with(&peer, buffer_bytes(&script), buffer_size(&script));
    assert_int_equal(peer.status, LOGIN_FAILED);
    assert_string_equal(peer.err.sqlstate, "54000");
    peer_end(&peer);
    buffer_done(&script);
}

static void an_error_without_sense_is_told_as_well_as_can_be(void **)
{
    static const struct {
        const char *fields; /* a | for each zero */
        const char *sqlstate, *message, *hint;
    } cases[] = {
        {"SFATAL|C57P03|Mno|Hwait||", "57P03", "login to n1: no", "wait"},
        {"SFATAL|Mno||", "08P01", "login to n1: no", ""},
        {"SFATAL|C57P3|Mno||", "08P01", "login to n1: no", ""},
        {"SFATAL|C5\n7P3|Mno||", "08P01", "login to n1: no", ""},
        {"C57P03||", "57P03", "login to n1: the server refused without a reason", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer script = {0};
        char body[64];
        struct peer peer;

        snprintf(body, sizeof body, "%s", cases[i].fields);
        for (char *bar = body; (bar = strchr(bar, '|')) != NULL;) {
            *bar = '\0';
            bar++;
        }
        peer_begin(&peer, &clear_plan);
        put_message(&script, 'E', body, strlen(cases[i].fields));
        peer_send_buffer(&peer, &script);
        assert_int_equal(peer.status, LOGIN_FAILED);
        assert_string_equal(peer.err.sqlstate, cases[i].sqlstate);
        assert_string_equal(peer.err.message, cases[i].message);
        assert_string_equal(peer.err.hint, cases[i].hint);
        peer_end(&peer);
    }
}

static void only_what_was_asked_for_is_negotiated(void **)
{
    static const struct {
        uint32_t version, options;
        enum login_status status;
    } cases[] = {{STARTUP_VERSION_3_0, 0, LOGIN_READY},
                 {STARTUP_VERSION_3_2, 0, LOGIN_FAILED},
                 {STARTUP_VERSION_3_0, 1, LOGIN_FAILED},
                 {(3 << 16) + 1, 0, LOGIN_FAILED},
                 {2 << 16, 0, LOGIN_FAILED},
                 {(3 << 16) + 3, 0, LOGIN_FAILED}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct login_plan plan = clear_plan;
        struct buffer script = {0};
        struct peer peer;

        plan.wants_3_2 = true;
        peer_begin(&peer, &plan);
        struct message_writer writer = message_begin(&script, 'v');
        message_put_u32(&writer, cases[i].version);
        message_put_u32(&writer, cases[i].options);
        assert_true(message_end(&writer));
        put_authentication(&script, 0, NULL, 0);
        assert_true(message_write_ready(&script, 'I'));
        peer_send_buffer(&peer, &script);
        assert_int_equal(peer.status, cases[i].status);
        if (peer.status == LOGIN_READY) {
            assert_int_equal(login_result(peer.login)->version, STARTUP_VERSION_3_0);
        }
        peer_end(&peer);
    }
}

/* ---- sslmode ---- */

static struct tls_context *client_context(void)
{
    const struct tls_files files = {"", "", "", "", "TLSv1.2", ""};
    struct error err = {0};
    struct tls_context *context = tls_client(&files, TLS_PREFER, &err);

    assert_string_equal(err.message, "");
    return context;
}

static void the_answer_to_the_request_for_tls_decides(void **)
{
    static const struct {
        enum tls_mode mode;
        const char *answer;
        enum login_status status;
        const char *sqlstate, *text;
        bool has_other;
    } cases[] = {
        {TLS_PREFER, "N", LOGIN_MORE, "", "", false},
        {TLS_REQUIRE, "N", LOGIN_FAILED, "08001", "has no TLS, which is required", false},
        {TLS_PREFER, "E", LOGIN_FAILED, "08001", "with an error", true},
        {TLS_REQUIRE, "E", LOGIN_FAILED, "08001", "with an error", false},
        {TLS_PREFER, "Sx", LOGIN_FAILED, "08P01", "in clear", false},
        {TLS_REQUIRE, "S\x16\x03\x01", LOGIN_FAILED, "08P01", "in clear", false},
        {TLS_PREFER, "H", LOGIN_FAILED, "08P01", "no PostgreSQL", false},
        {TLS_PREFER, "S", LOGIN_MORE, "", "", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct login_plan plan = clear_plan;
        enum tls_mode other = TLS_ALLOW;
        struct peer peer;

        plan.tls_mode = cases[i].mode;
        plan.tls = client_context();
        peer_begin(&peer, &plan);
        peer_take(&peer);
        assert_int_equal(peer.sent_size, 8);
        assert_memory_equal(peer.sent, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
        peer_send(&peer, cases[i].answer, strlen(cases[i].answer));
        assert_int_equal(peer.status, cases[i].status);
        assert_string_equal(peer.err.sqlstate, cases[i].sqlstate);
        assert_non_null(strstr(peer.err.message, cases[i].text));
        assert_int_equal(login_other_mode(peer.login, &other), cases[i].has_other);
        assert_int_equal(other, cases[i].has_other ? TLS_DISABLE : TLS_ALLOW);
        peer_end(&peer);
        tls_release(plan.tls);
    }
}

static void an_answer_before_the_request_does_no_harm(void **)
{
    static const char answers[] = "SNEx";

    for (size_t i = 0; i < 4; i++) {
        struct login_plan plan = clear_plan;
        struct peer peer;

        plan.tls_mode = TLS_REQUIRE;
        plan.tls = client_context();
        peer_begin(&peer, &clear_plan); /* only for its sockets */
        login_destroy(peer.login);
        peer.login = login_create(&peer.stream, &plan);
        peer_send(&peer, &answers[i], 1);
        assert_int_equal(peer.status, answers[i] == 'S' ? LOGIN_MORE : LOGIN_FAILED);
        peer_end(&peer);
        tls_release(plan.tls);
    }
}

static void a_failed_handshake_may_be_tried_in_clear_with_prefer_only(void **)
{
    static const enum tls_mode modes[] = {TLS_PREFER, TLS_REQUIRE};

    for (size_t i = 0; i < 2; i++) {
        struct login_plan plan = clear_plan;
        enum tls_mode other = TLS_ALLOW;
        struct peer peer;

        plan.tls_mode = modes[i];
        plan.tls = client_context();
        peer_begin(&peer, &plan);
        peer_send(&peer, "S", 1);
        loop_turn(peer.loop, 0);
        peer_send(&peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
        loop_turn(peer.loop, 0);
        assert_int_equal(peer.status, LOGIN_FAILED);
        assert_string_equal(peer.err.sqlstate, "08001");
        assert_non_null(strstr(peer.err.message, "login to n1: the TLS handshake failed: "));
        assert_int_equal(login_other_mode(peer.login, &other), modes[i] == TLS_PREFER);
        peer_end(&peer);
        tls_release(plan.tls);
    }
}

static void a_refusal_in_clear_may_be_tried_with_tls_with_allow_only(void **)
{
    static const struct {
        enum tls_mode mode;
        bool is_local;
        const char sqlstate[6];
        bool has_other;
    } cases[] = {{TLS_ALLOW, false, "28000", true},    {TLS_ALLOW, false, "28P01", true},
                 {TLS_ALLOW, false, "53300", false},   {TLS_ALLOW, false, "57P03", false},
                 {TLS_ALLOW, true, "28000", false},    {TLS_DISABLE, false, "28000", false},
                 {TLS_VERIFY_CA, true, "28000", false}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct login_plan plan = clear_plan;
        struct buffer script = {0};
        enum tls_mode other = TLS_PREFER;
        struct peer peer;

        plan.tls_mode = cases[i].mode;
        plan.is_local = cases[i].is_local;
        plan.tls = client_context();
        peer_begin(&peer, &plan);
        put_error(&script, "FATAL", cases[i].sqlstate, "no pg_hba.conf entry");
        peer_send_buffer(&peer, &script);
        assert_int_equal(peer.status, LOGIN_FAILED);
        assert_int_equal(login_other_mode(peer.login, &other), cases[i].has_other);
        assert_int_equal(other, cases[i].has_other ? TLS_REQUIRE : TLS_PREFER);
        peer_end(&peer);
        tls_release(plan.tls);
    }
}

static void after_authentication_the_mode_changes_nothing(void **)
{
    struct login_plan plan = clear_plan;
    struct buffer script = {0};
    enum tls_mode other;
    struct peer peer;

    plan.tls_mode = TLS_ALLOW;
    plan.tls = client_context();
    peer_begin(&peer, &plan);
    put_authentication(&script, 0, NULL, 0);
    put_error(&script, "FATAL", "28000", "role \"ann\" is not permitted to log in");
    peer_send_buffer(&peer, &script);
    assert_int_equal(peer.status, LOGIN_FAILED);
    assert_false(login_other_mode(peer.login, &other));
    peer_end(&peer);
    tls_release(plan.tls);
}

/* ---- passwords ---- */

static void a_password_in_clear_goes_over_a_local_socket_only(void **)
{
    for (int is_local = 0; is_local <= 1; is_local++) {
        struct login_plan plan = clear_plan;
        struct buffer script = {0};
        enum tls_mode other = TLS_PREFER;
        struct peer peer;

        plan.credential = &plain;
        plan.is_local = is_local != 0;
        plan.tls_mode = TLS_ALLOW;
        plan.tls = client_context();
        peer_begin(&peer, &plan);
        peer_take(&peer);
        put_authentication(&script, 3, NULL, 0);
        peer_send_buffer(&peer, &script);
        peer_take(&peer);
        assert_int_equal(peer.status, is_local ? LOGIN_MORE : LOGIN_FAILED);
        assert_int_equal(peer.sent_size, is_local ? 12 : 0);
        assert_memory_equal(peer.sent, "p\0\0\0\x0bsecret", peer.sent_size);
        assert_string_equal(peer.err.sqlstate, is_local ? "" : "28000");
        assert_null(strstr(peer.err.message, "secret"));
        assert_int_equal(login_other_mode(peer.login, &other), !is_local);
        peer_end(&peer);
        tls_release(plan.tls);
    }
}

static void a_sent_password_stays_in_no_buffer(void **)
{
    struct login_plan plan = clear_plan;
    struct buffer script = {0}, next;
    struct peer peer;

    plan.credential = &plain;
    plan.is_local = true;
    peer_begin(&peer, &plan);
    put_authentication(&script, 3, NULL, 0);
    peer_send_buffer(&peer, &script);
    put_authentication(&script, 0, NULL, 0);
    put_settling(&script);
    peer_send_buffer(&peer, &script);
    assert_int_equal(peer.status, LOGIN_READY);
    assert_false(stream_out(&peer.stream)->is_secret);
    int blocks = 0;
    for (; loop_buffers(peer.loop)->count > 0; blocks++) {
        buffer_init(&next, loop_buffers(peer.loop));
        const char *room = buffer_reserve(&next, BUFFER_BLOCK_SIZE);
        assert_null(memmem(room, BUFFER_BLOCK_SIZE, "ecret", 5));
        next.pool = NULL;
        buffer_done(&next);
    }
    assert_true(blocks > 0);
    peer_end(&peer);
}

static void a_server_that_skips_its_proof_is_refused(void **)
{
    struct buffer script = {0};
    struct peer peer;

    lead_into(&peer, 3);
    put_authentication(&script, 0, NULL, 0);
    put_settling(&script);
    peer_send_buffer(&peer, &script);
    assert_int_equal(peer.status, LOGIN_FAILED);
    assert_string_equal(peer.err.sqlstate, "08P01");
    assert_string_equal(peer.err.message, "login to n1: unexpected authentication request 0");
    peer_end(&peer);
}

/* How far a SCRAM login goes, played by a server that knows `secret`; `break_at`: which of its
 * messages is spoilt, 0: none. */
static void scram_login(struct peer *peer, const struct credential *credential,
                        const struct scram_secret *secret, int break_at)
{
    static const char mechanisms[] = "SCRAM-SHA-256\0";
    static const unsigned char nonce[SCRAM_NONCE_SIZE] = "a nonce of 18 byte";
    struct login_plan plan = clear_plan;
    struct scram_server server;
    struct buffer script = {0};
    char answer[SCRAM_TEXT_MAX];
    struct error err = {0};

    plan.credential = credential;
    peer_begin(peer, &plan);
    peer_take(peer);
    put_authentication(&script, 10, mechanisms, sizeof mechanisms);
    peer_send_buffer(peer, &script);
    peer_take(peer);
    if (peer->status == LOGIN_FAILED) {
        return;
    }
    size_t head = 5 + sizeof "SCRAM-SHA-256" + 4;
    assert_memory_equal(peer->sent + 5, "SCRAM-SHA-256", sizeof "SCRAM-SHA-256");
    assert_int_equal(message_get_u32(peer->sent + head - 4), peer->sent_size - head);
    scram_server_begin(&server, secret, NULL, 0, false);
    assert_true(scram_server_first(&server, peer->sent + head, peer->sent_size - head, nonce,
                                   answer, sizeof answer, &err));
    answer[2] ^= break_at == 1 ? 1 : 0; /* the nonce: not the client's any more */
    put_authentication(&script, 11, answer, strlen(answer));
    peer_send_buffer(peer, &script);
    peer_take(peer);
    if (peer->status == LOGIN_MORE &&
        scram_server_final(&server, peer->sent + 5, peer->sent_size - 5, answer, sizeof answer,
                           &err)) {
        answer[5] = break_at == 2 ? (answer[5] == 'A' ? 'B' : 'A') : answer[5];
        put_authentication(&script, 12, answer, strlen(answer));
        put_authentication(&script, 0, NULL, 0);
        put_settling(&script);
        peer_send_buffer(peer, &script);
    }
    scram_server_done(&server);
}

static void scram_goes_with_a_password_or_a_client_key_that_fits(void **)
{
    static const unsigned char salt[16] = "a salt of 16 byt", salt2[16] = "another salt ...";
    struct credential pass_through = {.kind = CREDENTIAL_SCRAM}, keyless, others = pass_through;
    struct scram_secret secret;

    assert_true(scram_secret_make("secret", salt, sizeof salt, 4096, &secret));
    pass_through.scram = secret;
    keyless = pass_through;
    keyless.scram.has_client_key = false;
    assert_true(scram_secret_make("secret", salt2, sizeof salt2, 4096, &others.scram));
    const struct {
        const struct credential *credential;
        int break_at;
        enum login_status status;
        const char *sqlstate;
        bool has_hint;
    } cases[] = {
        {&plain, 0, LOGIN_READY, "", false},
        {&pass_through, 0, LOGIN_READY, "", false},
        {&keyless, 0, LOGIN_FAILED, "28000", true},
        {&others, 0, LOGIN_FAILED, "28000", true},
        {&plain, 1, LOGIN_FAILED, "08P01", false},
        {&plain, 2, LOGIN_FAILED, "28000", false},
        {&pass_through, 2, LOGIN_FAILED, "28000", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer peer;

        scram_login(&peer, cases[i].credential, &secret, cases[i].break_at);
        assert_int_equal(peer.status, cases[i].status);
        assert_string_equal(peer.err.sqlstate, cases[i].sqlstate);
        assert_int_equal(peer.err.hint[0] != '\0', cases[i].has_hint);
        peer_end(&peer);
    }
}

static void every_state_is_reachable(void **)
{
    uint32_t reached = TO(0);

    for (int pass = 0; pass < login_machine.state_count; pass++) {
        for (int i = 0; i < login_machine.state_count * login_machine.input_count; i++) {
            if (reached & TO(i / login_machine.input_count)) {
                reached |= login_machine.rules[i].may_lead_to;
            }
        }
    }
    assert_int_equal(reached, TO(login_machine.state_count) - 1);
}

int main(int argc, char **)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_may_arrive_in_two_parts_cut_anywhere),
        cmocka_unit_test(a_login_may_arrive_byte_by_byte),
        cmocka_unit_test(what_follows_the_login_is_left_in_the_stream),
        cmocka_unit_test(the_startup_packet_says_who_and_what),
        cmocka_unit_test(a_packet_that_no_server_takes_is_not_sent),
        cmocka_unit_test(messages_that_a_state_does_not_expect_end_the_login),
        cmocka_unit_test(requests_that_a_state_does_not_expect_end_the_login),
        cmocka_unit_test(an_error_keeps_its_sqlstate_in_every_state),
        cmocka_unit_test(a_connection_lost_in_any_state_is_08006),
        cmocka_unit_test(malformed_messages_end_the_login),
        cmocka_unit_test(cancel_keys_have_4_to_256_bytes),
        cmocka_unit_test(a_server_without_cancel_keys_is_taken),
        cmocka_unit_test(a_session_that_begins_in_a_transaction_is_refused),
        cmocka_unit_test(parameters_are_limited_in_number),
        cmocka_unit_test(parameters_are_limited_in_bytes),
        cmocka_unit_test(an_error_without_sense_is_told_as_well_as_can_be),
        cmocka_unit_test(only_what_was_asked_for_is_negotiated),
        cmocka_unit_test(the_answer_to_the_request_for_tls_decides),
        cmocka_unit_test(an_answer_before_the_request_does_no_harm),
        cmocka_unit_test(a_failed_handshake_may_be_tried_in_clear_with_prefer_only),
        cmocka_unit_test(a_refusal_in_clear_may_be_tried_with_tls_with_allow_only),
        cmocka_unit_test(after_authentication_the_mode_changes_nothing),
        cmocka_unit_test(a_password_in_clear_goes_over_a_local_socket_only),
        cmocka_unit_test(a_sent_password_stays_in_no_buffer),
        cmocka_unit_test(a_server_that_skips_its_proof_is_refused),
        cmocka_unit_test(scram_goes_with_a_password_or_a_client_key_that_fits),
        cmocka_unit_test(every_state_is_reachable),
    };
    if (argc > 1) { /* --draw: prints docs/machines/login.mmd */
        machine_draw(&login_machine, stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
