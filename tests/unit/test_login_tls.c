/* A login inside of TLS: the channel is bound to the certificate that the server really has. */
#include "login_peer.h"

#include "certificates.h"

struct server {
    struct peer peer;
    struct stream stream; /* the server's end of it, in TLS */
    struct tls_context *server_tls, *client_tls;
};

static void on_stream(void *)
{
    /* the test looks at it */
}

static void settle(struct server *server)
{
    for (int turn = 0; turn < 20; turn++) {
        loop_turn(server->peer.loop, 0);
    }
}

static void server_begin(struct server *server, struct login_plan *plan)
{
    struct certificates certificates;
    char paths[3][CERTIFICATE_PATH_SIZE];
    struct tls_files files = {"", "", "", "", "TLSv1.2", ""};
    struct error err = {0};

    certificates_make(&certificates);
    files.ca = certificate_path(&certificates, "ca.crt", paths[0]);
    server->client_tls = tls_client(&files, TLS_VERIFY_FULL, &err);
    files.ca = "";
    files.certificate = certificate_path(&certificates, "server.crt", paths[1]);
    files.key = certificate_path(&certificates, "server.key", paths[2]);
    server->server_tls = tls_server(&files, &err);
    assert_string_equal(err.message, "");
    certificates_remove(&certificates);

    plan->tls_mode = TLS_VERIFY_FULL;
    plan->tls = server->client_tls;
    peer_begin(&server->peer, plan);
    peer_take(&server->peer);
    peer_send(&server->peer, "S", 1);
    assert_true(
        stream_open(&server->stream, server->peer.loop, server->peer.fd, on_stream, NULL, &err));
    assert_true(stream_start_tls_server(&server->stream, server->server_tls, false, &err));
    settle(server);
    assert_int_equal(server->stream.state, STREAM_OPEN);
}

static void server_end(struct server *server)
{
    stream_close(&server->stream);
    server->peer.fd = -1;
    peer_end(&server->peer);
    tls_release(server->server_tls);
    tls_release(server->client_tls);
}

static size_t receive(struct server *server, char *bytes, size_t size)
{
    ssize_t count = stream_read(&server->stream, bytes, size);
    assert_true(count > 0);
    return (size_t)count;
}

static void answer(struct server *server, struct buffer *message)
{
    assert_true(stream_write(&server->stream, buffer_bytes(message), buffer_size(message)));
    stream_flush(&server->stream);
    buffer_done(message);
    settle(server);
}

/* `flaw`: added to the digest that the server believes in; 0: none. */
static void log_in(struct server *server, int flaw)
{
    static const char mechanisms[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
    static const unsigned char salt[16] = "a salt of 16 byt", nonce[SCRAM_NONCE_SIZE] = "18 bytes";
    enum { HEAD = 5 + sizeof "SCRAM-SHA-256-PLUS" + 4 };
    unsigned char digest[STREAM_DIGEST_MAX];
    char bytes[2048], text[SCRAM_TEXT_MAX];
    struct scram_secret secret;
    struct scram_server scram;
    struct buffer out = {0};
    struct error err = {0};

    (void)receive(server, bytes, sizeof bytes); /* the startup packet */
    put_authentication(&out, 10, mechanisms, sizeof mechanisms);
    answer(server, &out);
    size_t size = receive(server, bytes, sizeof bytes);
    assert_memory_equal(bytes + 5, "SCRAM-SHA-256-PLUS", sizeof "SCRAM-SHA-256-PLUS");
    size_t digest_size = stream_end_point(&server->stream, digest);
    assert_true(digest_size >= 32);
    digest[0] = (unsigned char)(digest[0] + flaw);
    assert_true(scram_secret_make("secret", salt, sizeof salt, 4096, &secret));
    scram_server_begin(&scram, &secret, digest, digest_size, true);
    assert_true(
        scram_server_first(&scram, bytes + HEAD, size - HEAD, nonce, text, sizeof text, &err));
    put_authentication(&out, 11, text, strlen(text));
    answer(server, &out);
    size = receive(server, bytes, sizeof bytes);
    bool is_bound = scram_server_final(&scram, bytes + 5, size - 5, text, sizeof text, &err);
    assert_int_equal(is_bound, flaw == 0);
    if (is_bound) {
        put_authentication(&out, 12, text, strlen(text));
        put_authentication(&out, 0, NULL, 0);
        put_settling(&out);
        answer(server, &out);
    }
    scram_server_done(&scram);
}

static const struct credential plain = {.kind = CREDENTIAL_PLAIN, .text = "secret"};

static void the_channel_is_bound_to_the_servers_certificate(void **)
{
    for (int flaw = 0; flaw <= 1; flaw++) {
        struct login_plan plan = {
            .host = "db.test", .user = "ann", .credential = &plain, .tls_mode = TLS_REQUIRE};
        struct server server;

        server_begin(&server, &plan);
        log_in(&server, flaw);
        assert_int_equal(server.peer.status, flaw == 0 ? LOGIN_READY : LOGIN_MORE);
        if (flaw == 0) {
            assert_int_equal(login_result(server.peer.login)->pid, 0x1234);
        }
        server_end(&server);
    }
}

static void a_password_may_go_in_clear_inside_of_tls(void **)
{
    struct login_plan plan = {.host = "db.test", .user = "ann", .credential = &plain};
    struct buffer out = {0};
    struct server server;
    char bytes[2048];

    server_begin(&server, &plan);
    (void)receive(&server, bytes, sizeof bytes);
    put_authentication(&out, 3, NULL, 0);
    answer(&server, &out);
    assert_int_equal(receive(&server, bytes, sizeof bytes), 12);
    assert_memory_equal(bytes, "p\0\0\0\x0bsecret", 12);
    put_authentication(&out, 0, NULL, 0);
    put_settling(&out);
    assert_true(buffer_append(&out, "more", 4));
    answer(&server, &out);
    assert_int_equal(server.peer.status, LOGIN_READY);
    assert_int_equal(stream_read(&server.peer.stream, bytes, sizeof bytes), 4); /* is still there */
    server_end(&server);
}

static void a_server_that_cuts_tls_off_is_lost(void **)
{
    struct login_plan plan = {.host = "db.test", .user = "ann", .credential = &plain};
    enum tls_mode other;
    struct server server;

    server_begin(&server, &plan);
    shutdown(server.stream.source.fd, SHUT_RDWR);
    settle(&server);
    assert_int_equal(server.peer.status, LOGIN_FAILED);
    assert_string_equal(server.peer.err.sqlstate, "08006");
    assert_false(login_other_mode(server.peer.login, &other));
    server_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_channel_is_bound_to_the_servers_certificate),
        cmocka_unit_test(a_password_may_go_in_clear_inside_of_tls),
        cmocka_unit_test(a_server_that_cuts_tls_off_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
