#include "backend/cancel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/tls_answer.h"
#include "net/stream.h"
#include "wire/startup.h"

enum cancel_state {
    STATE_CONNECTING,
    STATE_TLS_ASKED,
    STATE_TLS_SHAKING,
    STATE_SENDING, /* the request is in the stream, not all of it with the system */
    STATE_SENT,    /* the server's end of the connection is waited for */
    STATE_PROCESSED,
    STATE_FAILED, /* `err` is set */
    STATE_COUNT
};

enum cancel_input {
    IN_CONNECTED,
    IN_TLS_YES,
    IN_TLS_NO,
    IN_TLS_OTHER,
    IN_SHAKEN,
    IN_SENT,
    IN_END, /* in order: what was sent has been read */
    IN_BYTES,
    IN_LOST,
    IN_DUE,
    IN_COUNT,
    NO_INPUT = IN_COUNT
};

struct cancel {
    struct loop_timer timer; /* first: it is found by it */
    int state;
    struct stream stream;
    char host[256];
    enum tls_mode tls_mode;
    struct tls_context *tls; /* counted; NULL in clear */
    uint32_t pid;
    unsigned char key[STARTUP_KEY_MAX];
    size_t key_size;
    void (*on_end)(void *owner, const struct error *err);
    void *owner; /* borrowed */
    struct error err;
};

static int fail_memory(struct cancel *cancel)
{
    error_set(&cancel->err, "53200", "out of memory");
    return STATE_FAILED;
}

static int send_cancel(struct cancel *cancel)
{
    struct buffer *out = stream_out(&cancel->stream);

    out->is_secret = true;
    if (!startup_write_cancel(out, cancel->pid, cancel->key, cancel->key_size)) {
        return fail_memory(cancel);
    }
    return STATE_SENDING;
}

static int on_connected(void *self, const void *)
{
    struct cancel *cancel = self;

    if (cancel->tls == NULL) {
        return send_cancel(cancel);
    }
    if (!startup_write_request(stream_out(&cancel->stream), STARTUP_TLS)) {
        return fail_memory(cancel);
    }
    return STATE_TLS_ASKED;
}

static int on_tls_yes(void *self, const void *)
{
    struct cancel *cancel = self;

    return stream_start_tls_client(&cancel->stream, cancel->tls, cancel->tls_mode, cancel->host,
                                   &cancel->err)
               ? STATE_TLS_SHAKING
               : STATE_FAILED;
}

/* The session had it: somebody in between wants the key in clear. */
static int on_tls_no(void *self, const void *)
{
    struct cancel *cancel = self;
    error_set(&cancel->err, "08001", "the server has no TLS any more, which its session has");
    return STATE_FAILED;
}

static int on_tls_other(void *self, const void *)
{
    struct cancel *cancel = self;
    error_set(&cancel->err, "08P01", "the answer to the request for TLS makes no sense");
    return STATE_FAILED;
}

static int on_shaken(void *self, const void *)
{
    return send_cancel(self);
}

static int on_sent(void *, const void *)
{
    return STATE_SENT;
}

static int on_closed(void *, const void *)
{
    return STATE_PROCESSED;
}

static int on_bytes(void *self, const void *)
{
    struct cancel *cancel = self;
    error_set(&cancel->err, "08P01",
              "the server answered a request to cancel, which has no answer");
    error_hint(&cancel->err, "it may have no resources for a new connection: see its log");
    return STATE_FAILED;
}

static int on_lost(void *self, const void *)
{
    struct cancel *cancel = self;
    error_set(&cancel->err, cancel->state == STATE_SENT ? "08006" : "08001", "%s",
              stream_error(&cancel->stream));
    return STATE_FAILED;
}

static int on_due(void *self, const void *)
{
    struct cancel *cancel = self;
    error_set(&cancel->err, "57014", "the server did not deal with it in time");
    return STATE_FAILED;
}

static const struct machine_rule rules[STATE_COUNT][IN_COUNT] = {
    [STATE_CONNECTING][IN_CONNECTED] = {on_connected,
                                        TO(STATE_TLS_ASKED) | TO(STATE_SENDING) | TO(STATE_FAILED)},
    [STATE_CONNECTING][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_CONNECTING][IN_DUE] = {on_due, TO(STATE_FAILED)},

    [STATE_TLS_ASKED][IN_TLS_YES] = {on_tls_yes, TO(STATE_TLS_SHAKING) | TO(STATE_FAILED)},
    [STATE_TLS_ASKED][IN_TLS_NO] = {on_tls_no, TO(STATE_FAILED)},
    [STATE_TLS_ASKED][IN_TLS_OTHER] = {on_tls_other, TO(STATE_FAILED)},
    [STATE_TLS_ASKED][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_TLS_ASKED][IN_DUE] = {on_due, TO(STATE_FAILED)},

    [STATE_TLS_SHAKING][IN_SHAKEN] = {on_shaken, TO(STATE_SENDING) | TO(STATE_FAILED)},
    [STATE_TLS_SHAKING][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_TLS_SHAKING][IN_DUE] = {on_due, TO(STATE_FAILED)},

    [STATE_SENDING][IN_SENT] = {on_sent, TO(STATE_SENT)},
    [STATE_SENDING][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_SENDING][IN_DUE] = {on_due, TO(STATE_FAILED)},

    [STATE_SENT][IN_END] = {on_closed, TO(STATE_PROCESSED)},
    [STATE_SENT][IN_BYTES] = {on_bytes, TO(STATE_FAILED)},
    [STATE_SENT][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_SENT][IN_DUE] = {on_due, TO(STATE_FAILED)},
};

static int on_unexpected(void *, const void *)
{
    abort(); /* the inputs are ours: our mistake */
}

static const char *const state_names[STATE_COUNT] = {[STATE_CONNECTING] = "connecting",
                                                     [STATE_TLS_ASKED] = "tls_asked",
                                                     [STATE_TLS_SHAKING] = "tls_shaking",
                                                     [STATE_SENDING] = "sending",
                                                     [STATE_SENT] = "sent",
                                                     [STATE_PROCESSED] = "processed",
                                                     [STATE_FAILED] = "failed"};

static const char *const input_names[IN_COUNT] = {[IN_CONNECTED] = "connected",
                                                  [IN_TLS_YES] = "TLS yes",
                                                  [IN_TLS_NO] = "TLS no",
                                                  [IN_TLS_OTHER] = "TLS nonsense",
                                                  [IN_SHAKEN] = "handshake done",
                                                  [IN_SENT] = "all is sent",
                                                  [IN_END] = "closed by the server",
                                                  [IN_BYTES] = "an answer",
                                                  [IN_LOST] = "connection lost",
                                                  [IN_DUE] = "deadline passed"};

const struct machine cancel_machine = {
    .name = "cancel",
    .state_count = STATE_COUNT,
    .input_count = IN_COUNT,
    .state_names = state_names,
    .input_names = input_names,
    .rules = rules[0],
    .on_unexpected = {on_unexpected, 0},
};

/* ---- inputs ---- */

static enum cancel_input look_at_stream(const struct cancel *cancel, enum cancel_input success)
{
    switch (cancel->stream.state) {
    case STREAM_CONNECTING:
    case STREAM_SHAKING: return NO_INPUT;
    case STREAM_OPEN: return success;
    case STREAM_CLOSED:
    case STREAM_FAILED: break;
    }
    return IN_LOST;
}

static enum cancel_input read_tls_answer(struct cancel *cancel)
{
    if (stream_pending(&cancel->stream) > 0) {
        return NO_INPUT; /* nothing to be answered has left */
    }
    switch (tls_answer_read(&cancel->stream)) {
    case TLS_ANSWER_NOT_YET: return NO_INPUT;
    case TLS_ANSWER_YES: return IN_TLS_YES;
    case TLS_ANSWER_NO: return IN_TLS_NO;
    case TLS_ANSWER_ERROR:
    case TLS_ANSWER_STUFFED:
    case TLS_ANSWER_OTHER: return IN_TLS_OTHER;
    case TLS_ANSWER_LOST: break;
    }
    return IN_LOST;
}

static enum cancel_input read_end(struct cancel *cancel)
{
    char byte;
    ssize_t count = stream_read(&cancel->stream, &byte, 1);

    if (count >= 0) {
        return count > 0 ? IN_BYTES : NO_INPUT;
    }
    return cancel->stream.is_at_end && cancel->stream.state == STREAM_OPEN ? IN_END : IN_LOST;
}

static enum cancel_input next_input(struct cancel *cancel)
{
    switch ((enum cancel_state)cancel->state) {
    case STATE_CONNECTING: return look_at_stream(cancel, IN_CONNECTED);
    case STATE_TLS_ASKED: return read_tls_answer(cancel);
    case STATE_TLS_SHAKING: return look_at_stream(cancel, IN_SHAKEN);
    case STATE_SENDING:
        return look_at_stream(cancel, stream_pending(&cancel->stream) > 0 ? NO_INPUT : IN_SENT);
    case STATE_SENT: return read_end(cancel);
    case STATE_PROCESSED:
    case STATE_FAILED:
    case STATE_COUNT: break;
    }
    return NO_INPUT;
}

/* Tells the owner last, who may free it. */
static void step(struct cancel *cancel, enum cancel_input input)
{
    if (cancel->state == STATE_PROCESSED || cancel->state == STATE_FAILED) {
        return;
    }
    for (; input != NO_INPUT; input = next_input(cancel)) {
        cancel->state = machine_step(&cancel_machine, cancel->state, (int)input, cancel, NULL);
        stream_flush(&cancel->stream);
    }
    if (cancel->state != STATE_PROCESSED && cancel->state != STATE_FAILED) {
        return;
    }
    loop_cancel(cancel->stream.loop, &cancel->timer);
    stream_close(&cancel->stream);
    if (cancel->state == STATE_FAILED) {
        error_wrap(&cancel->err, "cancelling at %s", cancel->host);
    }
    cancel->on_end(cancel->owner, cancel->state == STATE_FAILED ? &cancel->err : NULL);
}

static void on_stream(void *owner)
{
    struct cancel *cancel = owner;
    step(cancel, next_input(cancel));
}

static void on_time(struct loop_timer *timer)
{
    step((struct cancel *)(void *)timer, IN_DUE);
}

struct cancel *cancel_start(struct loop *loop, const struct cancel_plan *plan,
                            void (*on_end)(void *owner, const struct error *err), void *owner,
                            struct error *err)
{
    struct cancel *cancel = calloc(1, sizeof *cancel);

    assert(plan->key_size >= 1 && plan->key_size <= STARTUP_KEY_MAX);
    if (cancel == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    snprintf(cancel->host, sizeof cancel->host, "%s", plan->host);
    cancel->timer.on_time = on_time;
    cancel->tls_mode = plan->tls_mode;
    cancel->pid = plan->pid;
    cancel->key_size = plan->key_size;
    memcpy(cancel->key, plan->key, plan->key_size);
    cancel->on_end = on_end;
    cancel->owner = owner;
    if (!stream_connect(&cancel->stream, loop, plan->address, plan->address_size, on_stream, cancel,
                        err)) {
        error_wrap(err, "cancelling at %s", cancel->host);
        explicit_bzero(cancel, sizeof *cancel);
        free(cancel);
        return NULL;
    }
    cancel->tls = plan->tls != NULL ? tls_share(plan->tls) : NULL;
    if (!loop_set_timer(loop, &cancel->timer, plan->deadline)) {
        cancel_destroy(cancel);
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    return cancel;
}

void cancel_destroy(struct cancel *cancel)
{
    if (cancel == NULL) {
        return;
    }
    loop_cancel(cancel->stream.loop, &cancel->timer);
    stream_close(&cancel->stream);
    tls_release(cancel->tls);
    explicit_bzero(cancel, sizeof *cancel);
    free(cancel);
}
