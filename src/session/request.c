#include "session/request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/server.h"
#include "session/link.h"
#include "session/names.h"
#include "session/track.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/notice.h"

enum {
    SMALL_BODY_MAX = 10000, /* as PostgreSQL: PQ_SMALL_MESSAGE_LIMIT */
    EXPECTED_MAX = 100000   /* answers owed to one client before it's read on */
};

enum step {
    STEP_NEXT,      /* go on with the next message */
    STEP_NEED_MORE, /* not all that must be looked at has come */
    STEP_STOP       /* waits for a server, or has ended */
};

static bool is_translating(const struct session *session)
{
    return session->pool->mode != POOL_SESSION;
}

/* ---- errors of ours ---- */

void request_refuse(struct session *session, char type, const struct error *error)
{
    struct buffer *out = stream_out(&session->stream);

    (void)notice_write(out, "ERROR", error);
    if (type == 'Q' || type == 'F') {
        (void)message_write_ready(out, 'I');
        return;
    }
    if (type == 'S') {
        (void)message_write_ready(out, 'I');
        return;
    }
    session->is_skipping = true;
}

static enum step fail(struct session *session, const char *sqlstate, const char *text)
{
    struct error error = {0};
    error_set(&error, sqlstate, "%s", text);
    session_fail(session, &error);
    return STEP_STOP;
}

static enum step no_memory(struct session *session)
{
    return fail(session, "53200", "out of memory");
}

/* ---- what can be answered without a server ---- */

static bool needs_server(char type)
{
    return type == 'Q' || type == 'P' || type == 'B' || type == 'D' || type == 'E' || type == 'F' ||
           type == 'C' || type == 'S';
}

/* A message while no server is linked.  True: it's done with. */
static bool answer_alone(struct session *session, const struct request *request)
{
    struct buffer *out = stream_out(&session->stream);

    switch (request->type) {
    case 'S': /* nothing is under way, so nothing is to be synchronized */
        if (session->is_lost) {
            (void)notice_write(out, "ERROR", &session->lost);
            session->is_lost = false;
            session->lost = (struct error){0};
        }
        (void)message_write_ready(out, 'I');
        return true;
    case 'H':
    case 'd': /* PostgreSQL swallows what comes late after a COPY that failed */
    case 'c':
    case 'f': return true;
    default: /* lint: not an enum */ return false;
    }
}

static bool skip(struct session *session, const struct request *request)
{
    if (request->type == 'S') {
        session->is_skipping = false;
        (void)message_write_ready(stream_out(&session->stream), 'I');
    }
    return true;
}

/* ---- what is passed on ---- */

static bool owe(struct session *session, enum expected_kind kind, void *object)
{
    return expected_push(&session->server->expected, kind, false, object) != NULL;
}

/* The answers that are owed decide what the message at hand means: it stays where it is until they
 * came. */
static enum step wait_for_answers(struct session *session)
{
    struct server *server = session->server;

    session->is_blocked = true;
    if (server->is_unsynced && !message_write_empty(stream_out(&server->stream), 'H')) {
        return no_memory(session);
    }
    return STEP_STOP;
}

/* Whether the server has asked for data: then Sync and Flush count for nothing. */
static bool is_copying_in(const struct session *session)
{
    struct expected *first = expected_first(&session->server->expected);
    if (first == NULL || !first->is_copy_in) {
        return false;
    }
    for (uint32_t i = 1; i < session->server->expected.count; i++) {
        if (expected_at(&session->server->expected, i)->kind == EXPECTED_COPY_END) {
            return false;
        }
    }
    return true;
}

/* A query string that is all there; `facts`: a share.  Names in it mean what they do when all that
 * was sent before it has been done. */
static enum step look_at(struct session *session, const struct request *request,
                         struct facts **facts)
{
    size_t size = strnlen(request->body, request->body_size);

    if (!effects_may_be(request->body, size)) {
        return STEP_NEXT;
    }
    if (session->unsettled > 0 && !is_copying_in(session)) {
        return wait_for_answers(session);
    }
    if (!facts_read(session, request->body, size, facts)) {
        return no_memory(session);
    }
    if (names_are_in(*facts) && session->server->expected.count > 0 && !is_copying_in(session)) {
        facts_release(*facts);
        *facts = NULL;
        return wait_for_answers(session);
    }
    return STEP_NEXT;
}

static enum step query(struct session *session, const struct request *request)
{
    struct server *server = session->server;
    struct facts *facts = NULL;

    if (is_translating(session) && request->is_whole && !session->is_unreadable) {
        enum step step = look_at(session, request, &facts);
        if (step != STEP_NEXT) {
            return step;
        }
    }

    session->queries++;
    session->pool->stats.queries++;
    if (is_translating(session)) {
        session->has_unnamed = false;
        server->unnamed_session = server->is_unsynced ? SERVER_UNNAMED_UNKNOWN : 0;
        if (!request->is_whole || session->is_unreadable) {
            session->pins |= PIN_UNKNOWN; /* too large to be looked at, or not to be understood */
        }
    }
    server->is_unsynced = false;
    if (facts != NULL) {
        return names_query(session, request, facts) ? STEP_NEXT : no_memory(session);
    }
    return owe(session, EXPECTED_QUERY, NULL) && request_forward(session, request)
               ? STEP_NEXT
               : no_memory(session);
}

static enum step execute(struct session *session, const struct request *request)
{
    struct facts *facts = NULL;
    bool is_unnamed =
        request->body_size > 0 && request->has > FRAME_HEADER_SIZE && request->body[0] == '\0';

    if (is_translating(session)) {
        facts = is_unnamed ? session->portal_facts : names_portal_facts(session, request);
        track_sent(session, facts);
        session->unsettled += facts != NULL && facts->is_unsettling;
        if (!names_ground(session, facts)) {
            return no_memory(session);
        }
    }
    session->server->is_unsynced = true;
    session->queries++;
    session->pool->stats.queries++;
    return owe(session, EXPECTED_EXECUTE, facts_share(facts)) && request_forward(session, request)
               ? STEP_NEXT
               : no_memory(session);
}

/* What a function called by its number does to the session.  The numbers of PostgreSQL's own
 * functions never change (pg_proc.dat); others may set something, as they may in a SELECT. */
static void track_call(struct session *session, uint32_t function)
{
    enum {
        SET_CONFIG = 2078,
        SETSEED = 1599,
        ADVISORY_FIRST = 2880, /* pg_advisory_lock(bigint) … */
        ADVISORY_LAST = 2892,  /* … pg_advisory_unlock_all() */
        OTHERS_FIRST = 16384   /* FirstNormalObjectId */
    };

    if (function >= ADVISORY_FIRST && function < ADVISORY_LAST) {
        session->pins |= PIN_LOCK;
    } else if (function == SETSEED) {
        session->pins |= PIN_LIBRARY;
    } else if (function == SET_CONFIG || function >= OTHERS_FIRST) {
        session->is_unsure = true;
    }
}

static enum step call(struct session *session, const struct request *request)
{
    if (is_translating(session)) {
        if (request->has < FRAME_HEADER_SIZE + 4 && request->body_size >= 4) {
            return STEP_NEED_MORE;
        }
        track_call(session, request->body_size < 4 ? 0 : message_get_u32(request->body));
    }
    session->server->is_unsynced = false;
    return owe(session, EXPECTED_CALL, NULL) && request_forward(session, request)
               ? STEP_NEXT
               : no_memory(session);
}

static enum step sync(struct session *session, const struct request *request)
{
    if (is_copying_in(session)) {
        return request_forward(session, request) ? STEP_NEXT : no_memory(session);
    }
    session->server->is_unsynced = session->server->is_skipping = false;
    session->server->batch++;
    return owe(session, EXPECTED_SYNC, NULL) && request_forward(session, request)
               ? STEP_NEXT
               : no_memory(session);
}

static enum step copy_end(struct session *session, const struct request *request)
{
    if (is_copying_in(session) && !owe(session, EXPECTED_COPY_END, NULL)) {
        return no_memory(session);
    }
    return request_forward(session, request) ? STEP_NEXT : no_memory(session);
}

static enum step named(struct session *session, const struct request *request)
{
    static const enum expected_kind kinds[] = {['P'] = EXPECTED_PARSE,
                                               ['B'] = EXPECTED_BIND,
                                               ['D'] = EXPECTED_DESCRIBE,
                                               ['C'] = EXPECTED_CLOSE};

    if (session->unsettled > 0 && !is_copying_in(session)) {
        return wait_for_answers(session);
    }
    if (!is_translating(session)) {
        session->server->is_unsynced = true;
        return owe(session, kinds[(unsigned char)request->type], NULL) &&
                       request_forward(session, request)
                   ? STEP_NEXT
                   : no_memory(session);
    }
    switch (names_translate(session, request)) {
    case NAMES_DONE: session->server->is_unsynced = true; return STEP_NEXT;
    case NAMES_NEED_MORE: return STEP_NEED_MORE;
    case NAMES_WAIT: return wait_for_answers(session);
    case NAMES_NO_MEMORY: return no_memory(session);
    case NAMES_MALFORMED: return fail(session, "08P01", "invalid message format");
    }
    return no_memory(session);
}

static enum step pass_on(struct session *session, const struct request *request)
{
    switch (request->type) {
    case 'Q': return query(session, request);
    case 'P':
    case 'B':
    case 'D':
    case 'C': return named(session, request);
    case 'E': return execute(session, request);
    case 'S': return sync(session, request);
    case 'F': return call(session, request);
    case 'c':
    case 'f': return copy_end(session, request);
    default: /* lint: not an enum; 'H', 'd' */
        return request_forward(session, request) ? STEP_NEXT : no_memory(session);
    }
}

/* ---- one message ---- */

static bool is_known(char type)
{
    return type != '\0' && strchr("QPBDECSHFdcfX", type) != NULL;
}

static bool is_large_allowed(char type)
{
    return strchr("QPBFd", type) != NULL;
}

static enum step check(struct session *session, const struct frame *frame)
{
    char text[80];

    if (!is_known(frame->type)) {
        snprintf(text, sizeof text, "invalid frontend message type %d", (unsigned char)frame->type);
        return fail(session, "08P01", text);
    }
    int64_t limit = session->hall->backend.config->settings.max_packet_size;
    if ((!is_large_allowed(frame->type) && frame->body_size > SMALL_BODY_MAX) ||
        (limit > 0 && frame->body_size > (size_t)limit)) {
        snprintf(text, sizeof text, "message of type %c is too long: %zu bytes", frame->type,
                 frame->body_size);
        return fail(session, "08P01", text);
    }
    return STEP_NEXT;
}

/* Whether the whole message must be there before it can be handled. */
static bool must_be_whole(const struct session *session, const struct frame *frame)
{
    if (frame->type == 'd' || frame->type == 'F') {
        return false;
    }
    if (frame->type == 'B' || !is_translating(session)) {
        return frame->body_size <= SMALL_BODY_MAX; /* a long one: its names are at the front */
    }
    return frame->body_size <= (size_t)session->hall->backend.config->settings.max_inspected_size;
}

/* An error of ours that waits for the next request. */
static bool tell_loss(struct session *session, char type)
{
    if (!session->is_lost || session->server != NULL) {
        return false;
    }
    session->is_lost = false;
    request_refuse(session, type, &session->lost);
    session->lost = (struct error){0};
    return true;
}

/* Whether the server, or who stands in for it, reads no message of that type now. */
static bool is_skipped(const struct session *session, char type)
{
    return session->is_skipping ||
           (session->server != NULL && session->server->is_skipping && type != 'S');
}

static enum step handle(struct session *session, const struct request *request)
{
    if (session->is_skipping) {
        skip(session, request);
        return STEP_NEXT;
    }
    if (is_skipped(session, request->type)) {
        return STEP_NEXT;
    }
    if (session->server == NULL) {
        if (answer_alone(session, request)) {
            return STEP_NEXT;
        }
        if (tell_loss(session, request->type)) {
            return STEP_NEXT;
        }
        if (needs_server(request->type) && !link_begin(session)) {
            return STEP_STOP;
        }
    }
    return pass_on(session, request);
}

/* More of a message's body.  False: no memory for it. */
static bool pass_body(struct session *session, const char *bytes, size_t size, size_t *at)
{
    size_t part = size - *at < session->pass ? size - *at : session->pass;

    if (!session->is_pass_dropped && session->server != NULL &&
        !stream_write(&session->server->stream, bytes + *at, part)) {
        return false;
    }
    session->pass -= part;
    *at += part;
    return true;
}

/* The message at bytes[0..size).  STEP_NEXT: it's handled, but for what of its body is still to
 * come. */
static enum step take(struct session *session, const char *bytes, size_t size, size_t *used)
{
    struct frame frame;
    struct error error = {0};
    enum frame_result result = frame_read(bytes, size, &frame, &error);

    if (result == FRAME_NEED_MORE) {
        return STEP_NEED_MORE;
    }
    if (result == FRAME_BAD) {
        session_fail(session, &error);
        return STEP_STOP;
    }
    if (frame.type == 'X') {
        session_close(session, "the client has ended it");
        return STEP_STOP;
    }
    if (check(session, &frame) != STEP_NEXT) {
        return STEP_STOP;
    }
    size_t total = FRAME_HEADER_SIZE + frame.body_size;
    struct request request = {.type = frame.type,
                              .bytes = bytes,
                              .body = bytes + FRAME_HEADER_SIZE,
                              .has = size < total ? size : total,
                              .body_size = frame.body_size,
                              .is_whole = size >= total};
    if (!request.is_whole && must_be_whole(session, &frame)) {
        return STEP_NEED_MORE;
    }
    if (session->server != NULL && session->server->expected.count > EXPECTED_MAX) {
        session->is_blocked = true;
        return STEP_STOP;
    }
    bool was_skipped = is_skipped(session, frame.type);
    enum step step = handle(session, &request);
    if (step == STEP_NEXT) {
        session->pass = total - request.has;
        session->is_pass_dropped = was_skipped || session->server == NULL;
        *used = request.has;
    }
    return step;
}

size_t request_feed(struct session *session, const char *bytes, size_t size)
{
    size_t at = 0;

    session->is_blocked = false;
    while (at < size) {
        size_t used = 0;
        if (session->pass > 0) {
            if (!pass_body(session, bytes, size, &at)) {
                break;
            }
            continue;
        }
        if (take(session, bytes + at, size - at, &used) != STEP_NEXT) {
            break;
        }
        at += used;
    }
    return at;
}

bool request_forward(struct session *session, const struct request *request)
{
    return stream_write(&session->server->stream, request->bytes, request->has);
}
