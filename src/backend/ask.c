#include "backend/ask.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/notice.h"

enum { ROW_MAX = 2 /* asked for, so that one too many is seen */ };

struct ask {
    struct list_link link; /* in backend->asks */
    struct pool_waiter waiter;
    struct ask_plan plan;
    char *sql, *parameter;      /* owned */
    struct server *server;      /* its own while the question runs */
    struct loop_timer deadline; /* of the answer; before there is a server: the beginning */
    unsigned ready_owed;        /* ReadyForQuery that still come */
    size_t row_count, row_size;
    char *row; /* owned: the body of the first DataRow */
    struct error error;
};

/* ---- the end ---- */

static void free_ask(struct ask *ask)
{
    struct backend *backend = ask->plan.pool->backend;

    loop_cancel(backend->loop, &ask->deadline);
    list_remove(&backend->asks, &ask->link);
    if (ask->row != NULL) {
        explicit_bzero(ask->row, ask->row_size);
    }
    free(ask->row);
    free(ask->sql);
    free(ask->parameter);
    free(ask);
}

/* The first row's values, in `texts`, each with a zero.  False: another shape. */
static bool read_row(const struct ask *ask, char *texts, const char *values[ASK_COLUMN_MAX])
{
    struct message_reader reader;

    message_read_begin(&reader, ask->row, ask->row_size);
    if (message_read_u16(&reader) != ask->plan.column_count) {
        return false;
    }
    for (size_t i = 0; i < ask->plan.column_count; i++) {
        uint32_t size = message_read_u32(&reader);
        values[i] = NULL;
        if (size == UINT32_MAX) {
            continue;
        }
        const char *bytes = message_read_bytes(&reader, size);
        if (reader.has_failed || memchr(bytes, '\0', size) != NULL) {
            return false;
        }
        memcpy(texts, bytes, size);
        texts[size] = '\0';
        values[i] = texts;
        texts += size + 1;
    }
    return message_read_end(&reader);
}

static void answer_row(struct ask *ask)
{
    const char *values[ASK_COLUMN_MAX];
    size_t size = ask->row_size + ASK_COLUMN_MAX;
    char *texts = malloc(size);

    if (texts == NULL) {
        error_set(&ask->error, "53200", "no memory for an answer");
    } else if (!read_row(ask, texts, values)) {
        error_set(&ask->error, "22023", "the answer must have %zu columns of text",
                  ask->plan.column_count);
    }
    bool has_failed = error_is_set(&ask->error);
    ask->plan.on_answer(ask->plan.owner, has_failed ? NULL : values,
                        has_failed ? &ask->error : NULL);
    if (texts != NULL) {
        explicit_bzero(texts, size);
    }
    free(texts);
}

static void answer(struct ask *ask)
{
    if (ask->plan.on_answer == NULL) {
        return; /* dropped */
    }
    if (!error_is_set(&ask->error) && ask->row_count > 1) {
        error_set(&ask->error, "22023", "the answer has more than one row");
    }
    if (!error_is_set(&ask->error) && ask->row_count == 1) {
        answer_row(ask);
        return;
    }
    ask->plan.on_answer(ask->plan.owner, NULL, error_is_set(&ask->error) ? &ask->error : NULL);
}

/* The connection goes back, or, with `reason`, is closed. */
static void end(struct ask *ask, const char *reason)
{
    struct server *server = ask->server;

    ask->server = NULL;
    server->in.is_secret = false;
    if (reason != NULL && !error_is_set(&ask->error)) {
        error_set(&ask->error, "08006", "%s", reason);
    }
    answer(ask);
    free_ask(ask);
    server->user = NULL;
    if (reason != NULL) {
        server_close(server, reason);
        return;
    }
    pool_give_back(server);
}

/* ---- the answer ---- */

static bool keep_row(struct ask *ask, const char *body, size_t size)
{
    if (ask->row_count++ > 0) {
        return true;
    }
    ask->row = malloc(size + 1);
    if (ask->row == NULL) {
        return false;
    }
    memcpy(ask->row, body, size);
    ask->row_size = size;
    return true;
}

static void keep_error(struct ask *ask, const char *body, size_t size)
{
    struct notice notice;

    if (error_is_set(&ask->error)) {
        return;
    }
    if (!notice_read(body, size, &notice) || notice.sqlstate == NULL || notice.message == NULL ||
        strlen(notice.sqlstate) != sizeof ask->error.sqlstate - 1) {
        error_set(&ask->error, "08P01", "malformed ErrorResponse");
        return;
    }
    error_set(&ask->error, notice.sqlstate, "%s", notice.message);
}

/* One whole message.  NULL, or why the connection is of no more use. */
static const char *take_message(struct ask *ask, char type, const char *body, size_t size)
{
    switch (type) {
    case 'D': return keep_row(ask, body, size) ? NULL : "out of memory";
    case 'E': keep_error(ask, body, size); return NULL;
    case 'S': return server_take_parameter(ask->server, body, size) ? NULL : "it reports too much";
    case 'Z':
        if (size != 1) {
            return "malformed ReadyForQuery";
        }
        ask->ready_owed--;
        ask->server->status = body[0];
        return ask->ready_owed == 0 && body[0] != 'I'
                   ? "a question of ours left it in a transaction"
                   : NULL;
    case '1':
    case '2':
    case 'C':
    case 'I':
    case 'N':
    case 'A':
    case 'n':
    case 's':
    case 'T': return NULL;
    default: /* lint: not an enum */ return "it answers a question of ours with what it must not";
    }
}

/* Whole messages of scratch; what is left of the last one stays in server->in. */
static const char *take_bytes(struct ask *ask, const char *bytes, size_t size)
{
    struct error error = {0};
    struct frame frame;
    size_t at = 0;
    const char *reason = NULL;

    while (reason == NULL && ask->ready_owed > 0 &&
           frame_read(bytes + at, size - at, &frame, &error) == FRAME_OK &&
           frame.body_size <= BACKEND_KEEP_MAX - FRAME_HEADER_SIZE &&
           size - at >= FRAME_HEADER_SIZE + frame.body_size) {
        reason = take_message(ask, frame.type, bytes + at + FRAME_HEADER_SIZE, frame.body_size);
        at += FRAME_HEADER_SIZE + frame.body_size;
    }
    if (reason == NULL && (error_is_set(&error) || size - at > BACKEND_KEEP_MAX)) {
        reason = "it answers a question of ours with too much";
    }
    if (reason == NULL && !buffer_append(&ask->server->in, bytes + at, size - at)) {
        reason = "out of memory";
    }
    return reason;
}

static void on_event(void *owner)
{
    struct ask *ask = owner;
    struct server *server = ask->server;
    char *scratch = server->pool->backend->scratch;
    const char *reason = NULL;
    ssize_t count = 1;

    while (reason == NULL && ask->ready_owed > 0 && count > 0) {
        size_t kept = buffer_size(&server->in);
        if (kept > 0) {
            memcpy(scratch, buffer_bytes(&server->in), kept);
            buffer_consume(&server->in, kept);
        }
        count = stream_read(&server->stream, scratch + kept, BACKEND_READ_SIZE);
        reason = take_bytes(ask, scratch, kept + (count > 0 ? (size_t)count : 0));
        if (reason == NULL && count < 0) {
            reason = stream_error(&server->stream);
        }
    }
    explicit_bzero(scratch, BACKEND_KEEP_MAX + BACKEND_READ_SIZE);
    if (reason != NULL || ask->ready_owed == 0) {
        end(ask, reason);
    }
}

/* ---- the question ---- */

static bool write_question(struct ask *ask)
{
    struct buffer *out = stream_out(&ask->server->stream);

    struct message_writer parse = message_begin(out, 'P');
    message_put_string(&parse, "");
    message_put_string(&parse, ask->sql);
    message_put_u16(&parse, 0); /* the server finds $1's type */
    if (!message_end(&parse)) {
        return false;
    }
    struct message_writer bind = message_begin(out, 'B');
    message_put_string(&bind, "");
    message_put_string(&bind, "");
    message_put_u16(&bind, 0); /* all texts */
    message_put_u16(&bind, 1);
    message_put_u32(&bind, (uint32_t)strlen(ask->parameter));
    message_put_bytes(&bind, ask->parameter, strlen(ask->parameter));
    message_put_u16(&bind, 0);
    if (!message_end(&bind)) {
        return false;
    }
    struct message_writer execute = message_begin(out, 'E');
    message_put_string(&execute, "");
    message_put_u32(&execute, ROW_MAX);
    return message_end(&execute) && message_write_empty(out, 'S');
}

/* What clients have set there must not change what the question means. */
static bool write_reset(struct ask *ask)
{
    struct server *server = ask->server;

    if (server->settings == NULL) {
        return true;
    }
    if (!message_write_string(stream_out(&server->stream), 'Q', "DISCARD ALL")) {
        return false;
    }
    server_forget(server);
    ask->ready_owed++;
    return true;
}

static void run(struct ask *ask, struct server *server)
{
    struct loop *loop = server->pool->backend->loop;

    ask->server = server;
    server->user = ask;
    server->on_event = on_event;
    server->unnamed_session = 0;
    server->in.is_secret = true; /* what comes may be a password */
    ask->ready_owed = 1;
    if (!write_reset(ask) || !write_question(ask)) {
        end(ask, "out of memory");
        return;
    }
    if (ask->plan.limit > 0) {
        (void)loop_set_timer(loop, &ask->deadline, loop_now(loop) + ask->plan.limit);
    }
    stream_flush(&server->stream); /* a failure comes as an event */
    if (server->stream.state == STREAM_FAILED) {
        end(ask, stream_error(&server->stream));
    }
}

static void on_server(struct pool_waiter *waiter, struct server *server, const struct error *why)
{
    struct ask *ask = LIST_MEMBER(waiter, struct ask, waiter);

    if (server != NULL) {
        run(ask, server);
        return;
    }
    ask->error = *why;
    answer(ask);
    free_ask(ask);
}

static void on_time(struct loop_timer *timer)
{
    struct ask *ask = LIST_MEMBER(timer, struct ask, deadline);

    if (ask->server != NULL) {
        error_set(&ask->error, "57014", "the server took too long to answer");
        end(ask, "a question of ours timed out");
        return;
    }
    struct server *server = pool_take(ask->plan.pool, &ask->waiter);
    if (server != NULL) {
        run(ask, server);
    }
}

struct ask *ask_begin(const struct ask_plan *plan)
{
    struct backend *backend = plan->pool->backend;
    struct ask *ask = calloc(1, sizeof *ask);

    assert(plan->column_count <= ASK_COLUMN_MAX);
    if (ask == NULL || (ask->sql = strdup(plan->sql)) == NULL ||
        (ask->parameter = strdup(plan->parameter)) == NULL) {
        free(ask == NULL ? NULL : ask->sql);
        free(ask);
        return NULL;
    }
    ask->plan = *plan;
    ask->plan.sql = ask->sql;
    ask->plan.parameter = ask->parameter;
    ask->waiter.on_server = on_server;
    ask->waiter.is_any_startup = true;
    ask->deadline.on_time = on_time;
    list_push_last(&backend->asks, &ask->link);
    /* A pool may answer from inside of pool_take(): the owner must have its ask before. */
    if (!loop_set_timer(backend->loop, &ask->deadline, loop_now(backend->loop))) {
        free_ask(ask);
        return NULL;
    }
    return ask;
}

void ask_drop(struct ask *ask)
{
    ask->plan.on_answer = NULL;
    if (ask->server == NULL) {
        pool_stop_waiting(ask->plan.pool, &ask->waiter);
        free_ask(ask);
    }
}

void asks_done(struct backend *backend)
{
    while (!list_is_empty(&backend->asks)) {
        struct ask *ask = LIST_MEMBER(list_first(&backend->asks), struct ask, link);
        ask->plan.on_answer = NULL;
        if (ask->server != NULL) {
            end(ask, "the router ends");
        } else {
            ask_drop(ask);
        }
    }
}
