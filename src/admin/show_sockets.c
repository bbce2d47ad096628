/* Clients and servers, one a row. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "admin/show_private.h"
#include "backend/server.h"
#include "base/clock.h"
#include "session/track.h"

/* The first columns are those of PgBouncer 1.18, in its order. */
#define SOCKET_COLUMNS                                                                             \
    {"type", COLUMN_TEXT, MERGE_KEY, "`C`: a client, `S`: a server connection."},                  \
        {"user", COLUMN_TEXT, MERGE_KEY,                                                           \
         "As the client, or the pool's clients, call themselves."},                                \
        {"database", COLUMN_TEXT, MERGE_KEY, "As the clients call it."},                           \
        {"state", COLUMN_TEXT, MERGE_KEY,                                                          \
         "Of a client: `active`, or `waiting` for a server connection. Of a server connection: "   \
         "`new` (logging in), `idle`, `active` (a client's), `tested` (a query of ours runs)."},   \
        {"addr", COLUMN_TEXT, MERGE_KEY, "Address of the other side; `unix` for a Unix socket."},  \
        {"port", COLUMN_INT4, MERGE_KEY, "Its port; 0 for a Unix socket."},                        \
        {"local_addr", COLUMN_TEXT, MERGE_KEY, "Our own address of that connection."},             \
        {"local_port", COLUMN_INT4, MERGE_KEY, "Our own port."},                                   \
        {"connect_time", COLUMN_TEXT, MERGE_KEY, "When it was connected."},                        \
        {"request_time", COLUMN_TEXT, MERGE_KEY,                                                   \
         "When its client asked for something last; of a server: when it was taken or given back " \
         "last."},                                                                                 \
        {"wait", COLUMN_INT4, MERGE_KEY, "Seconds for which the client waits for a server now."},  \
        {"wait_us", COLUMN_INT4, MERGE_KEY, "Microseconds of that, without the seconds."},         \
        {"close_needed", COLUMN_INT4, MERGE_KEY,                                                   \
         "1: this server connection is closed when it's given back."},                             \
        {"ptr", COLUMN_TEXT, MERGE_KEY, "Names this connection while it lives."},                  \
        {"link", COLUMN_TEXT, MERGE_KEY, "The `ptr` of the other side that it's linked with."},    \
        {"remote_pid", COLUMN_INT4, MERGE_KEY,                                                     \
         "Process of the other side: of a server as it said, of a client by a Unix socket; else "  \
         "0."},                                                                                    \
        {"tls", COLUMN_TEXT, MERGE_KEY, "Version of TLS; empty in clear."},                        \
    {                                                                                              \
        "application_name", COLUMN_TEXT, MERGE_KEY, "What the client has set, or set last."        \
    }

const struct column show_clients_columns[] = {
    SOCKET_COLUMNS,
    {"id", COLUMN_INT8, MERGE_KEY, "Number of the session in its worker, as in the log."},
    {"worker", COLUMN_INT4, MERGE_KEY, "The worker that serves it."},
    {"pins", COLUMN_TEXT, MERGE_KEY, "Why it keeps its server connection (SHOW PINS); empty: not."},
};

const struct column show_servers_columns[] = {
    SOCKET_COLUMNS,
    {"uses", COLUMN_INT8, MERGE_KEY, "How often a client has taken it."},
    {"worker", COLUMN_INT4, MERGE_KEY, "The worker whose pool has it."},
    {"prepared_statements", COLUMN_INT4, MERGE_KEY, "Prepared statements that it holds."},
};

const struct column show_sockets_columns[] = {
    SOCKET_COLUMNS,
    {"recv_pos", COLUMN_INT4, MERGE_KEY, "0; for PgBouncer's tools."},
    {"pkt_pos", COLUMN_INT4, MERGE_KEY, "0; for PgBouncer's tools."},
    {"pkt_remain", COLUMN_INT8, MERGE_KEY, "Bytes of a message's body that still come."},
    {"send_pos", COLUMN_INT4, MERGE_KEY, "0; for PgBouncer's tools."},
    {"send_remain", COLUMN_INT4, MERGE_KEY, "0; for PgBouncer's tools."},
    {"pkt_avail", COLUMN_INT8, MERGE_KEY, "Bytes that were read and are kept."},
    {"send_avail", COLUMN_INT8, MERGE_KEY, "Bytes that wait to be sent."},
};

const struct column show_pins_columns[] = {
    {"database", COLUMN_TEXT, MERGE_KEY, "As the client calls it."},
    {"user", COLUMN_TEXT, MERGE_KEY, "The client's user."},
    {"application_name", COLUMN_TEXT, MERGE_KEY, "What the client has set."},
    {"pins", COLUMN_TEXT, MERGE_KEY,
     "The reasons: `temp_table`, `hold_cursor` (WITH HOLD), `advisory_lock` (of the session), "
     "`listen`, `library` (LOAD, setseed()), `unknown` (a statement that could not be read), "
     "`settings` (that can't be tracked), `statement` (a prepared one that can't be moved)."},
    {"ptr", COLUMN_TEXT, MERGE_KEY, "The client, as in SHOW CLIENTS."},
    {"link", COLUMN_TEXT, MERGE_KEY, "Its server connection, as in SHOW SERVERS."},
    {"remote_pid", COLUMN_INT4, MERGE_KEY, "Process of that server connection."},
    {"linked", COLUMN_INT8, MERGE_KEY, "Seconds since it got that connection."},
    {"worker", COLUMN_INT4, MERGE_KEY, "The worker that serves it."},
};

/* ---- cells ---- */

void show_time(struct rows *rows, int64_t then, int64_t now)
{
    time_t seconds = (time_t)((clock_utc() - (now - then) / 1000) / 1000000);
    struct tm parts;
    char text[40];

    if (then == 0 || gmtime_r(&seconds, &parts) == NULL) {
        rows_text(rows, "");
        return;
    }
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    rows_text(rows, text);
}

void show_address(struct rows *rows, int fd, bool is_local)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char text[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;
    int result = is_local ? getsockname(fd, (struct sockaddr *)&address, &size)
                          : getpeername(fd, (struct sockaddr *)&address, &size);

    if (result == 0 && address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        port = ntohs(in->sin_port);
    } else if (result == 0 && address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&address;
        inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text);
        port = ntohs(in->sin6_port);
    } else if (result == 0 && address.ss_family == AF_UNIX) {
        memcpy(text, "unix", sizeof "unix");
    }
    rows_text(rows, text);
    rows_number(rows, port);
}

static int64_t client_pid(int fd)
{
    struct ucred credentials = {0};
    socklen_t size = sizeof credentials;
    bool is_known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0;
    return is_known && credentials.pid > 0 ? credentials.pid : 0;
}

static void put_pointer(struct rows *rows, const void *pointer)
{
    if (pointer == NULL) {
        rows_text(rows, "");
    } else {
        rows_textf(rows, "%p", pointer);
    }
}

static void put_tls(struct rows *rows, const struct stream *stream)
{
    rows_text(rows, stream_has_tls(stream) ? stream_tls_version(stream) : "");
}

/* Without the quotes that a tracked setting has. */
static void put_application(struct rows *rows, const struct session *session)
{
    const char *set = session == NULL ? NULL : variables_get(session->told, "application_name");
    const char *first = session == NULL ? NULL : session->application_name;
    rows_text(rows, set != NULL ? set : first != NULL ? first : "");
}

/* ---- clients ---- */

static bool is_in(const struct session *session)
{
    return session->user != NULL && session->database != NULL &&
           session->state != SESSION_GREETING && session->state != SESSION_LOOKUP;
}

static bool is_waiting(const struct session *session)
{
    return list_contains_link(&session->waiter.link);
}

static void put_client(struct rows *rows, const struct session *session, const char *state)
{
    int64_t now = loop_now(session->hall->backend.loop);
    int64_t waited = is_waiting(session) ? (now - session->waiter.since) / 1000 : 0;

    rows_text(rows, "C");
    rows_text(rows, session->user);
    rows_text(rows, session->database);
    rows_text(rows, state);
    show_address(rows, session->stream.source.fd, false);
    show_address(rows, session->stream.source.fd, true);
    show_time(rows, session->began_at, now);
    show_time(rows, session->asked_at, now);
    rows_number(rows, waited / 1000000);
    rows_number(rows, waited % 1000000);
    rows_number(rows, 0);
    put_pointer(rows, session);
    put_pointer(rows, session->server);
    rows_number(rows, session->address_size == 0 ? client_pid(session->stream.source.fd) : 0);
    put_tls(rows, &session->stream);
    put_application(rows, session);
}

static void put_client_buffers(struct rows *rows, const struct session *session)
{
    rows_number(rows, 0);
    rows_number(rows, 0);
    rows_number(rows, (int64_t)session->pass);
    rows_number(rows, 0);
    rows_number(rows, 0);
    rows_number(rows, (int64_t)buffer_size(&session->in));
    rows_number(rows, (int64_t)stream_pending(&session->stream));
}

/* NOLINTBEGIN(bugprone-macro-parentheses): `name` is what the loop declares */
#define EACH_SESSION(hall, name)                                                                   \
    for (struct list_link *name = list_first(&(hall)->sessions); name != NULL;                     \
         name = list_next(&(hall)->sessions, name))

#define EACH_POOL(hall, name)                                                                      \
    for (struct list_link *name = list_first(&(hall)->backend.pools); name != NULL;                \
         name = list_next(&(hall)->backend.pools, name))
/* NOLINTEND(bugprone-macro-parentheses) */

void show_clients_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    char text[TRACK_PINS_SIZE];
    (void)argument;

    EACH_SESSION(hall, link)
    {
        const struct session *session = LIST_MEMBER(link, struct session, link);
        if (!is_in(session)) {
            continue;
        }
        put_client(rows, session, is_waiting(session) ? "waiting" : "active");
        rows_number(rows, (int64_t)session->id);
        rows_number(rows, hall->backend.worker);
        rows_text(rows, track_pins(session->pins, text));
    }
}

void show_pins_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    char text[TRACK_PINS_SIZE];
    int64_t now = loop_now(hall->backend.loop);
    (void)argument;

    EACH_SESSION(hall, link)
    {
        const struct session *session = LIST_MEMBER(link, struct session, link);
        if (!is_in(session) || session->pins == 0) {
            continue;
        }
        rows_text(rows, session->database);
        rows_text(rows, session->user);
        put_application(rows, session);
        rows_text(rows, track_pins(session->pins, text));
        put_pointer(rows, session);
        put_pointer(rows, session->server);
        rows_number(rows, session->server == NULL ? 0 : session->server->pid);
        rows_number(rows, (now - session->linked_at) / CLOCK_SECOND);
        rows_number(rows, hall->backend.worker);
    }
}

/* ---- servers ---- */

static const char *const server_states[SERVER_STATE_COUNT] = {
    [SERVER_LOGIN] = "new",
    [SERVER_IDLE] = "idle",
    [SERVER_USED] = "active",
    [SERVER_CLEANING] = "tested",
};

static void put_server(struct rows *rows, const struct server *server, const char *state)
{
    int64_t now = loop_now(server->pool->backend->loop);
    const struct session *session = server->state == SERVER_USED ? server->user : NULL;

    rows_text(rows, "S");
    rows_text(rows, server->pool->user);
    rows_text(rows, server->pool->database);
    rows_text(rows, state);
    show_address(rows, server->stream.source.fd, false);
    show_address(rows, server->stream.source.fd, true);
    show_time(rows, server->connected_at, now);
    show_time(rows, server->used_at, now);
    rows_number(rows, 0);
    rows_number(rows, 0);
    rows_number(rows, server->is_doomed ? 1 : 0);
    put_pointer(rows, server);
    put_pointer(rows, session);
    rows_number(rows, server->pid);
    put_tls(rows, &server->stream);
    const char *name = variables_get(server->parameters, "application_name");
    rows_text(rows, name == NULL ? "" : name);
}

static void put_server_buffers(struct rows *rows, const struct server *server)
{
    rows_number(rows, 0);
    rows_number(rows, 0);
    rows_number(rows, (int64_t)server->pass);
    rows_number(rows, 0);
    rows_number(rows, 0);
    rows_number(rows, (int64_t)buffer_size(&server->in));
    rows_number(rows, (int64_t)stream_pending(&server->stream));
}

static void each_server(struct hall *hall, struct rows *rows,
                        void (*put)(struct rows *rows, const struct server *server))
{
    EACH_POOL(hall, link)
    {
        const struct pool *pool = LIST_MEMBER(link, struct pool, link);
        for (size_t state = 0; state < SERVER_STATE_COUNT; state++) {
            for (struct list_link *at = list_first(&pool->lists[state]); at != NULL;
                 at = list_next(&pool->lists[state], at)) {
                put(rows, LIST_MEMBER(at, struct server, link));
            }
        }
    }
}

static void put_server_row(struct rows *rows, const struct server *server)
{
    put_server(rows, server, server_states[server->state]);
    rows_number(rows, (int64_t)server->use_count);
    rows_number(rows, server->pool->backend->worker);
    rows_number(rows, (int64_t)server->plans.order.count);
}

void show_servers_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)argument;
    each_server(hall, rows, put_server_row);
}

/* ---- both ---- */

static void put_server_socket(struct rows *rows, const struct server *server)
{
    char state[20];

    snprintf(state, sizeof state, "sv_%s", server_states[server->state]);
    put_server(rows, server, state);
    put_server_buffers(rows, server);
}

static void put_active_server_socket(struct rows *rows, const struct server *server)
{
    if (server->state != SERVER_IDLE) {
        put_server_socket(rows, server);
    }
}

static void put_client_sockets(struct hall *hall, bool only_active, struct rows *rows)
{
    EACH_SESSION(hall, link)
    {
        const struct session *session = LIST_MEMBER(link, struct session, link);
        bool is_active = session->state != SESSION_IDLE && session->state != SESSION_CONSOLE;
        if (is_in(session) && (is_active || !only_active)) {
            put_client(rows, session, is_waiting(session) ? "cl_waiting" : "cl_active");
            put_client_buffers(rows, session);
        }
    }
}

void show_sockets_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)argument;
    put_client_sockets(hall, false, rows);
    each_server(hall, rows, put_server_socket);
}

void show_active_sockets_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)argument;
    put_client_sockets(hall, true, rows);
    each_server(hall, rows, put_active_server_socket);
}
