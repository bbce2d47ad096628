#include "session/greet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "session/greet_private.h"
#include "wire/message.h"
#include "wire/notice.h"

enum { MAJOR_TWO = 2, AUTHENTICATION_OK = 0 };

/* ---- answers ---- */

/* The client is told why, and nothing after it.  Of a failed password it's told only that. */
static int tell(struct greet *greet)
{
    struct error told = greet->err;

    if (strcmp(told.sqlstate, "28P01") == 0) {
        told.hint[0] = '\0';
    }
    (void)notice_write(stream_out(greet->stream), "FATAL", &told); /* no memory: it's just closed */
    stream_flush(greet->stream);
    return GREET_GONE;
}

static int fail_memory(struct greet *greet)
{
    error_set(&greet->err, "53200", "out of memory");
    return GREET_GONE;
}

/* A client of protocol 2 understands an older kind of ErrorResponse only: a text. */
static int tell_old(struct greet *greet)
{
    char text[sizeof greet->err.message + 16];
    int size = snprintf(text, sizeof text, "EFATAL:  %s\n", greet->err.message);

    (void)stream_write(greet->stream, text, (size_t)size + 1);
    stream_flush(greet->stream);
    return GREET_GONE;
}

static int on_wrong(void *self, const void *)
{
    struct greet *greet = self;
    bool is_packet = greet->state < GREET_ANSWERING;
    unsigned major =
        is_packet ? message_get_u32(buffer_bytes(&greet->in) + sizeof(uint32_t)) >> 16 : 0;

    return major > 0 && major <= MAJOR_TWO ? tell_old(greet) : tell(greet);
}

static int on_gone(void *, const void *)
{
    return GREET_GONE;
}

/* ---- before the startup packet ---- */

static int on_hello(void *self, const void *)
{
    struct greet *greet = self;

    if (!admission_has_tls(&greet->plan, greet->stream)) {
        error_set(&greet->err, "08P01", "direct TLS is not accepted here");
        return GREET_GONE;
    }
    return stream_start_tls_server(greet->stream, greet->plan.tls, true, &greet->err)
               ? GREET_SHAKING_DIRECT
               : GREET_GONE;
}

static int on_other(void *, const void *)
{
    return GREET_PACKET;
}

/* Bytes that came before encryption began may be somebody else's (CVE-2021-23214). */
static bool check_nothing_behind(struct greet *greet, const char *request)
{
    if (buffer_size(&greet->in) == greet->taken) {
        return true;
    }
    error_set(&greet->err, "08P01", "received unencrypted data after %s request", request);
    return error_hint(&greet->err, "This could be either a client-software bug or evidence of an "
                                   "attempted man-in-the-middle attack.");
}

static int on_tls(void *self, const void *)
{
    struct greet *greet = self;
    bool has_tls = admission_has_tls(&greet->plan, greet->stream);

    if (!check_nothing_behind(greet, "SSL")) {
        return tell(greet);
    }
    if (!buffer_append(stream_out(greet->stream), has_tls ? "S" : "N", 1)) {
        return fail_memory(greet);
    }
    if (has_tls) {
        return GREET_ANSWERING;
    }
    return greet->state == GREET_PACKET ? GREET_TLS_REFUSED : GREET_LAST_PACKET;
}

static int on_gss(void *self, const void *)
{
    struct greet *greet = self;

    if (!check_nothing_behind(greet, "GSSAPI encryption")) {
        return tell(greet);
    }
    if (!buffer_append(stream_out(greet->stream), "N", 1)) {
        return fail_memory(greet);
    }
    return greet->state == GREET_PACKET ? GREET_GSS_REFUSED : GREET_LAST_PACKET;
}

/* Asked for once more, the request's code is a version that nobody speaks. */
static int on_again(void *self, const void *)
{
    struct greet *greet = self;
    uint32_t code = greet->startup.version;

    error_set(&greet->err, "0A000",
              "unsupported frontend protocol %u.%u: server supports 3.0 to 3.%d", code >> 16,
              code & 0xffff, STARTUP_VERSION_3_2 & 0xffff);
    return tell(greet);
}

static int on_sent(void *self, const void *)
{
    struct greet *greet = self;

    return stream_start_tls_server(greet->stream, greet->plan.tls, false, &greet->err)
               ? GREET_SHAKING
               : GREET_GONE;
}

static int on_secured(void *self, const void *)
{
    const struct greet *greet = self;
    return greet->state == GREET_SHAKING_DIRECT ? GREET_PACKET : GREET_LAST_PACKET;
}

/* The startup packet outlives the buffer that it was read from. */
static bool keep_packet(struct greet *greet, const struct greet_bytes *packet)
{
    size_t consumed;

    greet->packet = malloc(packet->size);
    if (greet->packet == NULL) {
        return false;
    }
    memcpy(greet->packet, packet->bytes, packet->size);
    greet->packet_size = packet->size;
    enum startup_result result =
        startup_read(greet->packet, packet->size, &greet->startup, &consumed, &greet->err);
    assert(result == STARTUP_OK); /* it was, before it was copied */
    return result == STARTUP_OK;
}

static int on_cancel(void *self, const void *input)
{
    struct greet *greet = self;
    return keep_packet(greet, input) ? GREET_CANCELLING : fail_memory(greet);
}

/* ---- who it is ---- */

static int let_in(struct greet *greet, const char *method)
{
    if (!admission_name(&greet->admission, &greet->err)) {
        return tell(greet);
    }
    struct message_writer writer = message_begin(stream_out(greet->stream), 'R');
    message_put_u32(&writer, AUTHENTICATION_OK);
    greet->method = method;
    return message_end(&writer) ? GREET_IN : fail_memory(greet);
}

static bool negotiate(struct greet *greet)
{
    if (greet->startup.version <= STARTUP_VERSION_3_2 &&
        greet->startup.protocol_option_count == 0) {
        return true; /* also 3.1, as PostgreSQL 18: it is 3.0 by another name */
    }
    return startup_write_negotiate(stream_out(greet->stream), greet_version(greet),
                                   &greet->startup);
}

static int on_login(void *self, const void *input)
{
    struct greet *greet = self;

    if (!keep_packet(greet, input) || !negotiate(greet)) {
        return fail_memory(greet);
    }
    greet->admission = (struct admission){
        .plan = &greet->plan, .stream = greet->stream, .startup = &greet->startup};
    if (!admission_find(&greet->admission, &greet->err)) {
        return tell(greet);
    }
    switch (greet->admission.rule.method) {
    case HBA_TRUST: return let_in(greet, "trust");
    case HBA_CERT: return let_in(greet, "cert");
    case HBA_PEER:
        return admission_peer(&greet->admission, &greet->err) ? let_in(greet, "peer") : tell(greet);
    case HBA_SCRAM:
    case HBA_MD5:
    case HBA_PASSWORD:
    case HBA_REJECT: break; /* admission_find() has said no to the last */
    }
    return GREET_LOOKUP;
}

static enum password_method asked_method(enum hba_method method)
{
    return method == HBA_MD5        ? PASSWORD_MD5
           : method == HBA_PASSWORD ? PASSWORD_CLEAR
                                    : PASSWORD_SCRAM;
}

static int on_credential(void *self, const void *input)
{
    static const int waits[] = {[PASSWORD_SCRAM] = GREET_WAITS_MECHANISM,
                                [PASSWORD_MD5] = GREET_WAITS_MD5,
                                [PASSWORD_CLEAR] = GREET_WAITS_CLEAR};
    struct greet *greet = self;
    unsigned char end_point[STREAM_DIGEST_MAX];
    struct password_plan plan = {.method = asked_method(greet->admission.rule.method),
                                 .user = greet->startup.user,
                                 .credential = input,
                                 .seed = greet->plan.seed,
                                 .end_point = end_point,
                                 .end_point_size = stream_end_point(greet->stream, end_point)};

    greet->in.is_secret = true;
    if (!password_begin(&greet->check, &plan, &greet->err)) {
        return tell(greet);
    }
    return password_ask(&greet->check, stream_out(greet->stream)) ? waits[greet->check.method]
                                                                  : fail_memory(greet);
}

static int on_refused(void *self, const void *input)
{
    struct greet *greet = self;
    greet->err = *(const struct error *)input;
    return tell(greet);
}

static int on_clear(void *self, const void *input)
{
    struct greet *greet = self;
    const struct greet_bytes *answer = input;
    return password_clear(&greet->check, answer->bytes, answer->size, &greet->err)
               ? let_in(greet, password_method_name(&greet->check))
               : tell(greet);
}

static int on_md5(void *self, const void *input)
{
    struct greet *greet = self;
    const struct greet_bytes *answer = input;
    return password_md5(&greet->check, answer->bytes, answer->size, &greet->err)
               ? let_in(greet, password_method_name(&greet->check))
               : tell(greet);
}

static int on_mechanism(void *self, const void *input)
{
    struct greet *greet = self;
    const struct greet_bytes *answer = input;
    bool has_begun = false;

    if (!password_sasl_initial(&greet->check, answer->bytes, answer->size,
                               stream_out(greet->stream), &has_begun, &greet->err)) {
        return tell(greet);
    }
    return has_begun ? GREET_WAITS_PROOF : GREET_WAITS_FIRST;
}

static int on_first(void *self, const void *input)
{
    struct greet *greet = self;
    const struct greet_bytes *answer = input;
    return password_sasl_first(&greet->check, answer->bytes, answer->size,
                               stream_out(greet->stream), &greet->err)
               ? GREET_WAITS_PROOF
               : tell(greet);
}

static int on_proof(void *self, const void *input)
{
    struct greet *greet = self;
    const struct greet_bytes *answer = input;
    return password_sasl_final(&greet->check, answer->bytes, answer->size,
                               stream_out(greet->stream), &greet->err)
               ? let_in(greet, password_method_name(&greet->check))
               : tell(greet);
}

/* ---- the table ---- */

#define IN_OR_GONE (TO(GREET_IN) | TO(GREET_GONE))
#define BEFORE_LOGIN(state)                                                                        \
    [state][IN_CANCEL] = {on_cancel, TO(GREET_CANCELLING) | TO(GREET_GONE)},                       \
    [state][IN_LOGIN] = {on_login, TO(GREET_LOOKUP) | IN_OR_GONE},                                 \
    [state][IN_BAD] = {on_gone, TO(GREET_GONE)}, [state][IN_WRONG] = {on_wrong, TO(GREET_GONE)},   \
    [state][IN_LOST] = {on_gone, TO(GREET_GONE)}
#define WAITS(state, on_answer, next)                                                              \
    [state][IN_ANSWER] = {on_answer, (next) | TO(GREET_GONE)},                                     \
    [state][IN_BAD] = {on_gone, TO(GREET_GONE)}, [state][IN_WRONG] = {on_wrong, TO(GREET_GONE)},   \
    [state][IN_LOST] = {on_gone, TO(GREET_GONE)}

static const struct machine_rule rules[GREET_STATE_COUNT][GREET_INPUT_COUNT] = {
    [GREET_FIRST][IN_HELLO] = {on_hello, TO(GREET_SHAKING_DIRECT) | TO(GREET_GONE)},
    [GREET_FIRST][IN_OTHER] = {on_other, TO(GREET_PACKET)},
    [GREET_FIRST][IN_LOST] = {on_gone, TO(GREET_GONE)},

    BEFORE_LOGIN(GREET_PACKET),
    [GREET_PACKET][IN_TLS] = {on_tls, TO(GREET_ANSWERING) | TO(GREET_TLS_REFUSED) | TO(GREET_GONE)},
    [GREET_PACKET][IN_GSS] = {on_gss, TO(GREET_GSS_REFUSED) | TO(GREET_GONE)},

    BEFORE_LOGIN(GREET_TLS_REFUSED),
    [GREET_TLS_REFUSED][IN_TLS] = {on_again, TO(GREET_GONE)},
    [GREET_TLS_REFUSED][IN_GSS] = {on_gss, TO(GREET_LAST_PACKET) | TO(GREET_GONE)},

    BEFORE_LOGIN(GREET_GSS_REFUSED),
    [GREET_GSS_REFUSED][IN_TLS] = {on_tls,
                                   TO(GREET_ANSWERING) | TO(GREET_LAST_PACKET) | TO(GREET_GONE)},
    [GREET_GSS_REFUSED][IN_GSS] = {on_again, TO(GREET_GONE)},

    BEFORE_LOGIN(GREET_LAST_PACKET),
    [GREET_LAST_PACKET][IN_TLS] = {on_again, TO(GREET_GONE)},
    [GREET_LAST_PACKET][IN_GSS] = {on_again, TO(GREET_GONE)},

    [GREET_ANSWERING][IN_SENT] = {on_sent, TO(GREET_SHAKING) | TO(GREET_GONE)},
    [GREET_ANSWERING][IN_LOST] = {on_gone, TO(GREET_GONE)},

    [GREET_SHAKING][IN_SECURED] = {on_secured, TO(GREET_LAST_PACKET)},
    [GREET_SHAKING][IN_LOST] = {on_gone, TO(GREET_GONE)},

    [GREET_SHAKING_DIRECT][IN_SECURED] = {on_secured, TO(GREET_PACKET)},
    [GREET_SHAKING_DIRECT][IN_LOST] = {on_gone, TO(GREET_GONE)},

    [GREET_LOOKUP][IN_CREDENTIAL] = {on_credential, TO(GREET_WAITS_CLEAR) | TO(GREET_WAITS_MD5) |
                                                        TO(GREET_WAITS_MECHANISM) | TO(GREET_GONE)},
    [GREET_LOOKUP][IN_REFUSED] = {on_refused, TO(GREET_GONE)},
    [GREET_LOOKUP][IN_LOST] = {on_gone, TO(GREET_GONE)},

    WAITS(GREET_WAITS_CLEAR, on_clear, TO(GREET_IN)),
    WAITS(GREET_WAITS_MD5, on_md5, TO(GREET_IN)),
    WAITS(GREET_WAITS_MECHANISM, on_mechanism, TO(GREET_WAITS_PROOF) | TO(GREET_WAITS_FIRST)),
    WAITS(GREET_WAITS_FIRST, on_first, TO(GREET_WAITS_PROOF)),
    WAITS(GREET_WAITS_PROOF, on_proof, TO(GREET_IN)),
};

/* greet_next_input() makes no input that its state has no rule for. */
static int on_unexpected(void *, const void *)
{
    assert(false);
    return GREET_GONE;
}

static const char *const state_names[GREET_STATE_COUNT] = {
    [GREET_FIRST] = "first_byte",
    [GREET_PACKET] = "packet",
    [GREET_TLS_REFUSED] = "tls_refused",
    [GREET_GSS_REFUSED] = "gss_refused",
    [GREET_LAST_PACKET] = "last_packet",
    [GREET_ANSWERING] = "answering",
    [GREET_SHAKING] = "shaking",
    [GREET_SHAKING_DIRECT] = "shaking_direct",
    [GREET_LOOKUP] = "lookup",
    [GREET_WAITS_CLEAR] = "waits_password",
    [GREET_WAITS_MD5] = "waits_md5",
    [GREET_WAITS_MECHANISM] = "waits_mechanism",
    [GREET_WAITS_FIRST] = "waits_client_first",
    [GREET_WAITS_PROOF] = "waits_proof",
    [GREET_IN] = "in",
    [GREET_CANCELLING] = "cancelling",
    [GREET_GONE] = "gone",
};
static const char *const input_names[GREET_INPUT_COUNT] = {
    [IN_HELLO] = "TLS hello",
    [IN_OTHER] = "other byte",
    [IN_TLS] = "SSLRequest",
    [IN_GSS] = "GSSENCRequest",
    [IN_CANCEL] = "CancelRequest",
    [IN_LOGIN] = "startup packet",
    [IN_BAD] = "malformed, not answered",
    [IN_WRONG] = "malformed, answered",
    [IN_SENT] = "sent",
    [IN_SECURED] = "TLS stands",
    [IN_CREDENTIAL] = "credential or none",
    [IN_REFUSED] = "lookup failed",
    [IN_ANSWER] = "password message",
    [IN_LOST] = "client lost",
};

const struct machine greet_machine = {
    .name = "greet",
    .state_count = GREET_STATE_COUNT,
    .input_count = GREET_INPUT_COUNT,
    .state_names = state_names,
    .input_names = input_names,
    .rules = rules[0],
    .on_unexpected = {on_unexpected, TO(GREET_GONE)},
};

/* ---- the interface ---- */

struct greet *greet_create(struct stream *stream, const struct greet_plan *plan)
{
    struct greet *greet = calloc(1, sizeof *greet);
    if (greet == NULL) {
        return NULL;
    }
    greet->stream = stream;
    greet->plan = *plan;
    greet->method = "";
    buffer_init(&greet->in, loop_buffers(stream->loop));
    return greet;
}

void greet_destroy(struct greet *greet)
{
    if (greet == NULL) {
        return;
    }
    password_done(&greet->check);
    buffer_done(&greet->in);
    free(greet->packet);
    free(greet);
}

static enum greet_status status_of(const struct greet *greet, struct error *err)
{
    switch ((enum greet_state)greet->state) {
    case GREET_LOOKUP: return GREET_NEEDS_CREDENTIAL;
    case GREET_IN: return GREET_ACCEPTED;
    case GREET_CANCELLING: return GREET_CANCEL;
    case GREET_GONE: *err = greet->err; return GREET_CLOSED;
    case GREET_FIRST:
    case GREET_PACKET:
    case GREET_TLS_REFUSED:
    case GREET_GSS_REFUSED:
    case GREET_LAST_PACKET:
    case GREET_ANSWERING:
    case GREET_SHAKING:
    case GREET_SHAKING_DIRECT:
    case GREET_WAITS_CLEAR:
    case GREET_WAITS_MD5:
    case GREET_WAITS_MECHANISM:
    case GREET_WAITS_FIRST:
    case GREET_WAITS_PROOF:
    case GREET_STATE_COUNT: break;
    }
    return GREET_MORE;
}

enum greet_status greet_step(struct greet *greet, struct error *err)
{
    enum greet_input input;

    for (;;) {
        if (greet->state < GREET_IN) {
            stream_flush(greet->stream);
        }
        if (!greet_next_input(greet, &input)) {
            return status_of(greet, err);
        }
        greet->state =
            machine_step(&greet_machine, greet->state, (int)input, greet, &greet->answer);
        buffer_consume(&greet->in, greet->taken);
        greet->taken = 0;
    }
}

void greet_credential(struct greet *greet, const struct credential *credential)
{
    assert(greet->state == GREET_LOOKUP);
    greet->state = machine_step(&greet_machine, greet->state, IN_CREDENTIAL, greet, credential);
}

void greet_refuse(struct greet *greet, const struct error *why)
{
    assert(greet->state == GREET_LOOKUP);
    assert(error_is_set(why));
    greet->state = machine_step(&greet_machine, greet->state, IN_REFUSED, greet, why);
}

const struct startup *greet_startup(const struct greet *greet)
{
    return greet->packet != NULL ? &greet->startup : NULL;
}

uint32_t greet_version(const struct greet *greet)
{
    return greet->startup.version < STARTUP_VERSION_3_2 ? greet->startup.version
                                                        : STARTUP_VERSION_3_2;
}

bool greet_client_key(const struct greet *greet, unsigned char key[SCRAM_KEY_SIZE])
{
    return greet->state == GREET_IN && password_client_key(&greet->check, key);
}

const struct credential *greet_known(const struct greet *greet)
{
    bool is_shown = greet->state == GREET_IN && greet->check.credential.kind != CREDENTIAL_NONE;
    return is_shown ? &greet->check.credential : NULL;
}

const char *greet_left_over(const struct greet *greet, size_t *size)
{
    *size = buffer_size(&greet->in);
    return buffer_bytes(&greet->in);
}

const char *greet_method(const struct greet *greet)
{
    return greet->method;
}
