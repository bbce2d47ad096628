#include "wire/startup.h"

#include <assert.h>
#include <string.h>

#include "wire/message.h"

enum {
    HEADER_SIZE = 8, /* the length, which counts itself, and the version or request code */
    /* Request codes take the version's place: a major version that will never be. */
    CODE_CANCEL = 1234 << 16 | 5678,
    CODE_TLS = 1234 << 16 | 5679,
    CODE_GSS = 1234 << 16 | 5680,
    KEY_MIN = 4,
    PID_SIZE = 4
};

static bool read_cancel(const char *body, size_t size, struct startup *startup, struct error *err)
{
    if (size < PID_SIZE + KEY_MIN || size > PID_SIZE + STARTUP_KEY_MAX) {
        return error_set(err, "08P01", "invalid length of cancel request: %zu bytes of key",
                         size < PID_SIZE ? 0 : size - PID_SIZE);
    }
    startup->kind = STARTUP_CANCEL;
    startup->cancel_pid = message_get_u32(body);
    startup->cancel_key = (const unsigned char *)body + PID_SIZE;
    startup->cancel_key_size = size - PID_SIZE;
    return true;
}

static bool read_request(enum startup_kind kind, size_t body_size, struct startup *startup,
                         struct error *err)
{
    if (body_size != 0) {
        return error_set(err, "08P01", "invalid length of encryption request");
    }
    startup->kind = kind;
    return true;
}

static bool is_protocol_option(const char *name)
{
    return strncmp(name, "_pq_.", strlen("_pq_.")) == 0;
}

/* Of a name given twice the last counts, as in PostgreSQL. */
static bool keep_parameter(struct startup *startup, const char *name, const char *value,
                           struct error *err)
{
    if (strcmp(name, "user") == 0) {
        startup->user = value;
        return true;
    }
    if (strcmp(name, "database") == 0) {
        startup->database = value;
        return true;
    }
    if (strcmp(name, "options") == 0) {
        startup->options = value;
        return true;
    }
    if (strcmp(name, "replication") == 0) {
        startup->replication = value;
        return true;
    }
    bool is_option = is_protocol_option(name);
    size_t count = is_option ? startup->protocol_option_count : startup->parameter_count;
    if (count == STARTUP_PARAMETER_MAX) {
        return error_set(err, "54000", "more than %d parameters in startup packet",
                         STARTUP_PARAMETER_MAX);
    }
    if (is_option) {
        startup->protocol_options[startup->protocol_option_count++] = name;
        return true;
    }
    startup->parameters[startup->parameter_count++] = (struct startup_parameter){name, value};
    return true;
}

static bool read_parameters(const char *body, size_t size, struct startup *startup,
                            struct error *err)
{
    struct message_reader reader;
    message_read_begin(&reader, body, size);

    for (const char *name = message_read_string(&reader); name[0] != '\0';
         name = message_read_string(&reader)) {
        const char *value = message_read_string(&reader);
        if (!reader.has_failed && !keep_parameter(startup, name, value, err)) {
            return false;
        }
    }
    if (!message_read_end(&reader)) {
        return error_set(err, "08P01",
                         "invalid startup packet layout: expected terminator as last byte");
    }
    return true;
}

static bool read_login(const char *body, size_t size, struct startup *startup, struct error *err)
{
    if (startup->version >> 16 != STARTUP_VERSION_3_0 >> 16) {
        return error_set(
            err, "0A000", "unsupported frontend protocol %u.%u: server supports 3.0 to 3.%d",
            startup->version >> 16, startup->version & 0xffff, STARTUP_VERSION_3_2 & 0xffff);
    }
    startup->kind = STARTUP_LOGIN;
    if (!read_parameters(body, size, startup, err)) {
        return false;
    }
    if (startup->user == NULL || startup->user[0] == '\0') {
        return error_set(err, "28000", "no PostgreSQL user name specified in startup packet");
    }
    if (startup->database == NULL || startup->database[0] == '\0') {
        startup->database = startup->user;
    }
    return true;
}

static bool read_body(const char *body, size_t size, struct startup *startup, struct error *err)
{
    switch (startup->version) {
    case CODE_CANCEL: return read_cancel(body, size, startup, err);
    case CODE_TLS: return read_request(STARTUP_TLS, size, startup, err);
    case CODE_GSS: return read_request(STARTUP_GSS, size, startup, err);
    default: /* lint: not an enum */ return read_login(body, size, startup, err);
    }
}

enum startup_result startup_read(const char *bytes, size_t size, struct startup *startup,
                                 size_t *consumed, struct error *err)
{
    if (size < sizeof(uint32_t)) {
        return STARTUP_NEED_MORE;
    }
    /* Told from the first four bytes: a client that speaks another protocol need not be heard. */
    uint32_t length = message_get_u32(bytes);
    if (length < HEADER_SIZE || length - sizeof(uint32_t) > STARTUP_PACKET_MAX) {
        error_set(err, "08P01", "invalid length of startup packet");
        return STARTUP_BAD;
    }
    if (size < length) {
        return STARTUP_NEED_MORE;
    }
    struct startup result = {.version = message_get_u32(bytes + sizeof(uint32_t))};
    if (!read_body(bytes + HEADER_SIZE, length - HEADER_SIZE, &result, err)) {
        return STARTUP_BAD;
    }
    *startup = result;
    *consumed = length;
    return STARTUP_OK;
}

bool startup_write_negotiate(struct buffer *out, uint32_t version, const struct startup *startup)
{
    struct message_writer writer = message_begin(out, 'v');

    /* All of it, major number too, as PostgreSQL sends it and libpq reads it. */
    message_put_u32(&writer, version);
    message_put_u32(&writer, (uint32_t)startup->protocol_option_count);
    for (size_t i = 0; i < startup->protocol_option_count; i++) {
        message_put_string(&writer, startup->protocol_options[i]);
    }
    return message_end(&writer);
}

bool startup_write_login(struct buffer *out, uint32_t version,
                         const struct startup_parameter *parameters, size_t count)
{
    struct message_writer writer = message_begin(out, 0);

    message_put_u32(&writer, version);
    for (size_t i = 0; i < count; i++) {
        assert(parameters[i].name[0] != '\0'); /* it would end the list */
        message_put_string(&writer, parameters[i].name);
        message_put_string(&writer, parameters[i].value);
    }
    message_put_byte(&writer, '\0');
    return message_end(&writer);
}

bool startup_write_request(struct buffer *out, enum startup_kind kind)
{
    assert(kind == STARTUP_TLS || kind == STARTUP_GSS);
    struct message_writer writer = message_begin(out, 0);

    message_put_u32(&writer, kind == STARTUP_TLS ? CODE_TLS : CODE_GSS);
    return message_end(&writer);
}

bool startup_write_cancel(struct buffer *out, uint32_t pid, const unsigned char *key,
                          size_t key_size)
{
    assert(key_size >= KEY_MIN && key_size <= STARTUP_KEY_MAX);
    struct message_writer writer = message_begin(out, 0);

    message_put_u32(&writer, CODE_CANCEL);
    message_put_u32(&writer, pid);
    message_put_bytes(&writer, key, key_size);
    return message_end(&writer);
}
