#include "admin/console.h"

#include <stdlib.h>
#include <string.h>

#include "admin/console_private.h"
#include "config/name_list.h"
#include "version.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/notice.h"

/* ---- opening and closing ---- */

/* What drivers want to be told at the start. */
static bool tell_parameters(struct session *session)
{
    static const struct startup_parameter told[] = {
        {"server_version", REPARTO_VERSION "/reparto"},
        {"server_encoding", "UTF8"},
        {"client_encoding", "UTF8"},
        {"DateStyle", "ISO, MDY"},
        {"IntervalStyle", "postgres"},
        {"TimeZone", "GMT"},
        {"integer_datetimes", "on"},
        {"standard_conforming_strings", "on"},
        {"is_superuser", "on"},
    };

    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        if (!variables_put(session->hall->backend.variables, &session->told, told[i].name,
                           told[i].value)) {
            return false;
        }
    }
    return true;
}

/* So that operators see each other in SHOW CLIENTS. */
static bool note_application(struct session *session)
{
    const struct startup *startup = greet_startup(session->greet);

    for (size_t i = 0; i < startup->parameter_count; i++) {
        if (strcmp(startup->parameters[i].name, "application_name") == 0) {
            free(session->application_name);
            session->application_name = strdup(startup->parameters[i].value);
            return session->application_name != NULL;
        }
    }
    return true;
}

static bool open_console(struct session *session, struct error *err)
{
    const struct settings *settings = &session->hall->backend.config->settings;
    bool is_admin = name_list_contains(settings->admin_users, session->user);

    if (!is_admin && !name_list_contains(settings->stats_users, session->user)) {
        return error_set(err, "42501", "user \"%s\" may not use the admin console",
                         session->user) ||
               error_hint(err, "it must be in admin_users or stats_users");
    }
    struct console *console = calloc(1, sizeof *console);
    if (console == NULL || !tell_parameters(session) || !note_application(session)) {
        free(console);
        return error_set(err, "53200", "out of memory");
    }
    console->session = session;
    console->admin = session->hall->admin;
    console->may_change = is_admin;
    console->status = 'I';
    list_init(&console->statements);
    list_init(&console->portals);
    session->console = console;
    return true;
}

static void end_script(struct console *console)
{
    free(console->script);
    console->script = NULL;
}

static void close_console(struct session *session)
{
    struct console *console = session->console;

    session->console = NULL;
    console_stop(console);
    console_forget_portals(console);
    console_forget_statements(console);
    rows_done(&console->rows);
    end_script(console);
    free(console);
}

/* ---- answering ---- */

void console_say_error(struct console *console, const struct error *error)
{
    if (!notice_write(stream_out(&console->session->stream), "ERROR", error)) {
        session_close(console->session, "out of memory");
        return;
    }
    if (console->status == 'T') {
        console->status = 'E';
    }
}

/* An answer was written, or not. */
static void sent(struct console *console, bool is_ok)
{
    if (!is_ok) {
        session_close(console->session, "out of memory");
    }
}

static bool answer_statement(struct console *console)
{
    struct buffer *out = stream_out(&console->session->stream);
    const char *tag = query_tag(console->query.kind);
    bool has_rows = console->shape.show != NULL || console->shape.is_single;

    if (has_rows &&
        (!console_write_description(out, &console->shape, NULL, 0) ||
         !console_write_rows(out, &console->rows, 0, rows_count(&console->rows), NULL, 0))) {
        return false;
    }
    rows_done(&console->rows);
    return console_write_complete(out, tag);
}

/* ---- a Query message: maybe several statements ---- */

static void ready(struct console *console)
{
    end_script(console);
    sent(console, message_write_ready(stream_out(&console->session->stream), console->status));
}

static void fail_script(struct console *console)
{
    console_say_error(console, &console->error);
    if (console->session->console != NULL) {
        ready(console);
    }
}

/* Runs what is left of it.  The session may end. */
static void script_go_on(struct console *console)
{
    const struct query_parameters none = {.values = (const char *const[]){NULL}, .count = 0};
    struct session *session = console->session;

    while (session->console != NULL) {
        size_t used = 0;
        console->error = (struct error){0};
        if (!query_read(console->script + console->script_at,
                        console->script_size - console->script_at, &none, &console->query, &used,
                        &console->error)) {
            fail_script(console);
            return;
        }
        console->script_at += used;
        if (console->query.kind == QUERY_EMPTY) {
            if (console->script_was_empty) {
                sent(console, message_write_empty(stream_out(&session->stream), 'I'));
            }
            if (session->console != NULL) {
                ready(console);
            }
            return;
        }
        console->script_was_empty = false;
        switch (console_run(console)) {
        case CONSOLE_WAITS: session->state = SESSION_CONSOLE_BUSY; return;
        case CONSOLE_FAILED: fail_script(console); return;
        case CONSOLE_DONE: sent(console, answer_statement(console)); break;
        }
    }
}

static void begin_script(struct console *console, const char *body, size_t size)
{
    if (size == 0 || memchr(body, '\0', size) != body + size - 1) {
        error_set(&console->error, "08P01", "invalid string in message");
        fail_script(console);
        return;
    }
    console_forget_portals(console);
    console->script = malloc(size);
    if (console->script == NULL) {
        session_close(console->session, "out of memory");
        return;
    }
    memcpy(console->script, body, size);
    console->script_size = size - 1;
    console->script_at = 0;
    console->script_was_empty = true;
    script_go_on(console);
}

/* ---- what was waited for ---- */

void console_finish(struct console *console, bool is_ok)
{
    struct session *session = console->session;

    session->state = SESSION_CONSOLE;
    if (console->script != NULL) {
        if (is_ok) {
            sent(console, answer_statement(console));
            if (session->console != NULL) {
                script_go_on(console);
            }
        } else {
            fail_script(console);
        }
    } else if (!console_portal_answer(console, is_ok)) {
        console->is_skipping = true;
        console_say_error(console, &console->error);
    }
    if (session->console != NULL) {
        stream_flush(&session->stream);
        session_pump(session);
    }
}

/* ---- messages ---- */

static void take_message(struct console *console, char type, const char *body, size_t size)
{
    struct session *session = console->session;

    console->error = (struct error){0};
    if (type == 'X') {
        session_close(session, "the client said goodbye");
        return;
    }
    if (type == 'S') {
        console->is_skipping = false;
        if (console->status == 'I') {
            console_forget_portals(console);
        }
        sent(console, message_write_ready(stream_out(&session->stream), console->status));
        return;
    }
    if (console->is_skipping) {
        return;
    }
    if (type == 'Q') {
        session->queries++;
        begin_script(console, body, size);
        return;
    }
    if (!console_extended(console, type, body, size)) {
        console->is_skipping = true;
        console_say_error(console, &console->error);
    }
}

static size_t feed(struct session *session, const char *bytes, size_t size)
{
    size_t used = 0;

    while (session->console != NULL && session->state == SESSION_CONSOLE) {
        struct frame frame;
        struct error error = {0};
        enum frame_result result = frame_read(bytes + used, size - used, &frame, &error);
        if (result == FRAME_NEED_MORE) {
            break;
        }
        if (result == FRAME_OK && frame.body_size > CONSOLE_MESSAGE_MAX) {
            error_set(&error, "54000", "a message for the admin console is at most %d bytes long",
                      CONSOLE_MESSAGE_MAX);
            result = FRAME_BAD;
        }
        if (result == FRAME_BAD) {
            session_fail(session, &error);
            break;
        }
        size_t total = FRAME_HEADER_SIZE + frame.body_size;
        if (size - used < total) {
            break;
        }
        take_message(session->console, frame.type, bytes + used + FRAME_HEADER_SIZE,
                     frame.body_size);
        used += total;
    }
    return used;
}

static void cancel(struct session *session)
{
    struct console *console = session->console;

    if (session->state != SESSION_CONSOLE_BUSY) {
        return;
    }
    console_stop(console);
    error_set(&console->error, "57014", "canceling statement due to user request");
    console_finish(console, false);
}

void console_attach(struct hall *hall, const struct admin *admin)
{
    hall->admin = admin;
    hall->console_open = open_console;
    hall->console_feed = feed;
    hall->console_close = close_console;
    hall->console_cancel = cancel;
}
