/* A stream in TLS keeps a stream's promises, and lets in only whom it should. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "certificates.h"
#include "net/tls.h"
#include "net_pair.h"

static struct certificates certificates; /* of the whole program: made once */

static int make(void **)
{
    certificates_make(&certificates);
    return 0;
}

static int clean(void **)
{
    certificates_remove(&certificates);
    return 0;
}

/* Names of files without directory and suffix; NULL: none. */
struct identity {
    const char *name, *ca, *crl, *protocol_min;
};

static struct tls_context *context_make(bool is_server, const struct identity *identity,
                                        enum tls_mode mode, struct error *err)
{
    char paths[4][CERTIFICATE_PATH_SIZE] = {"", "", "", ""};
    char file[64];
    struct tls_files files = {paths[0], paths[1], paths[2], paths[3], identity->protocol_min, ""};

    if (identity->name != NULL) {
        (void)snprintf(file, sizeof file, "%s.crt", identity->name);
        (void)certificate_path(&certificates, file, paths[0]);
        (void)snprintf(file, sizeof file, "%s.key", identity->name);
        (void)certificate_path(&certificates, file, paths[1]);
    }
    if (identity->ca != NULL) {
        (void)snprintf(file, sizeof file, "%s.crt", identity->ca);
        (void)certificate_path(&certificates, file, paths[2]);
    }
    if (identity->crl != NULL) {
        (void)snprintf(file, sizeof file, "%s.crl", identity->crl);
        (void)certificate_path(&certificates, file, paths[3]);
    }
    return is_server ? tls_server(&files, err) : tls_client(&files, mode, err);
}

static bool has_shaken(const struct pair *pair)
{
    return pair->client.stream.state != STREAM_SHAKING &&
           pair->server.stream.state != STREAM_SHAKING;
}

struct handshake {
    struct identity server, client;
    enum tls_mode mode;
    const char *host;
    bool is_direct;
};

/* Both have shaken, well or not. */
static void shake(struct pair *pair, const struct handshake *handshake, int buffer_size)
{
    struct error err = {0};
    struct tls_context *server = context_make(true, &handshake->server, TLS_REQUIRE, &err);
    struct tls_context *client = context_make(false, &handshake->client, handshake->mode, &err);

    assert_string_equal(err.message, "");
    pair_open(pair, buffer_size);
    assert_true(stream_start_tls_server(&pair->server.stream, server, handshake->is_direct, &err));
    assert_true(stream_start_tls_client(&pair->client.stream, client, handshake->mode,
                                        handshake->host, &err));
    tls_release(server); /* the streams have counted them */
    tls_release(client);
    pair_run(pair, has_shaken);
}

static bool server_has_hello(const struct pair *pair)
{
    return buffer_size(&pair->server.in) == 5;
}

static bool server_has_ended(const struct pair *pair)
{
    return pair->server.stream.is_at_end || pair->server.stream.state == STREAM_FAILED;
}

/* ---- handshakes ---- */

static void bytes_arrive_and_the_facts_are_told(void **)
{
    const struct handshake handshake = {.server = {.name = "server", .ca = "ca"},
                                        .client = {.name = "client", .ca = "ca"},
                                        .mode = TLS_VERIFY_FULL,
                                        .host = "db.test",
                                        .is_direct = true};
    unsigned char digests[2][STREAM_DIGEST_MAX];
    char name[64];
    struct pair pair;

    shake(&pair, &handshake, 0);
    assert_int_equal(pair.client.stream.state, STREAM_OPEN);
    assert_int_equal(pair.server.stream.state, STREAM_OPEN);
    assert_true(pair.client.events > 0);
    assert_true(pair.server.events > 0);
    assert_true(stream_write(&pair.client.stream, "hello", 5));
    stream_flush(&pair.client.stream);
    pair_run(&pair, server_has_hello);
    assert_memory_equal(buffer_bytes(&pair.server.in), "hello", 5);
    assert_true(stream_has_tls(&pair.server.stream));
    assert_string_equal(stream_tls_version(&pair.server.stream), "TLSv1.3");
    assert_int_equal(stream_end_point(&pair.server.stream, digests[0]), 32); /* SHA-256 */
    assert_int_equal(stream_end_point(&pair.client.stream, digests[1]), 32);
    assert_memory_equal(digests[0], digests[1], 32);
    assert_true(stream_peer_name(&pair.server.stream, false, name, sizeof name));
    assert_string_equal(name, "alice");
    assert_true(stream_peer_name(&pair.server.stream, true, name, sizeof name));
    assert_string_equal(name, "CN=alice,O=Reparto");
    assert_false(stream_peer_name(&pair.server.stream, false, name, 5)); /* "alice" and its zero */
    stream_close(&pair.client.stream);
    pair_run(&pair, server_has_ended);
    assert_int_equal(pair.server.stream.state, STREAM_OPEN); /* it said goodbye */
    pair_close(&pair);
}

static void a_client_trusts_as_its_sslmode_says(void **)
{
    const struct {
        struct handshake handshake;
        const char *trouble; /* the client's; NULL: none */
    } cases[] = {
        {{{.name = "server"}, {0}, TLS_REQUIRE, "elsewhere", false}, NULL},
        {{{.name = "expired"}, {0}, TLS_PREFER, NULL, false}, NULL},
        /* libpq: require with a CA is verify-ca */
        {{{.name = "server"}, {.ca = "ca"}, TLS_REQUIRE, "elsewhere", false}, NULL},
        {{{.name = "stranger"}, {.ca = "ca"}, TLS_REQUIRE, "db.test", false},
         "unable to get local issuer certificate"},
        {{{.name = "stranger"}, {.ca = "ca"}, TLS_VERIFY_CA, "db.test", false},
         "unable to get local issuer certificate"},
        {{{.name = "stranger"}, {.ca = "ca"}, TLS_PREFER, "db.test", false}, NULL},
        {{{.name = "server"}, {.ca = "ca"}, TLS_VERIFY_CA, "elsewhere", false}, NULL},
        {{{.name = "server"}, {.ca = "ca"}, TLS_VERIFY_CA, "127.0.0.9", false}, NULL},
        {{{.name = "server"}, {.ca = "ca"}, TLS_VERIFY_FULL, "db.test", false}, NULL},
        {{{.name = "server"}, {.ca = "ca"}, TLS_VERIFY_FULL, "DB.TEST", false}, NULL},
        {{{.name = "server"}, {.ca = "ca"}, TLS_VERIFY_FULL, "a.wild.test", false}, NULL},
        {{{.name = "server"}, {.ca = "ca"}, TLS_VERIFY_FULL, "a.b.wild.test", false},
         "hostname mismatch"},
        {{{.name = "server"}, {.ca = "ca"}, TLS_VERIFY_FULL, "elsewhere", false},
         "hostname mismatch"},
        {{{.name = "server"}, {.ca = "ca"}, TLS_VERIFY_FULL, "127.0.0.1", false}, NULL},
        {{{.name = "server"}, {.ca = "ca"}, TLS_VERIFY_FULL, "127.0.0.2", false},
         "IP address mismatch"},
        {{{.name = "address"}, {.ca = "ca"}, TLS_VERIFY_FULL, "127.0.0.1", false}, NULL},
        {{{.name = "address"}, {.ca = "ca"}, TLS_VERIFY_FULL, "127.0.0.2", false},
         "IP address mismatch"},
        {{{.name = "expired"}, {.ca = "ca"}, TLS_VERIFY_CA, "db.test", false},
         "certificate has expired"},
        {{{.name = "revoked"}, {.ca = "ca"}, TLS_VERIFY_CA, "db.test", false}, NULL},
        {{{.name = "revoked"}, {.ca = "ca", .crl = "ca"}, TLS_VERIFY_CA, "db.test", false},
         "certificate revoked"},
        {{{.name = "server"}, {.ca = "ca", .crl = "ca"}, TLS_VERIFY_FULL, "db.test", false}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair pair;
        shake(&pair, &cases[i].handshake, 0);
        if (cases[i].trouble == NULL) {
            assert_string_equal(stream_error(&pair.client.stream), "no error");
            assert_int_equal(pair.client.stream.state, STREAM_OPEN);
        } else {
            assert_int_equal(pair.client.stream.state, STREAM_FAILED);
            assert_string_equal(stream_error(&pair.client.stream), cases[i].trouble);
            assert_int_equal(pair.server.stream.state, STREAM_FAILED); /* the alert came */
        }
        assert_true(pair.client.events > 0);
        pair_close(&pair);
    }
}

static void a_server_takes_no_certificate_or_one_of_its_authority(void **)
{
    const struct {
        const char *server_ca, *client;
        const char *name;    /* that the server knows the client by; NULL: none */
        const char *trouble; /* the server's */
    } cases[] = {
        {NULL, NULL, NULL, NULL},
        {NULL, "client", NULL, NULL}, /* it isn't asked for */
        {"ca", NULL, NULL, NULL},
        {"ca", "client", "alice", NULL},
        {"ca", "stranger", NULL, "unable to get local issuer certificate"},
    };
    static const char *const versions[] = {"TLSv1.2", "TLSv1.3"};
    char name[64];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t j = 0; j < 2; j++) {
            struct pair pair;
            const struct handshake handshake = {
                .server = {.name = "server", .ca = cases[i].server_ca, .protocol_min = versions[j]},
                .client = {.name = cases[i].client, .protocol_min = versions[j]},
                .mode = TLS_REQUIRE};
            shake(&pair, &handshake, 0);
            assert_int_equal(pair.server.stream.state,
                             cases[i].trouble == NULL ? STREAM_OPEN : STREAM_FAILED);
            assert_string_equal(stream_error(&pair.server.stream),
                                cases[i].trouble == NULL ? "no error" : cases[i].trouble);
            assert_int_equal(stream_peer_name(&pair.server.stream, false, name, sizeof name) ? 1
                                                                                             : 0,
                             cases[i].name != NULL ? 1 : 0);
            if (cases[i].name != NULL) {
                assert_string_equal(name, cases[i].name);
            }
            pair_close(&pair);
        }
    }
}

/* A client of OpenSSL's own, to say what ours would not. */
static void raw_hello(struct pair *pair, const unsigned char *protocols, unsigned size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *tls = SSL_new(context);

    if (size > 0) {
        assert_int_equal(SSL_set_alpn_protos(tls, protocols, size), 0);
    }
    SSL_set_fd(tls, pair->client.stream.source.fd);
    SSL_set_connect_state(tls);
    int64_t deadline = clock_now() + 10 * CLOCK_SECOND;
    while (pair->server.stream.state == STREAM_SHAKING) {
        assert_true(clock_now() < deadline);
        (void)SSL_do_handshake(tls);
        loop_turn(pair->loop, clock_now() + 10 * CLOCK_MS);
    }
    SSL_free(tls);
    SSL_CTX_free(context);
}

static void direct_tls_needs_our_protocol_by_alpn(void **)
{
    static const struct {
        const char *protocols;
        bool is_direct;
        const char *trouble;
    } cases[] = {
        {"", false, NULL},
        {"", true, "direct TLS without ALPN"},
        {"\x0apostgresql", true, NULL},
        {"\x02h2\x0apostgresql", true, NULL},
        {"\x02h2", true, "no application protocol"},
        {"\x02h2", false, "no application protocol"},
    };
    const struct identity identity = {.name = "server"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        struct pair pair;
        struct tls_context *context = context_make(true, &identity, TLS_REQUIRE, &err);
        assert_non_null(context);
        pair_open(&pair, 0);
        pair.client.is_lazy = true;
        assert_true(
            stream_start_tls_server(&pair.server.stream, context, cases[i].is_direct, &err));
        tls_release(context);
        raw_hello(&pair, (const unsigned char *)cases[i].protocols,
                  (unsigned)strlen(cases[i].protocols));
        assert_string_equal(stream_error(&pair.server.stream),
                            cases[i].trouble == NULL ? "no error" : cases[i].trouble);
        assert_int_equal(pair.server.stream.state,
                         cases[i].trouble == NULL ? STREAM_OPEN : STREAM_FAILED);
        pair_close(&pair);
    }
}

/* ---- what goes wrong ---- */

static void what_is_not_tls_fails_the_handshake(void **)
{
    static const struct {
        const char *bytes;
        size_t size;
        bool then_ends;
        const char *trouble;
    } cases[] = {
        {"SELECT 1; SELECT 2", 18, false, NULL},
        {"GET / HTTP/1.1\r\n\r\n", 18, false, "http request"},
        {"\0\0\0\x08\x04\xd2\x16\x2f", 8, false, NULL},
        {"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10, false, "length too short"},
        {"\x16\x03\x01", 3, true, "the connection was cut off without TLS's goodbye"},
        {"", 0, true, "the connection was cut off without TLS's goodbye"},
    };
    const struct identity identity = {.name = "server"};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        struct pair pair;
        struct tls_context *context = context_make(true, &identity, TLS_REQUIRE, &err);
        pair_open(&pair, 0);
        assert_true(stream_start_tls_server(&pair.server.stream, context, false, &err));
        tls_release(context);
        assert_int_equal(
            send(pair.client.stream.source.fd, cases[i].bytes, cases[i].size, MSG_NOSIGNAL),
            cases[i].size);
        if (cases[i].then_ends) {
            shutdown(pair.client.stream.source.fd, SHUT_WR);
        }
        pair_run(&pair, has_shaken);
        assert_int_equal(pair.server.stream.state, STREAM_FAILED);
        assert_true(pair.server.events > 0);
        assert_string_not_equal(stream_error(&pair.server.stream), "no error");
        if (cases[i].trouble != NULL) {
            assert_string_equal(stream_error(&pair.server.stream), cases[i].trouble);
        }
        pair_close(&pair);
    }
}

static void a_cut_connection_is_not_an_end(void **)
{
    const struct handshake handshake = {.server = {.name = "server"}, .mode = TLS_REQUIRE};
    struct pair pair;

    shake(&pair, &handshake, 0);
    assert_true(stream_write(&pair.client.stream, "hello", 5));
    stream_flush(&pair.client.stream);
    shutdown(pair.client.stream.source.fd, SHUT_WR);
    pair_run(&pair, server_has_ended);
    assert_memory_equal(buffer_bytes(&pair.server.in), "hello", 5); /* what came before it counts */
    assert_int_equal(pair.server.stream.state, STREAM_FAILED);
    assert_false(pair.server.stream.is_at_end);
    assert_string_equal(stream_error(&pair.server.stream),
                        "the connection was cut off without TLS's goodbye");
    pair_close(&pair);
}

static void what_came_before_the_goodbye_is_read_first(void **)
{
    static const size_t sizes[] = {1, 16384, 16385, SIDE_READ_SIZE, 3UL * SIDE_READ_SIZE};
    const struct handshake handshake = {.server = {.name = "server"}, .mode = TLS_REQUIRE};
    static const char zeros[3UL * SIDE_READ_SIZE];

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pair pair;
        shake(&pair, &handshake, 0);
        assert_true(stream_write(&pair.client.stream, zeros, sizes[i]));
        stream_flush(&pair.client.stream);
        assert_int_equal(stream_pending(&pair.client.stream), 0);
        stream_close(&pair.client.stream);
        pair_run(&pair, server_has_ended);
        assert_int_equal(pair.server.stream.state, STREAM_OPEN);
        assert_int_equal(buffer_size(&pair.server.in), sizes[i]);
        assert_false(pair.server.stream.may_read);
        pair_close(&pair);
    }
}

static void a_reset_is_told_by_its_errno(void **)
{
    const struct handshake handshake = {.server = {.name = "server"}, .mode = TLS_REQUIRE};
    const struct linger abort_it = {.l_onoff = 1};
    struct pair pair;

    shake(&pair, &handshake, 0);
    int fd = pair.client.stream.source.fd;
    loop_unwatch(pair.loop, &pair.client.stream.source);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
    int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(dup3(other, fd, O_CLOEXEC), fd); /* closes the socket: a reset */
    close(other);
    pair_run(&pair, server_has_ended);
    assert_int_equal(pair.server.stream.error, ECONNRESET);
    pair_close(&pair);
}

static void garbage_behind_the_handshake_fails_the_stream(void **)
{
    const struct handshake handshake = {.server = {.name = "server"}, .mode = TLS_REQUIRE};
    const char record[] = "\x17\x03\x03\x00\x20this is no record that decrypts!";
    struct pair pair;

    shake(&pair, &handshake, 0);
    assert_int_equal(send(pair.client.stream.source.fd, record, sizeof record - 1, 0),
                     sizeof record - 1);
    pair_run(&pair, server_has_ended);
    assert_int_equal(pair.server.stream.state, STREAM_FAILED);
    assert_string_equal(stream_error(&pair.server.stream), "decryption failed or bad record mac");
    pair_close(&pair);
}

/* ---- big transfers ---- */

enum { TRANSFER_SIZE = 3000000 };

static char *random_bytes(uint64_t seed)
{
    struct random random;
    char *bytes = malloc(TRANSFER_SIZE);

    assert_non_null(bytes);
    random_init(&random, seed, 0);
    for (size_t i = 0; i < TRANSFER_SIZE; i++) {
        bytes[i] = (char)random_below(&random, 256);
    }
    return bytes;
}

static bool both_have_all(const struct pair *pair)
{
    return buffer_size(&pair->client.in) == TRANSFER_SIZE &&
           buffer_size(&pair->server.in) == TRANSFER_SIZE;
}

/* Writes all of `bytes` in pieces of many sizes; some go directly, some by the buffer. */
static void write_pieces(struct side *side, const char *bytes, uint64_t seed)
{
    struct random random;
    size_t sent = 0;

    random_init(&random, seed, 1);
    while (sent < TRANSFER_SIZE) {
        size_t size = 1 + random_below(&random, 50000);
        size = size < TRANSFER_SIZE - sent ? size : TRANSFER_SIZE - sent;
        assert_true(stream_write(&side->stream, bytes + sent, size));
        if (random_below(&random, 4) == 0) {
            stream_flush(&side->stream);
        }
        sent += size;
    }
    stream_flush(&side->stream);
}

static void much_flows_both_ways_through_small_sockets(void **)
{
    static const int sizes[] = {0, 4096};
    static const char *const versions[] = {"TLSv1.2", "TLSv1.3"};
    char *out[2] = {random_bytes(1), random_bytes(2)};

    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            const struct handshake handshake = {
                .server = {.name = "server", .protocol_min = versions[j]}, .mode = TLS_REQUIRE};
            struct pair pair;
            shake(&pair, &handshake, sizes[i]);
            write_pieces(&pair.client, out[0], 3 + i);
            if (sizes[i] > 0) {
                assert_true(stream_pending(&pair.client.stream) > 0);
            }
            write_pieces(&pair.server, out[1], 5 + i);
            pair_run(&pair, both_have_all);
            assert_int_equal(stream_pending(&pair.client.stream), 0);
            assert_memory_equal(buffer_bytes(&pair.server.in), out[0], TRANSFER_SIZE);
            assert_memory_equal(buffer_bytes(&pair.client.in), out[1], TRANSFER_SIZE);
            pair_close(&pair);
        }
    }
    free(out[0]);
    free(out[1]);
}

static bool server_has_all(const struct pair *pair)
{
    return buffer_size(&pair->server.in) == TRANSFER_SIZE;
}

static void a_reader_that_stopped_goes_on_without_an_event(void **)
{
    const struct handshake handshake = {.server = {.name = "server"}, .mode = TLS_REQUIRE};
    char *out = random_bytes(9), first[1000];
    struct pair pair;

    shake(&pair, &handshake, 65536); /* holds whole records: 16 kB can be read at once */
    pair.server.is_lazy = true;
    assert_true(stream_write(&pair.client.stream, out, TRANSFER_SIZE));
    stream_flush(&pair.client.stream);
    pair_settle(&pair);
    assert_true(stream_pending(&pair.client.stream) > 0); /* it waits: back-pressure */
    assert_int_equal(stream_read(&pair.server.stream, first, sizeof first), sizeof first);
    assert_true(pair.server.stream.may_read);
    assert_true(buffer_append(&pair.server.in, first, sizeof first));
    pair.server.is_lazy = false;
    side_read(&pair.server);
    pair_run(&pair, server_has_all);
    assert_memory_equal(buffer_bytes(&pair.server.in), out, TRANSFER_SIZE);
    pair_close(&pair);
    free(out);
}

static void it_goes_to_another_loop_with_all_it_has(void **)
{
    const struct handshake handshake = {.server = {.name = "server"}, .mode = TLS_REQUIRE};
    struct error err = {0};
    char *out = random_bytes(4), first[1000];
    struct pair pair;

    shake(&pair, &handshake, 65536);
    pair.client.is_lazy = true;
    assert_true(stream_write(&pair.client.stream, out, TRANSFER_SIZE));
    stream_flush(&pair.client.stream); /* stops within a record */
    assert_true(stream_write(&pair.server.stream, out, 2000));
    stream_flush(&pair.server.stream);
    pair_settle(&pair);
    assert_int_equal(stream_read(&pair.client.stream, first, sizeof first), sizeof first);
    stream_leave(&pair.client.stream); /* OpenSSL holds the other 1,000 */
    struct loop *second = loop_create(&err);
    assert_non_null(second);
    struct side moved = {.stream = pair.client.stream};
    moved.stream.owner = &moved;
    pair.client.stream = (struct stream){.state = STREAM_CLOSED};
    assert_true(stream_join(&moved.stream, second, &err));
    int64_t deadline = clock_now() + 10 * CLOCK_SECOND;
    while (!server_has_all(&pair) || buffer_size(&moved.in) < 1000) {
        assert_true(clock_now() < deadline);
        loop_turn(second, clock_now() + CLOCK_MS);
        loop_turn(pair.loop, clock_now() + CLOCK_MS);
    }
    assert_memory_equal(buffer_bytes(&pair.server.in), out, TRANSFER_SIZE);
    assert_memory_equal(buffer_bytes(&moved.in), out + 1000, 1000);
    stream_close(&moved.stream);
    buffer_done(&moved.in);
    loop_destroy(second);
    pair_close(&pair);
    free(out);
}

static void it_does_not_start_on_a_stream_that_failed(void **)
{
    const struct linger abort_it = {.l_onoff = 1};
    const struct identity identity = {.name = "server"};
    struct error err = {0};
    struct pair pair;
    struct tls_context *context = context_make(true, &identity, TLS_REQUIRE, &err);

    pair_open(&pair, 0);
    setsockopt(pair.client.stream.source.fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
    stream_close(&pair.client.stream);
    pair_run(&pair, server_has_ended);
    assert_false(stream_start_tls_server(&pair.server.stream, context, false, &err));
    assert_string_equal(err.sqlstate, "08006");
    tls_release(context);
    pair_close(&pair);
}

static void a_client_needs_a_host_to_verify(void **)
{
    const struct identity identity = {.ca = "ca"};
    static const char *const hosts[] = {NULL, ""};
    struct pair pair;

    pair_open(&pair, 0);
    for (size_t i = 0; i < 2; i++) {
        struct error err = {0};
        struct tls_context *context = context_make(false, &identity, TLS_VERIFY_FULL, &err);
        assert_false(
            stream_start_tls_client(&pair.client.stream, context, TLS_VERIFY_FULL, hosts[i], &err));
        assert_string_equal(err.sqlstate, "F0000");
        assert_false(stream_has_tls(&pair.client.stream));
        assert_null(stream_tls_version(&pair.client.stream));
        tls_release(context);
    }
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_and_the_facts_are_told),
        cmocka_unit_test(a_client_trusts_as_its_sslmode_says),
        cmocka_unit_test(a_server_takes_no_certificate_or_one_of_its_authority),
        cmocka_unit_test(direct_tls_needs_our_protocol_by_alpn),
        cmocka_unit_test(what_is_not_tls_fails_the_handshake),
        cmocka_unit_test(a_cut_connection_is_not_an_end),
        cmocka_unit_test(what_came_before_the_goodbye_is_read_first),
        cmocka_unit_test(a_reset_is_told_by_its_errno),
        cmocka_unit_test(garbage_behind_the_handshake_fails_the_stream),
        cmocka_unit_test(much_flows_both_ways_through_small_sockets),
        cmocka_unit_test(it_goes_to_another_loop_with_all_it_has),
        cmocka_unit_test(it_does_not_start_on_a_stream_that_failed),
        cmocka_unit_test(a_client_needs_a_host_to_verify),
        cmocka_unit_test(a_reader_that_stopped_goes_on_without_an_event),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
