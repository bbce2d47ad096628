/* TLS, certificates, Unix users and rules: who gets in by what they are, and who is told what. */
#include "check.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pwd.h>

#include "certificates.h"
#include "greet_guest.h"
#include "session/greet_private.h"
#include "wire/startup.h"

static const char startup[] = "\0\0\0\x14\0\3\0\0user\0alice\0\0";
static const char tls_request[] = "\0\0\0\x08\x04\xd2\x16\x2f";
static const char gss_request[] = "\0\0\0\x08\x04\xd2\x16\x30";
static const char cancel_request[] = "\0\0\0\x10\x04\xd2\x16\x2e\0\0\1\2\xde\xad\xbe\xef";

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

/* `name` and `ca` are files without suffix; NULL: none. */
static struct tls_context *context_make(bool is_server, const char *name, const char *ca)
{
    char paths[3][CERTIFICATE_PATH_SIZE] = {"", "", ""};
    struct tls_files files = {.certificate = paths[0],
                              .key = paths[1],
                              .ca = paths[2],
                              .crl = "",
                              .protocol_min = "TLSv1.2",
                              .ciphers = ""};
    const char *const stems[] = {name, name, ca}, *const suffixes[] = {"crt", "key", "crt"};
    struct error err = {0};

    for (size_t i = 0; i < 3; i++) {
        char file[64];
        if (stems[i] != NULL) {
            snprintf(file, sizeof file, "%s.%s", stems[i], suffixes[i]);
            (void)certificate_path(&certificates, file, paths[i]);
        }
    }
    struct tls_context *context =
        is_server ? tls_server(&files, &err) : tls_client(&files, TLS_REQUIRE, &err);
    assert_string_equal(err.message, "");
    return context;
}

/* How a guest comes. */
enum way { IN_CLEAR, BY_REQUEST, DIRECTLY };

struct visit {
    int64_t tls_mode, auth_type;
    enum way way;
    const char *certificate; /* the guest's; NULL: none */
    const char *told;        /* after the startup packet */
    enum greet_status status;
    bool is_local;
};

static void come(struct guest *guest, const struct visit *visit, const struct hba *hba,
                 const struct sockaddr *address)
{
    struct tls_context *server = context_make(true, "server", "ca");
    struct tls_context *client = context_make(false, visit->certificate, NULL);

    guest_open(guest, &(struct guest_rules){.auth_type = visit->auth_type,
                                            .tls_mode = visit->tls_mode,
                                            .tls = server,
                                            .is_local = visit->is_local,
                                            .hba = hba,
                                            .address = address});
    if (visit->way == BY_REQUEST) {
        guest_send(guest, tls_request, sizeof tls_request - 1);
        assert_string_equal(guest_told(guest), "S");
    }
    if (visit->way != IN_CLEAR) {
        guest_start_tls(guest, client);
        assert_int_equal(guest->client.state, STREAM_OPEN);
    }
    tls_release(server);
    tls_release(client);
}

#define NO_TLS "E28000 connection requires TLS (connect with sslmode=require or higher)"
#define NO_CERTIFICATE "E28000 connection requires a valid client certificate"
#define REJECTED "E28000 auth_type rejects connection for host \"127.0.0.1\", user \"alice\", "

static const struct visit visits[] = {
    {TLS_ALLOW, HBA_TRUST, IN_CLEAR, NULL, "R0", GREET_ACCEPTED, false},
    {TLS_ALLOW, HBA_TRUST, BY_REQUEST, NULL, "R0", GREET_ACCEPTED, false},
    {TLS_ALLOW, HBA_TRUST, DIRECTLY, NULL, "R0", GREET_ACCEPTED, false},
    {TLS_PREFER, HBA_TRUST, IN_CLEAR, NULL, "R0", GREET_ACCEPTED, false},
    {TLS_PREFER, HBA_TRUST, DIRECTLY, "client", "R0", GREET_ACCEPTED, false},
    {TLS_REQUIRE, HBA_TRUST, IN_CLEAR, NULL, NO_TLS, GREET_CLOSED, false},
    {TLS_REQUIRE, HBA_TRUST, IN_CLEAR, NULL, "R0", GREET_ACCEPTED, true},
    {TLS_REQUIRE, HBA_TRUST, BY_REQUEST, NULL, "R0", GREET_ACCEPTED, false},
    {TLS_VERIFY_CA, HBA_TRUST, IN_CLEAR, NULL, NO_TLS, GREET_CLOSED, false},
    {TLS_VERIFY_CA, HBA_TRUST, BY_REQUEST, NULL, NO_CERTIFICATE, GREET_CLOSED, false},
    {TLS_VERIFY_CA, HBA_TRUST, BY_REQUEST, "client", "R0", GREET_ACCEPTED, false},
    {TLS_VERIFY_FULL, HBA_TRUST, DIRECTLY, NULL, NO_CERTIFICATE, GREET_CLOSED, false},
    {TLS_VERIFY_FULL, HBA_TRUST, DIRECTLY, "client", "R0", GREET_ACCEPTED, false},
    {TLS_VERIFY_FULL, HBA_TRUST, IN_CLEAR, NULL, "R0", GREET_ACCEPTED, true},
    {TLS_PREFER, HBA_CERT, IN_CLEAR, NULL, NO_CERTIFICATE, GREET_CLOSED, false},
    {TLS_PREFER, HBA_CERT, BY_REQUEST, NULL, NO_CERTIFICATE, GREET_CLOSED, false},
    {TLS_PREFER, HBA_CERT, BY_REQUEST, "client", "R0", GREET_ACCEPTED, false},
    {TLS_PREFER, HBA_REJECT, IN_CLEAR, NULL, REJECTED "database \"alice\", no encryption",
     GREET_CLOSED, false},
    {TLS_PREFER, HBA_REJECT, BY_REQUEST, NULL, REJECTED "database \"alice\", SSL encryption",
     GREET_CLOSED, false},
    {TLS_PREFER, HBA_REJECT, IN_CLEAR, NULL,
     "E28000 auth_type rejects connection for host \"[local]\", user \"alice\", database "
     "\"alice\", no encryption",
     GREET_CLOSED, true},
    {TLS_PREFER, HBA_PEER, IN_CLEAR, NULL,
     "E28000 peer authentication is only supported on local sockets", GREET_CLOSED, false},
    {TLS_PREFER, HBA_PEER, IN_CLEAR, NULL, "E28000 Peer authentication failed for user \"alice\"",
     GREET_CLOSED, true},
};

static void modes_and_methods_decide(void **)
{
    for (size_t i = 0; i < sizeof visits / sizeof visits[0]; i++) {
        struct guest guest;
        print_message("# %zu\n", i);
        come(&guest, &visits[i], NULL, NULL);
        guest_send(&guest, startup, sizeof startup - 1);
        assert_string_equal(guest_told(&guest), visits[i].told);
        assert_int_equal(guest.status, visits[i].status);
        guest_close(&guest);
    }
}

static void a_certificate_is_its_owner_only(void **)
{
    static const char bob[] = "\0\0\0\x12\0\3\0\0user\0bob\0\0";
    const struct visit visit = {
        .tls_mode = TLS_PREFER, .auth_type = HBA_CERT, .way = BY_REQUEST, .certificate = "client"};
    struct guest guest;

    come(&guest, &visit, NULL, NULL);
    guest_send(&guest, bob, sizeof bob - 1);
    assert_string_equal(guest_told(&guest),
                        "E28000 certificate authentication failed for user \"bob\"");
    assert_int_equal(guest.status, GREET_CLOSED);
    guest_close(&guest);
}

static void log_in(struct guest *guest, const char *user, const char *database)
{
    const struct startup_parameter parameters[] = {{"user", user}, {"database", database}};
    struct buffer out = {0};

    assert_true(startup_write_login(&out, STARTUP_VERSION_3_0, parameters, 2));
    guest_send(guest, buffer_bytes(&out), buffer_size(&out));
    buffer_done(&out);
}

static void the_unix_user_gets_in_as_itself(void **)
{
    const struct passwd *me = getpwuid(geteuid());
    struct guest guest;

    assert_non_null(me);
    guest_open(&guest, &(struct guest_rules){.auth_type = HBA_PEER, .is_local = true});
    log_in(&guest, me->pw_name, "shop");
    assert_string_equal(guest_told(&guest), "R0");
    assert_string_equal(greet_method(guest.greet), "peer");
    assert_int_equal(guest.lookups, 0);
    guest_close(&guest);
}

/* ---- rules ---- */

static const char rule_text[] = "local all all peer map=names\n"
                                "hostssl all alice 127.0.0.1/32 cert\n"
                                "hostssl all carol 127.0.0.1/32 cert map=names\n"
                                "hostssl all dave 127.0.0.1/32 trust clientcert=verify-ca\n"
                                "hostssl all erin 127.0.0.1/32 trust clientcert=verify-full\n"
                                "hostssl all gina 127.0.0.1/32 md5 clientcert=verify-full\n"
                                "hostnossl shop all 127.0.0.1/32 scram-sha-256\n"
                                "host all mallory all reject\n"
                                "host reparto all fd00::/8 trust\n";
static const char map_text[] = "names alice carol\n";

struct ruled {
    const char *user, *database, *certificate, *told;
    enum way way;
    enum greet_status status;
};

#define NO_ENTRY(user, database, tls)                                                              \
    "E28000 no auth_hba_file entry for host \"127.0.0.1\", user \"" user                           \
    "\", database \"" database "\", " tls

static const struct ruled ruled[] = {
    {"alice", "shop", "client", "R0", DIRECTLY, GREET_ACCEPTED},
    {"alice", "shop", NULL, NO_CERTIFICATE, BY_REQUEST, GREET_CLOSED},
    {"bob", "shop", "client", NO_ENTRY("bob", "shop", "SSL encryption"), BY_REQUEST, GREET_CLOSED},
    {"bob", "other", NULL, NO_ENTRY("bob", "other", "no encryption"), IN_CLEAR, GREET_CLOSED},
    {"bob", "shop", NULL, "R10", IN_CLEAR, GREET_MORE},
    {"carol", "shop", "client", "R0", BY_REQUEST, GREET_ACCEPTED},
    {"dave", "shop", NULL, NO_CERTIFICATE, BY_REQUEST, GREET_CLOSED},
    {"dave", "shop", "client", "R0", BY_REQUEST, GREET_ACCEPTED},
    {"erin", "shop", NULL, NO_CERTIFICATE, BY_REQUEST, GREET_CLOSED},
    {"erin", "shop", "client", "E28000 \"trust\" authentication failed for user \"erin\"",
     BY_REQUEST, GREET_CLOSED},
    {"gina", "shop", NULL, NO_CERTIFICATE, BY_REQUEST, GREET_CLOSED},
    {"mallory", "other", NULL,
     "E28000 auth_hba_file rejects connection for host \"127.0.0.1\", user \"mallory\", database "
     "\"other\", no encryption",
     IN_CLEAR, GREET_CLOSED},
};

static struct hba *rules_make(void)
{
    struct error err = {0};
    struct hba *hba = hba_parse(rule_text, sizeof rule_text - 1, "hba", &err);

    assert_string_equal(err.message, "");
    assert_true(hba_parse_map(hba, map_text, sizeof map_text - 1, "map", &err));
    return hba;
}

static void the_rules_decide(void **)
{
    struct hba *hba = rules_make();

    for (size_t i = 0; i < sizeof ruled / sizeof ruled[0]; i++) {
        const struct visit visit = {.tls_mode = TLS_PREFER,
                                    .auth_type = HBA_TRUST, /* not asked */
                                    .way = ruled[i].way,
                                    .certificate = ruled[i].certificate};
        struct guest guest;
        print_message("# %zu: %s\n", i, ruled[i].user);
        come(&guest, &visit, hba, NULL);
        log_in(&guest, ruled[i].user, ruled[i].database);
        assert_string_equal(guest_told(&guest), ruled[i].told);
        assert_int_equal(guest.status, ruled[i].status);
        guest_close(&guest);
    }
    hba_destroy(hba);
}

/* The right password with another's certificate; told as a wrong password is, but in the log. */
static void a_password_needs_the_certificate_of_its_user(void **)
{
    static const struct {
        const char *user, *told;
        enum greet_status status;
    } cases[] = {
        {"alice", "R3 R0", GREET_ACCEPTED},
        {"gina", "R3 E28P01 password authentication failed for user \"gina\"", GREET_CLOSED}};
    static const char rules[] = "hostssl all all all password clientcert=verify-full\n";
    struct error err = {0};
    struct hba *hba = hba_parse(rules, sizeof rules - 1, "hba", &err);
    struct credential credential = {.kind = CREDENTIAL_PLAIN, .text = "secret"};

    assert_non_null(hba);
    for (size_t i = 0; i < 2; i++) {
        const struct visit visit = {
            .tls_mode = TLS_PREFER, .way = DIRECTLY, .certificate = "client"};
        struct guest guest;
        come(&guest, &visit, hba, NULL);
        guest.rules.credential = &credential;
        log_in(&guest, cases[i].user, "shop");
        guest_answer(&guest, "secret", sizeof "secret");
        assert_string_equal(guest_told(&guest), cases[i].told);
        assert_int_equal(guest.status, cases[i].status);
        assert_string_equal(guest.err.hint,
                            i == 0 ? "" : "the certificate's name is not the user's");
        guest_close(&guest);
    }
    hba_destroy(hba);
}

static void addresses_are_those_of_the_socket(void **)
{
    static const struct {
        const char *address, *told;
    } cases[] = {
        {"fd00::1", "R0"},
        {"::ffff:127.0.0.1",
         "E28000 no auth_hba_file entry for host \"127.0.0.1\", user \"u\", database \"reparto\", "
         "no encryption"},
        {"fe80::1", "E28000 no auth_hba_file entry for host \"fe80::1\", user \"u\", database "
                    "\"reparto\", no encryption"},
    };
    struct hba *hba = rules_make();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6};
        struct guest guest;
        assert_int_equal(inet_pton(AF_INET6, cases[i].address, &address.sin6_addr), 1);
        const struct visit visit = {.tls_mode = TLS_PREFER};
        come(&guest, &visit, hba, (const void *)&address);
        log_in(&guest, "u", "reparto");
        assert_string_equal(guest_told(&guest), cases[i].told);
        guest_close(&guest);
    }
    hba_destroy(hba);
}

/* ---- TLS ---- */

static void tls_is_refused_where_it_can_not_be(void **)
{
    static const struct {
        int64_t mode;
        bool is_local, has_context;
    } cases[] = {{TLS_DISABLE, false, true}, {TLS_PREFER, true, true}, {TLS_PREFER, false, false}};
    struct tls_context *server = context_make(true, "server", NULL);
    struct tls_context *client = context_make(false, NULL, NULL);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct guest_rules rules = {.auth_type = HBA_TRUST,
                                    .tls_mode = cases[i].mode,
                                    .is_local = cases[i].is_local,
                                    .tls = cases[i].has_context ? server : NULL};
        struct guest guest;
        guest_open(&guest, &rules);
        guest_send(&guest, tls_request, sizeof tls_request - 1);
        guest_send(&guest, startup, sizeof startup - 1);
        assert_string_equal(guest_told(&guest), "N R0");
        guest_close(&guest);
        guest_open(&guest, &rules);
        guest_start_tls(&guest, client);
        assert_int_equal(guest.status, GREET_CLOSED);
        assert_string_equal(guest.err.message, "direct TLS is not accepted here");
        assert_int_equal(buffer_size(&guest.in), 0);
        guest_close(&guest);
    }
    tls_release(server);
    tls_release(client);
}

/* As in PostgreSQL: behind an SSLRequest only a login or a cancel request; inside of direct TLS one
 * may ask, and hears no. */
static void requests_inside_of_tls(void **)
{
    static const struct {
        const char *request, *told;
        size_t size;
        enum way way;
        enum greet_status status;
    } cases[] = {
        {tls_request, "E0A000 unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2",
         sizeof tls_request - 1, BY_REQUEST, GREET_CLOSED},
        {gss_request, "E0A000 unsupported frontend protocol 1234.5680: server supports 3.0 to 3.2",
         sizeof gss_request - 1, BY_REQUEST, GREET_CLOSED},
        {cancel_request, "", sizeof cancel_request - 1, BY_REQUEST, GREET_CANCEL},
        {tls_request, "N", sizeof tls_request - 1, DIRECTLY, GREET_MORE},
        {gss_request, "N", sizeof gss_request - 1, DIRECTLY, GREET_MORE},
        {cancel_request, "", sizeof cancel_request - 1, DIRECTLY, GREET_CANCEL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct visit visit = {
            .tls_mode = TLS_PREFER, .auth_type = HBA_TRUST, .way = cases[i].way};
        struct guest guest;
        come(&guest, &visit, NULL, NULL);
        guest_send(&guest, cases[i].request, cases[i].size);
        assert_string_equal(guest_told(&guest), cases[i].told);
        assert_int_equal(guest.status, cases[i].status);
        guest_close(&guest);
    }
}

/* Between the answer 'S' and the handshake no byte may be taken for the client's. */
static void plaintext_instead_of_a_handshake_closes(void **)
{
    struct tls_context *server = context_make(true, "server", NULL);
    struct guest guest;

    guest_open(&guest, &(struct guest_rules){
                           .auth_type = HBA_TRUST, .tls_mode = TLS_PREFER, .tls = server});
    guest_send(&guest, tls_request, sizeof tls_request - 1);
    guest_send(&guest, startup, sizeof startup - 1);
    assert_int_equal(guest.status, GREET_CLOSED);
    assert_string_equal(guest.err.sqlstate, "08P01");
    assert_int_equal(strncmp(guest.err.message, "could not accept TLS connection: ", 33), 0);
    assert_null(greet_startup(guest.greet));
    guest_close(&guest);
    guest_open(&guest, &(struct guest_rules){
                           .auth_type = HBA_TRUST, .tls_mode = TLS_PREFER, .tls = server});
    guest_send(&guest, tls_request, sizeof tls_request - 1);
    guest_hang_up(&guest);
    assert_int_equal(guest.status, GREET_CLOSED);
    guest_close(&guest);
    tls_release(server);
}

static void a_request_stuffed_with_a_login_never_logs_in(void **)
{
    char bytes[64];
    struct tls_context *server = context_make(true, "server", NULL);
    struct guest guest;

    memcpy(bytes, tls_request, sizeof tls_request - 1);
    memcpy(bytes + sizeof tls_request - 1, startup, sizeof startup - 1);
    guest_open(&guest, &(struct guest_rules){
                           .auth_type = HBA_TRUST, .tls_mode = TLS_PREFER, .tls = server});
    guest_send(&guest, bytes, sizeof tls_request + sizeof startup - 2);
    assert_int_equal(
        strncmp(guest_told(&guest), "E08P01 received unencrypted data after SSL request (", 52), 0);
    assert_int_equal(guest.status, GREET_CLOSED);
    guest_close(&guest);
    tls_release(server);
}

/* A client of OpenSSL's own, since ours always names the protocol. */
static void shake_raw(struct guest *guest, const char *protocol)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *tls = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char bytes[8192];
    int size;

    SSL_set_bio(tls, in, out);
    SSL_set_connect_state(tls);
    if (protocol != NULL) {
        SSL_set_alpn_protos(tls, (const unsigned char *)protocol, (unsigned)strlen(protocol));
    }
    do {
        (void)SSL_do_handshake(tls);
        size = BIO_read(out, bytes, sizeof bytes);
        if (size > 0) {
            guest_send(guest, bytes, (size_t)size);
            if (buffer_size(&guest->in) > 0) {
                BIO_write(in, buffer_bytes(&guest->in), (int)buffer_size(&guest->in));
                buffer_consume(&guest->in, buffer_size(&guest->in));
            }
        }
    } while (size > 0);
    ERR_clear_error();
    SSL_free(tls);
    SSL_CTX_free(context);
}

static void direct_tls_must_name_the_protocol(void **)
{
    static const struct {
        const char *protocol;
        int state;
    } cases[] = {
        {NULL, GREET_GONE}, {"\x08http/1.1", GREET_GONE}, {"\x0apostgresql", GREET_PACKET}};
    struct tls_context *server = context_make(true, "server", NULL);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct guest guest;
        guest_open(&guest, &(struct guest_rules){
                               .auth_type = HBA_TRUST, .tls_mode = TLS_PREFER, .tls = server});
        shake_raw(&guest, cases[i].protocol);
        assert_int_equal(guest.greet->state, cases[i].state);
        guest_close(&guest);
    }
    tls_release(server);
}

static void unverified_certificates_end_the_handshake(void **)
{
    struct tls_context *server = context_make(true, "server", "ca");
    struct tls_context *client = context_make(false, "stranger", NULL);
    struct guest guest;

    guest_open(&guest,
               &(struct guest_rules){.auth_type = HBA_CERT, .tls_mode = TLS_PREFER, .tls = server});
    guest_start_tls(&guest, client);
    assert_int_equal(guest.status, GREET_CLOSED);
    assert_string_equal(guest.err.sqlstate, "08P01");
    guest_close(&guest);
    tls_release(server);
    tls_release(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_and_methods_decide),
        cmocka_unit_test(a_certificate_is_its_owner_only),
        cmocka_unit_test(the_unix_user_gets_in_as_itself),
        cmocka_unit_test(the_rules_decide),
        cmocka_unit_test(a_password_needs_the_certificate_of_its_user),
        cmocka_unit_test(addresses_are_those_of_the_socket),
        cmocka_unit_test(tls_is_refused_where_it_can_not_be),
        cmocka_unit_test(requests_inside_of_tls),
        cmocka_unit_test(plaintext_instead_of_a_handshake_closes),
        cmocka_unit_test(a_request_stuffed_with_a_login_never_logs_in),
        cmocka_unit_test(direct_tls_must_name_the_protocol),
        cmocka_unit_test(unverified_certificates_end_the_handshake),
    };

    return cmocka_run_group_tests(tests, make, clean);
}
