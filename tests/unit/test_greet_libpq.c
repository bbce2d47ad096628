/* PostgreSQL's own client at the door: every sslmode, SCRAM with and without channel binding,
 * certificates, Unix users, and what it says when it's turned away. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/text.h"
#include "certificates.h"
#include "net/loop.h"
#include "session/greet.h"
#include "wire/message.h"

static struct certificates certificates; /* of the whole program: made once */
static const unsigned char seed[32] = "a seed for mock secrets, 32 byte";

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

/* USES_TLS: that is expected; LACKS_TLS: the door; HAS_…: the client. */
enum { USES_TLS = 1, IS_LOCAL = 2, HAS_CA = 4, HAS_CERTIFICATE = 8, LACKS_TLS = 16 };

struct door_case {
    const char *conninfo;
    int64_t auth_type, tls_mode;
    const char *stored; /* NULL: no such user */
    const char *method; /* NULL: refused */
    const char *error;  /* that libpq then tells, in part */
    unsigned flags;
};

/* One listener, and the guest that came last. */
struct door {
    const struct door_case *what;
    struct loop *loop;
    int listener, port;
    char directory[64]; /* of the Unix socket */
    struct config config;
    struct tls_context *tls;
    struct credential credential;
    bool has_guest;
    struct stream stream;
    struct sockaddr_in address;
    struct greet *greet;
    char method[32];
    struct error err;
};

static void guest_leaves(struct door *door)
{
    if (door->has_guest) {
        greet_destroy(door->greet);
        stream_close(&door->stream);
    }
    door->has_guest = false;
}

static void let_in(struct door *door)
{
    snprintf(door->method, sizeof door->method, "%s", greet_method(door->greet));
    assert_true(message_write_ready(stream_out(&door->stream), 'I'));
    stream_flush(&door->stream);
}

static void on_event(void *owner)
{
    struct door *door = owner;
    struct error err = {0};

    if (!door->has_guest || door->method[0] != '\0') {
        return;
    }
    enum greet_status status = greet_step(door->greet, &err);
    if (status == GREET_NEEDS_CREDENTIAL) {
        greet_credential(door->greet, door->what->stored != NULL ? &door->credential : NULL);
        status = greet_step(door->greet, &err);
    }
    if (status == GREET_ACCEPTED) {
        let_in(door);
    }
    if (status == GREET_CLOSED) {
        door->err = err;
        guest_leaves(door);
    }
}

static void accept_guest(struct door *door)
{
    socklen_t size = sizeof door->address;
    struct error err = {0};

    int fd =
        accept4(door->listener, (door->what->flags & IS_LOCAL) != 0 ? NULL : (void *)&door->address,
                (door->what->flags & IS_LOCAL) != 0 ? NULL : &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    guest_leaves(door); /* libpq comes again after a refusal, with or without TLS */
    door->has_guest = true;
    assert_true(stream_open(&door->stream, door->loop, fd, on_event, door, &err));
    const struct greet_plan plan = {
        .config = &door->config,
        .tls = door->tls,
        .seed = seed,
        .address = (door->what->flags & IS_LOCAL) != 0 ? NULL : (const void *)&door->address};
    door->greet = greet_create(&door->stream, &plan);
    assert_non_null(door->greet);
}

static void listen_tcp(struct door *door)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    door->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_return_code(bind(door->listener, (const void *)&address, size), errno);
    assert_return_code(listen(door->listener, 8), errno);
    assert_return_code(getsockname(door->listener, (void *)&address, &size), errno);
    door->port = ntohs(address.sin_port);
}

static void listen_unix(struct door *door)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    door->port = 5432;
    snprintf(door->directory, sizeof door->directory, "/tmp/reparto_greet_XXXXXX");
    assert_non_null(mkdtemp(door->directory));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%d", door->directory,
             door->port);
    door->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_return_code(bind(door->listener, (const void *)&address, sizeof address), errno);
    assert_return_code(listen(door->listener, 8), errno);
}

static void door_open(struct door *door, const struct door_case *what)
{
    char paths[3][CERTIFICATE_PATH_SIZE];
    const struct tls_files files = {certificate_path(&certificates, "server.crt", paths[0]),
                                    certificate_path(&certificates, "server.key", paths[1]),
                                    certificate_path(&certificates, "ca.crt", paths[2]),
                                    "",
                                    "TLSv1.2",
                                    ""};
    struct error err = {0};

    *door = (struct door){.what = what, .loop = loop_create(&err)};
    door->config.settings.auth_type = what->auth_type;
    door->config.settings.client_tls_sslmode = what->tls_mode;
    if ((what->flags & LACKS_TLS) == 0) {
        door->tls = tls_server(&files, &err);
    }
    if (what->stored != NULL) {
        assert_true(credential_parse(what->stored, &door->credential, &err));
    }
    assert_string_equal(err.message, "");
    if ((what->flags & IS_LOCAL) != 0) {
        listen_unix(door);
    } else {
        listen_tcp(door);
    }
}

static void door_close(struct door *door)
{
    guest_leaves(door);
    close(door->listener);
    if ((door->what->flags & IS_LOCAL) != 0) {
        char path[100];
        snprintf(path, sizeof path, "%s/.s.PGSQL.%d", door->directory, door->port);
        unlink(path);
        rmdir(door->directory);
    }
    tls_release(door->tls);
    loop_destroy(door->loop);
}

static void add_file(struct text *conninfo, const char *word, const char *file)
{
    char path[CERTIFICATE_PATH_SIZE];
    text_appendf(conninfo, "%s=%s ", word, certificate_path(&certificates, file, path));
}

static void fill_in(const struct door *door, struct text *conninfo)
{
    if ((door->what->flags & IS_LOCAL) != 0) {
        text_appendf(conninfo, "host=%s ", door->directory);
    } else {
        text_append(conninfo, "host=db.test hostaddr=127.0.0.1 ");
    }
    text_appendf(conninfo, "port=%d dbname=shop gssencmode=disable %s ", door->port,
                 door->what->conninfo);
    add_file(conninfo, "passfile", "none");
    add_file(conninfo, "sslrootcert", (door->what->flags & HAS_CA) != 0 ? "ca.crt" : "none");
    add_file(conninfo, "sslcert",
             (door->what->flags & HAS_CERTIFICATE) != 0 ? "client.crt" : "none");
    add_file(conninfo, "sslkey",
             (door->what->flags & HAS_CERTIFICATE) != 0 ? "client.key" : "none");
}

/* libpq and the door take turns, for ten seconds at most. */
static PGconn *come_in(struct door *door)
{
    struct text conninfo = {0};
    int64_t deadline = clock_now() + 10 * CLOCK_SECOND;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    fill_in(door, &conninfo);
    PGconn *connection = PQconnectStart(text_cstr(&conninfo));
    text_done(&conninfo);
    assert_non_null(connection);
    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
        struct pollfd waits = {.fd = PQsocket(connection),
                               .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        assert_true(clock_now() < deadline);
        accept_guest(door);
        loop_turn(door->loop, 0);
        if (PQstatus(connection) == CONNECTION_BAD) {
            break;
        }
        if (poll(&waits, 1, 1) > 0) {
            status = PQconnectPoll(connection);
        }
    }
    return connection;
}

#define SCRAM                                                                                      \
    "SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$"                                                 \
    "THoPhoTAuqyoQsK4dUHncUzgfD8fdmhsgKZhWVqNP5U=:7YiHMMi2OcXGRogub03Ek06JRZ9bkhTOdCzHa5iPLiQ="
#define MD5 "md54a0a68b43b6cd5cf266fa02f196e2371"
#define ALICE "user=alice password=secret "
#define WRONG "FATAL:  password authentication failed for user \"alice\"\n"

static const struct door_case cases[] = {
    /* sslmode */
    {ALICE "sslmode=disable", HBA_TRUST, TLS_PREFER, NULL, "trust", NULL, 0},
    {ALICE "sslmode=allow", HBA_TRUST, TLS_PREFER, NULL, "trust", NULL, 0},
    {ALICE "sslmode=prefer", HBA_TRUST, TLS_PREFER, NULL, "trust", NULL, USES_TLS},
    {ALICE "sslmode=require", HBA_TRUST, TLS_ALLOW, NULL, "trust", NULL, USES_TLS},
    {ALICE "sslmode=verify-ca", HBA_TRUST, TLS_PREFER, NULL, "trust", NULL, USES_TLS | HAS_CA},
    {ALICE "sslmode=verify-full", HBA_TRUST, TLS_PREFER, NULL, "trust", NULL, USES_TLS | HAS_CA},
    {ALICE "sslmode=prefer", HBA_TRUST, TLS_DISABLE, NULL, "trust", NULL, 0},
    {ALICE "sslmode=prefer", HBA_TRUST, TLS_PREFER, NULL, "trust", NULL, LACKS_TLS},
    {ALICE "sslmode=require", HBA_TRUST, TLS_DISABLE, NULL, NULL,
     "server does not support SSL, but SSL was required", 0},
    {ALICE "sslmode=disable", HBA_TRUST, TLS_REQUIRE, NULL, NULL,
     "FATAL:  connection requires TLS\nHINT:  connect with sslmode=require or higher\n", 0},
    {ALICE "sslmode=allow", HBA_TRUST, TLS_REQUIRE, NULL, "trust", NULL, USES_TLS},
    /* SCRAM */
    {ALICE "sslmode=disable", HBA_SCRAM, TLS_PREFER, SCRAM, "scram-sha-256", NULL, 0},
    {ALICE "sslmode=disable", HBA_SCRAM, TLS_PREFER, "secret", "scram-sha-256", NULL, 0},
    {ALICE "sslmode=disable channel_binding=require", HBA_SCRAM, TLS_PREFER, SCRAM, NULL,
     "channel binding required", 0},
    {ALICE "sslmode=require", HBA_SCRAM, TLS_PREFER, SCRAM, "scram-sha-256-plus", NULL, USES_TLS},
    {ALICE "sslmode=require channel_binding=require", HBA_SCRAM, TLS_PREFER, SCRAM,
     "scram-sha-256-plus", NULL, USES_TLS},
    {ALICE "sslmode=require channel_binding=disable", HBA_SCRAM, TLS_PREFER, "secret",
     "scram-sha-256", NULL, USES_TLS},
    {ALICE "sslmode=require channel_binding=require", HBA_MD5, TLS_PREFER, SCRAM,
     "scram-sha-256-plus", NULL, USES_TLS},
    {"user=alice password=wrong sslmode=disable", HBA_SCRAM, TLS_PREFER, SCRAM, NULL, WRONG, 0},
    {"user=alice password=wrong sslmode=require", HBA_SCRAM, TLS_PREFER, SCRAM, NULL, WRONG, 0},
    {ALICE "sslmode=require", HBA_SCRAM, TLS_PREFER, NULL, NULL, WRONG, 0},
    {ALICE "sslmode=require", HBA_SCRAM, TLS_PREFER, MD5, NULL, WRONG, 0},
    {"user=alice sslmode=disable", HBA_SCRAM, TLS_PREFER, SCRAM, NULL,
     "fe_sendauth: no password supplied", 0},
    /* other methods */
    {ALICE "sslmode=disable", HBA_MD5, TLS_PREFER, MD5, "md5", NULL, 0},
    {ALICE "sslmode=disable", HBA_MD5, TLS_PREFER, "secret", "md5", NULL, 0},
    {"user=alice password=wrong sslmode=disable", HBA_MD5, TLS_PREFER, MD5, NULL, WRONG, 0},
    {ALICE "sslmode=disable", HBA_PASSWORD, TLS_PREFER, SCRAM, "password", NULL, 0},
    {ALICE "sslmode=disable", HBA_PASSWORD, TLS_PREFER, NULL, NULL, WRONG, 0},
    {ALICE "sslmode=require", HBA_CERT, TLS_PREFER, NULL, "cert", NULL, USES_TLS | HAS_CERTIFICATE},
    {"user=bob sslmode=require", HBA_CERT, TLS_PREFER, NULL, NULL,
     "FATAL:  certificate authentication failed for user \"bob\"\n", HAS_CERTIFICATE},
    {ALICE "sslmode=require", HBA_CERT, TLS_PREFER, NULL, NULL,
     "FATAL:  connection requires a valid client certificate\n", 0},
    {ALICE "sslmode=verify-full", HBA_SCRAM, TLS_VERIFY_FULL, SCRAM, "scram-sha-256-plus", NULL,
     USES_TLS | HAS_CA | HAS_CERTIFICATE},
    {ALICE, HBA_REJECT, TLS_PREFER, NULL, NULL,
     "FATAL:  auth_type rejects connection for host \"127.0.0.1\", user \"alice\", "
     "database \"shop\", SSL encryption\n",
     0},
    /* a Unix socket */
    {"user=alice", HBA_PEER, TLS_PREFER, NULL, NULL,
     "FATAL:  Peer authentication failed for user \"alice\"\n", IS_LOCAL},
    {ALICE, HBA_SCRAM, TLS_REQUIRE, SCRAM, "scram-sha-256", NULL, IS_LOCAL},
};

static void libpq_gets_in_or_is_told_why(void **)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct door door;
        print_message("# %zu: %s\n", i, cases[i].conninfo);
        door_open(&door, &cases[i]);
        PGconn *connection = come_in(&door);
        if (cases[i].method != NULL) {
            assert_string_equal(PQerrorMessage(connection), "");
            assert_int_equal(PQstatus(connection), CONNECTION_OK);
            assert_string_equal(door.method, cases[i].method);
            assert_int_equal(PQsslInUse(connection), cases[i].flags & USES_TLS);
        } else {
            assert_int_equal(PQstatus(connection), CONNECTION_BAD);
            assert_string_equal(door.method, "");
            assert_non_null(strstr(PQerrorMessage(connection), cases[i].error));
        }
        PQfinish(connection);
        door_close(&door);
    }
}

static void the_unix_user_is_let_in_by_peer(void **)
{
    const struct passwd *me = getpwuid(geteuid());
    char conninfo[128];
    struct door door;

    assert_non_null(me);
    snprintf(conninfo, sizeof conninfo, "user=%s", me->pw_name);
    const struct door_case what = {.conninfo = conninfo, .auth_type = HBA_PEER, .flags = IS_LOCAL};
    door_open(&door, &what);
    PGconn *connection = come_in(&door);
    assert_string_equal(PQerrorMessage(connection), "");
    assert_string_equal(door.method, "peer");
    PQfinish(connection);
    door_close(&door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libpq_gets_in_or_is_told_why),
        cmocka_unit_test(the_unix_user_is_let_in_by_peer),
    };

    return cmocka_run_group_tests(tests, make, clean);
}
