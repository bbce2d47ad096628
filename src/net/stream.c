#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream_tls.h"

enum { DIRECT_SIZE = 16384 }; /* bytes from which copying costs more than it saves */

void stream_fail(struct stream *stream, int error, const char *trouble)
{
    stream->state = STREAM_FAILED;
    stream->error = error;
    stream->trouble = trouble;
    stream->may_read = stream->may_write = false;
    buffer_done(&stream->out);
}

static void finish_connect(struct stream *stream)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(stream->source.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error != 0) {
        stream_fail(stream, error, NULL);
        return;
    }
    stream->state = STREAM_OPEN;
}

static void on_socket(struct loop_source *source, uint32_t events)
{
    struct stream *stream = (struct stream *)(void *)source;

    if (stream->state == STREAM_CONNECTING) {
        if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) {
            return;
        }
        finish_connect(stream);
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        stream->may_read = stream->state != STREAM_FAILED;
        stream->is_hung_up = stream->is_hung_up || (events & ~(uint32_t)(EPOLLIN | EPOLLOUT)) != 0;
    }
    bool was_full = buffer_size(&stream->out) > 0 &&
                    (!stream->may_write || stream->write_reads || stream->state == STREAM_SHAKING);
    if ((events & EPOLLOUT) != 0 && stream->state != STREAM_FAILED) {
        stream->may_write = true;
    }
    if (stream->state == STREAM_SHAKING) {
        stream_tls_shake(stream);
        if (stream->state == STREAM_SHAKING) {
            return;
        }
    }
    if (was_full) {
        stream_flush(stream);
    }
    stream->on_event(stream->owner);
}

static bool watch(struct stream *stream, struct error *err)
{
    return loop_watch(stream->loop, &stream->source, err);
}

static void begin(struct stream *stream, struct loop *loop, int fd, void (*on_event)(void *owner),
                  void *owner)
{
    *stream = (struct stream){.source = {.on_event = on_socket, .fd = fd},
                              .loop = loop,
                              .on_event = on_event,
                              .owner = owner,
                              .state = STREAM_OPEN};
    buffer_init(&stream->out, loop_buffers(loop));
}

bool stream_open(struct stream *stream, struct loop *loop, int fd, void (*on_event)(void *owner),
                 void *owner, struct error *err)
{
    begin(stream, loop, fd, on_event, owner);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)) {
        return error_set(err, "53000", "fcntl: %s", strerror(errno));
    }
    stream->may_write = true; /* a new socket's buffer is empty; if not, the first send tells */
    if (!watch(stream, err)) {
        stream->state = STREAM_CLOSED;
        return false;
    }
    return true;
}

bool stream_connect(struct stream *stream, struct loop *loop, const struct sockaddr *address,
                    unsigned address_size, void (*on_event)(void *owner), void *owner,
                    struct error *err)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return error_set(err, errno == EMFILE || errno == ENFILE ? "53000" : "08001", "socket: %s",
                         strerror(errno));
    }
    if (address->sa_family != AF_UNIX) {
        int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    begin(stream, loop, fd, on_event, owner);
    stream->state = STREAM_CONNECTING;
    /* A full backlog of a Unix socket says EAGAIN: that is a failure, nothing would tell later. */
    if (connect(fd, address, address_size) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        stream->state = STREAM_CLOSED;
        return error_set(err, "08001", "connect: %s", strerror(error));
    }
    if (!watch(stream, err)) {
        close(fd);
        stream->state = STREAM_CLOSED;
        return false;
    }
    return true;
}

ssize_t stream_read(struct stream *stream, void *bytes, size_t size)
{
    if (stream->state == STREAM_CONNECTING || stream->state == STREAM_SHAKING) {
        return 0;
    }
    if (stream->state != STREAM_OPEN || stream->is_at_end) {
        stream->may_read = false;
        return -1;
    }
    if (stream->tls != NULL) {
        return stream_tls_read(stream, bytes, size);
    }
    if (!stream->may_read) {
        return 0;
    }
    ssize_t count = recv(stream->source.fd, bytes, size, 0);
    if (count > 0) {
        /* A short read emptied the socket: what comes now is a new edge.  Not so the end. */
        stream->may_read = (size_t)count == size || stream->is_hung_up;
        return count;
    }
    if (count == 0) {
        stream->is_at_end = true;
        stream->may_read = false;
        return -1;
    }
    if (errno == EAGAIN || errno == EINTR) {
        stream->may_read = errno == EINTR;
        return 0;
    }
    stream_fail(stream, errno, NULL);
    return -1;
}

int stream_peek(struct stream *stream, unsigned char *byte)
{
    assert(stream->tls == NULL);
    ssize_t count = recv(stream->source.fd, byte, 1, MSG_PEEK);
    if (count > 0) {
        return 1;
    }
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* How many bytes the socket took; 0 when it takes none now, or failed. */
static size_t send_some(struct stream *stream, const char *bytes, size_t size)
{
    if (stream->tls != NULL) {
        return stream_tls_write(stream, bytes, size);
    }
    ssize_t count;
    do {
        count = send(stream->source.fd, bytes, size, MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    if (count >= 0) {
        stream->may_write = (size_t)count == size;
        return (size_t)count;
    }
    if (errno == EAGAIN) {
        stream->may_write = false;
        return 0;
    }
    stream_fail(stream, errno, NULL);
    return 0;
}

bool stream_write(struct stream *stream, const void *bytes, size_t size)
{
    const char *from = bytes;

    if (stream->state == STREAM_FAILED || stream->state == STREAM_CLOSED) {
        return true;
    }
    if (size >= DIRECT_SIZE && stream->may_write && stream->state == STREAM_OPEN) {
        stream_flush(stream);
        if (buffer_size(&stream->out) == 0 && stream->may_write) {
            size_t sent = send_some(stream, from, size);
            from += sent;
            size -= sent;
        }
        if (stream->state == STREAM_FAILED) {
            return true;
        }
    }
    if (!buffer_append(&stream->out, from, size)) {
        stream_fail(stream, ENOMEM, NULL);
        return false;
    }
    return true;
}

struct buffer *stream_out(struct stream *stream)
{
    return &stream->out;
}

void stream_flush(struct stream *stream)
{
    while (stream->state == STREAM_OPEN && stream->may_write && buffer_size(&stream->out) > 0) {
        size_t sent = send_some(stream, buffer_bytes(&stream->out), buffer_size(&stream->out));
        if (stream->state != STREAM_OPEN || sent == 0) {
            return; /* TLS may refuse although the socket would take it: until it has read */
        }
        buffer_consume(&stream->out, sent);
    }
}

size_t stream_pending(const struct stream *stream)
{
    return buffer_size(&stream->out);
}

void stream_leave(struct stream *stream)
{
    loop_unwatch(stream->loop, &stream->source);
    stream->out.pool = NULL; /* its memory goes along; the pool stays with its thread */
    stream->loop = NULL;
}

bool stream_join(struct stream *stream, struct loop *loop, struct error *err)
{
    stream->loop = loop;
    stream->out.pool = loop_buffers(loop);
    stream_tls_move(stream);
    if (stream->state == STREAM_OPEN) {
        stream->may_read = stream->may_write = true; /* an edge may have been between the two */
    }
    return watch(stream, err);
}

void stream_close(struct stream *stream)
{
    if (stream->state == STREAM_CLOSED) {
        return;
    }
    stream_tls_close(stream);
    if (stream->loop != NULL) {
        loop_unwatch(stream->loop, &stream->source);
    }
    close(stream->source.fd);
    buffer_done(&stream->out);
    stream->state = STREAM_CLOSED;
}

const char *stream_error(const struct stream *stream)
{
    if (stream->trouble != NULL) {
        return stream->trouble;
    }
    if (stream->error != 0) {
        return strerror(stream->error);
    }
    return stream->is_at_end ? "the other side closed the connection" : "no error";
}
