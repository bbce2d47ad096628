#include "session/inquiry.h"

#include <string.h>

#include "backend/server.h"
#include "session/link.h"
#include "session/literal.h"
#include "wire/message.h"

static const char question[] =
    "SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session' "
    "UNION ALL SELECT 'role', pg_catalog.current_setting('role') "
    "UNION ALL SELECT 'session_authorization', session_user::text";

bool inquiry_is_needed(const struct session *session)
{
    return session->is_unsure || (session->has_reports && !session->has_tracked);
}

void inquiry_begin(struct session *session)
{
    struct server *server = session->server;

    session->is_inquiring = true;
    session->state = SESSION_APPLYING;
    if (!message_write_string(stream_out(&server->stream), 'Q', question) ||
        expected_push(&server->expected, EXPECTED_QUERY, true, NULL) == NULL) {
        struct error error = {0};
        error_set(&error, "53200", "no memory for the session's settings");
        session->is_inquiring = false;
        link_apply_failed(session, &error);
        return;
    }
    server->unnamed_session = 0;
    stream_flush(&server->stream);
}

static bool is_kept(const struct session *session, const char *name, const char *value)
{
    if (strcmp(name, "role") == 0) {
        return strcmp(value, "none") != 0;
    }
    if (strcmp(name, "session_authorization") == 0) {
        return strcmp(value, session->pool->server_user) != 0;
    }
    return strncmp(name, "transaction_", 12) != 0; /* those end with the transaction */
}

static bool is_identity(const char *name)
{
    return strcmp(name, "role") == 0 || strcmp(name, "session_authorization") == 0;
}

/* One column as a string; false when it is NULL, malformed or too long. */
static bool read_column(struct message_reader *reader, char *text, size_t size)
{
    uint32_t length = message_read_u32(reader);
    const char *bytes = length < size ? message_read_bytes(reader, length) : NULL;
    if (bytes == NULL || memchr(bytes, '\0', length) != NULL) {
        return false;
    }
    memcpy(text, bytes, length);
    text[length] = '\0';
    return true;
}

void inquiry_row(struct session *session, const char *body, size_t size)
{
    struct message_reader reader;
    char name[VARIABLE_NAME_MAX + 1], value[4096];
    struct text statement = {0};

    message_read_begin(&reader, body, size);
    if (message_read_u16(&reader) != 2 || !read_column(&reader, name, sizeof name) ||
        !read_column(&reader, value, sizeof value)) {
        session->pins |= PIN_SETTINGS; /* it can't be carried: it stays where it is */
        return;
    }
    for (char *at = name; *at != '\0'; at++) {
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
    }
    if (!is_kept(session, name, value)) {
        return;
    }
    if (is_identity(name)) {
        text_appendf(&statement, "SET SESSION %s = ", name);
        literal_append(&statement, value);
    } else { /* not SET: a list is one value there */
        text_append(&statement, "SELECT pg_catalog.set_config(");
        literal_append(&statement, name);
        text_append(&statement, ", ");
        literal_append(&statement, value);
        text_append(&statement, ", false)");
    }
    if (statement.has_failed || !variables_put(session->hall->backend.variables, &session->found,
                                               name, text_cstr(&statement))) {
        session->pins |= PIN_SETTINGS;
    }
    text_done(&statement);
}

void inquiry_end(struct session *session)
{
    bool has_failed = error_is_set(&session->lost);

    session->is_inquiring = session->is_unsure = false;
    if (has_failed) {
        session->pins |= PIN_SETTINGS;
        session->lost = (struct error){0};
        variables_release(session->found);
    } else {
        variables_release(session->settings);
        variables_release(session->committed);
        session->settings = session->found;
        session->committed = variables_share(session->found);
    }
    session->found = NULL;
}
