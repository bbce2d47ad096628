#include "backend/login.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "backend/login_private.h"
#include "backend/tls_answer.h"
#include "wire/message.h"

enum { READY_SIZE = FRAME_HEADER_SIZE + 1, PARAMETER_CHUNK = 2048 };

static enum login_input classify_authentication(struct login *login, struct message *message)
{
    if (message->size < 4) {
        login_fail_malformed(login, "authentication request");
        return IN_BAD;
    }
    message->code = message_get_u32(message->body);
    switch (message->code) {
    case 0:
    case 3:
    case 5:
        if (message->size != (message->code == 5 ? 8u : 4u)) {
            login_fail_malformed(login, "authentication request");
            return IN_BAD;
        }
        return message->code == 0 ? IN_AUTH_OK : message->code == 3 ? IN_AUTH_CLEAR : IN_AUTH_MD5;
    case 10: return IN_AUTH_SASL;
    case 11: return IN_AUTH_CONTINUE;
    case 12: return IN_AUTH_FINAL;
    default: return IN_AUTH_OTHER; /* lint: not an enum */
    }
}

static enum login_input classify(struct login *login, struct message *message)
{
    switch (message->type) {
    case 'R': return classify_authentication(login, message);
    case 'v': return IN_NEGOTIATE;
    case 'S': return IN_PARAMETER;
    case 'K': return IN_KEY;
    case 'N': return IN_NOTICE;
    case 'E': return IN_ERROR;
    case 'Z': return IN_READY;
    default: return IN_OTHER; /* lint: not an enum */
    }
}

/* Never past the ReadyForQuery that ends a login: behind any other message at least that one must
 * follow.  So each message costs one read, and what follows the login is left to the next reader.
 */
static size_t bytes_wanted(const struct login *login)
{
    size_t have = buffer_size(&login->in);

    if (have < FRAME_HEADER_SIZE) {
        return READY_SIZE - have;
    }
    size_t whole = FRAME_HEADER_SIZE + login->frame.body_size;
    return whole + (login->frame.type == 'Z' ? 0 : READY_SIZE) - have;
}

/* True: the whole message is in `in`; its header is in `frame`. */
static bool has_message(struct login *login, enum login_input *input)
{
    size_t have = buffer_size(&login->in);
    enum frame_result result =
        frame_read(buffer_bytes(&login->in), have, &login->frame, &login->err);

    if (result == FRAME_NEED_MORE) {
        return false;
    }
    if (result == FRAME_OK && login->frame.body_size > LOGIN_MESSAGE_MAX) {
        error_set(&login->err, "08P01", "a message of %zu bytes during the login",
                  login->frame.body_size);
        result = FRAME_BAD;
    }
    if (result == FRAME_BAD) {
        *input = IN_BAD;
        return true;
    }
    *input = NO_INPUT;
    return have >= FRAME_HEADER_SIZE + login->frame.body_size;
}

static enum login_input read_message(struct login *login, struct message *message)
{
    enum login_input input;

    while (!has_message(login, &input)) {
        size_t size = bytes_wanted(login);
        char *room = buffer_reserve(&login->in, size);
        if (room == NULL) {
            login_fail_memory(login);
            return IN_BAD;
        }
        ssize_t count = stream_read(login->stream, room, size);
        if (count <= 0) {
            return count < 0 ? IN_LOST : NO_INPUT;
        }
        buffer_commit(&login->in, (size_t)count);
    }
    if (input == IN_BAD) {
        return input;
    }
    *message = (struct message){.type = login->frame.type,
                                .body = buffer_bytes(&login->in) + FRAME_HEADER_SIZE,
                                .size = login->frame.body_size};
    return classify(login, message);
}

static enum login_input read_tls_answer(struct login *login)
{
    if (stream_pending(login->stream) > 0) {
        return NO_INPUT; /* nothing to be answered has left; an answer now is no answer */
    }
    switch (tls_answer_read(login->stream)) {
    case TLS_ANSWER_NOT_YET: return NO_INPUT;
    case TLS_ANSWER_YES: return IN_TLS_YES;
    case TLS_ANSWER_NO: return IN_TLS_NO;
    case TLS_ANSWER_ERROR: return IN_TLS_ERROR;
    case TLS_ANSWER_STUFFED: return IN_TLS_STUFFED;
    case TLS_ANSWER_OTHER: return IN_TLS_OTHER;
    case TLS_ANSWER_LOST: break;
    }
    return IN_LOST;
}

/* Whether connecting or shaking hands has come to an end. */
static enum login_input look_at_stream(const struct login *login, enum login_input success)
{
    switch (login->stream->state) {
    case STREAM_CONNECTING:
    case STREAM_SHAKING: return NO_INPUT;
    case STREAM_OPEN: return success;
    case STREAM_CLOSED:
    case STREAM_FAILED: break;
    }
    return IN_LOST;
}

static enum login_input next_input(struct login *login, struct message *message)
{
    switch ((enum login_state)login->state) {
    case STATE_CONNECTING: return look_at_stream(login, IN_CONNECTED);
    case STATE_TLS_ASKED: return read_tls_answer(login);
    case STATE_TLS_SHAKING: return look_at_stream(login, IN_SHAKEN);
    case STATE_STARTED:
    case STATE_PASSWORD_SENT:
    case STATE_SASL_BEGUN:
    case STATE_SASL_PROVEN:
    case STATE_SASL_VERIFIED:
    case STATE_SETTLING: return read_message(login, message);
    case STATE_READY:
    case STATE_FAILED:
    case STATE_COUNT: break;
    }
    abort(); /* stepped after its end: our mistake */
}

/* False when there is nothing to do before the next event. */
static bool step(struct login *login)
{
    struct message message = {0};
    enum login_input input = next_input(login, &message);

    if (input == NO_INPUT) {
        return false;
    }
    login->state = machine_step(&login_machine, login->state, (int)input, login, &message);
    stream_flush(login->stream); /* a failure shows at the next read, no event would tell of it */
    if (message.body != NULL) {
        buffer_consume(&login->in, FRAME_HEADER_SIZE + message.size);
    }
    return login->state != STATE_READY && login->state != STATE_FAILED;
}

enum login_status login_step(struct login *login, struct error *err)
{
    while (step(login)) {
    }
    if (login->state == STATE_READY) {
        assert(buffer_size(&login->in) == 0);
        stream_out(login->stream)->is_secret = false;
        login->result.made_secret = authenticate_made(&login->authenticate);
        return LOGIN_READY;
    }
    if (login->state == STATE_FAILED) {
        *err = login->err;
        error_wrap(err, "login to %s", login->plan.host);
        return LOGIN_FAILED;
    }
    return LOGIN_MORE;
}

struct login *login_create(struct stream *stream, const struct login_plan *plan)
{
    struct login *login = calloc(1, sizeof *login);

    assert(plan->parameter_count <= STARTUP_PARAMETER_MAX);
    assert(plan->is_local || plan->tls_mode == TLS_DISABLE || plan->tls != NULL);
    if (login == NULL) {
        return NULL;
    }
    login->state = STATE_CONNECTING;
    login->stream = stream;
    login->plan = *plan;
    login->authenticate.user = plan->user;
    login->authenticate.credential = plan->credential;
    login->authenticate.known_secret = plan->known_secret;
    buffer_init(&login->in, loop_buffers(stream->loop));
    arena_init(&login->texts, PARAMETER_CHUNK, LOGIN_PARAMETER_BYTES);
    login->result.parameters = login->parameters;
    login->result.key = login->key;
    login->result.version = plan->wants_3_2 ? STARTUP_VERSION_3_2 : STARTUP_VERSION_3_0;
    return login;
}

void login_destroy(struct login *login)
{
    if (login == NULL) {
        return;
    }
    authenticate_done(&login->authenticate);
    buffer_done(&login->in);
    arena_done(&login->texts);
    explicit_bzero(login, sizeof *login);
    free(login);
}

const struct login_result *login_result(const struct login *login)
{
    assert(login->state == STATE_READY);
    return &login->result;
}

bool login_other_mode(const struct login *login, enum tls_mode *mode)
{
    if (login->state != STATE_FAILED || !login->has_other_mode) {
        return false;
    }
    *mode = login->plan.tls_mode == TLS_ALLOW ? TLS_REQUIRE : TLS_DISABLE;
    return true;
}
