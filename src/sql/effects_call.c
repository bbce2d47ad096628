/* Functions that do something to the session, and how their effect is replayed. */
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "sql/reader.h"

enum { SETTING_SIZE = sizeof((struct effect *)NULL)->setting };

enum effect_kind effects_of_function(const char *name)
{
    static const struct {
        const char *name;
        enum effect_kind kind;
    } functions[] = {{"currval", EFFECT_SEQUENCE_STATE},
                     {"lastval", EFFECT_SEQUENCE_STATE},
                     {"pg_advisory_lock", EFFECT_ADVISORY_LOCK},
                     {"pg_advisory_lock_shared", EFFECT_ADVISORY_LOCK},
                     {"pg_try_advisory_lock", EFFECT_ADVISORY_LOCK},
                     {"pg_try_advisory_lock_shared", EFFECT_ADVISORY_LOCK},
                     {"set_config", EFFECT_SETTINGS_UNKNOWN},
                     {"setseed", EFFECT_LOAD}};

    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (name[0] == functions[i].name[0] && strcmp(name, functions[i].name) == 0) {
            return functions[i].kind;
        }
    }
    return EFFECT_NONE;
}

/* What set_config() is given, if all are single tokens. */
struct call {
    struct token setting, value, is_local;
};

/* At the name; consumes the call up to its ")". */
static bool read_call(struct reader *reader, struct call *call)
{
    struct token *arguments[] = {&call->setting, &call->value, &call->is_local};

    reader_advance(reader);
    for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
        if (!token_is_punctuation(&reader->token, i == 0 ? '(' : ',')) {
            return false;
        }
        reader_advance(reader);
        *arguments[i] = reader->token;
        reader_advance(reader);
    }
    if (!token_is_punctuation(&reader->token, ')')) {
        return false;
    }
    reader_advance(reader);
    return true;
}

static bool read_truth(const struct token *token, bool *is_true)
{
    char value[8];

    *is_true = token_is(token, "true");
    if (*is_true || token_is(token, "false")) {
        return true;
    }
    if (!token_string(token, true, value, sizeof value)) {
        return false;
    }
    *is_true = strcmp(value, "true") == 0 || strcmp(value, "t") == 0;
    return *is_true || strcmp(value, "false") == 0 || strcmp(value, "f") == 0;
}

static bool read_setting(const struct token *token, bool is_standard, char setting[SETTING_SIZE])
{
    if (!token_string(token, is_standard, setting, SETTING_SIZE)) {
        return false;
    }
    for (char *at = setting; *at != '\0'; at++) {
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at);
    }
    return true;
}

/* A call that certainly runs: its effect; false if that depends on more than literals. */
static bool note_call(struct reader *reader, const struct call *call)
{
    char setting[SETTING_SIZE];
    bool is_local = false, is_null = token_is(&call->value, "null");

    if (!read_truth(&call->is_local, &is_local) ||
        !read_setting(&call->setting, reader->lexer.is_standard, setting) ||
        (call->value.kind != TOKEN_STRING && !is_null)) {
        return false;
    }
    if (!is_null && strcmp(setting, "search_path") == 0 &&
        effects_may_name_temp(call->value.text, call->value.size)) {
        reader_note(reader, EFFECT_TEMP);
    }
    struct effect *effect = effects_note_setting(reader,
                                                 is_local  ? EFFECT_SET_LOCAL
                                                 : is_null ? EFFECT_RESET
                                                           : EFFECT_SET,
                                                 setting);
    if (effect != NULL && !is_null) {
        effect->form = EFFECT_FORM_FUNCTION;
        effect->value.offset = (size_t)(call->value.text - reader->sql);
        effect->value.size = call->value.size;
    }
    return true;
}

/* At a name: whether it is that function of PostgreSQL. */
static bool is_function(const struct token *token, const char *function)
{
    char name[TOKEN_NAME_SIZE];
    return token_name(token, name) && strcmp(name, function) == 0;
}

/* An item of the list, with its label. */
static bool read_item(struct reader *reader)
{
    struct call call;

    if (is_function(&reader->token, "pg_catalog") && token_is_punctuation(&reader->next, '.')) {
        reader_advance(reader);
        reader_advance(reader);
    }
    if (is_function(&reader->token, "set_config")) {
        if (!read_call(reader, &call) || !note_call(reader, &call)) {
            return false;
        }
    } else if (is_function(&reader->token, "pg_advisory_unlock_all")) {
        reader_advance(reader);
        if (!token_is_punctuation(&reader->token, '(') ||
            !token_is_punctuation(&reader->next, ')')) {
            return false;
        }
        reader_advance(reader);
        reader_advance(reader);
        reader_note(reader, EFFECT_ADVISORY_UNLOCK_ALL);
    } else {
        return false;
    }
    if (reader_accept(reader, "as")) {
        reader_advance(reader);
    }
    return true;
}

void effects_call_list(struct reader *reader)
{
    struct reader at_start = *reader;
    unsigned count = reader->effects->count;

    bool is_list = read_item(reader);
    while (is_list && token_is_punctuation(&reader->token, ',')) {
        reader_advance(reader);
        is_list = read_item(reader);
    }
    if (!is_list || !reader_is_at_end(reader) || reader->token.kind == TOKEN_BAD) {
        *reader = at_start;
        reader->effects->count = count;
    }
}

static void note_local(struct reader *reader, const struct call *call)
{
    char setting[SETTING_SIZE];
    bool is_known = read_setting(&call->setting, reader->lexer.is_standard, setting);

    if ((!is_known || strcmp(setting, "search_path") == 0) &&
        effects_may_name_temp(call->value.text, call->value.size)) {
        reader_note(reader, EFFECT_TEMP);
    }
    if (!is_known) {
        reader_note(reader, EFFECT_SET_LOCAL);
        return;
    }
    effects_note_setting(reader, EFFECT_SET_LOCAL, setting);
}

void effects_call(struct reader *reader)
{
    char name[TOKEN_NAME_SIZE];
    struct reader ahead = *reader;
    struct call call;
    bool is_local = false;

    if (!token_name(&reader->token, name)) {
        return; /* U&"…" is noted as such */
    }
    enum effect_kind kind = effects_of_function(name);
    if (kind != EFFECT_SETTINGS_UNKNOWN) {
        if (kind != EFFECT_NONE) {
            reader_note(reader, kind);
        }
        return;
    }
    if (read_call(&ahead, &call) && read_truth(&call.is_local, &is_local) && is_local) {
        note_local(reader, &call);
        return;
    }
    reader_note(reader, reader->is_deferred ? EFFECT_UNKNOWN : EFFECT_SETTINGS_UNKNOWN);
}

/* "a"."b" for a.b: a part may be a word of SQL. */
static void quote_setting(const char *setting, char out[4 * SETTING_SIZE])
{
    size_t used = 0;

    out[used++] = '"';
    for (const char *at = setting; *at != '\0'; at++) {
        if (*at == '.') {
            out[used++] = '"';
            out[used++] = '.';
            out[used++] = '"';
        } else {
            out[used++] = *at;
        }
    }
    out[used++] = '"';
    out[used] = '\0';
}

bool effect_replay(const struct effect *effect, const char *sql, char *out, size_t size)
{
    const char *value = effect->literal != NULL ? effect->literal : sql + effect->value.offset;
    size_t value_size = effect->literal != NULL ? strlen(effect->literal) : effect->value.size;
    char setting[4 * SETTING_SIZE];
    int count = -1;

    assert(effect->kind == EFFECT_SET || effect->kind == EFFECT_RESET);
    if (value_size > INT_MAX / 2) {
        return false;
    }
    quote_setting(effect->setting, setting);
    if (effect->kind == EFFECT_RESET) {
        count = snprintf(out, size, "RESET %s", setting);
    } else if (effect->form == EFFECT_FORM_SET) {
        count = snprintf(out, size, "SET %s = %.*s", setting, (int)value_size, value);
    } else if (effect->form == EFFECT_FORM_TIME_ZONE) {
        count = snprintf(out, size, "SET TIME ZONE %.*s", (int)value_size, value);
    } else {
        count = snprintf(out, size, "SELECT pg_catalog.set_config('%s', %.*s, false)",
                         effect->setting, (int)value_size, value);
    }
    return count >= 0 && (size_t)count < size;
}
