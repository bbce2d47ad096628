/* What comes from a client, as inputs of its machine. */
#include <assert.h>
#include <string.h>

#include "session/greet_private.h"
#include "wire/frame.h"
#include "wire/message.h"

enum {
    TLS_HANDSHAKE = 0x16, /* the type of a TLS record with a ClientHello: as the first byte of a
                             packet's length it would say hundreds of megabytes */
    LENGTH_SIZE = 4,
    READ_MORE_SIZE = 4096, /* beyond the first block */
    CODE_CANCEL = 1234 << 16 | 5678
};

static enum greet_input lost(struct greet *greet)
{
    bool is_failed = greet->stream->state == STREAM_FAILED;
    size_t unfinished = buffer_size(&greet->in);

    if (error_is_set(&greet->err)) {
        return IN_LOST;
    }
    if (greet->state == GREET_SHAKING || greet->state == GREET_SHAKING_DIRECT) {
        error_set(&greet->err, "08P01", "could not accept TLS connection: %s",
                  stream_error(greet->stream));
    } else if (is_failed) {
        error_set(&greet->err, "08006", "%s", stream_error(greet->stream));
    } else if (unfinished > 0 && greet->state < GREET_ANSWERING) {
        error_set(&greet->err, "08P01", "incomplete startup packet");
    } else {
        error_set(&greet->err, "08006", "the client closed the connection before it was let in");
    }
    return IN_LOST;
}

/* Adds what has come.  False: nothing; `*is_lost`: nor will there be. */
static bool read_some(struct greet *greet, bool *is_lost)
{
    size_t size = buffer_size(&greet->in);
    size_t room = size < BUFFER_BLOCK_SIZE ? BUFFER_BLOCK_SIZE - size : READ_MORE_SIZE;

    *is_lost = false;
    char *bytes = buffer_reserve(&greet->in, room);
    if (bytes == NULL) {
        error_set(&greet->err, "53200", "out of memory");
        *is_lost = true;
        return false;
    }
    ssize_t count = stream_read(greet->stream, bytes, room);
    if (count <= 0) {
        buffer_consume(&greet->in, 0); /* an empty one gives its block back */
        *is_lost = count < 0;
        return false;
    }
    buffer_commit(&greet->in, (size_t)count);
    return true;
}

/* Before TLS the socket is only peeked at, else the ClientHello would not reach OpenSSL. */
static bool next_first(struct greet *greet, enum greet_input *input)
{
    unsigned char byte;
    int count = stream_peek(greet->stream, &byte);

    if (count == 0) {
        return false;
    }
    *input = count < 0 ? lost(greet) : byte == TLS_HANDSHAKE ? IN_HELLO : IN_OTHER;
    return true;
}

static enum greet_input packet_input(enum startup_kind kind)
{
    switch (kind) {
    case STARTUP_TLS: return IN_TLS;
    case STARTUP_GSS: return IN_GSS;
    case STARTUP_CANCEL: return IN_CANCEL;
    case STARTUP_LOGIN: break;
    }
    return IN_LOGIN;
}

/* PostgreSQL answers neither a packet of an impossible length, which is no client of its, nor a bad
 * CancelRequest. */
static bool is_answered(const struct greet *greet)
{
    const char *bytes = buffer_bytes(&greet->in);
    uint32_t length = message_get_u32(bytes);

    return length >= 2 * LENGTH_SIZE && length - LENGTH_SIZE <= STARTUP_PACKET_MAX &&
           message_get_u32(bytes + LENGTH_SIZE) != CODE_CANCEL;
}

static bool next_packet(struct greet *greet, enum greet_input *input)
{
    bool is_lost = false;

    do {
        switch (startup_read(buffer_bytes(&greet->in), buffer_size(&greet->in), &greet->startup,
                             &greet->taken, &greet->err)) {
        case STARTUP_OK:
            greet->answer = (struct greet_bytes){buffer_bytes(&greet->in), greet->taken};
            *input = packet_input(greet->startup.kind);
            return true;
        case STARTUP_BAD: *input = is_answered(greet) ? IN_WRONG : IN_BAD; return true;
        case STARTUP_NEED_MORE: break;
        }
    } while (read_some(greet, &is_lost));
    if (is_lost) {
        *input = lost(greet);
    }
    return is_lost;
}

static size_t answer_max(const struct greet *greet)
{
    return greet->state == GREET_WAITS_CLEAR ? PASSWORD_CLEAR_MAX : PASSWORD_SASL_MAX;
}

/* FRAME_BAD sets `err`; `*input` says whether the client is told. */
static enum frame_result read_answer(struct greet *greet, enum greet_input *input)
{
    const char *bytes = buffer_bytes(&greet->in);
    struct frame frame;

    if (buffer_size(&greet->in) == 0) {
        return FRAME_NEED_MORE;
    }
    if (bytes[0] != 'p') {
        error_set(&greet->err, "08P01", "expected %s response, got message type %d",
                  greet->state >= GREET_WAITS_MECHANISM ? "SASL" : "password",
                  (unsigned char)bytes[0]);
        *input = IN_WRONG;
        return FRAME_BAD;
    }
    enum frame_result result = frame_read(bytes, buffer_size(&greet->in), &frame, &greet->err);
    *input = IN_BAD;
    if (result != FRAME_OK) {
        return result;
    }
    if (frame.body_size > answer_max(greet)) {
        error_set(&greet->err, "08P01", "invalid message length: %zu bytes of password",
                  frame.body_size);
        return FRAME_BAD;
    }
    if (buffer_size(&greet->in) - FRAME_HEADER_SIZE < frame.body_size) {
        return FRAME_NEED_MORE;
    }
    greet->taken = FRAME_HEADER_SIZE + frame.body_size;
    greet->answer =
        (struct greet_bytes){buffer_bytes(&greet->in) + FRAME_HEADER_SIZE, frame.body_size};
    *input = IN_ANSWER;
    return FRAME_OK;
}

static bool next_answer(struct greet *greet, enum greet_input *input)
{
    bool is_lost = false;

    do {
        if (read_answer(greet, input) != FRAME_NEED_MORE) {
            return true;
        }
    } while (read_some(greet, &is_lost));
    if (is_lost) {
        *input = lost(greet);
    }
    return is_lost;
}

static bool next_shaken(struct greet *greet, enum greet_input *input)
{
    if (greet->stream->state == STREAM_SHAKING) {
        return false;
    }
    *input = greet->stream->state == STREAM_OPEN ? IN_SECURED : lost(greet);
    return true;
}

static bool next_sent(struct greet *greet, enum greet_input *input)
{
    if (greet->stream->state == STREAM_FAILED) {
        *input = lost(greet);
        return true;
    }
    *input = IN_SENT;
    return stream_pending(greet->stream) == 0;
}

static bool next_lookup(struct greet *greet, enum greet_input *input)
{
    if (greet->stream->state != STREAM_FAILED) {
        return false;
    }
    *input = lost(greet);
    return true;
}

bool greet_next_input(struct greet *greet, enum greet_input *input)
{
    switch ((enum greet_state)greet->state) {
    case GREET_FIRST: return next_first(greet, input);
    case GREET_PACKET:
    case GREET_TLS_REFUSED:
    case GREET_GSS_REFUSED:
    case GREET_LAST_PACKET: return next_packet(greet, input);
    case GREET_ANSWERING: return next_sent(greet, input);
    case GREET_SHAKING:
    case GREET_SHAKING_DIRECT: return next_shaken(greet, input);
    case GREET_LOOKUP: return next_lookup(greet, input);
    case GREET_WAITS_CLEAR:
    case GREET_WAITS_MD5:
    case GREET_WAITS_MECHANISM:
    case GREET_WAITS_FIRST:
    case GREET_WAITS_PROOF: return next_answer(greet, input);
    case GREET_IN:
    case GREET_CANCELLING:
    case GREET_GONE:
    case GREET_STATE_COUNT: break;
    }
    return false;
}
