/* A scripted client at greet's door: both ends in one loop, over a socket pair.
 *
 * What it was sent is told as text: "N R10 E28P01 password authentication failed …": single bytes
 * that answer SSLRequest and GSSENCRequest, then messages ("R" with its code, "v3.2 _pq_.x",
 * errors with SQLSTATE and message).
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "check.h"
#include "net/loop.h"
#include "net/stream.h"
#include "session/greet.h"
#include "wire/frame.h"
#include "wire/md5.h"
#include "wire/message.h"
#include "wire/notice.h"

struct guest_rules { /* what a test says about the house */
    const struct hba *hba;
    struct tls_context *tls;
    int64_t auth_type, tls_mode;
    bool is_local;                       /* a Unix socket */
    const struct sockaddr *address;      /* NULL: 127.0.0.1 */
    const struct credential *credential; /* what the lookup finds */
    const struct error *lookup_error;    /* what it fails with; NULL: it doesn't */
};

struct guest {
    struct guest_rules rules;
    struct loop *loop;
    struct stream stream, client; /* greet's, and the guest's own */
    struct greet *greet;
    struct config config;
    struct sockaddr_in address;
    struct buffer in; /* what the guest was sent, and not looked at */
    enum greet_status status;
    struct error err;
    int events, lookups;
    struct text told;
};

static const unsigned char guest_seed[32] = "a seed for mock secrets, 32 byte";

static void guest_step(void *owner)
{
    struct guest *guest = owner;

    guest->events++;
    if (guest->status == GREET_CLOSED) {
        return; /* it was told why; one does not step on */
    }
    guest->status = greet_step(guest->greet, &guest->err);
    if (guest->status == GREET_NEEDS_CREDENTIAL) {
        guest->lookups++;
        if (guest->rules.lookup_error != NULL) {
            greet_refuse(guest->greet, guest->rules.lookup_error);
        } else {
            greet_credential(guest->greet, guest->rules.credential);
        }
        guest->status = greet_step(guest->greet, &guest->err);
    }
    if (guest->status == GREET_ACCEPTED) {
        stream_flush(&guest->stream);
    }
}

static void guest_read(void *owner)
{
    struct guest *guest = owner;
    char bytes[4096];
    ssize_t count;

    guest->events++;
    do {
        count = stream_read(&guest->client, bytes, sizeof bytes);
        if (count > 0) {
            assert_true(buffer_append(&guest->in, bytes, (size_t)count));
        }
    } while (count == (ssize_t)sizeof bytes);
}

/* Until nothing happens any more: a socket pair delivers at once, but the flights of a TLS
 * handshake are no events. */
static void guest_settle(struct guest *guest)
{
    enum { IDLE_TURNS = 8 };
    int before = guest->events;

    for (int idle = 0; idle < IDLE_TURNS; idle++) {
        loop_turn(guest->loop, 0);
        if (guest->events != before) {
            before = guest->events;
            idle = 0;
        }
    }
}

static void guest_open(struct guest *guest, const struct guest_rules *rules)
{
    struct error err = {0};
    int fds[2];

    *guest = (struct guest){.rules = *rules, .loop = loop_create(&err)};
    assert_non_null(guest->loop);
    guest->config.settings.auth_type = rules->auth_type;
    guest->config.settings.client_tls_sslmode = rules->tls_mode;
    guest->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
    assert_true(stream_open(&guest->stream, guest->loop, fds[0], guest_step, guest, &err));
    assert_true(stream_open(&guest->client, guest->loop, fds[1], guest_read, guest, &err));
    struct greet_plan plan = {
        .config = &guest->config,
        .hba = rules->hba,
        .tls = rules->tls,
        .seed = guest_seed,
        .address = rules->address != NULL ? rules->address
                   : rules->is_local      ? NULL
                                          : (const struct sockaddr *)(const void *)&guest->address};
    guest->greet = greet_create(&guest->stream, &plan);
    assert_non_null(guest->greet);
    guest_settle(guest);
}

static void guest_close(struct guest *guest)
{
    greet_destroy(guest->greet);
    stream_close(&guest->client);
    stream_close(&guest->stream);
    buffer_done(&guest->in);
    text_done(&guest->told);
    loop_destroy(guest->loop);
}

[[maybe_unused]] static void guest_send(struct guest *guest, const void *bytes, size_t size)
{
    assert_true(stream_write(&guest->client, bytes, size));
    stream_flush(&guest->client);
    guest_settle(guest);
}

/* The guest says nothing more. */
[[maybe_unused]] static void guest_hang_up(struct guest *guest)
{
    (void)shutdown(guest->client.source.fd, SHUT_WR);
    guest_settle(guest);
}

/* The guest's side of a handshake. */
[[maybe_unused]] static void guest_start_tls(struct guest *guest, struct tls_context *context)
{
    struct error err = {0};

    assert_true(stream_start_tls_client(&guest->client, context, TLS_REQUIRE, NULL, &err));
    guest_settle(guest);
}

/* A 'p' message. */
[[maybe_unused]] static void guest_answer(struct guest *guest, const void *body, size_t size)
{
    struct message_writer writer = message_begin(stream_out(&guest->client), 'p');

    message_put_bytes(&writer, body, size);
    assert_true(message_end(&writer));
    stream_flush(&guest->client);
    guest_settle(guest);
}

/* The next message that came, taken; `body` keeps it.  False: none (whole) is there. */
static bool guest_message(struct guest *guest, struct frame *frame, char *body, size_t size)
{
    struct error err = {0};
    const char *bytes = buffer_bytes(&guest->in);

    if (frame_read(bytes, buffer_size(&guest->in), frame, &err) != FRAME_OK) {
        assert_string_equal(err.message, "");
        return false;
    }
    assert_true(frame->body_size <= size);
    assert_true(buffer_size(&guest->in) >= FRAME_HEADER_SIZE + frame->body_size);
    memcpy(body, bytes + FRAME_HEADER_SIZE, frame->body_size);
    buffer_consume(&guest->in, FRAME_HEADER_SIZE + frame->body_size);
    return true;
}

static void guest_note_message(struct text *told, const struct frame *frame, const char *body)
{
    struct message_reader reader;
    struct notice notice;

    message_read_begin(&reader, body, frame->body_size);
    if (frame->type == 'R') {
        text_appendf(told, "R%u ", message_read_u32(&reader));
        return;
    }
    if (frame->type == 'v') {
        uint32_t version = message_read_u32(&reader), count = message_read_u32(&reader);
        text_appendf(told, "v%u.%u ", version >> 16, version & 0xffff);
        for (uint32_t i = 0; i < count; i++) {
            text_appendf(told, "%s ", message_read_string(&reader));
        }
        assert_true(message_read_end(&reader));
        return;
    }
    assert_int_equal(frame->type, 'E');
    assert_true(notice_read(body, frame->body_size, &notice));
    assert_string_equal(notice.severity, "FATAL");
    text_appendf(told, "E%s %s ", notice.sqlstate, notice.message);
    if (notice.hint != NULL) {
        text_appendf(told, "(%s) ", notice.hint);
    }
}

/* Reads single bytes, as many as are answers. */
static void guest_note_bytes(struct guest *guest)
{
    while (buffer_size(&guest->in) > 0 && strchr("NS", buffer_bytes(&guest->in)[0]) != NULL) {
        text_appendf(&guest->told, "%c ", buffer_bytes(&guest->in)[0]);
        buffer_consume(&guest->in, 1);
    }
}

/* All that came since, as text; borrowed until the next call. */
[[maybe_unused]] static const char *guest_told(struct guest *guest)
{
    char body[2048];
    struct frame frame;

    text_clear(&guest->told);
    guest_note_bytes(guest);
    while (guest_message(guest, &frame, body, sizeof body)) {
        guest_note_message(&guest->told, &frame, body);
    }
    if (guest->told.size > 0) {
        guest->told.bytes[guest->told.size - 1] = '\0'; /* the last blank */
    }
    return text_cstr(&guest->told);
}
