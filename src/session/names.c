#include "session/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/server.h"
#include "base/text.h"
#include "session/names_private.h"
#include "session/track.h"
#include "wire/frame.h"
#include "wire/message.h"

enum { NAMES_AT_FRONT_MAX = 8192, PORTALS_MAX = 64, NAMED_MAX = 100000 };

static const char none[] = "reparto_0"; /* a name that no statement of ours has */

struct named {
    struct statement *statement; /* a share; NULL: closed, until that is confirmed */
    uint64_t used;               /* counts: of several names for one text, the last used is meant */
    size_t name_size;
    char name[];
};

/* What the object of an expected answer to Parse, Bind, Describe or Close is. */
enum part {
    PART_NOTHING,
    PART_UNNAMED,        /* nothing: the client's Parse of its unnamed statement */
    PART_UNNAMED_HIDDEN, /* nothing: the same, sent again by us */
    PART_AGAIN,     /* a share of a statement: a Parse of its name that must fail, as it's there */
    PART_STATEMENT, /* a share of a statement; a good answer says that the server has it */
    PART_DROP,      /* a share of a statement; a good answer says that the server has it no more */
    PART_NOTE       /* a note: the client's Parse or Close of a named statement */
};

struct note {
    struct statement *statement; /* a share; NULL: a Close */
    struct statement *previous;  /* a share: what the client's name meant before; NULL: nothing */
    char name[];
};

struct portal {
    struct portal *next; /* owned */
    struct facts *facts; /* a share */
    char name[];
};

/* ---- the client's map ---- */

static struct named *find(const struct session *session, const char *name)
{
    return session->statements.count == 0 ? NULL
                                          : hashmap_get(&session->statements, name, strlen(name));
}

struct statement *names_meaning(struct session *session, const char *name)
{
    struct named *named = find(session, name);

    if (named == NULL) {
        return NULL;
    }
    named->used = ++session->name_uses;
    return named->statement;
}

static void forget(struct session *session, struct named *named)
{
    (void)hashmap_remove(&session->statements, named->name, named->name_size);
    statement_release(named->statement);
    free(named);
}

/* Lets `name` mean `statement` (NULL: nothing). */
static bool rename_to(struct session *session, const char *name, struct statement *statement)
{
    struct named *named = find(session, name);

    if (statement == NULL) {
        if (named != NULL) {
            forget(session, named);
        }
        return true;
    }
    if (named == NULL) {
        size_t size = strlen(name);
        named = session->statements.count >= NAMED_MAX ? NULL : calloc(1, sizeof *named + size + 1);
        if (named == NULL) {
            return false;
        }
        named->name_size = size;
        memcpy(named->name, name, size);
        if (!hashmap_put(&session->statements, named->name, size, named)) {
            free(named);
            return false;
        }
    }
    (void)statement_share(statement);
    statement_release(named->statement);
    named->statement = statement;
    return true;
}

void names_forget(struct session *session)
{
    size_t at = 0;
    const struct hashmap_entry *entry;

    while (session->statements.count > 0 &&
           (entry = hashmap_next(&session->statements, &at)) != NULL) {
        forget(session, entry->value);
        at = 0; /* the map has changed */
    }
}

const char *names_of_client(const struct session *session, const char *server_name)
{
    size_t at = 0;
    const struct hashmap_entry *entry;
    const struct named *best = NULL;

    while (session->statements.count > 0 &&
           (entry = hashmap_next(&session->statements, &at)) != NULL) {
        const struct named *named = entry->value;
        if (named->statement != NULL && strcmp(named->statement->name, server_name) == 0 &&
            (best == NULL || named->used > best->used)) {
            best = named;
        }
    }
    return best == NULL ? NULL : best->name;
}

/* ---- what is owed ---- */

static bool owe(struct session *session, enum expected_kind kind, bool is_hidden, enum part part,
                void *object)
{
    struct expected *entry = expected_push(&session->server->expected, kind, is_hidden, object);
    if (entry == NULL) {
        return false;
    }
    entry->part = (uint16_t)part;
    return true;
}

static bool owe_plain(struct session *session, enum expected_kind kind)
{
    return owe(session, kind, false, PART_NOTHING, NULL);
}

/* An answer about a plan; NULL: about none of ours. */
static bool owe_statement(struct session *session, enum expected_kind kind, bool is_hidden,
                          enum part part, struct statement *statement)
{
    if (statement == NULL) {
        return owe(session, kind, is_hidden, PART_NOTHING, NULL);
    }
    if (!owe(session, kind, is_hidden, part, statement)) {
        return false;
    }
    (void)statement_share(statement);
    struct plan *plan = plans_use(&session->server->plans, statement);
    if (plan != NULL) {
        plan->in_flight++;
    }
    return true;
}

/* An answer that makes true, or not, what the client's map says of `name` already. */
static bool owe_note(struct session *session, enum expected_kind kind, struct statement *statement,
                     struct statement *previous, const char *name)
{
    size_t name_size = strlen(name) + 1;
    struct note *note = calloc(1, sizeof *note + name_size);

    if (note == NULL || !owe(session, kind, false, PART_NOTE, note)) {
        free(note);
        return false;
    }
    memcpy(note->name, name, name_size);
    if (statement != NULL) {
        note->statement = statement_share(statement);
        struct plan *plan = plans_use(&session->server->plans, statement);
        if (plan != NULL) {
            plan->in_flight++;
        }
    }
    if (previous != NULL) {
        note->previous = statement_share(previous);
    }
    return true;
}

/* Whether the server has the plan is not known yet, and will not be known by what is sent next
 * failing with it: that is behind another Sync. */
static bool is_unsure(const struct session *session, const struct statement *statement)
{
    struct server *server = session->server;
    struct plan *plan = statement == NULL ? NULL : plans_use(&server->plans, statement);
    return plan != NULL && plan->in_flight > 0 && plan->is_assumed != plan->is_there &&
           plan->batch != server->batch;
}

static bool is_unnamed_unsure(const struct session *session)
{
    return session->unnamed_pending > 0 && session->unnamed_batch != session->server->batch;
}

static bool owe_unnamed(struct session *session, bool is_hidden)
{
    if (!owe(session, EXPECTED_PARSE, is_hidden, is_hidden ? PART_UNNAMED_HIDDEN : PART_UNNAMED,
             NULL)) {
        return false;
    }
    session->unnamed_pending++;
    session->unnamed_batch = session->server->batch;
    return true;
}

/* The plan will be there, made by what is sent now, with the settings that are now. */
static void assume(struct session *session, struct plan *plan)
{
    variables_release(plan->settings);
    plan->settings = variables_share(session->settings);
    plan->is_stale = session->has_local || session->is_unsure;
    plan->is_assumed = true;
    plan->batch = session->server->batch;
    plan->epoch = session->pool->schema_epoch;
}

/* Whether it means what the text means to this session. */
static bool is_of_use(const struct session *session, const struct plan *plan)
{
    return plan->epoch >= session->pool->schema_epoch && !plan->is_stale &&
           (plan->settings == session->settings ||
            track_reads_alike(plan->settings, session->settings));
}

/* ---- messages of ours ---- */

static bool send_parse(struct session *session, const char *name, const char *text,
                       size_t text_size, const char *types, size_t types_size)
{
    static const char no_types[2] = {0};
    struct message_writer writer = message_begin(stream_out(&session->server->stream), 'P');
    message_put_string(&writer, name);
    message_put_bytes(&writer, text, text_size);
    message_put_byte(&writer, '\0');
    message_put_bytes(&writer, types_size == 0 ? no_types : types,
                      types_size == 0 ? 2 : types_size);
    return message_end(&writer);
}

static bool send_close(struct session *session, const char *name)
{
    struct message_writer writer = message_begin(stream_out(&session->server->stream), 'C');
    message_put_byte(&writer, 'S');
    message_put_string(&writer, name);
    return message_end(&writer);
}

/* A statement leaves the server, when it comes to that in the order of messages. */
static bool drop_plan(struct session *session, struct plan *plan)
{
    plan->is_assumed = false;
    plan->batch = session->server->batch;
    return send_close(session, plan->statement->name) &&
           owe_statement(session, EXPECTED_CLOSE, true, PART_DROP, plan->statement);
}

bool names_free(struct session *session, struct statement *statement)
{
    struct plan *plan = plans_use(&session->server->plans, statement);
    return plan == NULL || !plan->is_assumed || drop_plan(session, plan);
}

/* Room for one more. */
static bool evict(struct session *session)
{
    struct server *server = session->server;
    int64_t limit = session->hall->backend.config->settings.max_prepared_statements;

    if (limit <= 0 || server->plans.order.count < (size_t)limit) {
        return true;
    }
    struct plan *oldest = plans_oldest(&server->plans);
    return oldest == NULL || drop_plan(session, oldest);
}

/* PREPARE by the extended protocol, without touching the unnamed statement or portal. */
static bool send_sql_prepare(struct session *session, const struct statement *statement)
{
    static const char helper[] = "reparto_prepare";
    struct buffer *out = stream_out(&session->server->stream);
    struct text sql = {0};

    text_appendf(&sql, "PREPARE %s ", statement->name);
    text_append_bytes(&sql, statement->text, statement->text_size);
    bool is_ok = !sql.has_failed &&
                 send_parse(session, helper, text_cstr(&sql), sql.size, NULL, 0) &&
                 expected_push(&session->server->expected, EXPECTED_PARSE, true, NULL) != NULL;
    text_done(&sql);
    struct message_writer bind = message_begin(out, 'B');
    message_put_string(&bind, helper);
    message_put_string(&bind, helper);
    message_put_bytes(&bind, "\0\0\0\0\0\0", 6);
    is_ok = is_ok && message_end(&bind) &&
            expected_push(&session->server->expected, EXPECTED_BIND, true, NULL) != NULL;
    struct message_writer run = message_begin(out, 'E');
    message_put_string(&run, helper);
    message_put_u32(&run, 0);
    is_ok = is_ok && message_end(&run) &&
            expected_push(&session->server->expected, EXPECTED_EXECUTE, true, NULL) != NULL;
    return is_ok && send_close(session, helper) &&
           expected_push(&session->server->expected, EXPECTED_CLOSE, true, NULL) != NULL;
}

/* The server will have the statement when it comes to what follows. */
bool names_ensure(struct session *session, struct statement *statement)
{
    struct server *server = session->server;
    struct plan *plan = plans_use(&server->plans, statement);

    session->pool->stats.binds++;
    if (plan != NULL && plan->is_assumed && is_of_use(session, plan)) {
        return true;
    }
    session->pool->stats.server_binds++;
    if (plan != NULL && plan->is_assumed && !drop_plan(session, plan)) {
        return false;
    }
    if (plan == NULL) {
        plan = evict(session) ? plans_add(&server->plans, statement) : NULL;
        if (plan == NULL) {
            return false;
        }
    }
    assume(session, plan);
    if (statement->is_sql) {
        return send_sql_prepare(session, statement) && send_close(session, none) &&
               owe_statement(session, EXPECTED_CLOSE, true, PART_STATEMENT, statement);
    }
    return send_parse(session, statement->name, statement->text, statement->text_size,
                      statement->types, statement->types_size) &&
           owe_statement(session, EXPECTED_PARSE, true, PART_STATEMENT, statement);
}

/* The server's unnamed statement will be this client's, or none if it has none. */
static bool ensure_unnamed(struct session *session)
{
    struct server *server = session->server;

    if (!session->has_unnamed) {
        if (server->unnamed_session == 0) {
            return true;
        }
        return send_close(session, "") && /* if that is skipped it stays somebody's */
               expected_push(&server->expected, EXPECTED_CLOSE, true, NULL) != NULL;
    }
    if (server->unnamed_session == session->id &&
        server->unnamed_version == session->unnamed_version) {
        return true;
    }
    server->unnamed_session = session->id;
    server->unnamed_version = session->unnamed_version;
    const char *text = session->unnamed + session->unnamed_types;
    return send_parse(session, "", text, session->unnamed_size - session->unnamed_types,
                      session->unnamed, session->unnamed_types) &&
           owe_unnamed(session, true);
}

/* ---- Parse ---- */

static bool keep_unnamed(struct session *session, const char *text, size_t text_size,
                         const char *types, size_t types_size)
{
    size_t size = text_size + types_size;

    if (size > session->unnamed_capacity) {
        size_t capacity = size < 256 ? 256 : size;
        char *memory = realloc(session->unnamed, capacity);
        if (memory == NULL) {
            return false;
        }
        session->unnamed = memory;
        session->unnamed_capacity = capacity;
    }
    memcpy(session->unnamed, types, types_size);
    memcpy(session->unnamed + types_size, text, text_size);
    session->unnamed_types = types_size;
    session->unnamed_size = size;
    session->unnamed_version++;
    session->has_unnamed = true;
    session->server->unnamed_session = session->id;
    session->server->unnamed_version = session->unnamed_version;
    return true;
}

struct parse {
    const char *name, *text, *types;
    size_t text_size, types_size;
};

static bool read_parse(const struct request *request, struct parse *parse)
{
    struct message_reader reader;

    message_read_begin(&reader, request->body, request->body_size);
    parse->name = message_read_string(&reader);
    parse->text = message_read_string(&reader);
    parse->types = reader.at;
    parse->types_size = message_left(&reader);
    parse->text_size = reader.has_failed ? 0 : (size_t)(parse->types - parse->text) - 1;
    uint16_t count = message_read_u16(&reader);
    return !reader.has_failed && message_left(&reader) == (size_t)count * 4;
}

static enum names_result parse_unnamed(struct session *session, const struct request *request,
                                       const struct parse *parse, struct facts *facts)
{
    facts_release(session->unnamed_facts);
    session->unnamed_facts = facts_share(facts);
    if (!keep_unnamed(session, parse->text, parse->text_size, parse->types, parse->types_size)) {
        return NAMES_NO_MEMORY;
    }
    return owe_unnamed(session, false) && request_forward(session, request) ? NAMES_DONE
                                                                            : NAMES_NO_MEMORY;
}

/* A name that is taken: the server is made to say so. */
static enum names_result parse_again(struct session *session, const struct parse *parse,
                                     struct statement *old)
{
    return names_ensure(session, old) &&
                   send_parse(session, old->name, parse->text, parse->text_size, parse->types,
                              parse->types_size) &&
                   owe_statement(session, EXPECTED_PARSE, false, PART_AGAIN, old)
               ? NAMES_DONE
               : NAMES_NO_MEMORY;
}

static enum names_result parse_named(struct session *session, const struct parse *parse,
                                     struct facts *facts)
{
    struct server *server = session->server;
    struct statement *old = names_meaning(session, parse->name);

    if (old != NULL) {
        return is_unsure(session, old) ? NAMES_WAIT : parse_again(session, parse, old);
    }
    struct statement *statement =
        statement_find(session->hall->backend.statements, false, parse->text, parse->text_size,
                       parse->types, parse->types_size);
    if (statement == NULL) {
        return NAMES_NO_MEMORY;
    }
    if (is_unsure(session, statement)) {
        statement_release(statement);
        return NAMES_WAIT;
    }
    bool is_ok = true;
    if (statement->facts == NULL && facts != NULL) {
        statement->facts = facts_share(facts);
        statement->free_facts = facts_release;
    }
    struct plan *plan = plans_use(&server->plans, statement);
    if (is_ok && plan != NULL && plan->is_assumed) {
        is_ok = drop_plan(session, plan);
    } else if (is_ok && plan == NULL) {
        plan = evict(session) ? plans_add(&server->plans, statement) : NULL;
        is_ok = plan != NULL;
    }
    if (is_ok) {
        assume(session, plan);
        session->pool->stats.parses++;
        is_ok = rename_to(session, parse->name, statement) &&
                send_parse(session, statement->name, parse->text, parse->text_size, parse->types,
                           parse->types_size) &&
                owe_note(session, EXPECTED_PARSE, statement, NULL, parse->name);
    }
    statement_release(statement);
    return is_ok ? NAMES_DONE : NAMES_NO_MEMORY;
}

/* Parse of a text that names prepared statements.  The unnamed one is made anew wherever it's
 * wanted; a named one would have to be each client's own there: it stays where it is. */
static enum names_result parse_with_names(struct session *session, const struct parse *parse,
                                          struct facts *facts)
{
    struct text sql = {0};
    bool is_unnamed = parse->name[0] == '\0';

    if (!is_unnamed) {
        session->pins |= PIN_STATEMENT;
    }
    bool is_ok = names_rewrite(session, facts, &sql) &&
                 send_parse(session, parse->name, text_cstr(&sql), sql.size, parse->types,
                            parse->types_size) &&
                 (is_unnamed ? owe_unnamed(session, false) : owe_plain(session, EXPECTED_PARSE));
    if (is_ok && is_unnamed) {
        facts_release(session->unnamed_facts);
        session->unnamed_facts = facts_share(facts);
        is_ok = keep_unnamed(session, text_cstr(&sql), sql.size, parse->types, parse->types_size);
    }
    text_done(&sql);
    return is_ok ? NAMES_DONE : NAMES_NO_MEMORY;
}

static enum names_result parse_looked_at(struct session *session, const struct request *request,
                                         const struct parse *parse)
{
    struct facts *facts = NULL;

    if (session->is_unreadable) {
        session->pins |= PIN_UNKNOWN;
    } else if (effects_may_be(parse->text, parse->text_size) &&
               !facts_read(session, parse->text, parse->text_size, &facts)) {
        return NAMES_NO_MEMORY;
    }
    enum names_result result;
    if (facts != NULL && names_are_in(facts)) {
        result = parse_with_names(session, parse, facts);
    } else if (parse->name[0] == '\0') {
        result = parse_unnamed(session, request, parse, facts);
    } else {
        result = parse_named(session, parse, facts);
    }
    facts_release(facts);
    return result;
}

static enum names_result translate_parse(struct session *session, const struct request *request)
{
    struct parse parse;

    if (!request->is_whole) { /* too large to be kept: it stays where it is, under its own name */
        session->pins |= PIN_UNKNOWN;
        session->has_unnamed = false;
        session->server->unnamed_session = 0;
        return owe_unnamed(session, false) && request_forward(session, request) ? NAMES_DONE
                                                                                : NAMES_NO_MEMORY;
    }
    if (!read_parse(request, &parse)) {
        return NAMES_MALFORMED;
    }
    return parse_looked_at(session, request, &parse);
}

/* ---- Bind ---- */

static void drop_portals(struct session *session)
{
    while (session->portals != NULL) {
        struct portal *portal = session->portals;
        session->portals = portal->next;
        facts_release(portal->facts);
        free(portal);
    }
}

static bool note_portal(struct session *session, const char *portal, struct facts *facts)
{
    if (portal[0] == '\0') {
        if (session->portal_facts != facts) {
            facts_release(session->portal_facts);
            session->portal_facts = facts_share(facts);
        }
        return true;
    }
    if (facts == NULL) {
        return true;
    }
    struct portal *made = calloc(1, sizeof *made + strlen(portal) + 1);
    if (made == NULL) {
        return false;
    }
    made->facts = facts_share(facts);
    memcpy(made->name, portal, strlen(portal) + 1);
    made->next = session->portals;
    session->portals = made;
    return true;
}

struct facts *names_portal_facts(struct session *session, const struct request *request)
{
    size_t size = request->has - FRAME_HEADER_SIZE;

    for (struct portal *at = session->portals; at != NULL; at = at->next) {
        size_t name_size = strlen(at->name) + 1;
        if (size >= name_size && memcmp(at->name, request->body, name_size) == 0) {
            return at->facts;
        }
    }
    return NULL;
}

/* Writes the message anew, with `name` for the statement's name at body[at..at+size). */
static bool forward_renamed(struct session *session, const struct request *request, size_t at,
                            size_t size, const char *name)
{
    struct stream *stream = &session->server->stream;
    size_t new_size = strlen(name);
    char header[FRAME_HEADER_SIZE] = {request->type};

    message_set_u32(header + 1, (uint32_t)(request->body_size + 4 - size + new_size));
    size_t behind = request->has - FRAME_HEADER_SIZE - at - size;
    return stream_write(stream, header, sizeof header) && stream_write(stream, request->body, at) &&
           stream_write(stream, name, new_size) &&
           stream_write(stream, request->body + at + size, behind);
}

static enum names_result translate_bind(struct session *session, const struct request *request)
{
    struct message_reader reader;
    size_t has = request->has - FRAME_HEADER_SIZE;

    message_read_begin(&reader, request->body, has);
    const char *portal = message_read_string(&reader);
    const char *name = message_read_string(&reader);
    if (reader.has_failed) {
        return request->is_whole || has > NAMES_AT_FRONT_MAX ? NAMES_MALFORMED : NAMES_NEED_MORE;
    }
    if (name[0] == '\0') {
        if (is_unnamed_unsure(session)) {
            return NAMES_WAIT;
        }
        bool is_ok = ensure_unnamed(session) && names_ground(session, session->unnamed_facts) &&
                     note_portal(session, portal, session->unnamed_facts) &&
                     owe_plain(session, EXPECTED_BIND) && request_forward(session, request);
        return is_ok ? NAMES_DONE : NAMES_NO_MEMORY;
    }
    struct statement *statement = names_meaning(session, name);
    if (is_unsure(session, statement)) {
        return NAMES_WAIT;
    }
    const char *server_name = statement != NULL                   ? statement->name
                              : strncmp(name, "reparto_", 8) == 0 ? none
                                                                  : name;
    bool is_ok = (statement == NULL || names_ensure(session, statement)) &&
                 note_portal(session, portal, statement == NULL ? NULL : statement->facts) &&
                 owe_statement(session, EXPECTED_BIND, false, PART_STATEMENT, statement) &&
                 forward_renamed(session, request, (size_t)(name - request->body), strlen(name),
                                 server_name);
    return is_ok ? NAMES_DONE : NAMES_NO_MEMORY;
}

/* ---- Describe, Close ---- */

static enum names_result translate_describe(struct session *session, const char *name,
                                            const struct request *request)
{
    struct statement *statement = names_meaning(session, name);
    bool is_ok;

    if (name[0] == '\0' ? is_unnamed_unsure(session) : is_unsure(session, statement)) {
        return NAMES_WAIT;
    }
    if (name[0] == '\0') {
        is_ok = ensure_unnamed(session) && names_ground(session, session->unnamed_facts) &&
                owe_plain(session, EXPECTED_DESCRIBE) && request_forward(session, request);
    } else {
        const char *server_name = statement != NULL                   ? statement->name
                                  : strncmp(name, "reparto_", 8) == 0 ? none
                                                                      : name;
        is_ok = (statement == NULL || names_ensure(session, statement)) &&
                owe_statement(session, EXPECTED_DESCRIBE, false, PART_STATEMENT, statement) &&
                forward_renamed(session, request, 1, strlen(name), server_name);
    }
    return is_ok ? NAMES_DONE : NAMES_NO_MEMORY;
}

static enum names_result translate_close(struct session *session, const char *name,
                                         const struct request *request)
{
    struct statement *statement = names_meaning(session, name);
    bool is_ok;

    if (name[0] == '\0') {
        session->has_unnamed = false; /* if that is skipped it stays somebody's */
        session->server->unnamed_session = SERVER_UNNAMED_UNKNOWN;
        is_ok = owe_plain(session, EXPECTED_CLOSE) && request_forward(session, request);
        return is_ok ? NAMES_DONE : NAMES_NO_MEMORY;
    }
    is_ok = owe_note(session, EXPECTED_CLOSE, NULL, statement, name) &&
            rename_to(session, name, NULL) &&
            forward_renamed(session, request, 1, strlen(name), none);
    return is_ok ? NAMES_DONE : NAMES_NO_MEMORY;
}

enum names_result names_translate(struct session *session, const struct request *request)
{
    if (request->type == 'P') {
        return translate_parse(session, request);
    }
    if (request->type == 'B') {
        return translate_bind(session, request);
    }
    struct message_reader reader;
    message_read_begin(&reader, request->body, request->body_size);
    char kind = message_read_byte(&reader);
    const char *name = message_read_string(&reader);
    if (!message_read_end(&reader)) {
        return NAMES_MALFORMED;
    }
    if (kind == 'S') {
        return request->type == 'D' ? translate_describe(session, name, request)
                                    : translate_close(session, name, request);
    }
    enum expected_kind owed = request->type == 'D' ? EXPECTED_DESCRIBE : EXPECTED_CLOSE;
    return owe_plain(session, owed) && request_forward(session, request) ? NAMES_DONE
                                                                         : NAMES_NO_MEMORY;
}

/* ---- answers ---- */

/* The plan as it is now that one message about it was answered, or dropped. */
static void settle_plan(struct session *session, struct statement *statement,
                        const struct expected *entry, bool is_good)
{
    struct plans *plans = &session->server->plans;
    struct plan *plan = plans_use(plans, statement);
    bool is_proof = is_good && (entry->kind == EXPECTED_PARSE || entry->kind == EXPECTED_CLOSE);

    if (plan == NULL && is_proof && entry->part != PART_DROP) {
        plan = plans_add(plans, statement); /* forgotten meanwhile by a DEALLOCATE ALL */
        if (plan == NULL) {
            return;
        }
        plan->is_assumed = true;
    }
    if (plan == NULL) {
        return;
    }
    if (plan->in_flight > 0) {
        plan->in_flight--;
    }
    if (is_proof) {
        plan->is_there = entry->part != PART_DROP;
    }
    if (!is_good) {
        plan->is_assumed = plan->is_there;
        plan->is_stale = true; /* it may be an older one than it was to be */
    }
    if (!plan->is_there && !plan->is_assumed && plan->in_flight == 0) {
        plans_remove(plans, plan);
    }
}

static void settle_note(struct session *session, const struct expected *entry, bool is_good)
{
    struct note *note = entry->object;

    if (note->statement != NULL) {
        settle_plan(session, note->statement, entry, is_good);
    }
    if (!is_good) {
        (void)rename_to(session, note->name, note->previous); /* as it was before */
    }
    statement_release(note->statement);
    statement_release(note->previous);
    free(note);
}

void names_answered(struct session *session, struct expected *entry, bool is_good)
{
    switch ((enum part)entry->part) {
    case PART_NOTHING: break;
    case PART_UNNAMED:
        session->has_unnamed = session->has_unnamed && is_good;
        session->unnamed_pending--;
        break;
    case PART_UNNAMED_HIDDEN: /* the client has it, be it here or not */
        session->unnamed_pending--;
        break;
    case PART_AGAIN:
        if (is_good) { /* it was not there, and now another text has its name */
            session->server->is_doomed = true;
            session->server->doom = "a prepared statement was not where it should be";
        }
        [[fallthrough]];
    case PART_STATEMENT:
    case PART_DROP:
        settle_plan(session, entry->object, entry, is_good);
        statement_release(entry->object);
        break;
    case PART_NOTE: settle_note(session, entry, is_good); break;
    }
    entry->object = NULL;
    entry->part = PART_NOTHING;
}

void names_error(struct session *session, const struct expected *entry, const char *sqlstate)
{
    if (strcmp(sqlstate, "0A000") == 0 && entry->part == PART_STATEMENT &&
        entry->kind != EXPECTED_PARSE) {
        session->pool->schema_epoch++; /* "cached plan must not change result type" */
    }
}

void names_end(struct session *session)
{
    drop_portals(session);
    facts_release(session->portal_facts);
    session->portal_facts = NULL;
}

void names_made(struct session *session, const char *name, struct statement *statement)
{
    struct plans *plans = &session->server->plans;
    struct plan *plan = plans_use(plans, statement);

    if (plan == NULL) {
        plan = plans_add(plans, statement);
    }
    if (plan == NULL || !rename_to(session, name, statement)) {
        session->pins |= PIN_STATEMENT; /* no memory: it can only be found where it is */
        return;
    }
    assume(session, plan);
    plan->is_there = true;
}

void names_dropped(struct session *session, const char *name)
{
    struct statement *statement = names_meaning(session, name);
    struct plan *plan = statement == NULL ? NULL : plans_use(&session->server->plans, statement);

    if (plan != NULL) {
        plans_remove(&session->server->plans, plan);
    }
    (void)rename_to(session, name, NULL);
}
