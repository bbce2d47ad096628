/* Two streams that talk to each other, in one loop, and what each has seen. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "check.h"
#include "net/loop.h"
#include "net/stream.h"

enum { SIDE_READ_SIZE = 30000 };

struct side {
    struct stream stream;
    struct buffer in; /* what it has read */
    bool is_lazy;     /* does not read by itself */
    int events;
};

struct pair {
    struct loop *loop;
    struct side client, server;
};

/* Reads as a session does. */
static void side_read(struct side *side)
{
    char bytes[SIDE_READ_SIZE];
    ssize_t count;

    do {
        count = stream_read(&side->stream, bytes, sizeof bytes);
        if (count > 0) {
            assert_true(buffer_append(&side->in, bytes, (size_t)count));
        }
    } while (count > 0 && side->stream.may_read);
}

static void side_on_event(void *owner)
{
    struct side *side = owner;

    side->events++;
    if (!side->is_lazy) {
        side_read(side);
    }
}

/* Two connected sockets over loopback.  `buffer_size` 0: the system's. */
static void pair_sockets(int fds[2], int buffer_size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    if (buffer_size > 0) {
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof buffer_size);
        setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &buffer_size, sizeof buffer_size);
    }
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fds[0] >= 0);
    if (buffer_size > 0) {
        setsockopt(fds[0], SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof buffer_size);
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &buffer_size, sizeof buffer_size);
    }
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, size), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fds[1] >= 0);
    close(listener);
}

static void pair_open(struct pair *pair, int buffer_size)
{
    struct error err = {0};
    int fds[2];

    *pair = (struct pair){.loop = loop_create(&err)};
    assert_non_null(pair->loop);
    pair_sockets(fds, buffer_size);
    assert_true(
        stream_open(&pair->client.stream, pair->loop, fds[0], side_on_event, &pair->client, &err));
    assert_true(
        stream_open(&pair->server.stream, pair->loop, fds[1], side_on_event, &pair->server, &err));
}

static void pair_close(struct pair *pair)
{
    stream_close(&pair->client.stream);
    stream_close(&pair->server.stream);
    buffer_done(&pair->client.in);
    buffer_done(&pair->server.in);
    loop_destroy(pair->loop);
}

/* Turns the loop until `is_done`, for ten seconds at most. */
static void pair_run(struct pair *pair, bool (*is_done)(const struct pair *pair))
{
    int64_t deadline = clock_now() + 10 * CLOCK_SECOND;

    while (!is_done(pair)) {
        assert_true(clock_now() < deadline);
        loop_turn(pair->loop, deadline);
    }
}

/* Turns the loop until nothing happens for 20 ms. */
static void pair_settle(struct pair *pair)
{
    int before;

    do {
        before = pair->client.events + pair->server.events;
        loop_turn(pair->loop, clock_now() + 20 * CLOCK_MS);
    } while (pair->client.events + pair->server.events != before);
}
