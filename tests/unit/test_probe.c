/* The probe against a server of ours that speaks just enough of the protocol, and then stops
 * doing so: it never blocks, gives up in time, says why, and comes back. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "monitor/probe.h"

/* Short, so that a test of the limits takes no time; long enough for a loaded machine. */
static const struct probe_limits limits = {.interval = 20 * CLOCK_MS,
                                           .connect_limit = 300 * CLOCK_MS,
                                           .answer_limit = 300 * CLOCK_MS,
                                           .backoff_min = 20 * CLOCK_MS,
                                           .backoff_max = 60 * CLOCK_MS};

struct server {
    int listener, client, port;
    bool is_greeted;
    const char *const *row; /* the answer's five fields; NULL: no answer to questions */
    const char *refusal;    /* an ErrorResponse instead of a login; NULL: none */
    int questions;
    char dsn[120];
};

static void server_open(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    *server = (struct server){.client = -1};
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_return_code(bind(server->listener, (struct sockaddr *)&address, size), errno);
    assert_return_code(listen(server->listener, 4), errno);
    assert_return_code(getsockname(server->listener, (struct sockaddr *)&address, &size), errno);
    server->port = ntohs(address.sin_port);
    snprintf(server->dsn, sizeof server->dsn,
             "hostaddr=127.0.0.1 port=%d user=u dbname=d sslmode=disable", server->port);
}

static void server_hang_up(struct server *server)
{
    if (server->client >= 0) {
        close(server->client);
    }
    server->client = -1;
    server->is_greeted = false;
}

static void server_close(struct server *server)
{
    server_hang_up(server);
    close(server->listener);
}

static size_t put_u32(char *at, uint32_t number)
{
    number = htonl(number);
    memcpy(at, &number, 4);
    return 4;
}

static size_t put_u16(char *at, uint16_t number)
{
    number = htons(number);
    memcpy(at, &number, 2);
    return 2;
}

static void server_send(struct server *server, char type, const char *body, size_t size)
{
    char message[1024] = {type};

    put_u32(message + 1, (uint32_t)size + 4);
    memcpy(message + 5, body, size);
    /* The probe may have left meanwhile; the next recv() tells. */
    ssize_t sent = send(server->client, message, size + 5, MSG_NOSIGNAL);
    assert_true(sent == (ssize_t)size + 5 || errno == EPIPE || errno == ECONNRESET);
}

static void server_greet(struct server *server)
{
    char body[200] = {0};

    if (server->refusal != NULL) {
        size_t size =
            (size_t)snprintf(body, sizeof body, "SFATAL%cC57P03%cM%s%c", 0, 0, server->refusal, 0);
        server_send(server, 'E', body, size + 1);
        server_hang_up(server);
        return;
    }
    server_send(server, 'R', body, 4); /* AuthenticationOk */
    server_send(server, 'Z', "I", 1);
    server->is_greeted = true;
}

/* Parse, Bind, Describe, Execute and Sync came; the settling query wants one field, ours five. */
static void server_answer(struct server *server)
{
    char body[512];
    size_t size = put_u16(body, 5);

    server_send(server, '1', "", 0);
    server_send(server, '2', "", 0);
    for (int i = 0; i < 5; i++) {
        memset(body + size, 0, 20);
        body[size] = 'f';
        size += 20; /* name "f", then OIDs, sizes and format 0 */
    }
    server_send(server, 'T', body, size);
    size = put_u16(body, 5);
    for (int i = 0; i < 5; i++) {
        size_t length = strlen(server->row[i]);
        size += put_u32(body + size, (uint32_t)length);
        memcpy(body + size, server->row[i], length);
        size += length;
    }
    server_send(server, 'D', body, size);
    server_send(server, 'C', "SELECT 1", 9);
    server_send(server, 'Z', "I", 1);
}

static void server_step(struct server *server)
{
    char bytes[4096];

    if (server->client < 0) {
        server->client = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    if (server->client < 0) {
        return;
    }
    ssize_t size = recv(server->client, bytes, sizeof bytes, 0);
    if (size < 0 && errno == EAGAIN) {
        return;
    }
    if (size <= 0) {
        server_hang_up(server);
        return;
    }
    if (!server->is_greeted) {
        server_greet(server);
        return;
    }
    server->questions++;
    if (server->row != NULL) {
        server_answer(server);
    }
}

/* Runs both sides until the probe is in `state` with contact `contact`; fails after 5 s. */
static bool run_until(struct probe *probe, struct server *server, enum node_contact contact)
{
    int64_t end = clock_now() + 5 * CLOCK_SECOND;

    while (clock_now() < end) {
        struct pollfd fds[] = {{.fd = probe_fd(probe), .events = probe_events(probe)},
                               {.fd = server->listener, .events = POLLIN},
                               {.fd = server->client, .events = POLLIN}};
        poll(fds, 3, clock_poll_timeout(probe_deadline(probe), clock_now()));
        int64_t before = clock_now();
        probe_step(probe, fds[0].fd >= 0 && fds[0].revents != 0, before);
        server_step(server);
        if (probe_facts(probe, clock_now()).contact == contact) {
            return true;
        }
    }
    return false;
}

static const char *const primary_row[] = {"f", "0/5000100", "", "1", "7000000000000000001"};
static const char *const replica_row[] = {"t", "0/4000000", "0/4000100", "1",
                                          "7000000000000000001"};
static const char *const promoted_row[] = {"f", "0/4000200", "", "2", "7000000000000000001"};
static const char *const broken_row[] = {"f", "", "", "", ""};

static struct probe *probe_of(const char *dsn)
{
    struct error err = {0};
    struct probe *probe = probe_create(dsn, &limits, clock_now(), &err);
    assert_non_null(probe);
    return probe;
}

static void an_answer_becomes_facts(void **)
{
    struct server server;

    server_open(&server);
    server.row = replica_row;
    struct probe *probe = probe_of(server.dsn);
    assert_int_equal(probe_facts(probe, clock_now()).contact, NODE_NEVER_ANSWERED);
    assert_true(run_until(probe, &server, NODE_ANSWERING));
    struct node_facts facts = probe_facts(probe, clock_now());
    assert_true(facts.is_in_recovery);
    assert_int_equal(facts.lsn, 0x4000000);
    assert_int_equal(facts.receive_lsn, 0x4000100);
    assert_int_equal(facts.timeline, 1);
    assert_int_equal(facts.system_identifier, INT64_C(7000000000000000001));
    assert_true(facts.sent <= facts.received);
    assert_null(probe_error(probe));
    assert_int_equal(probe_silent_since(probe, clock_now()), 0);

    server.row = promoted_row; /* the same connection tells of its promotion */
    while (probe_facts(probe, clock_now()).timeline != 2) {
        assert_true(run_until(probe, &server, NODE_ANSWERING));
    }
    assert_false(probe_facts(probe, clock_now()).is_in_recovery);
    probe_destroy(probe);
    server_close(&server);
}

static void a_silent_server_is_left_and_found_again(void **)
{
    struct server server;

    server_open(&server);
    server.row = primary_row;
    struct probe *probe = probe_of(server.dsn);
    assert_true(run_until(probe, &server, NODE_ANSWERING));
    int64_t heard = probe_facts(probe, clock_now()).received;
    server.row = NULL; /* frozen: it takes questions and says nothing */
    assert_true(run_until(probe, &server, NODE_SILENT));
    assert_true(probe_silent_since(probe, clock_now()) >= heard);
    /* What it said last is still told. */
    assert_int_equal(probe_facts(probe, clock_now()).lsn, 0x5000100);
    int questions = server.questions;
    while (probe_error(probe) == NULL) {
        assert_true(run_until(probe, &server, NODE_SILENT));
    }
    assert_non_null(strstr(probe_error(probe)->message, "no answer within the time limit"));
    assert_int_equal(server.questions, questions); /* no second question before an answer */
    server.row = primary_row;
    assert_true(run_until(probe, &server, NODE_ANSWERING));
    probe_destroy(probe);
    server_close(&server);
}

static void failures_are_told_in_words(void **)
{
    static const struct {
        const char *refusal;
        const char *const *row;
        const char *message;
        enum node_contact contact;
    } cases[] = {
        {"the database system is starting up", NULL, "the database system is starting up",
         NODE_DOWN},
        {NULL, broken_row, "a primary without WAL position or timeline", NODE_DOWN},
        {NULL, NULL, "no connection within the time limit", NODE_SILENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server server;
        server_open(&server);
        server.refusal = cases[i].refusal;
        server.row = cases[i].row;
        struct probe *probe = probe_of(server.dsn);
        assert_true(run_until(probe, &server, cases[i].contact));
        assert_non_null(strstr(probe_error(probe)->message, cases[i].message));
        assert_true(probe_silent_since(probe, clock_now()) > 0);
        probe_destroy(probe);
        server_close(&server);
    }
}

static void a_refused_port_is_tried_ever_more_slowly(void **)
{
    struct server server;
    int64_t now = clock_now(), last = 0;

    server_open(&server);
    close(server.listener); /* the port is ours no more: refused */
    struct error err = {0};
    struct probe *probe = probe_create(server.dsn, &limits, now, &err);
    assert_non_null(probe);
    for (int i = 0; i < 5; i++) {
        int64_t wait = 0;
        now = probe_deadline(probe);
        /* Refused at once, or when the socket becomes writable. */
        while (wait == 0) {
            struct pollfd fd = {.fd = probe_fd(probe), .events = probe_events(probe)};
            bool is_ready = fd.fd >= 0 && poll(&fd, 1, 1000) > 0;
            probe_step(probe, is_ready, now);
            wait = probe_state(probe) == PROBE_WAITING ? probe_deadline(probe) - now : 0;
        }
        assert_true(wait >= last && wait <= limits.backoff_max);
        assert_int_equal(wait, i == 0   ? limits.backoff_min
                               : i == 1 ? 2 * limits.backoff_min
                                        : limits.backoff_max);
        last = wait;
        assert_int_equal(probe_fd(probe), -1);
        assert_int_equal(probe_facts(probe, now).contact, NODE_DOWN);
        assert_false(probe_step(probe, false, now)); /* not before its time */
        assert_int_equal(probe_state(probe), PROBE_WAITING);
    }
    probe_destroy(probe);
}

static void a_lost_connection_is_noticed_while_idle(void **)
{
    struct server server;

    server_open(&server);
    server.row = primary_row;
    struct probe *probe = probe_of(server.dsn);
    assert_true(run_until(probe, &server, NODE_ANSWERING));
    server_hang_up(&server);
    server.refusal = "terminating connection due to administrator command";
    assert_true(run_until(probe, &server, NODE_DOWN));
    server.refusal = NULL;
    assert_true(run_until(probe, &server, NODE_ANSWERING));
    probe_destroy(probe);
    server_close(&server);
}

static void a_malformed_dsn_is_refused(void **)
{
    struct error err = {0};

    assert_null(probe_create("nonsense", &limits, 0, &err));
    assert_string_equal(err.sqlstate, "22023");
    assert_non_null(strstr(err.message, "malformed DSN"));
    probe_destroy(NULL);
}

static void every_state_is_reachable(void **)
{
    uint32_t reached = TO(PROBE_WAITING);

    for (int pass = 0; pass < PROBE_STATE_COUNT; pass++) {
        for (int i = 0; i < probe_machine.state_count * probe_machine.input_count; i++) {
            if (reached & TO(i / probe_machine.input_count)) {
                reached |= probe_machine.rules[i].may_lead_to;
            }
        }
    }
    assert_int_equal(reached, TO(PROBE_STATE_COUNT) - 1);
}

int main(int argc, char **)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_becomes_facts),
        cmocka_unit_test(a_silent_server_is_left_and_found_again),
        cmocka_unit_test(failures_are_told_in_words),
        cmocka_unit_test(a_refused_port_is_tried_ever_more_slowly),
        cmocka_unit_test(a_lost_connection_is_noticed_while_idle),
        cmocka_unit_test(a_malformed_dsn_is_refused),
        cmocka_unit_test(every_state_is_reachable),
    };
    if (argc > 1) { /* --draw: prints docs/machines/probe.mmd */
        machine_draw(&probe_machine, stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
