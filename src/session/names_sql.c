/* PREPARE, EXECUTE and DEALLOCATE as SQL: the names in the text are ours when it's sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/server.h"
#include "base/text.h"
#include "session/names.h"
#include "session/names_private.h"
#include "session/track.h"
#include "sql/lexer.h"
#include "wire/frame.h"
#include "wire/message.h"

/* What the name in each effect of a text means. */
struct meanings {
    struct statement *list[EFFECT_MAX]; /* shares; NULL: nothing of ours */
};

static bool is_about_name(enum effect_kind kind)
{
    return kind == EFFECT_PREPARE || kind == EFFECT_EXECUTE || kind == EFFECT_DEALLOCATE;
}

static void free_meanings(void *pointer)
{
    struct meanings *meanings = pointer;
    for (size_t i = 0; i < EFFECT_MAX; i++) {
        statement_release(meanings->list[i]);
    }
    free(meanings);
}

/* The statement that an earlier PREPARE of the same text gives that name. */
static struct statement *made_before(const struct facts *facts, const struct meanings *meanings,
                                     unsigned before, const char *name)
{
    struct statement *result = NULL;
    char other[64];

    for (unsigned i = 0; i < before; i++) {
        const struct effect *effect = &facts->effects.list[i];
        if (effect->kind == EFFECT_PREPARE && meanings->list[i] != NULL) {
            facts_name(facts, effect, other);
            result = strcmp(other, name) == 0 ? meanings->list[i] : result;
        }
    }
    return result;
}

static bool find_meanings(struct session *session, const struct facts *facts,
                          struct meanings *meanings)
{
    char name[64];

    for (unsigned i = 0; i < facts->effects.count; i++) {
        const struct effect *effect = &facts->effects.list[i];
        if (!is_about_name(effect->kind)) {
            continue;
        }
        facts_name(facts, effect, name);
        struct statement *known = made_before(facts, meanings, i, name);
        known = known != NULL ? known : names_meaning(session, name);
        if (known != NULL) {
            meanings->list[i] = statement_share(known);
            continue;
        }
        if (effect->kind == EFFECT_PREPARE && name[0] != '\0') {
            meanings->list[i] =
                statement_find(session->hall->backend.statements, true,
                               facts->sql + effect->value.offset, effect->value.size, NULL, 0);
            if (meanings->list[i] == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* The text with our names in it. */
static void rewrite(const struct facts *facts, const struct meanings *meanings, struct text *sql)
{
    size_t at = 0;

    for (unsigned i = 0; i < facts->effects.count; i++) {
        const struct effect *effect = &facts->effects.list[i];
        if (meanings->list[i] == NULL) {
            continue;
        }
        text_append_bytes(sql, facts->sql + at, effect->name.offset - at);
        text_append(sql, meanings->list[i]->name);
        at = effect->name.offset + effect->name.size;
    }
    text_append_bytes(sql, facts->sql + at, facts->sql_size - at);
}

static bool send_query(struct session *session, const char *sql)
{
    return message_write_string(stream_out(&session->server->stream), 'Q', sql);
}

/* What the text runs or drops must be on the server first, and what it makes must not. */
static bool prepare_ground(struct session *session, const struct facts *facts,
                           const struct meanings *meanings)
{
    char name[64];

    for (unsigned i = 0; i < facts->effects.count; i++) {
        const struct effect *effect = &facts->effects.list[i];
        struct statement *statement = meanings->list[i];
        if (statement == NULL) {
            continue;
        }
        facts_name(facts, effect, name);
        bool is_new = names_meaning(session, name) == NULL;
        bool is_ok = true;
        if (effect->kind == EFFECT_PREPARE && is_new) {
            is_ok = names_free(session, statement);
        } else if (!is_new) { /* else made by this very text */
            is_ok = names_ensure(session, statement);
        }
        if (!is_ok) {
            return false;
        }
    }
    return true;
}

bool names_ground(struct session *session, const struct facts *facts)
{
    return facts == NULL || facts->attached == NULL ||
           prepare_ground(session, facts, facts->attached);
}

/* A simple query must not come in the middle of what was put in front of it: that could fail, and
 * all up to a Sync would be skipped. */
static bool sync_if_more(struct session *session, uint32_t owed)
{
    return session->server->expected.count == owed ||
           (message_write_empty(stream_out(&session->server->stream), 'S') &&
            expected_push(&session->server->expected, EXPECTED_SYNC, true, NULL) != NULL);
}

bool names_rewrite(struct session *session, struct facts *facts, struct text *sql)
{
    struct meanings *meanings = calloc(1, sizeof *meanings);
    if (meanings == NULL) {
        return false;
    }
    facts->attached = meanings; /* what a PREPARE makes must live until it's completed */
    facts->free_attached = free_meanings;
    bool is_ok =
        find_meanings(session, facts, meanings) && prepare_ground(session, facts, meanings);
    rewrite(facts, meanings, sql);
    return is_ok && !sql->has_failed;
}

bool names_are_in(const struct facts *facts)
{
    return facts_have(facts, EFFECT_PREPARE) || facts_have(facts, EFFECT_EXECUTE) ||
           facts_have(facts, EFFECT_DEALLOCATE);
}

bool names_query(struct session *session, const struct request *request, struct facts *facts)
{
    struct expected_queue *queue = &session->server->expected;
    struct text sql = {0};
    bool is_ok;

    track_sent(session, facts);
    session->unsettled += facts->is_unsettling;
    if (!names_are_in(facts)) {
        is_ok = expected_push(queue, EXPECTED_QUERY, false, facts) != NULL;
        return is_ok && request_forward(session, request);
    }
    uint32_t owed = queue->count;
    is_ok = names_rewrite(session, facts, &sql) && sync_if_more(session, owed) &&
            send_query(session, text_cstr(&sql)) &&
            expected_push(queue, EXPECTED_QUERY, false, facts) != NULL;
    text_done(&sql);
    return is_ok;
}

/* How many characters bytes[0..size) are, in UTF-8 and in encodings of one byte. */
static size_t count_characters(const char *bytes, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += (bytes[i] & 0xc0) != 0x80;
    }
    return count;
}

size_t names_position(const struct facts *facts, size_t position)
{
    const struct meanings *meanings = facts->attached;
    size_t at = position; /* in the text as the client wrote it, when all that is before it is */

    for (unsigned i = 0; i < facts->effects.count; i++) {
        const struct effect *effect = &facts->effects.list[i];
        if (meanings->list[i] == NULL) {
            continue;
        }
        size_t begin = count_characters(facts->sql, effect->name.offset) + 1;
        size_t ours = strlen(meanings->list[i]->name);
        size_t theirs = count_characters(facts->sql + effect->name.offset, effect->name.size);
        if (at < begin + ours) {
            return at < begin ? at : begin; /* before the name, or in it */
        }
        at = at - ours + theirs;
    }
    return at;
}

void names_done(struct session *session, const struct facts *facts, unsigned part)
{
    const struct meanings *meanings = facts->attached;
    char name[64];

    for (unsigned i = 0; i < facts->effects.count; i++) {
        const struct effect *effect = &facts->effects.list[i];
        if (effect->statement != part) {
            continue;
        }
        facts_name(facts, effect, name);
        if (effect->kind == EFFECT_PREPARE && meanings != NULL && meanings->list[i] != NULL) {
            names_made(session, name, meanings->list[i]);
        } else if (effect->kind == EFFECT_DEALLOCATE) {
            names_dropped(session, name);
        } else if (effect->kind == EFFECT_DEALLOCATE_ALL || effect->kind == EFFECT_DISCARD_ALL) {
            names_forget(session);
        }
    }
}
