#include "backend/server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "backend/pool.h"
#include "backend/server_cancel.h"
#include "base/clock.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/notice.h"

static void on_server_event(void *owner);

static void set_state(struct server *server, enum server_state state)
{
    if (list_contains_link(&server->link)) {
        list_remove(&server->pool->lists[server->state], &server->link);
    }
    server->state = state;
    list_push_first(&server->pool->lists[state], &server->link);
}

static void on_deadline(struct loop_timer *timer)
{
    struct server *server = LIST_MEMBER(timer, struct server, deadline);
    struct error error = {0};

    if (server->state == SERVER_LOGIN) {
        error_set(&error, "08006", "no login at %s within server_connect_timeout",
                  server->pool->host);
        pool_server_failed(server, &error);
        return;
    }
    server_close(server, "query of ours timed out");
}

/* The plan of a login: everything it needs is the pool's. */
static struct login_plan plan_of(const struct pool *pool, const struct variables *startup)
{
    const struct settings *settings = &pool->config->settings;
    int64_t mode =
        pool->settings->sslmode >= 0 ? pool->settings->sslmode : settings->server_tls_sslmode;
    bool is_local = pool->host[0] == '/';
    if (pool->forced_mode >= 0) {
        mode = pool->forced_mode;
    }
    return (struct login_plan){
        .host = pool->host,
        .user = pool->server_user,
        .database = pool->server_database,
        .credential = pool->has_credential ? &pool->credential : NULL,
        .known_secret = pool->has_made_secret ? &pool->made_secret : NULL,
        .parameters = startup == NULL ? NULL : startup->list,
        .parameter_count = startup == NULL ? 0 : startup->count,
        .tls_mode = is_local ? TLS_DISABLE : (enum tls_mode)mode,
        .tls = pool->backend->tls,
        .is_local = is_local,
        .wants_3_2 = false,
    };
}

static bool begin_login(struct server *server, struct error *err)
{
    struct pool *pool = server->pool;
    struct login_plan plan = plan_of(pool, server->startup);

    server->login = login_create(&server->stream, &plan);
    if (server->login == NULL) {
        return error_set(err, "53200", "no memory for a login");
    }
    int64_t limit = pool->config->settings.server_connect_timeout;
    if (limit > 0) {
        int64_t deadline = loop_now(pool->backend->loop) + limit;
        (void)loop_set_timer(pool->backend->loop, &server->deadline, deadline);
    }
    return true;
}

struct server *server_connect(struct pool *pool, struct variables *startup, struct error *err)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        error_set(err, "53200", "no memory for a server connection");
        return NULL;
    }
    server->pool = pool;
    server->startup = variables_share(startup);
    server->deadline.on_time = on_deadline;
    buffer_init(&server->in, loop_buffers(pool->backend->loop));
    plans_init(&server->plans);
    if (!stream_connect(&server->stream, pool->backend->loop,
                        (const struct sockaddr *)&pool_address(pool)->bytes,
                        pool_address(pool)->size, on_server_event, server, err) ||
        !begin_login(server, err)) {
        stream_close(&server->stream);
        variables_release(server->startup);
        plans_done(&server->plans);
        free(server);
        error_wrap(err, "%s:%d", pool->host, (int)pool->port);
        return NULL;
    }
    set_state(server, SERVER_LOGIN);
    return server;
}

void server_forget(struct server *server)
{
    plans_forget(&server->plans);
    variables_release(server->settings);
    server->settings = NULL;
    server->unnamed_session = 0;
}

static void free_server(struct server *server)
{
    struct pool *pool = server->pool;

    if (list_contains_link(&server->link)) {
        list_remove(&pool->lists[server->state], &server->link);
    }
    server_cancels_forget(server);
    loop_cancel(pool->backend->loop, &server->deadline);
    login_destroy(server->login);
    stream_close(&server->stream);
    buffer_done(&server->in);
    expected_done(&server->expected);
    server_forget(server);
    plans_done(&server->plans);
    variables_release(server->parameters);
    variables_release(server->startup);
    free(server);
    pool_server_gone(pool);
}

void server_close(struct server *server, const char *reason)
{
    struct pool *pool = server->pool;
    struct log_context context = {.log = pool->backend->log, .node = pool->host};

    assert(server->state != SERVER_USED || server->user == NULL);
    if (server->state != SERVER_LOGIN) {
        if (server->stream.state == STREAM_OPEN) {
            (void)message_write_empty(stream_out(&server->stream), 'X');
            stream_flush(&server->stream);
        }
        log_event(LOG_INFO, &context, "server_closed", "database=%s user=%s pid=%u reason=\"%s\"",
                  pool->database, pool->user, server->pid, reason);
    }
    free_server(server);
}

/* ---- while it is nobody's ---- */

bool server_take_parameter(struct server *server, const char *body, size_t size)
{
    struct message_reader reader;

    message_read_begin(&reader, body, size);
    const char *name = message_read_string(&reader);
    const char *value = message_read_string(&reader);
    return message_read_end(&reader) && strlen(name) <= VARIABLE_NAME_MAX &&
           variables_put(server->pool->backend->variables, &server->parameters, name, value);
}

/* One whole message while idle or cleaning.  False: close it, `reason` says why. */
static bool take_message(struct server *server, char type, const char *body, size_t size,
                         char reason[], size_t reason_size)
{
    struct notice notice;

    switch (type) {
    case 'Z':
        server->status = (char)(size == 1 ? body[0] : '\0');
        if (server->expected.count == 0) {
            snprintf(reason, reason_size, "it is ready without being asked");
            return false;
        }
        expected_pop(&server->expected);
        return true;
    case 'S':
        snprintf(reason, reason_size, "it reported a setting that can't be kept");
        return server_take_parameter(server, body, size);
    case 'N':
    case 'A': return true; /* nobody's: a LISTEN that somebody left would be undone before */
    case 'E':
        if (server->state == SERVER_CLEANING && notice_read(body, size, &notice) &&
            notice.severity != NULL && strcmp(notice.severity, "ERROR") == 0) {
            snprintf(reason, reason_size, "query of ours failed: %s", notice.message);
            return false;
        }
        snprintf(reason, reason_size, "it said: %s",
                 notice_read(body, size, &notice) && notice.message != NULL ? notice.message : "?");
        return false;
    default: /* lint: not an enum */
        snprintf(reason, reason_size, "message of type 0x%02x while %s", (unsigned char)type,
                 server->state == SERVER_IDLE ? "idle" : "cleaning");
        return server->state == SERVER_CLEANING && type != 'G' && type != 'W' && type != 'H';
    }
}

/* Reads what came.  False: close it. */
static bool read_unused(struct server *server, char reason[], size_t reason_size)
{
    char *scratch = server->pool->backend->scratch;

    for (;;) {
        size_t kept = buffer_size(&server->in);
        if (kept > 0) {
            memcpy(scratch, buffer_bytes(&server->in), kept);
            buffer_consume(&server->in, kept);
        }
        ssize_t count = stream_read(&server->stream, scratch + kept, BACKEND_READ_SIZE);
        size_t size = kept + (count > 0 ? (size_t)count : 0), at = 0;
        struct frame frame;
        struct error error = {0};
        while (frame_read(scratch + at, size - at, &frame, &error) == FRAME_OK &&
               frame.body_size <= BACKEND_KEEP_MAX - FRAME_HEADER_SIZE &&
               size - at >= FRAME_HEADER_SIZE + frame.body_size) {
            if (!take_message(server, frame.type, scratch + at + FRAME_HEADER_SIZE, frame.body_size,
                              reason, reason_size)) {
                return false;
            }
            at += FRAME_HEADER_SIZE + frame.body_size;
        }
        if (error_is_set(&error) || size - at > BACKEND_KEEP_MAX ||
            !buffer_append(&server->in, scratch + at, size - at)) {
            snprintf(reason, reason_size, "it sent a message that makes no sense here");
            return false;
        }
        if (count < 0) {
            snprintf(reason, reason_size, "%s", stream_error(&server->stream));
            return false;
        }
        if (count == 0 || !server->stream.may_read) {
            return true;
        }
    }
}

void server_try_ready(struct server *server)
{
    if (server->state == SERVER_CLEANING && server->expected.count == 0 && server->cancels == 0) {
        if (server->status != 'I') {
            server_close(server, "still in a transaction after cleaning");
            return;
        }
        loop_cancel(server->pool->backend->loop, &server->deadline);
        pool_server_ready(server);
    }
}

static void step_unused(struct server *server)
{
    char reason[200] = "";

    if (!read_unused(server, reason, sizeof reason)) {
        server_close(server, reason);
        return;
    }
    server_try_ready(server);
}

static bool take_login(struct server *server)
{
    const struct login_result *result = login_result(server->login);
    struct variables_table *table = server->pool->backend->variables;

    for (size_t i = 0; i < result->parameter_count; i++) {
        if (strlen(result->parameters[i].name) > VARIABLE_NAME_MAX ||
            !variables_put(table, &server->parameters, result->parameters[i].name,
                           result->parameters[i].value)) {
            return false;
        }
    }
    if (result->made_secret != NULL) {
        server->pool->made_secret = *result->made_secret;
        server->pool->has_made_secret = true;
    }
    server->pid = result->pid;
    server->key_size = result->key_size;
    memcpy(server->key, result->key, result->key_size);
    server->status = 'I';
    return true;
}

static void step_login(struct server *server)
{
    struct error error = {0};

    switch (login_step(server->login, &error)) {
    case LOGIN_MORE: return;
    case LOGIN_READY:
        if (!take_login(server)) {
            error_set(&error, "53200", "the server reports more than can be kept");
            pool_server_failed(server, &error);
            return;
        }
        login_destroy(server->login);
        server->login = NULL;
        loop_cancel(server->pool->backend->loop, &server->deadline);
        server->connected_at = loop_now(server->pool->backend->loop);
        pool_server_ready(server);
        return;
    case LOGIN_FAILED: pool_server_failed(server, &error); return;
    }
}

static void on_server_event(void *owner)
{
    struct server *server = owner;

    switch (server->state) {
    case SERVER_LOGIN: step_login(server); return;
    case SERVER_USED: server->on_event(server->user); return;
    case SERVER_IDLE:
    case SERVER_CLEANING: step_unused(server); return;
    case SERVER_STATE_COUNT: break;
    }
}

static bool ask(struct server *server, const char *sql)
{
    return message_write_string(stream_out(&server->stream), 'Q', sql) &&
           expected_push(&server->expected, EXPECTED_QUERY, true, NULL) != NULL;
}

void server_clean(struct server *server, const char *sql, const char *then, int64_t limit)
{
    assert(server->expected.count == 0);
    server->user = NULL;
    set_state(server, SERVER_CLEANING);
    if (!ask(server, sql) || (then != NULL && !ask(server, then))) {
        server_close(server, "out of memory");
        return;
    }
    struct loop *loop = server->pool->backend->loop;
    (void)loop_set_timer(loop, &server->deadline, loop_now(loop) + limit);
    stream_flush(&server->stream);
    if (server->stream.state == STREAM_FAILED) {
        server_close(server, stream_error(&server->stream));
    }
}
