#include "lab/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINKS_MAX = 16, READ_SIZE = 64 * 1024 };

struct chunk {
    struct chunk *next;
    int64_t due; /* clock_now() from which it may pass */
    size_t size, sent;
    char bytes[];
};

/* One direction of a connection. */
struct flow {
    struct chunk *first, *last; /* owned */
    size_t queued;              /* bytes */
    bool is_delayed;            /* primary → replica */
    bool is_ended;              /* the sender has closed its side */
    bool is_shut;               /* and the receiver has been told */
};

struct link {
    bool is_used;
    int fds[2];           /* replica, primary */
    struct flow flows[2]; /* from fds[i] to fds[1 - i] */
};

struct relay {
    int listener, control, port;
    int64_t delay;
    struct link links[LINKS_MAX];
};

static void close_link(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        close(link->fds[i]);
        while (link->flows[i].first != NULL) {
            struct chunk *chunk = link->flows[i].first;
            link->flows[i].first = chunk->next;
            free(chunk);
        }
    }
    *link = (struct link){0};
}

/* Does not wait: a frozen primary whose backlog is full would hold up the other links. */
static int connect_primary(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static void accept_link(struct relay *relay)
{
    int one = 1;
    int replica = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (replica < 0) {
        return;
    }
    for (int i = 0; i < LINKS_MAX; i++) {
        struct link *link = &relay->links[i];
        int primary = link->is_used ? -1 : connect_primary(relay->port);
        if (link->is_used) {
            continue;
        }
        if (primary < 0) {
            break;
        }
        setsockopt(primary, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(replica, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        *link = (struct link){.is_used = true, .fds = {replica, primary}};
        link->flows[1].is_delayed = true;
        return;
    }
    close(replica); /* refused: the replica tries again by itself */
}

/* False when the connection is broken. */
static bool take(struct relay *relay, struct flow *flow, int from)
{
    char bytes[READ_SIZE];
    ssize_t size = recv(from, bytes, sizeof bytes, 0);

    if (size < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (size == 0) {
        flow->is_ended = true;
        return true;
    }
    struct chunk *chunk = malloc(sizeof *chunk + (size_t)size);
    if (chunk == NULL) {
        return false;
    }
    *chunk = (struct chunk){.due = clock_now() + (flow->is_delayed ? relay->delay : 0),
                            .size = (size_t)size};
    memcpy(chunk->bytes, bytes, (size_t)size);
    /* A shorter delay never lets bytes overtake others. */
    if (flow->last != NULL && flow->last->due > chunk->due) {
        chunk->due = flow->last->due;
    }
    if (flow->last != NULL) {
        flow->last->next = chunk;
    } else {
        flow->first = chunk;
    }
    flow->last = chunk;
    flow->queued += (size_t)size;
    return true;
}

/* Sends what is due.  False when the connection is broken. */
static bool give(struct flow *flow, int to, int64_t now)
{
    while (flow->first != NULL && flow->first->due <= now) {
        struct chunk *chunk = flow->first;
        ssize_t size =
            send(to, chunk->bytes + chunk->sent, chunk->size - chunk->sent, MSG_NOSIGNAL);
        if (size < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        chunk->sent += (size_t)size;
        flow->queued -= (size_t)size;
        if (chunk->sent < chunk->size) {
            return true;
        }
        flow->first = chunk->next;
        flow->last = flow->first != NULL ? flow->last : NULL;
        free(chunk);
    }
    if (flow->is_ended && flow->first == NULL && !flow->is_shut) {
        shutdown(to, SHUT_WR);
        flow->is_shut = true;
    }
    return true;
}

static void serve(struct relay *relay, struct link *link, const struct pollfd polled[2])
{
    int64_t now = clock_now();

    for (int i = 0; i < 2; i++) {
        bool is_readable = (polled[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
        struct flow *flow = &link->flows[i];
        if ((is_readable && !flow->is_ended && flow->queued < RELAY_QUEUE_MAX &&
             !take(relay, flow, link->fds[i])) ||
            !give(flow, link->fds[1 - i], now)) {
            close_link(link);
            return;
        }
    }
    /* A server that closed its side has ended the session: nothing more will be read there. */
    if (link->flows[0].is_shut || link->flows[1].is_shut) {
        close_link(link);
    }
}

static short events_of(const struct link *link, int side, int64_t now)
{
    const struct flow *in = &link->flows[side], *out = &link->flows[1 - side];
    bool wants_in = !in->is_ended && in->queued < RELAY_QUEUE_MAX;
    bool wants_out = out->first != NULL && out->first->due <= now;

    return (short)((wants_in ? POLLIN : 0) | (wants_out ? POLLOUT : 0));
}

/* Fills `polled` in the order listener, control, then two for each link. */
static int prepare(const struct relay *relay, struct pollfd polled[2 + 2 * LINKS_MAX])
{
    int64_t now = clock_now(), next = INT64_MAX;

    polled[0] = (struct pollfd){.fd = relay->listener, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = relay->control, .events = POLLIN};
    for (int i = 0; i < LINKS_MAX; i++) {
        const struct link *link = &relay->links[i];
        for (int side = 0; side < 2; side++) {
            const struct chunk *first = link->flows[side].first;
            short events = 0;
            if (link->is_used) {
                events = events_of(link, side, now);
            }
            /* A hung-up socket that nothing is wanted from would wake poll() for ever. */
            polled[2 + 2 * i + side] =
                (struct pollfd){.fd = events != 0 ? link->fds[side] : -1, .events = events};
            if (first != NULL && first->due > now && first->due < next) {
                next = first->due;
            }
        }
    }
    return next == INT64_MAX ? -1 : clock_poll_timeout(next, now);
}

void relay_run(int listener, int control, int port, int64_t delay)
{
    struct relay relay = {.listener = listener, .control = control, .port = port, .delay = delay};
    struct pollfd polled[2 + 2 * LINKS_MAX];

    prctl(PR_SET_NAME, "reparto-relay");
    fcntl(listener, F_SETFL, O_NONBLOCK);
    if (write(control, "", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        int timeout = prepare(&relay, polled);
        if (poll(polled, 2 + 2 * LINKS_MAX, timeout) < 0) {
            continue;
        }
        if (polled[1].revents != 0 &&
            read(control, &relay.delay, sizeof relay.delay) != (ssize_t)sizeof relay.delay) {
            _exit(0);
        }
        for (int i = 0; i < LINKS_MAX; i++) {
            if (relay.links[i].is_used) {
                serve(&relay, &relay.links[i], &polled[2 + 2 * i]);
            }
        }
        if (polled[0].revents != 0) {
            accept_link(&relay);
        }
    }
}
