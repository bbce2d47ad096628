#include "session/track.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "sql/lexer.h"

enum { SAVEPOINT_MAX = 64 };

struct savepoint {
    struct savepoint *below;    /* owned; the one that was set before; NULL: none */
    struct variables *settings; /* a share */
    unsigned depth;
    char name[64];
};

/* ---- facts ---- */

void track_told(struct session *session, struct variables *told)
{
    const char *encoding = variables_get(told, "client_encoding");
    const char *standard = variables_get(told, "standard_conforming_strings");

    (void)variables_share(told);
    variables_release(session->told);
    session->told = told;
    session->has_old_strings = standard != NULL && strcmp(standard, "off") == 0;
    session->is_unreadable = encoding != NULL && !lexer_can_read(encoding);
}

static bool is_unsettling(const struct effects *effects)
{
    for (unsigned i = 0; i < effects->count; i++) {
        switch (effects->list[i].kind) {
        case EFFECT_SET:
        case EFFECT_SET_LOCAL:
        case EFFECT_RESET:
        case EFFECT_RESET_ALL:
        case EFFECT_DISCARD_ALL:
        case EFFECT_SETTINGS_UNKNOWN:
        case EFFECT_ROLLBACK_TO:
        case EFFECT_PREPARE:
        case EFFECT_DEALLOCATE:
        case EFFECT_DEALLOCATE_ALL: return true;
        case EFFECT_NONE:
        case EFFECT_BEGIN:
        case EFFECT_COMMIT:
        case EFFECT_ROLLBACK:
        case EFFECT_SAVEPOINT:
        case EFFECT_RELEASE:
        case EFFECT_DISCARD_PLANS:
        case EFFECT_DISCARD_TEMP:
        case EFFECT_EXECUTE:
        case EFFECT_LISTEN:
        case EFFECT_UNLISTEN:
        case EFFECT_UNLISTEN_ALL:
        case EFFECT_TEMP:
        case EFFECT_HOLD_CURSOR:
        case EFFECT_CLOSE_CURSOR:
        case EFFECT_CLOSE_ALL:
        case EFFECT_ADVISORY_LOCK:
        case EFFECT_ADVISORY_UNLOCK_ALL:
        case EFFECT_LOAD:
        case EFFECT_SEQUENCE_STATE:
        case EFFECT_UNKNOWN: break;
        }
    }
    return false;
}

bool facts_read(const struct session *session, const char *sql, size_t size, struct facts **facts)
{
    struct effects effects;

    *facts = NULL;
    effects_read(sql, size, !session->has_old_strings, &effects);
    if (effects.count == 0 && !effects.is_ddl) {
        return true;
    }
    size_t unused = sizeof effects.list[0] * (EFFECT_MAX - effects.count);
    struct facts *made = calloc(1, sizeof *made - unused + size + 1);
    if (made == NULL) {
        return false;
    }
    made->share_count = 1;
    made->is_standard = !session->has_old_strings;
    made->is_unsettling = is_unsettling(&effects);
    made->sql_size = size;
    memcpy(&made->effects, &effects, sizeof effects - unused);
    made->sql = (char *)made + sizeof *made - unused;
    memcpy(made->sql, sql, size);
    *facts = made;
    return true;
}

struct facts *facts_share(struct facts *facts)
{
    if (facts != NULL) {
        facts->share_count++;
    }
    return facts;
}

void facts_release(void *pointer)
{
    struct facts *facts = pointer;
    if (facts != NULL && --facts->share_count == 0) {
        if (facts->attached != NULL) {
            facts->free_attached(facts->attached);
        }
        free(facts);
    }
}

bool facts_have(const struct facts *facts, enum effect_kind kind)
{
    for (unsigned i = 0; facts != NULL && i < facts->effects.count; i++) {
        if (facts->effects.list[i].kind == kind) {
            return true;
        }
    }
    return false;
}

void facts_name(const struct facts *facts, const struct effect *effect, char name[64])
{
    struct lexer lexer;

    static_assert(TOKEN_NAME_SIZE == 64);
    name[0] = '\0';
    lexer_begin(&lexer, facts->sql + effect->name.offset, effect->name.size, true);
    struct token token = lexer_next(&lexer);
    if (!token_name(&token, name)) {
        name[0] = '\0';
    }
}

/* ---- savepoints ---- */

static void drop_savepoint(struct session *session)
{
    struct savepoint *top = session->savepoints;
    session->savepoints = top->below;
    variables_release(top->settings);
    free(top);
}

static void drop_savepoints(struct session *session)
{
    while (session->savepoints != NULL) {
        drop_savepoint(session);
    }
}

static void set_savepoint(struct session *session, const char *name)
{
    unsigned depth = session->savepoints == NULL ? 0 : session->savepoints->depth;
    struct savepoint *savepoint = depth < SAVEPOINT_MAX ? calloc(1, sizeof *savepoint) : NULL;

    if (savepoint == NULL) {
        session->pins |= PIN_SETTINGS; /* we'd not know what a ROLLBACK TO brings back */
        return;
    }
    savepoint->below = session->savepoints;
    savepoint->depth = depth + 1;
    savepoint->settings = variables_share(session->settings);
    snprintf(savepoint->name, sizeof savepoint->name, "%s", name);
    session->savepoints = savepoint;
}

static bool has_savepoint(const struct session *session, const char *name)
{
    for (struct savepoint *at = session->savepoints; at != NULL; at = at->below) {
        if (strcmp(at->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void keep(struct variables **to, struct variables *from)
{
    struct variables *old = *to;
    *to = variables_share(from);
    variables_release(old);
}

static void roll_back_to(struct session *session, const char *name)
{
    while (has_savepoint(session, name)) {
        if (strcmp(session->savepoints->name, name) == 0) {
            keep(&session->settings, session->savepoints->settings);
            return; /* the savepoint itself stays */
        }
        drop_savepoint(session);
    }
}

static void release_savepoint(struct session *session, const char *name)
{
    while (has_savepoint(session, name)) {
        bool is_it = strcmp(session->savepoints->name, name) == 0;
        drop_savepoint(session);
        if (is_it) {
            return;
        }
    }
}

/* ---- settings ---- */

static void put(struct session *session, const char *name, const char *value)
{
    struct variables_table *table = session->hall->backend.variables;
    if (strlen(name) > VARIABLE_NAME_MAX ||
        !variables_put(table, &session->settings, name, value)) {
        session->pins |= PIN_SETTINGS;
    }
}

/* A value with backslashes means what it did when it was read, whatever standard_conforming_strings
 * is when it's replayed.  False: it can't be written so. */
static bool write_escaped(struct text *sql, const char *value, size_t size, bool is_standard)
{
    if (value[0] == 'E' || value[0] == 'e') {
        text_append_bytes(sql, value, size);
        return true;
    }
    if (value[0] != '\'' || memchr(value + 1, '\'', size - 1) != value + size - 1) {
        return false; /* more than one plain string, or one with quotes */
    }
    text_append(sql, "E");
    for (size_t i = 0; i < size; i++) {
        text_append_bytes(sql, "\\", value[i] == '\\' && is_standard);
        text_append_bytes(sql, value + i, 1);
    }
    return true;
}

static bool replay_escaped(const struct facts *facts, const struct effect *effect, struct text *sql)
{
    const char *value = facts->sql + effect->value.offset;
    bool is_call = effect->form == EFFECT_FORM_FUNCTION;

    text_append(sql, "SELECT pg_catalog.set_config('");
    text_append(sql, effect->setting);
    text_append(sql, "', ");
    return (is_call || effect->form == EFFECT_FORM_SET) &&
           write_escaped(sql, value, effect->value.size, facts->is_standard) &&
           (text_append(sql, ", false)"), !sql->has_failed);
}

/* The statement that sets it again.  False: there is none. */
static bool replay(const struct facts *facts, const struct effect *effect, struct text *sql)
{
    char statement[1024];
    const char *value = facts->sql + effect->value.offset;

    if (effect->literal == NULL && memchr(value, '\\', effect->value.size) != NULL) {
        return replay_escaped(facts, effect, sql);
    }
    if (!effect_replay(effect, facts->sql, statement, sizeof statement)) {
        return false;
    }
    text_append(sql, statement);
    return !sql->has_failed;
}

static void set(struct session *session, const struct facts *facts, const struct effect *effect)
{
    struct text sql = {0};

    if (replay(facts, effect, &sql)) {
        put(session, effect->setting, text_cstr(&sql));
    } else {
        session->pins |= PIN_SETTINGS;
    }
    text_done(&sql);
    if (strcmp(effect->setting, "session_authorization") == 0) {
        put(session, "role", NULL);
    }
}

static void reset(struct session *session, const char *name)
{
    const char *initial = variables_get(session->initial, name);
    put(session, name, initial);
    session->reapplies = session->reapplies || initial != NULL;
    if (strcmp(name, "session_authorization") == 0) {
        put(session, "role", NULL);
    }
}

/* RESET ALL leaves the role and the session's user; DISCARD ALL does not. */
static void reset_all(struct session *session, bool with_role)
{
    char role[1024] = "", user[1024] = "";
    const char *value = variables_get(session->settings, "role");
    snprintf(role, sizeof role, "%s", value == NULL || with_role ? "" : value);
    value = variables_get(session->settings, "session_authorization");
    snprintf(user, sizeof user, "%s", value == NULL || with_role ? "" : value);
    keep(&session->settings, session->initial);
    if (user[0] != '\0') {
        put(session, "session_authorization", user);
    }
    if (role[0] != '\0') {
        put(session, "role", role);
    }
    session->reapplies = session->reapplies || session->initial != NULL;
}

/* ---- what happened ---- */

/* What stays even if the statement fails, or can't be known when it has run. */
static unsigned pin_of(enum effect_kind kind)
{
    return kind == EFFECT_ADVISORY_LOCK ? PIN_LOCK
           : kind == EFFECT_LOAD        ? PIN_LIBRARY
           : kind == EFFECT_UNKNOWN     ? PIN_UNKNOWN
                                        : 0;
}

/* Whether what a text means may depend on the setting: not on those, that are often set. */
static bool is_read_by(const char *setting)
{
    static const char *const others[] = {"application_name",
                                         "client_min_messages",
                                         "default_transaction_deferrable",
                                         "default_transaction_isolation",
                                         "default_transaction_read_only",
                                         "extra_float_digits",
                                         "idle_in_transaction_session_timeout",
                                         "idle_session_timeout",
                                         "lock_timeout",
                                         "statement_timeout",
                                         "synchronous_commit",
                                         "work_mem"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(setting, others[i]) == 0) {
            return false;
        }
    }
    return strchr(setting, '.') == NULL; /* an extension's, or an application's own */
}

static void note_difference(void *context, const char *name, const char *from, const char *to)
{
    bool *is_alike = context;
    (void)from;
    (void)to;
    *is_alike = *is_alike && !is_read_by(name);
}

bool track_reads_alike(const struct variables *a, const struct variables *b)
{
    bool is_alike = true;
    if (a != b) {
        variables_diff(a, b, note_difference, &is_alike);
    }
    return is_alike;
}

static bool is_local_for_texts(const struct effect *effect)
{
    return effect->kind == EFFECT_SET_LOCAL && is_read_by(effect->setting);
}

void track_sent(struct session *session, const struct facts *facts)
{
    for (unsigned i = 0; facts != NULL && i < facts->effects.count; i++) {
        session->pins |= pin_of(facts->effects.list[i].kind);
        session->is_unsure =
            session->is_unsure || facts->effects.list[i].kind == EFFECT_SETTINGS_UNKNOWN;
        session->has_local = session->has_local || is_local_for_texts(&facts->effects.list[i]);
    }
    if (facts != NULL && facts->effects.is_ddl) {
        session->pool->schema_epoch++;
    }
}

static void commit(struct session *session)
{
    drop_savepoints(session);
    keep(&session->committed, session->settings);
    session->had_error = false;
}

static void roll_back(struct session *session)
{
    drop_savepoints(session);
    keep(&session->settings, session->committed);
    session->had_error = false;
}

static void discard_all(struct session *session)
{
    reset_all(session, true);
    session->pins = 0;
    if (session->server != NULL) {
        plans_forget(&session->server->plans);
    }
}

static bool is_about_settings(enum effect_kind kind)
{
    return kind == EFFECT_SET || kind == EFFECT_SET_LOCAL || kind == EFFECT_RESET ||
           kind == EFFECT_RESET_ALL || kind == EFFECT_DISCARD_ALL;
}

static void apply(struct session *session, const struct facts *facts, const struct effect *effect,
                  const char *tag)
{
    char name[64];

    facts_name(facts, effect, name);
    session->has_tracked = session->has_tracked || is_about_settings(effect->kind);
    switch (effect->kind) {
    case EFFECT_COMMIT:
    case EFFECT_ROLLBACK:
        track_tag(session, tag); /* a COMMIT that failed says ROLLBACK */
        break;
    case EFFECT_SAVEPOINT: set_savepoint(session, name); break;
    case EFFECT_RELEASE: release_savepoint(session, name); break;
    case EFFECT_ROLLBACK_TO: roll_back_to(session, name); break;
    case EFFECT_SET: set(session, facts, effect); break;
    case EFFECT_RESET: reset(session, effect->setting); break;
    case EFFECT_RESET_ALL: reset_all(session, false); break;
    case EFFECT_DISCARD_ALL: discard_all(session); break;
    case EFFECT_DISCARD_TEMP: session->pins &= ~(unsigned)PIN_TEMP; break;
    case EFFECT_DEALLOCATE_ALL:
        if (session->server != NULL) {
            plans_forget(&session->server->plans);
        }
        break;
    case EFFECT_LISTEN: session->pins |= PIN_LISTEN; break;
    case EFFECT_UNLISTEN_ALL: session->pins &= ~(unsigned)PIN_LISTEN; break;
    case EFFECT_TEMP: session->pins |= PIN_TEMP; break;
    case EFFECT_HOLD_CURSOR: session->pins |= PIN_CURSOR; break;
    case EFFECT_CLOSE_ALL: session->pins &= ~(unsigned)PIN_CURSOR; break;
    case EFFECT_ADVISORY_UNLOCK_ALL: session->pins &= ~(unsigned)PIN_LOCK; break;
    case EFFECT_NONE:
    case EFFECT_BEGIN:
    case EFFECT_SET_LOCAL:
    case EFFECT_DISCARD_PLANS:
    case EFFECT_SETTINGS_UNKNOWN:
    case EFFECT_PREPARE:
    case EFFECT_EXECUTE:
    case EFFECT_DEALLOCATE:
    case EFFECT_UNLISTEN:
    case EFFECT_CLOSE_CURSOR:
    case EFFECT_ADVISORY_LOCK:
    case EFFECT_LOAD:
    case EFFECT_SEQUENCE_STATE:
    case EFFECT_UNKNOWN: break;
    }
}

void track_done(struct session *session, const struct facts *facts, unsigned part, const char *tag)
{
    bool had_end = false;

    for (unsigned i = 0; i < facts->effects.count; i++) {
        const struct effect *effect = &facts->effects.list[i];
        if (effect->statement == part) {
            apply(session, facts, effect, tag);
            had_end = had_end || effect->kind == EFFECT_COMMIT || effect->kind == EFFECT_ROLLBACK ||
                      effect->kind == EFFECT_ROLLBACK_TO;
        }
    }
    if (!had_end) {
        track_tag(session, tag);
    }
}

void track_tag(struct session *session, const char *tag)
{
    if (session->settings == session->committed && session->savepoints == NULL) {
        return; /* nothing to keep or to undo */
    }
    if (strcmp(tag, "COMMIT") == 0 || strcmp(tag, "PREPARE TRANSACTION") == 0) {
        commit(session);
    } else if (strcmp(tag, "ROLLBACK") == 0) {
        roll_back(session);
    }
}

void track_end(struct session *session)
{
    session->has_local = false;
    if (session->settings == session->committed && session->savepoints == NULL) {
        session->had_error = false;
        return;
    }
    if (session->had_error) {
        roll_back(session);
        return;
    }
    commit(session);
}

void track_free(struct session *session)
{
    drop_savepoints(session);
    variables_release(session->settings);
    variables_release(session->committed);
    variables_release(session->initial);
    variables_release(session->startup);
    variables_release(session->told);
    variables_release(session->found);
    facts_release(session->unnamed_facts);
    facts_release(session->portal_facts);
}

const char *track_pins(unsigned pins, char text[TRACK_PINS_SIZE])
{
    static const char *const names[] = {"temp_table", "hold_cursor", "advisory_lock", "listen",
                                        "library",    "unknown",     "settings",      "statement"};
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((pins & 1u << i) != 0) {
            used += (size_t)snprintf(text + used, TRACK_PINS_SIZE - used, "%s%s",
                                     used == 0 ? "" : " ", names[i]);
        }
    }
    return text;
}
