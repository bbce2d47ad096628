#include "session/answer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/server.h"
#include "session/inquiry.h"
#include "session/link.h"
#include "session/names.h"
#include "session/track.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/notice.h"

enum verdict { PASS, DROP, BROKEN };

enum { LONG_ERROR_FRONT = 4096 /* bytes of an error that have its severity and SQLSTATE */ };

/* ---- what was answered ---- */

static void release_object(struct session *session, struct expected *entry, bool is_good)
{
    switch ((enum expected_kind)entry->kind) {
    case EXPECTED_QUERY:
    case EXPECTED_EXECUTE: {
        struct facts *facts = entry->object;
        session->unsettled -= facts != NULL && facts->is_unsettling;
        facts_release(facts);
        break;
    }
    case EXPECTED_PARSE:
    case EXPECTED_BIND:
    case EXPECTED_DESCRIBE:
    case EXPECTED_CLOSE: names_answered(session, entry, is_good); break;
    case EXPECTED_CALL:
    case EXPECTED_SYNC:
    case EXPECTED_COPY_END: break;
    }
    entry->object = NULL;
}

static void pop(struct session *session, bool is_good)
{
    struct expected_queue *queue = &session->server->expected;
    release_object(session, expected_first(queue), is_good);
    expected_pop(queue);
}

void answer_forget(struct session *session)
{
    struct expected_queue *queue = &session->server->expected;
    for (uint32_t i = queue->count; i > 0; i--) { /* the last first: names go back step by step */
        release_object(session, expected_at(queue, i - 1), false);
    }
    queue->count = 0;
}

/* An answer to one message of the extended protocol. */
static enum verdict one(struct session *session, enum expected_kind kind)
{
    struct expected *first = expected_first(&session->server->expected);

    if (first == NULL || first->kind != kind) {
        return BROKEN;
    }
    enum verdict verdict = first->is_hidden ? DROP : PASS;
    pop(session, true);
    return verdict;
}

/* RowDescription and NoData answer a Describe; within a query they are just passed. */
static enum verdict described(struct session *session)
{
    struct expected *first = expected_first(&session->server->expected);

    if (first == NULL) {
        return BROKEN;
    }
    if (first->kind == EXPECTED_DESCRIBE) {
        return one(session, EXPECTED_DESCRIBE);
    }
    return first->is_hidden ? DROP : PASS;
}

/* After the data of a COPY the server reads on behind the client's end of it: what was sent before
 * that and would have been a Sync counted for nothing. */
static void end_copy(struct session *session)
{
    struct expected_queue *queue = &session->server->expected;

    for (uint32_t i = 0; i < queue->count; i++) {
        enum expected_kind kind = (enum expected_kind)expected_at(queue, i)->kind;
        if (kind == EXPECTED_COPY_END) {
            expected_remove(queue, i);
            return;
        }
        if (kind == EXPECTED_QUERY || kind == EXPECTED_CALL) {
            return;
        }
    }
}

/* The data of a query string's COPY has ended: so has what the client sent as its end. */
static void end_query_copy(struct session *session, struct expected *first)
{
    struct expected_queue *queue = &session->server->expected;

    if (!first->is_copy_in) {
        return;
    }
    first->is_copy_in = false;
    for (uint32_t i = 1; i < queue->count; i++) {
        if (expected_at(queue, i)->kind == EXPECTED_COPY_END) {
            expected_remove(queue, i);
            return;
        }
    }
}

static void track_completed(struct session *session, const struct expected *first, const char *tag)
{
    const struct facts *facts = first->object;

    if (session->pool->mode == POOL_SESSION) {
        return;
    }
    if (facts == NULL) {
        track_tag(session, tag);
        return;
    }
    track_done(session, facts, first->part, tag);
    names_done(session, facts, first->part);
}

static enum verdict completed(struct session *session, const char *body, size_t size)
{
    struct expected *first = expected_first(&session->server->expected);
    const char *tag = size > 0 && body[size - 1] == '\0' ? body : "";

    if (first == NULL || (first->kind != EXPECTED_QUERY && first->kind != EXPECTED_EXECUTE)) {
        return BROKEN;
    }
    if (first->is_hidden) {
        if (first->kind == EXPECTED_EXECUTE) {
            pop(session, true);
        }
        return DROP;
    }
    track_completed(session, first, tag);
    if (first->kind == EXPECTED_QUERY) {
        first->part++;
        end_query_copy(session, first);
        return PASS;
    }
    bool was_copying = first->is_copy_in;
    pop(session, true);
    if (was_copying) {
        end_copy(session);
    }
    return PASS;
}

static enum verdict emptied(struct session *session)
{
    struct expected *first = expected_first(&session->server->expected);

    if (first == NULL || (first->kind != EXPECTED_QUERY && first->kind != EXPECTED_EXECUTE)) {
        return BROKEN;
    }
    enum verdict verdict = first->is_hidden ? DROP : PASS;
    if (first->kind == EXPECTED_EXECUTE) {
        pop(session, true);
    }
    return verdict;
}

/* Whether the last message of the extended protocol has one behind it that ends its transaction. */
static bool is_synced(struct expected_queue *queue)
{
    for (uint32_t i = queue->count; i > 0; i--) {
        enum expected_kind kind = (enum expected_kind)expected_at(queue, i - 1)->kind;
        if (kind != EXPECTED_COPY_END) {
            return kind == EXPECTED_SYNC || kind == EXPECTED_QUERY || kind == EXPECTED_CALL;
        }
    }
    return true;
}

/* The server wants the client's data: Syncs that were sent before it knew are read as nothing. */
static enum verdict asks_for_data(struct session *session)
{
    struct expected_queue *queue = &session->server->expected;
    struct expected *first = expected_first(queue);

    if (first == NULL || first->is_hidden ||
        (first->kind != EXPECTED_QUERY && first->kind != EXPECTED_EXECUTE)) {
        return BROKEN;
    }
    first->is_copy_in = true;
    for (uint32_t i = 1; i < queue->count;) {
        enum expected_kind kind = (enum expected_kind)expected_at(queue, i)->kind;
        if (kind == EXPECTED_COPY_END) {
            break;
        }
        if (kind == EXPECTED_SYNC) {
            expected_remove(queue, i);
            continue;
        }
        i++;
    }
    session->server->is_unsynced = first->kind == EXPECTED_EXECUTE && !is_synced(queue);
    return PASS;
}

/* ---- errors ---- */

/* All up to the Sync is skipped by the server. */
static bool skip_to_sync(struct session *session)
{
    struct expected_queue *queue = &session->server->expected;
    uint32_t count = 0;
    bool is_seen = false;

    while (count < queue->count && expected_at(queue, count)->kind != EXPECTED_SYNC) {
        is_seen = is_seen || !expected_at(queue, count)->is_hidden;
        count++;
    }
    is_seen = is_seen || (count < queue->count && !expected_at(queue, count)->is_hidden);
    for (uint32_t i = count; i > 0; i--) {
        release_object(session, expected_at(queue, i - 1), false);
    }
    for (uint32_t i = 0; i < count; i++) {
        expected_pop(queue);
    }
    /* A Query that came behind the error, before its Sync, is skipped too: it ends nothing. */
    session->server->is_skipping = queue->count == 0;
    session->server->is_unsynced = session->server->is_unsynced || queue->count == 0;
    session->server->unnamed_session = SERVER_UNNAMED_UNKNOWN; /* what was skipped isn't known */
    return is_seen || count == queue->count;
}

/* Copies an error's fields with the position moved to where it is in the client's own text. */
static bool write_moved(struct buffer *out, const char *body, size_t size,
                        const struct facts *facts)
{
    struct message_writer writer = message_begin(out, 'E');
    struct message_reader reader;
    char number[24];

    message_read_begin(&reader, body, size);
    for (char field = message_read_byte(&reader); field != '\0' && !reader.has_failed;
         field = message_read_byte(&reader)) {
        const char *value = message_read_string(&reader);
        if (field == 'P') {
            snprintf(number, sizeof number, "%zu", names_position(facts, strtoul(value, NULL, 10)));
            value = number;
        }
        message_put_byte(&writer, field);
        message_put_string(&writer, value);
    }
    message_put_byte(&writer, '\0');
    writer.has_failed = writer.has_failed || reader.has_failed;
    return message_end(&writer);
}

/* The first of our names in bytes[0..size): "reparto_0_17".  False: none. */
static bool find_name(const char *bytes, size_t size, char name[STATEMENT_NAME_SIZE])
{
    const char *found = memmem(bytes, size, "reparto_", 8);
    size_t length = found == NULL ? 0 : strspn(found, "abcdefghijklmnopqrstuvwxyz_0123456789");

    if (length == 0 || length >= STATEMENT_NAME_SIZE) {
        return false;
    }
    memcpy(name, found, length);
    name[length] = '\0';
    return true;
}

/* Our names for statements become the client's, and positions are those of its text.  `facts`: of
 * the text that failed; NULL: nothing was changed in it. */
static bool translate_error(struct session *session, const char *body, size_t size,
                            const struct facts *facts)
{
    struct buffer *out = stream_out(&session->stream);
    char name[STATEMENT_NAME_SIZE];
    const char *theirs = find_name(body, size, name) ? names_of_client(session, name) : NULL;

    if (facts != NULL && facts->attached != NULL) {
        struct buffer moved = {0};
        bool is_ok = write_moved(&moved, body, size, facts);
        const char *bytes = buffer_bytes(&moved);
        size_t count = buffer_size(&moved);
        is_ok = is_ok &&
                (theirs != NULL ? notice_write_replaced(out, 'E', bytes + FRAME_HEADER_SIZE,
                                                        count - FRAME_HEADER_SIZE, name, theirs)
                                : buffer_append(out, bytes, count));
        buffer_done(&moved);
        return is_ok;
    }
    return theirs != NULL && notice_write_replaced(out, 'E', body, size, name, theirs);
}

/* The facts of the text that the server has found an error in. */
static struct facts *failed_facts(const struct session *session, const struct expected *first)
{
    if (first == NULL || first->is_hidden) {
        return NULL;
    }
    if (first->kind == EXPECTED_QUERY || first->kind == EXPECTED_EXECUTE) {
        return facts_share(first->object);
    }
    return first->kind == EXPECTED_PARSE ? facts_share(session->unnamed_facts) : NULL;
}

/* FATAL or PANIC: the end of the connection follows, and is told then. */
static void note_end_of_server(struct session *session, const struct notice *notice)
{
    struct error error = {0};

    error_set(&error, notice->sqlstate, "%s", notice->message == NULL ? "?" : notice->message);
    session->lost = error;
    session->server->doom = "it ended the connection";
    session->server->is_doomed = true;
}

/* An error in answer to the first entry.  Whether the client is to see it. */
static bool is_for_client(struct session *session, const char *sqlstate)
{
    struct expected *first = expected_first(&session->server->expected);

    if (first == NULL) {
        return true;
    }
    if (first->kind == EXPECTED_QUERY || first->kind == EXPECTED_CALL) {
        end_query_copy(session, first);
        return !first->is_hidden;
    }
    names_error(session, first, sqlstate);
    return skip_to_sync(session);
}

/* What an error does; `notice` is of it, and may lack what is not needed here. */
static enum verdict fail(struct session *session, const struct notice *notice)
{
    if (strcmp(notice->severity, "ERROR") != 0) {
        note_end_of_server(session, notice);
        return DROP;
    }
    session->pool->stats.errors++;
    session->had_error = true;
    if (session->state == SESSION_APPLYING) {
        if (!error_is_set(&session->lost)) {
            error_set(&session->lost, notice->sqlstate, "%s",
                      notice->message == NULL ? "?" : notice->message);
        }
        return DROP;
    }
    return is_for_client(session, notice->sqlstate) ? PASS : DROP;
}

static enum verdict failed(struct session *session, const char *body, size_t size)
{
    struct facts *facts = failed_facts(session, expected_first(&session->server->expected));
    struct notice notice;
    enum verdict verdict = BROKEN;

    if (notice_read(body, size, &notice) && notice.severity != NULL && notice.sqlstate != NULL) {
        verdict = fail(session, &notice);
    }
    if (verdict == PASS && translate_error(session, body, size, facts)) {
        verdict = DROP;
    }
    facts_release(facts);
    return verdict;
}

/* One that is passed on as it comes: its front says what it is. */
static enum verdict failed_at_length(struct session *session, const char *body, size_t size)
{
    struct notice notice;
    return notice_read_front(body, size, &notice) ? fail(session, &notice) : BROKEN;
}

/* ---- the rest ---- */

/* Not those that the server changes by itself, or by a change of identity. */
static bool is_settable(const char *name)
{
    return strcmp(name, "in_hot_standby") != 0 && strcmp(name, "is_superuser") != 0;
}

static enum verdict reported(struct session *session, const char *body, size_t size)
{
    struct server *server = session->server;
    struct message_reader reader;

    message_read_begin(&reader, body, size);
    const char *name = message_read_string(&reader);
    const char *value = message_read_string(&reader);
    if (!message_read_end(&reader) || strlen(name) > VARIABLE_NAME_MAX ||
        !variables_put(session->hall->backend.variables, &server->parameters, name, value)) {
        return BROKEN;
    }
    if (session->state == SESSION_APPLYING || session->state == SESSION_WELCOMING ||
        session->reapplies) {
        return DROP; /* told when all of it is known */
    }
    track_told(session, server->parameters);
    session->has_reports = session->has_reports || is_settable(name);
    return PASS;
}

static void note_query(struct session *session)
{
    int64_t took = loop_now(session->hall->backend.loop) - session->asked_at;
    session->pool->stats.query_us += (uint64_t)(took / 1000);
    histogram_record(&session->pool->query_histogram, took / 1000);
}

static enum verdict ready(struct session *session, const char *body, size_t size)
{
    struct server *server = session->server;
    struct expected *first = expected_first(&server->expected);

    if (size != 1 || (body[0] != 'I' && body[0] != 'T' && body[0] != 'E')) {
        return BROKEN;
    }
    if (first == NULL) { /* a Sync that the server did take, after a COPY that failed */
        server->status = body[0];
        server->is_unsynced = server->is_skipping = false;
        return PASS;
    }
    if (first->kind != EXPECTED_QUERY && first->kind != EXPECTED_SYNC &&
        first->kind != EXPECTED_CALL) {
        return BROKEN;
    }
    server->status = body[0];
    bool is_hidden = first->is_hidden;
    pop(session, true);
    if (is_hidden) {
        return DROP;
    }
    note_query(session);
    if (server->status == 'I') {
        session->transactions++;
        session->pool->stats.transactions++;
        track_end(session);
        if (session->portals != NULL || session->portal_facts != NULL) {
            names_end(session);
        }
    }
    if (session->reapplies && server->status != 'E' && server->expected.count == 0) {
        session->owed_ready = server->status; /* behind what it must be told first */
        return DROP;
    }
    return PASS;
}

/* One message of which header and body are there. */
static enum verdict judge(struct session *session, char type, const char *body, size_t size)
{
    switch (type) {
    case 'Z': return ready(session, body, size);
    case 'C': return completed(session, body, size);
    case 'I':
    case 's': return emptied(session);
    case '1': return one(session, EXPECTED_PARSE);
    case '2': return one(session, EXPECTED_BIND);
    case '3': return one(session, EXPECTED_CLOSE);
    case 'E': return failed(session, body, size);
    case 'S': return reported(session, body, size);
    case 'G':
    case 'W': return asks_for_data(session);
    case 'D': inquiry_row(session, body, size); return DROP;
    default: { /* lint: not an enum */
        struct expected *first = expected_first(&session->server->expected);
        return first != NULL && first->is_hidden && type != 'N' && type != 'A' ? DROP : PASS;
    }
    }
}

/* Those of which the header says all that matters: passed as they come. */
static enum verdict judge_header(struct session *session, char type)
{
    struct expected *first = expected_first(&session->server->expected);

    if (type == 'T' || type == 'n') {
        return described(session);
    }
    return first != NULL && first->is_hidden && type != 'N' && type != 'A' ? DROP : PASS;
}

static bool is_streamed(char type)
{
    return type == 'D' || type == 'd' || type == 'T' || type == 'V' || type == 't' || type == 'n' ||
           type == 'N' || type == 'A';
}

/* What bytes[from..to) is for the client. */
static bool deliver(struct session *session, const char *bytes, size_t from, size_t to)
{
    session->pool->stats.bytes_sent += to - from;
    return from == to || stream_write(&session->stream, bytes + from, to - from);
}

static void break_up(struct session *session, const char *what, char type)
{
    struct error error = {0};
    error_set(&error, "08P01", "the server sent a message of type 0x%02x %s", (unsigned char)type,
              what);
    link_lost(session, &error);
}

/* What is being read: bytes[from..at) goes to the client, at the next occasion. */
struct reading {
    const char *bytes;
    size_t size, at, from;
};

/* What has been passed so far is delivered; `skip` bytes more are not. */
static void deliver_so_far(struct session *session, struct reading *reading, size_t skip)
{
    (void)deliver(session, reading->bytes, reading->from, reading->at);
    reading->from = reading->at + skip;
}

/* More of a message's body. */
static void pass_body(struct session *session, struct reading *reading)
{
    struct server *server = session->server;
    size_t left = reading->size - reading->at;
    size_t part = left < server->pass ? left : server->pass;

    if (server->is_pass_hidden) {
        deliver_so_far(session, reading, part);
    }
    server->pass -= part;
    reading->at += part;
}

enum taken { TAKEN, NOT_YET, LOST };

static bool is_long_error(const struct frame *frame)
{
    return frame->type == 'E' && FRAME_HEADER_SIZE + frame->body_size > BACKEND_KEEP_MAX;
}

/* Whether its header says all that matters; the rows of an inquiry are read. */
static bool is_passed_on(const struct session *session, const struct frame *frame)
{
    return is_streamed(frame->type) && !(session->is_inquiring && frame->type == 'D');
}

/* How much of a message must be there before it can be judged. */
static size_t needed(const struct session *session, const struct frame *frame)
{
    return is_long_error(frame)           ? LONG_ERROR_FRONT
           : is_passed_on(session, frame) ? FRAME_HEADER_SIZE
                                          : FRAME_HEADER_SIZE + frame->body_size;
}

static enum verdict judge_any(struct session *session, const struct frame *frame, const char *body,
                              size_t has)
{
    if (is_long_error(frame)) {
        return failed_at_length(session, body, has);
    }
    return is_passed_on(session, frame) ? judge_header(session, frame->type)
                                        : judge(session, frame->type, body, frame->body_size);
}

/* One message, or its beginning where that is enough. */
static enum taken take(struct session *session, struct reading *reading)
{
    struct server *server = session->server;
    const char *bytes = reading->bytes + reading->at;
    size_t left = reading->size - reading->at;
    struct frame frame = {0};
    struct error error = {0};
    enum frame_result result = frame_read(bytes, left, &frame, &error);

    if (result == FRAME_NEED_MORE) {
        return NOT_YET;
    }
    size_t total = FRAME_HEADER_SIZE + frame.body_size, has = left < total ? left : total;
    if (result == FRAME_BAD || needed(session, &frame) > BACKEND_KEEP_MAX) {
        break_up(session, "that can't be right", bytes[0]);
        return LOST;
    }
    if (has < needed(session, &frame)) {
        return NOT_YET;
    }
    if (frame.type == 'E') { /* what is written for the client comes behind what was passed */
        deliver_so_far(session, reading, 0);
    }
    enum verdict verdict =
        judge_any(session, &frame, bytes + FRAME_HEADER_SIZE, has - FRAME_HEADER_SIZE);
    if (verdict != PASS) {
        deliver_so_far(session, reading, has);
    }
    if (verdict == BROKEN) {
        break_up(session, "out of turn", frame.type);
        return LOST;
    }
    server->pass = total - has;
    server->is_pass_hidden = verdict == DROP;
    reading->at += has;
    return TAKEN;
}

/* Handles bytes[0..size); returns how many are done with, or -1: the session has lost its server or
 * ended. */
static ssize_t feed(struct session *session, const char *bytes, size_t size)
{
    struct reading reading = {.bytes = bytes, .size = size};

    while (reading.at < size) {
        if (session->server->pass > 0) {
            pass_body(session, &reading);
            continue;
        }
        enum taken taken = take(session, &reading);
        if (taken == LOST) {
            return -1;
        }
        if (taken == NOT_YET) {
            break;
        }
    }
    deliver_so_far(session, &reading, 0);
    return (ssize_t)reading.at;
}

static bool is_translating(const struct session *session)
{
    return session->pool->mode != POOL_SESSION;
}

/* In statement pooling no transaction stays open: the one that was begun is rolled back. */
static void refuse_transaction(struct session *session)
{
    struct error error = {0};
    error_set(&error, "0A000", "transactions of several statements are not possible here");
    error_hint(&error, "pool_mode is statement; with transaction they are");
    session_fail(session, &error);
}

/* What is to be done now that all that came was handled. */
/* Asks what is set, if that is in question.  True: it was asked. */
static bool inquire(struct session *session)
{
    const struct server *server = session->server;

    if (server->status != 'I' || server->expected.count > 0 || server->is_unsynced ||
        !is_translating(session)) {
        return false;
    }
    bool is_needed = inquiry_is_needed(session);
    session->has_reports = session->has_tracked = false;
    if (is_needed) {
        stream_flush(&session->stream);
        inquiry_begin(session);
    }
    return is_needed;
}

/* Queries of ours were answered. */
static void settle_applying(struct session *session)
{
    bool was_inquiry = session->is_inquiring;

    if (session->server->expected.count > 0) {
        return;
    }
    if (was_inquiry) {
        inquiry_end(session);
    }
    if (error_is_set(&session->lost)) {
        struct error error = session->lost;
        session->lost = (struct error){0};
        link_apply_failed(session, &error);
        return;
    }
    if (was_inquiry || session->greet != NULL || !inquire(session)) {
        link_applied(session);
    }
}

static void settle(struct session *session)
{
    struct server *server = session->server;

    if (session->pool->mode == POOL_STATEMENT && session->state == SESSION_LINKED &&
        server->expected.count == 0 && server->status != 'I') {
        refuse_transaction(session);
        return;
    }

    if (session->state == SESSION_APPLYING) {
        settle_applying(session);
        return;
    }
    if (session->reapplies && server->expected.count == 0 && server->status != 'E' &&
        !server->is_unsynced && link_reapply(session)) {
        return;
    }
    if (inquire(session)) {
        return;
    }
    stream_flush(&session->stream);
    if (link_is_over(session)) {
        link_end(session);
    }
}

static void lose(struct session *session)
{
    struct server *server = session->server;
    struct error error = session->lost;

    if (!error_is_set(&error)) {
        error_set(&error, "08006", "the server closed the connection: %s",
                  stream_error(&server->stream));
    }
    session->lost = (struct error){0};
    link_lost(session, &error);
}

void answer_on_event(void *user)
{
    struct session *session = user;
    struct server *server = session->server;
    char *scratch = session->hall->backend.scratch;
    size_t limit = (size_t)session->hall->backend.config->settings.buffer_limit;

    for (;;) {
        if (stream_pending(&session->stream) > limit) {
            stream_flush(&session->stream);
        }
        if (stream_pending(&session->stream) > limit) {
            session->is_paused = true; /* the client's next event goes on here */
            return;
        }
        session->is_paused = false;
        size_t kept = buffer_size(&server->in);
        if (kept > 0) {
            memcpy(scratch, buffer_bytes(&server->in), kept);
            buffer_consume(&server->in, kept);
        }
        ssize_t count = stream_read(&server->stream, scratch + kept, BACKEND_READ_SIZE);
        size_t size = kept + (count > 0 ? (size_t)count : 0);
        ssize_t done = size == 0 ? 0 : feed(session, scratch, size);
        if (done < 0) {
            return;
        }
        if (size > (size_t)done &&
            !buffer_append(&server->in, scratch + done, size - (size_t)done)) {
            count = -1;
        }
        if (count < 0) {
            lose(session);
            return;
        }
        if (count == 0 || !server->stream.may_read) {
            break;
        }
    }
    if (buffer_size(&session->server->stream.out) > 0) {
        stream_flush(&server->stream);
    }
    settle(session);
    session_go_on(session); /* what waited for these answers, with the server or for another one */
}
