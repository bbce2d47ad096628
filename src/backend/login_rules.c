#include <string.h>

#include "backend/login_private.h"
#include "wire/message.h"
#include "wire/notice.h"

int login_fail_memory(struct login *login)
{
    error_set(&login->err, "53200", "out of memory");
    return STATE_FAILED;
}

int login_fail_malformed(struct login *login, const char *what)
{
    error_set(&login->err, "08P01", "malformed %s", what);
    return STATE_FAILED;
}

/* What failed could go well with TLS where we had none, or without; if the mode wants both. */
static void note_other_mode(struct login *login)
{
    enum tls_mode without = login->has_tls ? TLS_PREFER : TLS_ALLOW;
    login->has_other_mode =
        login->plan.tls_mode == without && !login->plan.is_local && login->plan.tls != NULL;
}

/* ---- connection, TLS, startup ---- */

static int send_startup(struct login *login)
{
    struct startup_parameter parameters[STARTUP_PARAMETER_MAX + 2];
    struct buffer *out = stream_out(login->stream);
    size_t count = 0, before = buffer_size(out);

    parameters[count++] = (struct startup_parameter){"user", login->plan.user};
    if (login->plan.database != NULL) {
        parameters[count++] = (struct startup_parameter){"database", login->plan.database};
    }
    for (size_t i = 0; i < login->plan.parameter_count; i++) {
        parameters[count++] = login->plan.parameters[i];
    }
    if (!startup_write_login(out, login->result.version, parameters, count)) {
        return login_fail_memory(login);
    }
    if (buffer_size(out) - before > STARTUP_PACKET_MAX) {
        error_set(&login->err, "54000", "the startup packet has more than %d bytes",
                  STARTUP_PACKET_MAX);
        return STATE_FAILED;
    }
    login->authenticate.may_send_clear = login->has_tls || login->plan.is_local;
    login->authenticate.end_point_size =
        stream_end_point(login->stream, login->authenticate.end_point);
    return STATE_STARTED;
}

static int on_connected(void *self, const void *)
{
    struct login *login = self;

    if (login->plan.is_local || login->plan.tls_mode < TLS_PREFER) {
        return send_startup(login);
    }
    if (!startup_write_request(stream_out(login->stream), STARTUP_TLS)) {
        return login_fail_memory(login);
    }
    return STATE_TLS_ASKED;
}

static int on_tls_yes(void *self, const void *)
{
    struct login *login = self;

    login->has_tls = true;
    if (!stream_start_tls_client(login->stream, login->plan.tls, login->plan.tls_mode,
                                 login->plan.host, &login->err)) {
        note_other_mode(login);
        return STATE_FAILED;
    }
    return STATE_TLS_SHAKING;
}

static int on_tls_no(void *self, const void *)
{
    struct login *login = self;

    if (login->plan.tls_mode == TLS_PREFER) {
        return send_startup(login);
    }
    error_set(&login->err, "08001", "the server has no TLS, which is required");
    error_hint(&login->err, "set ssl = on in the server's postgresql.conf, or a tls mode below "
                            "require for this server");
    return STATE_FAILED;
}

/* The text that follows is nobody's we know (CVE-2024-10977): it is not repeated. */
static int on_tls_error(void *self, const void *)
{
    struct login *login = self;

    login->has_tls = true;
    note_other_mode(login);
    error_set(&login->err, "08001", "the server answered the request for TLS with an error");
    error_hint(&login->err, "it may have no resources for a new connection: see its log");
    return STATE_FAILED;
}

static int on_tls_stuffed(void *self, const void *)
{
    struct login *login = self;
    error_set(&login->err, "08P01",
              "bytes in clear follow the server's consent to TLS: somebody "
              "in between may have put them there");
    return STATE_FAILED;
}

static int on_tls_other(void *self, const void *)
{
    struct login *login = self;
    error_set(&login->err, "08P01", "what answered the request for TLS is no PostgreSQL server");
    return STATE_FAILED;
}

static int on_shaken(void *self, const void *)
{
    return send_startup(self);
}

static int on_lost(void *self, const void *)
{
    static const char *const moments[STATE_COUNT] = {
        [STATE_TLS_ASKED] = "after the request for TLS",
        [STATE_STARTED] = "after the startup packet",
        [STATE_PASSWORD_SENT] = "after the password was sent",
        [STATE_SASL_BEGUN] = "during SCRAM authentication",
        [STATE_SASL_PROVEN] = "after the SCRAM proof was sent",
        [STATE_SASL_VERIFIED] = "after SCRAM authentication",
        [STATE_SETTLING] = "after authentication",
    };
    struct login *login = self;
    const char *reason = stream_error(login->stream);

    if (login->state == STATE_CONNECTING) {
        error_set(&login->err, "08001", "%s", reason);
    } else if (login->state == STATE_TLS_SHAKING) {
        error_set(&login->err, "08001", "the TLS handshake failed: %s", reason);
        note_other_mode(login);
    } else {
        error_set(&login->err, "08006", "%s: %s", moments[login->state], reason);
    }
    return STATE_FAILED;
}

static int on_bad(void *, const void *)
{
    return STATE_FAILED;
}

/* ---- authentication ---- */

/* Where an answer goes; no copy of it stays behind when it's sent. */
static struct buffer *secret_out(struct login *login)
{
    struct buffer *out = stream_out(login->stream);
    out->is_secret = true;
    return out;
}

static int on_auth_ok(void *, const void *)
{
    return STATE_SETTLING;
}

static int on_auth_clear(void *self, const void *)
{
    struct login *login = self;

    if (!login->authenticate.may_send_clear) {
        note_other_mode(login);
    }
    return authenticate_clear(&login->authenticate, secret_out(login), &login->err)
               ? STATE_PASSWORD_SENT
               : STATE_FAILED;
}

static int on_auth_md5(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;
    unsigned char salt[4];

    memcpy(salt, message->body + 4, sizeof salt);
    return authenticate_md5(&login->authenticate, salt, secret_out(login), &login->err)
               ? STATE_PASSWORD_SENT
               : STATE_FAILED;
}

static int on_auth_sasl(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;

    return authenticate_sasl(&login->authenticate, message->body + 4, message->size - 4,
                             secret_out(login), &login->err)
               ? STATE_SASL_BEGUN
               : STATE_FAILED;
}

static int on_auth_continue(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;

    return authenticate_sasl_continue(&login->authenticate, message->body + 4, message->size - 4,
                                      secret_out(login), &login->err)
               ? STATE_SASL_PROVEN
               : STATE_FAILED;
}

static int on_auth_final(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;

    return authenticate_sasl_final(&login->authenticate, message->body + 4, message->size - 4,
                                   &login->err)
               ? STATE_SASL_VERIFIED
               : STATE_FAILED;
}

static const char *method_name(uint32_t code)
{
    switch (code) {
    case 2: return "Kerberos V5";
    case 6: return "SCM credentials";
    case 7:
    case 8: return "GSSAPI";
    case 9: return "SSPI";
    default: return "an unknown method"; /* lint: not an enum */
    }
}

static int on_auth_other(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;

    error_set(&login->err, "28000",
              "the server wants authentication by %s (%u), which is not "
              "supported",
              method_name(message->code), message->code);
    error_hint(&login->err, "use scram-sha-256 or cert for the router in the server's pg_hba.conf");
    return STATE_FAILED;
}

/* ---- what comes besides ---- */

/* Only older protocols of what was asked for are left to negotiate, and no options. */
static int on_negotiate(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;
    struct message_reader reader;

    message_read_begin(&reader, message->body, message->size);
    uint32_t version = message_read_u32(&reader);
    uint32_t option_count = message_read_u32(&reader);
    if (!message_read_end(&reader) || option_count != 0 ||
        login->result.version != STARTUP_VERSION_3_2 || version != STARTUP_VERSION_3_0) {
        error_set(&login->err, "08P01",
                  "the server negotiates what was not asked for: protocol "
                  "%u.%u and %u options",
                  version >> 16, version & 0xffff, option_count);
        return STATE_FAILED;
    }
    login->result.version = version;
    return login->state;
}

static struct startup_parameter *find_parameter(struct login *login, const char *name)
{
    for (size_t i = 0; i < login->result.parameter_count; i++) {
        if (strcmp(login->parameters[i].name, name) == 0) {
            return &login->parameters[i];
        }
    }
    return NULL;
}

static int on_parameter(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;
    struct message_reader reader;

    message_read_begin(&reader, message->body, message->size);
    const char *name = message_read_string(&reader), *value = message_read_string(&reader);
    if (!message_read_end(&reader) || name[0] == '\0') {
        return login_fail_malformed(login, "ParameterStatus");
    }
    struct startup_parameter *parameter = find_parameter(login, name);
    bool is_new = parameter == NULL;
    if (is_new && login->result.parameter_count < STARTUP_PARAMETER_MAX) {
        parameter = &login->parameters[login->result.parameter_count];
        parameter->name = arena_copy(&login->texts, name, strlen(name));
    }
    const char *copy = arena_copy(&login->texts, value, strlen(value));
    if (parameter == NULL || parameter->name == NULL || copy == NULL) {
        error_set(&login->err, "54000",
                  "the server reports more than %d parameters, or more than %d bytes of them",
                  STARTUP_PARAMETER_MAX, LOGIN_PARAMETER_BYTES);
        return STATE_FAILED;
    }
    parameter->value = copy;
    login->result.parameter_count += is_new ? 1 : 0;
    return login->state;
}

static int on_key(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;

    if (message->size < 8 || message->size > 4 + STARTUP_KEY_MAX) {
        return login_fail_malformed(login, "BackendKeyData");
    }
    login->result.pid = message_get_u32(message->body);
    login->result.key_size = message->size - 4;
    memcpy(login->key, message->body + 4, login->result.key_size);
    return STATE_SETTLING;
}

static int on_notice(void *self, const void *)
{
    const struct login *login = self;
    return login->state;
}

static bool is_sqlstate(const char *text)
{
    return text != NULL && strlen(text) == 5 &&
           strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5;
}

static int on_error(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;
    struct notice notice;

    if (!notice_read(message->body, message->size, &notice)) {
        return login_fail_malformed(login, "ErrorResponse");
    }
    error_set(&login->err, is_sqlstate(notice.sqlstate) ? notice.sqlstate : "08P01", "%s",
              notice.message != NULL ? notice.message : "the server refused without a reason");
    if (notice.hint != NULL) {
        error_hint(&login->err, "%s", notice.hint);
    }
    if (login->state != STATE_SETTLING && strncmp(login->err.sqlstate, "28", 2) == 0) {
        note_other_mode(login); /* pg_hba.conf has lines for TLS and for none */
    }
    return STATE_FAILED;
}

static int on_ready(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;

    return message->size == 1 && message->body[0] == 'I'
               ? STATE_READY
               : login_fail_malformed(login, "ReadyForQuery");
}

static int on_unexpected(void *self, const void *input)
{
    struct login *login = self;
    const struct message *message = input;

    if (message->type == 'R') {
        error_set(&login->err, "08P01", "unexpected authentication request %u", message->code);
        return STATE_FAILED;
    }
    bool is_letter = message->type >= ' ' && message->type <= '~';
    error_set(&login->err, "08P01", is_letter ? "unexpected message '%c'" : "unexpected message %d",
              message->type);
    return STATE_FAILED;
}

/* ---- the machine ---- */

#define SAME_OR_FAILED(state) (TO(state) | TO(STATE_FAILED))

static const struct machine_rule rules[STATE_COUNT][IN_COUNT] = {
    [STATE_CONNECTING][IN_CONNECTED] = {on_connected,
                                        TO(STATE_TLS_ASKED) | TO(STATE_STARTED) | TO(STATE_FAILED)},
    [STATE_CONNECTING][IN_LOST] = {on_lost, TO(STATE_FAILED)},

    [STATE_TLS_ASKED][IN_TLS_YES] = {on_tls_yes, TO(STATE_TLS_SHAKING) | TO(STATE_FAILED)},
    [STATE_TLS_ASKED][IN_TLS_NO] = {on_tls_no, TO(STATE_STARTED) | TO(STATE_FAILED)},
    [STATE_TLS_ASKED][IN_TLS_ERROR] = {on_tls_error, TO(STATE_FAILED)},
    [STATE_TLS_ASKED][IN_TLS_STUFFED] = {on_tls_stuffed, TO(STATE_FAILED)},
    [STATE_TLS_ASKED][IN_TLS_OTHER] = {on_tls_other, TO(STATE_FAILED)},
    [STATE_TLS_ASKED][IN_LOST] = {on_lost, TO(STATE_FAILED)},

    [STATE_TLS_SHAKING][IN_SHAKEN] = {on_shaken, TO(STATE_STARTED) | TO(STATE_FAILED)},
    [STATE_TLS_SHAKING][IN_LOST] = {on_lost, TO(STATE_FAILED)},

    [STATE_STARTED][IN_AUTH_OK] = {on_auth_ok, TO(STATE_SETTLING)},
    [STATE_STARTED][IN_AUTH_CLEAR] = {on_auth_clear, TO(STATE_PASSWORD_SENT) | TO(STATE_FAILED)},
    [STATE_STARTED][IN_AUTH_MD5] = {on_auth_md5, TO(STATE_PASSWORD_SENT) | TO(STATE_FAILED)},
    [STATE_STARTED][IN_AUTH_SASL] = {on_auth_sasl, TO(STATE_SASL_BEGUN) | TO(STATE_FAILED)},
    [STATE_STARTED][IN_AUTH_OTHER] = {on_auth_other, TO(STATE_FAILED)},
    [STATE_STARTED][IN_NEGOTIATE] = {on_negotiate, SAME_OR_FAILED(STATE_STARTED)},
    [STATE_STARTED][IN_PARAMETER] = {on_parameter, SAME_OR_FAILED(STATE_STARTED)},
    [STATE_STARTED][IN_NOTICE] = {on_notice, TO(STATE_STARTED)},
    [STATE_STARTED][IN_ERROR] = {on_error, TO(STATE_FAILED)},
    [STATE_STARTED][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_STARTED][IN_BAD] = {on_bad, TO(STATE_FAILED)},

    [STATE_PASSWORD_SENT][IN_AUTH_OK] = {on_auth_ok, TO(STATE_SETTLING)},
    [STATE_PASSWORD_SENT][IN_PARAMETER] = {on_parameter, SAME_OR_FAILED(STATE_PASSWORD_SENT)},
    [STATE_PASSWORD_SENT][IN_NOTICE] = {on_notice, TO(STATE_PASSWORD_SENT)},
    [STATE_PASSWORD_SENT][IN_ERROR] = {on_error, TO(STATE_FAILED)},
    [STATE_PASSWORD_SENT][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_PASSWORD_SENT][IN_BAD] = {on_bad, TO(STATE_FAILED)},

    [STATE_SASL_BEGUN][IN_AUTH_CONTINUE] = {on_auth_continue,
                                            TO(STATE_SASL_PROVEN) | TO(STATE_FAILED)},
    [STATE_SASL_BEGUN][IN_PARAMETER] = {on_parameter, SAME_OR_FAILED(STATE_SASL_BEGUN)},
    [STATE_SASL_BEGUN][IN_NOTICE] = {on_notice, TO(STATE_SASL_BEGUN)},
    [STATE_SASL_BEGUN][IN_ERROR] = {on_error, TO(STATE_FAILED)},
    [STATE_SASL_BEGUN][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_SASL_BEGUN][IN_BAD] = {on_bad, TO(STATE_FAILED)},

    [STATE_SASL_PROVEN][IN_AUTH_FINAL] = {on_auth_final,
                                          TO(STATE_SASL_VERIFIED) | TO(STATE_FAILED)},
    [STATE_SASL_PROVEN][IN_PARAMETER] = {on_parameter, SAME_OR_FAILED(STATE_SASL_PROVEN)},
    [STATE_SASL_PROVEN][IN_NOTICE] = {on_notice, TO(STATE_SASL_PROVEN)},
    [STATE_SASL_PROVEN][IN_ERROR] = {on_error, TO(STATE_FAILED)},
    [STATE_SASL_PROVEN][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_SASL_PROVEN][IN_BAD] = {on_bad, TO(STATE_FAILED)},

    [STATE_SASL_VERIFIED][IN_AUTH_OK] = {on_auth_ok, TO(STATE_SETTLING)},
    [STATE_SASL_VERIFIED][IN_PARAMETER] = {on_parameter, SAME_OR_FAILED(STATE_SASL_VERIFIED)},
    [STATE_SASL_VERIFIED][IN_NOTICE] = {on_notice, TO(STATE_SASL_VERIFIED)},
    [STATE_SASL_VERIFIED][IN_ERROR] = {on_error, TO(STATE_FAILED)},
    [STATE_SASL_VERIFIED][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_SASL_VERIFIED][IN_BAD] = {on_bad, TO(STATE_FAILED)},

    [STATE_SETTLING][IN_PARAMETER] = {on_parameter, SAME_OR_FAILED(STATE_SETTLING)},
    [STATE_SETTLING][IN_KEY] = {on_key, SAME_OR_FAILED(STATE_SETTLING)},
    [STATE_SETTLING][IN_READY] = {on_ready, TO(STATE_READY) | TO(STATE_FAILED)},
    [STATE_SETTLING][IN_NOTICE] = {on_notice, TO(STATE_SETTLING)},
    [STATE_SETTLING][IN_ERROR] = {on_error, TO(STATE_FAILED)},
    [STATE_SETTLING][IN_LOST] = {on_lost, TO(STATE_FAILED)},
    [STATE_SETTLING][IN_BAD] = {on_bad, TO(STATE_FAILED)},
};

static const char *const state_names[STATE_COUNT] = {[STATE_CONNECTING] = "connecting",
                                                     [STATE_TLS_ASKED] = "tls_asked",
                                                     [STATE_TLS_SHAKING] = "tls_shaking",
                                                     [STATE_STARTED] = "started",
                                                     [STATE_PASSWORD_SENT] = "password_sent",
                                                     [STATE_SASL_BEGUN] = "sasl_begun",
                                                     [STATE_SASL_PROVEN] = "sasl_proven",
                                                     [STATE_SASL_VERIFIED] = "sasl_verified",
                                                     [STATE_SETTLING] = "settling",
                                                     [STATE_READY] = "ready",
                                                     [STATE_FAILED] = "failed"};

static const char *const input_names[IN_COUNT] = {[IN_CONNECTED] = "connected",
                                                  [IN_TLS_YES] = "TLS yes",
                                                  [IN_TLS_NO] = "TLS no",
                                                  [IN_TLS_ERROR] = "TLS error",
                                                  [IN_TLS_STUFFED] = "TLS yes, and bytes in clear",
                                                  [IN_TLS_OTHER] = "TLS nonsense",
                                                  [IN_SHAKEN] = "handshake done",
                                                  [IN_LOST] = "connection lost",
                                                  [IN_BAD] = "malformed message",
                                                  [IN_AUTH_OK] = "AuthenticationOk",
                                                  [IN_AUTH_CLEAR] =
                                                      "AuthenticationCleartextPassword",
                                                  [IN_AUTH_MD5] = "AuthenticationMD5Password",
                                                  [IN_AUTH_SASL] = "AuthenticationSASL",
                                                  [IN_AUTH_CONTINUE] = "AuthenticationSASLContinue",
                                                  [IN_AUTH_FINAL] = "AuthenticationSASLFinal",
                                                  [IN_AUTH_OTHER] = "Authentication by other means",
                                                  [IN_NEGOTIATE] = "NegotiateProtocolVersion",
                                                  [IN_PARAMETER] = "ParameterStatus",
                                                  [IN_KEY] = "BackendKeyData",
                                                  [IN_NOTICE] = "NoticeResponse",
                                                  [IN_ERROR] = "ErrorResponse",
                                                  [IN_READY] = "ReadyForQuery",
                                                  [IN_OTHER] = "other message"};

const struct machine login_machine = {
    .name = "login",
    .state_count = STATE_COUNT,
    .input_count = IN_COUNT,
    .state_names = state_names,
    .input_names = input_names,
    .rules = rules[0],
    .on_unexpected = {on_unexpected, TO(STATE_FAILED)},
};
