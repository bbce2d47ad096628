#include "session/link.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "backend/server.h"
#include "base/text.h"
#include "session/answer.h"
#include "session/inquiry.h"
#include "session/request.h"
#include "session/track.h"
#include "wire/message.h"
#include "wire/notice.h"

enum { APPLY_LIMIT = 5 }; /* seconds that a rollback or reset may take */

static bool is_translating(const struct session *session)
{
    return session->pool->mode != POOL_SESSION;
}

/* ---- parameters ---- */

static void tell(void *context, const char *name, const char *old, const char *value)
{
    struct session *session = context;
    (void)old;
    if (value != NULL) {
        (void)message_write_parameter(stream_out(&session->stream), name, value);
    }
}

void link_tell_parameters(struct session *session)
{
    struct variables *now = session->server->parameters;
    if (session->told == now) {
        return;
    }
    variables_diff(session->told, now, tell, session);
    track_told(session, now);
}

/* ---- settings ---- */

/* Two queries: the first goes back to the login's own identity, which may set what a role may not,
 * and sets what decides how the second one's text is read. */
struct apply_plan {
    struct text first, sql;
    bool are_identities; /* only those, back to the login's */
};

static bool is_identity(const char *name)
{
    return strcmp(name, "role") == 0 || strcmp(name, "session_authorization") == 0;
}

static bool is_of_texts(const char *name)
{
    return strcmp(name, "standard_conforming_strings") == 0 || strcmp(name, "client_encoding") == 0;
}

/* A part of a name may be a keyword: quoted. */
static void write_reset(struct text *sql, const char *name)
{
    text_append(sql, "RESET \"");
    for (size_t part; (part = strcspn(name, ".")), name[part] == '.'; name += part + 1) {
        text_append_bytes(sql, name, part);
        text_append(sql, "\".\"");
    }
    text_appendf(sql, "%s\";", name);
}

static void apply_one(void *context, const char *name, const char *old, const char *statement)
{
    struct apply_plan *plan = context;

    if (plan->are_identities) {
        if (is_identity(name) && old != NULL) {
            write_reset(&plan->first, name);
        }
        return;
    }
    if (is_identity(name)) {
        return;
    }
    struct text *sql = is_of_texts(name) ? &plan->first : &plan->sql;
    if (statement == NULL) {
        write_reset(sql, name);
    } else {
        text_appendf(sql, "%s;", statement);
    }
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* What makes `from` into `to`.  A role that stays is set again when its session user was. */
static void make_sql(struct apply_plan *plan, const struct variables *from,
                     const struct variables *to)
{
    plan->are_identities = true;
    variables_diff(from, to, apply_one, plan);
    plan->are_identities = false;
    variables_diff(from, to, apply_one, plan);
    const char *user = variables_get(to, "session_authorization");
    const char *role = variables_get(to, "role");
    bool same_user = is_same(user, variables_get(from, "session_authorization"));
    bool same_role = is_same(role, variables_get(from, "role"));
    if (user != NULL && !same_user) {
        text_appendf(&plan->sql, "%s;", user);
    }
    if (role != NULL && !(same_role && same_user)) {
        text_appendf(&plan->sql, "%s;", role);
    }
}

/* A query of ours; no text, no query. */
static bool ask(struct session *session, struct text *sql)
{
    struct server *server = session->server;
    bool is_ok = !sql->has_failed;

    if (sql->size > 0) {
        is_ok = is_ok && message_write_string(stream_out(&server->stream), 'Q', text_cstr(sql)) &&
                expected_push(&server->expected, EXPECTED_QUERY, true, NULL) != NULL;
    }
    text_done(sql);
    return is_ok;
}

/* Whether the server has them now; else the SETs were sent. */
static bool apply_settings(struct session *session)
{
    struct server *server = session->server;
    struct apply_plan plan = {0};

    if (server->settings == session->settings) {
        return true;
    }
    make_sql(&plan, server->settings, session->settings);
    bool is_first_ok = ask(session, &plan.first);
    if (!ask(session, &plan.sql) || !is_first_ok) {
        struct error error = {0};
        error_set(&error, "53200", "no memory for the session's settings");
        session->state = SESSION_APPLYING;
        link_apply_failed(session, &error);
        return false;
    }
    server->unnamed_session = 0; /* a simple query drops the unnamed statement */
    session->state = SESSION_APPLYING;
    stream_flush(&server->stream);
    return false;
}

/* ---- getting one ---- */

/* True when it's ready for requests. */
static bool attach(struct session *session, struct server *server)
{
    session->server = server;
    server->user = session;
    server->on_event = answer_on_event;
    session->linked_at = loop_now(session->hall->backend.loop);
    session->state = SESSION_LINKED;
    if (is_translating(session) && !apply_settings(session)) {
        return false;
    }
    link_tell_parameters(session);
    return true;
}

static void on_server(struct pool_waiter *waiter, struct server *server, const struct error *why)
{
    struct session *session = LIST_MEMBER(waiter, struct session, waiter);

    if (server == NULL) {
        session->state = session->state == SESSION_WAITING ? SESSION_IDLE : session->state;
        if (session->state == SESSION_WELCOMING) {
            session_fail(session, why);
            return;
        }
        session->is_lost = true; /* the request at hand gets the error */
        session->lost = *why;
        session_pump(session);
        return;
    }
    bool is_welcome = session->state == SESSION_WELCOMING;
    if (attach(session, server)) {
        if (is_welcome) {
            session->state = SESSION_WELCOMING;
        }
        session_pump(session);
    }
}

bool link_begin(struct session *session)
{
    bool is_welcome = session->state == SESSION_WELCOMING;

    session->waiter.on_server = on_server;
    session->waiter.is_any_startup = is_translating(session);
    session->waiter.startup = session->startup;
    if (!is_welcome) {
        session->state = SESSION_WAITING;
    }
    struct server *server = pool_take(session->pool, &session->waiter);
    if (server == NULL) {
        return false;
    }
    bool is_linked = attach(session, server);
    if (is_welcome && is_linked) {
        session->state = SESSION_WELCOMING;
    }
    return is_linked;
}

/* The ReadyForQuery that was kept back. */
static void pay_ready(struct session *session)
{
    if (session->owed_ready != 0) {
        (void)message_write_ready(stream_out(&session->stream), session->owed_ready);
        session->owed_ready = 0;
    }
}

void link_applied(struct session *session)
{
    struct server *server = session->server;

    variables_release(server->settings);
    server->settings = variables_share(session->settings);
    session->state = session->greet != NULL ? SESSION_WELCOMING : SESSION_LINKED;
    link_tell_parameters(session);
    pay_ready(session);
    session_pump(session);
}

void link_apply_failed(struct session *session, const struct error *why)
{
    struct server *server = session->server;
    struct error error = *why;

    error_wrap(&error, "the session's settings could not be set on a server connection");
    answer_forget(session);
    session->server = NULL;
    server->user = NULL;
    server_close(server, "a session's settings could not be set");
    if (session->greet != NULL) {
        session_fail(session, why); /* as the server would refuse them at its startup */
        return;
    }
    session->state = SESSION_IDLE;
    session->is_lost = true;
    session->lost = error;
    if (session->owed_ready != 0) {
        session->owed_ready = 'I';
        pay_ready(session);
    }
    session_pump(session);
}

static void set_initial(struct text *sql, const struct session *session)
{
    for (size_t i = 0; session->initial != NULL && i < session->initial->count; i++) {
        const struct startup_parameter *setting = &session->initial->list[i];
        const char *now = variables_get(session->settings, setting->name);
        if (now != NULL && strcmp(now, setting->value) == 0) {
            text_appendf(sql, "%s;", setting->value);
        }
    }
}

bool link_reapply(struct session *session)
{
    struct text sql = {0};

    session->reapplies = false;
    set_initial(&sql, session);
    if (sql.size == 0 && !sql.has_failed) {
        text_done(&sql);
        link_tell_parameters(session);
        pay_ready(session);
        return false;
    }
    session->state = SESSION_APPLYING;
    if (!ask(session, &sql)) {
        struct error error = {0};
        error_set(&error, "53200", "no memory for the session's settings");
        link_apply_failed(session, &error);
        return true;
    }
    stream_flush(&session->server->stream);
    return true;
}

/* ---- giving it back ---- */

bool link_is_over(const struct session *session)
{
    const struct server *server = session->server;
    return server->expected.count == 0 && server->status == 'I' && !server->is_unsynced &&
           server->pass == 0 && session->pass == 0 && session->pins == 0 &&
           is_translating(session) && !session->reapplies;
}

static void note_end(struct session *session)
{
    struct pool *pool = session->pool;
    int64_t now = loop_now(session->hall->backend.loop);
    pool->stats.transaction_us += (uint64_t)((now - session->linked_at) / 1000);
}

void link_end(struct session *session)
{
    struct server *server = session->server;

    assert(session->state == SESSION_LINKED || session->state == SESSION_WELCOMING);
    note_end(session);
    if (server->settings != session->settings) {
        variables_release(server->settings);
        server->settings = variables_share(session->settings);
    }
    session->server = NULL;
    if (session->state == SESSION_LINKED) {
        session->state = SESSION_IDLE;
    }
    server->user = NULL;
    if (server->cancels > 0) {
        server_clean(server, "", NULL, APPLY_LIMIT * INT64_C(1000000000));
        return;
    }
    pool_give_back(server);
}

void link_abort(struct session *session)
{
    struct server *server = session->server;
    struct pool *pool = session->pool;

    if (server == NULL) {
        pool_stop_waiting(pool, &session->waiter);
        return;
    }
    session->server = NULL;
    server->user = NULL;
    note_end(session);
    bool is_running = server->expected.count > 0, is_busy = is_running || server->is_unsynced;
    session->server = server; /* its answers are not waited for */
    answer_forget(session);
    session->server = NULL;
    if (server->stream.state != STREAM_OPEN || is_busy || server->pass > 0 || session->pass > 0 ||
        (session->pins & (PIN_LIBRARY | PIN_UNKNOWN)) != 0) {
        if (is_running && pool->backend->cancel != NULL) {
            pool->backend->cancel(server); /* nobody waits for its result any more */
        }
        server_close(server, "its client went away in the middle of something");
        return;
    }
    if (pool->is_replication) {
        server_close(server, "its replication client has ended");
        return;
    }
    bool resets = session->pins != 0 || !is_translating(session) || inquiry_is_needed(session);
    const char *reset = !resets                   ? NULL
                        : is_translating(session) ? "DISCARD ALL"
                                                  : pool->config->settings.server_reset_query;
    if (resets) {
        server_forget(server);
    } else {
        variables_release(server->settings);
        server->settings = variables_share(session->committed);
    }
    int64_t limit = APPLY_LIMIT * INT64_C(1000000000);
    if (server->status != 'I') {
        server_clean(server, "ROLLBACK", reset, limit);
    } else if (reset != NULL && reset[0] != '\0') {
        server_clean(server, reset, NULL, limit);
    } else if (server->cancels > 0) { /* what still comes must not hit the next client */
        server_clean(server, "", NULL, limit);
    } else {
        pool_give_back(server);
    }
}

/* ---- when the server is gone ---- */

/* The answers that the client still waits for: one error, and ready at each point of
 * synchronization. */
static void answer_all(struct session *session, const struct error *error)
{
    struct expected_queue *queue = &session->server->expected;
    struct buffer *out = stream_out(&session->stream);
    bool is_told = false;

    for (uint32_t i = 0; i < queue->count; i++) {
        struct expected *entry = expected_at(queue, i);
        if (entry->is_hidden || entry->kind == EXPECTED_COPY_END) {
            continue;
        }
        if (!is_told) {
            (void)notice_write(out, "ERROR", error);
            is_told = true;
        }
        if (entry->kind == EXPECTED_QUERY || entry->kind == EXPECTED_SYNC ||
            entry->kind == EXPECTED_CALL) {
            (void)message_write_ready(out, 'I');
            is_told = false;
        }
    }
    bool is_skipping = session->server->is_skipping; /* it has been told of an error before */
    session->is_skipping = is_told || is_skipping; /* in the middle of a pipeline: up to its Sync */
    if (queue->count == 0 && !is_skipping &&
        (session->server->status != 'I' || session->server->is_unsynced)) {
        session->is_lost = true; /* it isn't waiting: its next request is told */
        session->lost = *error;
    }
}

void link_lost(struct session *session, const struct error *why)
{
    struct server *server = session->server;
    struct error error = *why;
    bool in_message = server->pass > 0 && !server->is_pass_hidden;

    note_end(session);
    session->pool->stats.errors++;
    bool must_close = in_message || session->pass > 0 || session->pins != 0 ||
                      !is_translating(session) || session->state == SESSION_WELCOMING ||
                      session->greet != NULL;
    if (!must_close) {
        answer_all(session, &error);
        variables_release(session->settings);
        session->settings = variables_share(session->committed);
        session->had_error = false;
    }
    answer_forget(session);
    session->server = NULL;
    server->user = NULL;
    server_close(server, error.message);
    if (must_close) {
        session_fail(session, &error);
        return;
    }
    session->state = SESSION_IDLE;
    stream_flush(&session->stream);
    session_pump(session);
}
