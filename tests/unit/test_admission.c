/* TLS, certificates, Unix users and rules: who gets in by what they are, and who is told what. */
#include "check.h"

#include <pwd.h>

#include "certificates.h"
#include "greet_guest.h"
#include "session/greet_private.h"

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

static void come(struct guest *guest, const struct visit *visit)
{
    struct tls_context *server = context_make(true, "server", "ca");
    struct tls_context *client = context_make(false, visit->certificate, NULL);

    guest_open(guest, &(struct guest_rules){.auth_type = visit->auth_type,
                                            .tls_mode = visit->tls_mode,
                                            .tls = server,
                                            .is_local = visit->is_local});
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
        come(&guest, &visits[i]);
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

    come(&guest, &visit);
    guest_send(&guest, bob, sizeof bob - 1);
    assert_string_equal(guest_told(&guest),
                        "E28000 certificate authentication failed for user \"bob\"");
    assert_int_equal(guest.status, GREET_CLOSED);
    guest_close(&guest);
}

static void the_unix_user_gets_in_as_itself(void **)
{
    const struct passwd *me = getpwuid(geteuid());
    struct buffer out = {0};
    struct guest guest;

    assert_non_null(me);
    guest_open(&guest, &(struct guest_rules){.auth_type = HBA_PEER, .is_local = true});
    struct message_writer writer = message_begin(&out, 0);
    message_put_u32(&writer, STARTUP_VERSION_3_0);
    message_put_string(&writer, "user");
    message_put_string(&writer, me->pw_name);
    message_put_byte(&writer, 0);
    assert_true(message_end(&writer));
    guest_send(&guest, buffer_bytes(&out), buffer_size(&out));
    assert_string_equal(guest_told(&guest), "R0");
    assert_string_equal(greet_method(guest.greet), "peer");
    assert_int_equal(guest.lookups, 0);
    buffer_done(&out);
    guest_close(&guest);
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
        enum way way;
        const char *request;
        size_t size;
        const char *told;
        enum greet_status status;
    } cases[] = {
        {BY_REQUEST, tls_request, sizeof tls_request - 1,
         "E0A000 unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2",
         GREET_CLOSED},
        {BY_REQUEST, gss_request, sizeof gss_request - 1,
         "E0A000 unsupported frontend protocol 1234.5680: server supports 3.0 to 3.2",
         GREET_CLOSED},
        {BY_REQUEST, cancel_request, sizeof cancel_request - 1, "", GREET_CANCEL},
        {DIRECTLY, tls_request, sizeof tls_request - 1, "N", GREET_MORE},
        {DIRECTLY, gss_request, sizeof gss_request - 1, "N", GREET_MORE},
        {DIRECTLY, cancel_request, sizeof cancel_request - 1, "", GREET_CANCEL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct visit visit = {
            .tls_mode = TLS_PREFER, .auth_type = HBA_TRUST, .way = cases[i].way};
        struct guest guest;
        come(&guest, &visit);
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
        cmocka_unit_test(tls_is_refused_where_it_can_not_be),
        cmocka_unit_test(requests_inside_of_tls),
        cmocka_unit_test(plaintext_instead_of_a_handshake_closes),
        cmocka_unit_test(a_request_stuffed_with_a_login_never_logs_in),
        cmocka_unit_test(unverified_certificates_end_the_handshake),
    };

    return cmocka_run_group_tests(tests, make, clean);
}
