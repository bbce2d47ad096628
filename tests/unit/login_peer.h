/* unit/login_peer: the other end of a login under test: a server whose every byte is the test's.
 *
 * A socketpair, a loop that is turned by hand, and the messages of a server.
 */
#pragma once

#include "check.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/login.h"
#include "wire/message.h"
#include "wire/notice.h"

struct peer {
    struct loop *loop;
    struct stream stream;
    int fd; /* the server's end */
    struct login *login;
    enum login_status status;
    struct error err;
    char sent[16384]; /* by the client, from the last peer_take() on */
    size_t sent_size;
};

static void peer_step(void *owner)
{
    struct peer *peer = owner;
    if (peer->status == LOGIN_MORE) {
        peer->status = login_step(peer->login, &peer->err);
    }
}

static inline void peer_begin(struct peer *peer, const struct login_plan *plan)
{
    struct error err = {0};
    int fds[2];

    *peer = (struct peer){.status = LOGIN_MORE};
    peer->loop = loop_create(&err);
    assert_non_null(peer->loop);
    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
    peer->fd = fds[1];
    assert_true(stream_open(&peer->stream, peer->loop, fds[0], peer_step, peer, &err));
    peer->login = login_create(&peer->stream, plan);
    assert_non_null(peer->login);
    loop_turn(peer->loop, 0);
}

static inline void peer_end(struct peer *peer)
{
    login_destroy(peer->login);
    stream_close(&peer->stream);
    if (peer->fd >= 0) {
        close(peer->fd);
    }
    loop_destroy(peer->loop);
}

static inline void peer_send(struct peer *peer, const void *bytes, size_t size)
{
    assert_int_equal(send(peer->fd, bytes, size, MSG_NOSIGNAL), size);
    loop_turn(peer->loop, 0);
}

static inline void peer_hang_up(struct peer *peer)
{
    close(peer->fd);
    peer->fd = -1;
    loop_turn(peer->loop, 0);
}

/* What the client has sent since the last call, into `sent`. */
static inline void peer_take(struct peer *peer)
{
    ssize_t count = recv(peer->fd, peer->sent, sizeof peer->sent, MSG_DONTWAIT);
    peer->sent_size = count > 0 ? (size_t)count : 0;
}

/* ---- a server's messages ---- */

static inline void put_message(struct buffer *out, char type, const void *body, size_t size)
{
    struct message_writer writer = message_begin(out, type);
    message_put_bytes(&writer, body, size);
    assert_true(message_end(&writer));
}

static inline void put_authentication(struct buffer *out, uint32_t code, const void *rest,
                                      size_t size)
{
    struct message_writer writer = message_begin(out, 'R');
    message_put_u32(&writer, code);
    message_put_bytes(&writer, rest, size);
    assert_true(message_end(&writer));
}

static inline void put_error(struct buffer *out, const char *severity, const char sqlstate[6],
                             const char *text)
{
    struct error error = {0};
    error_set(&error, sqlstate, "%s", text);
    assert_true(notice_write(out, severity, &error));
}

/* Parameters, a notice, a key, and that it is ready: what follows AuthenticationOk. */
static inline void put_settling(struct buffer *out)
{
    assert_true(message_write_parameter(out, "server_version", "15.20"));
    assert_true(message_write_parameter(out, "TimeZone", "Etc/UTC"));
    put_error(out, "WARNING", "01000", "a warning");
    assert_true(message_write_parameter(out, "TimeZone", "Asia/Tokyo"));
    put_message(out, 'K', "\0\0\x12\x34key!", 8);
    assert_true(message_write_ready(out, 'I'));
}

static inline void peer_send_buffer(struct peer *peer, struct buffer *buffer)
{
    peer_send(peer, buffer_bytes(buffer), buffer_size(buffer));
    buffer_done(buffer);
}
