#include "backend/server_cancel.h"

#include <stdlib.h>

#include "backend/backend.h"
#include "backend/cancel.h"
#include "backend/pool.h"
#include "base/clock.h"

enum { WAIT = 10 /* seconds for a request to be dealt with */ };

struct pending {
    struct list_link link;
    struct backend *backend; /* borrowed */
    struct cancel *cancel;   /* owned */
    struct server *server;   /* borrowed; NULL: closed meanwhile */
};

static void end(struct pending *pending)
{
    list_remove(&pending->backend->cancels, &pending->link);
    cancel_destroy(pending->cancel);
    free(pending);
}

static void on_end(void *owner, const struct error *err)
{
    struct pending *pending = owner;
    struct server *server = pending->server;

    end(pending);
    if (server == NULL) {
        return;
    }
    server->cancels--;
    if (err != NULL) { /* it may still come: whoever ran there next would be hit */
        server->is_doomed = true;
        server->doom = "a cancel request for it may still be on its way";
    }
    if (server->state == SERVER_CLEANING) {
        server_try_ready(server);
    }
}

void server_cancel(struct server *server)
{
    struct pool *pool = server->pool;
    struct pending *pending = server->key_size == 0 ? NULL : calloc(1, sizeof *pending);
    struct error error = {0};

    struct sockaddr_storage address;
    socklen_t address_size = sizeof address;
    if (pending == NULL ||
        getpeername(server->stream.source.fd, (struct sockaddr *)&address, &address_size) != 0) {
        free(pending);
        return;
    }
    bool has_tls = stream_has_tls(&server->stream);
    struct cancel_plan plan = {
        .address = (const struct sockaddr *)&address,
        .address_size = address_size,
        .host = pool->host,
        .tls_mode = has_tls ? TLS_REQUIRE : TLS_DISABLE,
        .tls = has_tls ? pool->backend->tls : NULL,
        .pid = server->pid,
        .key = server->key,
        .key_size = server->key_size,
        .deadline = loop_now(pool->backend->loop) + WAIT * CLOCK_SECOND,
    };
    pending->backend = pool->backend;
    pending->server = server;
    pending->cancel = cancel_start(pool->backend->loop, &plan, on_end, pending, &error);
    if (pending->cancel == NULL) {
        free(pending);
        return;
    }
    server->cancels++;
    list_push_last(&pool->backend->cancels, &pending->link);
}

static struct pending *pending_of(struct list_link *link)
{
    return link == NULL ? NULL : LIST_MEMBER(link, struct pending, link);
}

void server_cancels_forget(struct server *server)
{
    struct list *list = &server->pool->backend->cancels;

    for (struct list_link *link = list_first(list); link != NULL; link = list_next(list, link)) {
        if (pending_of(link)->server == server) {
            pending_of(link)->server = NULL;
        }
    }
}

void server_cancels_done(struct backend *backend)
{
    while (!list_is_empty(&backend->cancels)) {
        end(pending_of(list_first(&backend->cancels)));
    }
}
