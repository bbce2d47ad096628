#include "admin/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/gather.h"
#include "admin/http_request.h"
#include "base/clock.h"
#include "net/listener.h"
#include "net/stream.h"

enum {
    CONNECTION_MAX = 64,
    REQUEST_LIMIT = 10, /* seconds for a request to come, and for its answer to go */
    READ_SIZE = 4096
};

struct http {
    struct http_plan plan;
    struct loop *loop; /* borrowed */
    struct listener *listener;
    struct list connections;
};

struct connection {
    struct list_link link;
    struct http *http;
    struct stream stream;
    struct buffer in; /* owned: of requests that were not answered yet */
    struct loop_timer limit;
    struct gather *gather; /* the answer is being collected; NULL: not */
    struct http_request request;
    bool is_closing; /* after what is being sent */
};

static void close_connection(struct connection *connection)
{
    gather_abandon(connection->gather);
    loop_cancel(connection->http->loop, &connection->limit);
    stream_close(&connection->stream);
    buffer_done(&connection->in);
    list_remove(&connection->http->connections, &connection->link);
    free(connection);
}

/* ---- answers ---- */

static const char *reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } all[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].status == status) {
            return all[i].reason;
        }
    }
    return "Error";
}

/* False: out of memory. */
static bool answer(struct connection *connection, unsigned status, const char *type,
                   const char *body, size_t size)
{
    char head[400];
    int length =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                 "Cache-Control: no-store\r\n%s%s\r\n",
                 status, reason_of(status), type, size, status == 405 ? "Allow: GET, HEAD\r\n" : "",
                 connection->is_closing ? "Connection: close\r\n" : "");

    return stream_write(&connection->stream, head, (size_t)length) &&
           (connection->request.is_head || stream_write(&connection->stream, body, size));
}

static bool answer_text(struct connection *connection, unsigned status, const char *text)
{
    return answer(connection, status, "text/plain; charset=utf-8", text, strlen(text));
}

static bool answer_ready(struct connection *connection)
{
    const struct http_plan *plan = &connection->http->plan;
    struct metrics_process process = {0};
    bool is_ready = false;

    plan->look(plan->owner, &process, &is_ready);
    return is_ready ? answer_text(connection, 200, "ready\n")
                    : answer_text(connection, 503, "not ready: no new clients are taken\n");
}

static bool answer_metrics(struct connection *connection, struct rows *rows)
{
    const struct http_plan *plan = &connection->http->plan;
    bool is_openmetrics = connection->request.wants_openmetrics, is_ready = false;
    struct metrics_process process = {0};
    struct text text = {0};

    plan->look(plan->owner, &process, &is_ready);
    metrics_write(plan->admin, &process, rows, is_openmetrics, &text);
    bool is_ok =
        text.has_failed
            ? answer_text(connection, 500, "out of memory\n")
            : answer(connection, 200,
                     is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                    : "text/plain; version=0.0.4; charset=utf-8",
                     text_cstr(&text), text.size);
    text_done(&text);
    return is_ok;
}

/* ---- requests ---- */

static void go_on(struct connection *connection);

static void on_metrics(void *owner, struct rows *rows)
{
    struct connection *connection = owner;
    bool is_ok = answer_metrics(connection, rows);

    connection->gather = NULL;
    rows_done(rows);
    if (!is_ok) {
        close_connection(connection);
        return;
    }
    go_on(connection);
}

static bool begin_metrics(struct connection *connection)
{
    const struct gather_plan plan = {
        .admin = connection->http->plan.admin,
        .home = ADMIN_CONTROL,
        .columns = metrics_columns,
        .column_count = METRICS_COLUMN_COUNT,
        .collect = metrics_collect,
        .on_done = on_metrics,
        .owner = connection,
    };

    connection->gather = gather_begin(&plan);
    return connection->gather != NULL || answer_text(connection, 503, "out of memory\n");
}

static bool handle(struct connection *connection)
{
    const struct http_request *request = &connection->request;

    connection->is_closing = !request->keeps_alive;
    if (!request->is_get && !request->is_head) {
        return answer_text(connection, 405, "only GET and HEAD\n");
    }
    if (strcmp(request->path, "/metrics") == 0) {
        return begin_metrics(connection);
    }
    if (strcmp(request->path, "/healthz") == 0) {
        return answer_text(connection, 200, "ok\n");
    }
    if (strcmp(request->path, "/readyz") == 0) {
        return answer_ready(connection);
    }
    return answer_text(connection, 404, "there are /metrics, /healthz and /readyz\n");
}

/* Answers what is there.  False: close. */
static bool handle_all(struct connection *connection)
{
    while (connection->gather == NULL && !connection->is_closing &&
           buffer_size(&connection->in) > 0) {
        unsigned status = 0;
        switch (http_read(buffer_bytes(&connection->in), buffer_size(&connection->in),
                          &connection->request, &status)) {
        case HTTP_NEED_MORE: return true;
        case HTTP_BAD:
            connection->is_closing = true;
            return answer_text(connection, status, "this request can't be read\n");
        case HTTP_OK: break;
        }
        buffer_consume(&connection->in, connection->request.size);
        if (!handle(connection)) {
            return false;
        }
    }
    return true;
}

/* No more is read than what a request may be: a pipeline waits in the socket. */
static bool read_some(struct connection *connection)
{
    while (connection->stream.may_read && buffer_size(&connection->in) < HTTP_HEAD_MAX) {
        char *room = buffer_reserve(&connection->in, READ_SIZE);
        ssize_t count = room == NULL ? -1 : stream_read(&connection->stream, room, READ_SIZE);
        if (count < 0) {
            return false;
        }
        if (count == 0) {
            return true;
        }
        buffer_commit(&connection->in, (size_t)count);
    }
    return true;
}

static bool is_pending(const struct connection *connection)
{
    return stream_pending(&connection->stream) > 0;
}

/* Reads, answers and sends until something must be waited for. */
static bool turn(struct connection *connection)
{
    for (;;) {
        if (connection->stream.state == STREAM_FAILED || connection->stream.is_hung_up) {
            return false;
        }
        if (connection->gather != NULL || is_pending(connection)) {
            return true; /* one answer after the other */
        }
        if (connection->is_closing) {
            return false; /* all is sent */
        }
        size_t before = buffer_size(&connection->in);
        bool is_open = read_some(connection); /* at its end what came before is still answered */
        if (!handle_all(connection)) {
            return false;
        }
        stream_flush(&connection->stream);
        if (connection->gather == NULL && !is_pending(connection) && !connection->is_closing) {
            if (!is_open) {
                return false;
            }
            if (buffer_size(&connection->in) == before || !connection->stream.may_read) {
                return true;
            }
        }
    }
}

static void go_on(struct connection *connection)
{
    struct loop *loop = connection->http->loop;

    stream_flush(&connection->stream);
    if (!turn(connection) ||
        !loop_set_timer(loop, &connection->limit, loop_now(loop) + REQUEST_LIMIT * CLOCK_SECOND)) {
        close_connection(connection);
    }
}

static void on_event(void *owner)
{
    struct connection *connection = owner;

    /* The limit is for the whole of a request, however slowly it drips in. */
    if (!turn(connection)) {
        close_connection(connection);
    }
}

static void on_limit(struct loop_timer *timer)
{
    close_connection(LIST_MEMBER(timer, struct connection, limit));
}

static void on_accept(void *self, int fd, const struct sockaddr *address, socklen_t size)
{
    struct http *http = self;
    struct connection *connection = calloc(1, sizeof *connection);
    struct error error = {0};
    (void)address;
    (void)size;

    if (connection == NULL || http->connections.count >= CONNECTION_MAX ||
        !stream_open(&connection->stream, http->loop, fd, on_event, connection, &error)) {
        close(fd);
        free(connection);
        return;
    }
    connection->http = http;
    connection->limit.on_time = on_limit;
    buffer_init(&connection->in, loop_buffers(http->loop));
    list_push_last(&http->connections, &connection->link);
    if (!loop_set_timer(http->loop, &connection->limit,
                        loop_now(http->loop) + REQUEST_LIMIT * CLOCK_SECOND)) {
        close_connection(connection);
    }
}

static void on_rest(void *self, int error)
{
    (void)self;
    (void)error; /* the listener for clients logs it: descriptors are the process's */
}

struct http *http_open(const struct http_plan *plan, struct loop *loop, struct error *err)
{
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        error_set(err, "53200", "no memory for HTTP");
        return NULL;
    }
    http->plan = *plan;
    http->loop = loop;
    list_init(&http->connections);
    const struct listener_plan listen = {
        .addresses = plan->addresses,
        .port = plan->port,
        .backlog = CONNECTION_MAX,
        .directory = "",
        .is_shared = plan->is_shared,
    };
    const struct listener_owner owner = {.on_accept = on_accept, .on_rest = on_rest, .self = http};
    http->listener = listener_open(&listen, loop, &owner, err);
    if (http->listener == NULL) {
        error_wrap(err, "HTTP");
        free(http);
        return NULL;
    }
    return http;
}

void http_close(struct http *http)
{
    if (http == NULL) {
        return;
    }
    while (!list_is_empty(&http->connections)) {
        close_connection(LIST_MEMBER(list_first(&http->connections), struct connection, link));
    }
    listener_close(http->listener);
    free(http);
}

void http_share(struct http *http)
{
    int sockets[LISTENER_SOCKET_MAX];
    const int one = 1;

    if (http == NULL || http->listener == NULL) {
        return;
    }
    size_t count = listener_sockets(http->listener, sockets);
    for (size_t i = 0; i < count; i++) { /* one that can't be shared: the newer one says so */
        (void)setsockopt(sockets[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    }
}

void http_pause(struct http *http)
{
    if (http != NULL && http->listener != NULL) {
        listener_close(http->listener);
        http->listener = NULL;
    }
}
