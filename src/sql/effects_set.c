/* SET and RESET in all their spellings (VariableSetStmt of gram.y). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sql/reader.h"

enum { SETTING_SIZE = sizeof((struct effect *)NULL)->setting };

/* After the first word of a setting's name. */
static bool follows_a_name(const struct token *token)
{
    return token_is_punctuation(token, '.') || token_is(token, "to") || token_is(token, "from") ||
           (token->kind == TOKEN_OPERATOR && token->size == 1 && token->text[0] == '=');
}

/* Settings of one transaction only. */
static bool is_of_transaction(const char *setting)
{
    return strcmp(setting, "transaction_isolation") == 0 ||
           strcmp(setting, "transaction_read_only") == 0 ||
           strcmp(setting, "transaction_deferrable") == 0;
}

/* Old names that PostgreSQL still takes (map_old_guc_names). */
static const char *current_name(const char *setting)
{
    if (strcmp(setting, "sort_mem") == 0) {
        return "work_mem";
    }
    return strcmp(setting, "vacuum_mem") == 0 ? "maintenance_work_mem" : setting;
}

bool effects_may_name_temp(const char *text, size_t size)
{
    static const char schema[] = "pg_temp";

    if (memchr(text, '\\', size) != NULL) {
        return true; /* an escape may hide it */
    }
    for (size_t i = 0; i + sizeof schema - 1 <= size; i++) {
        if (strncasecmp(text + i, schema, sizeof schema - 1) == 0) {
            return true;
        }
    }
    return false;
}

/* As PostgreSQL 15 wants them; so a name needs no escapes when it is replayed. */
static bool is_plain(const char *setting)
{
    for (const char *at = setting; *at != '\0'; at++) {
        bool is_letter = (*at >= 'a' && *at <= 'z') || (*at & 0x80) != 0;
        bool is_digit = *at >= '0' && *at <= '9';
        if (!is_letter && !is_digit && *at != '_' && *at != '$' && *at != '.') {
            return false;
        }
    }
    return true;
}

struct effect *effects_note_setting(struct reader *reader, enum effect_kind kind,
                                    const char *setting)
{
    if (is_of_transaction(setting)) {
        return NULL;
    }
    if (strcmp(setting, "seed") == 0) {
        reader_note(reader, EFFECT_LOAD);
        return NULL;
    }
    if (!is_plain(setting)) {
        reader_note(reader, EFFECT_UNKNOWN);
        return NULL;
    }
    struct effect *effect = reader_note(reader, kind);
    snprintf(effect->setting, sizeof effect->setting, "%s", current_name(setting));
    return effect;
}

/* A value from `start` to what was consumed last. */
static void note_value(struct reader *reader, enum effect_kind kind, const char *setting,
                       const char *start, enum effect_form form)
{
    struct effect_span value = reader_span(reader, start);

    if (strcmp(setting, "search_path") == 0 && effects_may_name_temp(start, value.size)) {
        reader_note(reader, EFFECT_TEMP);
    }
    struct effect *effect = effects_note_setting(reader, kind, setting);
    if (effect != NULL) {
        effect->value = value;
        effect->form = form;
    }
}

static void note_default(struct reader *reader, enum effect_kind kind, const char *setting)
{
    effects_note_setting(reader, kind == EFFECT_SET ? EFFECT_RESET : kind, setting);
}

/* The rest of the statement as a value; DEFAULT, and nothing where that means the same. */
static void read_value(struct reader *reader, enum effect_kind kind, const char *setting)
{
    const char *start = reader->token.text;

    if (reader_is(reader, "default")) {
        reader_advance(reader);
        note_default(reader, kind, setting);
        return;
    }
    if (reader_is_at_end(reader)) {
        return;
    }
    while (!reader_is_at_end(reader)) {
        reader_advance(reader);
    }
    note_value(reader, kind, setting, start, EFFECT_FORM_SET);
}

static void read_time_zone(struct reader *reader, enum effect_kind kind)
{
    const char *start = reader->token.text;

    if (!reader_is(reader, "interval")) {
        if (reader_accept(reader, "local")) {
            note_default(reader, kind, "timezone");
            return;
        }
        read_value(reader, kind, "timezone");
        return;
    }
    while (!reader_is_at_end(reader)) {
        reader_advance(reader);
    }
    note_value(reader, kind, "timezone", start, EFFECT_FORM_TIME_ZONE);
}

static void note_mode(struct reader *reader, enum effect_kind kind, const char *setting,
                      const char *literal)
{
    struct effect *effect = reader_note(reader, kind);
    snprintf(effect->setting, sizeof effect->setting, "%s", setting);
    effect->literal = literal;
}

static const char *read_isolation(struct reader *reader)
{
    if (reader_is(reader, "serializable")) {
        return "'serializable'";
    }
    if (reader_is(reader, "repeatable") && reader_next_is(reader, "read")) {
        return "'repeatable read'";
    }
    if (reader_is(reader, "read") && reader_next_is(reader, "committed")) {
        return "'read committed'";
    }
    return reader_is(reader, "read") && reader_next_is(reader, "uncommitted") ? "'read uncommitted'"
                                                                              : NULL;
}

/* SESSION CHARACTERISTICS AS TRANSACTION …: an effect for each mode. */
static void read_modes(struct reader *reader, enum effect_kind kind)
{
    while (!reader_is_at_end(reader)) {
        if (reader_accept(reader, "level")) {
            const char *level = read_isolation(reader);
            if (level != NULL) {
                note_mode(reader, kind, "default_transaction_isolation", level);
            }
        } else if (reader_is(reader, "only") || reader_is(reader, "write")) {
            note_mode(reader, kind, "default_transaction_read_only",
                      reader_is(reader, "only") ? "on" : "off");
        } else if (reader_is(reader, "deferrable")) {
            note_mode(reader, kind, "default_transaction_deferrable",
                      token_is(&reader->previous, "not") ? "off" : "on");
        }
        if (!reader_is_at_end(reader)) {
            reader_advance(reader);
        }
    }
}

/* Appends a name's part in lower case; false if it does not fit or can't be read. */
static bool add_part(const struct token *token, char *setting, size_t *size)
{
    char part[TOKEN_NAME_SIZE];

    if (!token_name(token, part)) {
        return false;
    }
    for (const char *at = part; *at != '\0'; at++) {
        if (*size + 1 == SETTING_SIZE) {
            return false;
        }
        setting[(*size)++] = (char)(*at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at);
    }
    setting[*size] = '\0';
    return true;
}

/* a.b.c; false if it can't be told, which is noted. */
static bool read_setting(struct reader *reader, char setting[SETTING_SIZE])
{
    size_t size = 0;
    bool is_readable = add_part(&reader->token, setting, &size);

    reader_advance(reader);
    while (is_readable && token_is_punctuation(&reader->token, '.')) {
        is_readable = size + 1 < SETTING_SIZE;
        if (is_readable) {
            setting[size++] = '.';
            reader_advance(reader);
            is_readable = add_part(&reader->token, setting, &size);
            reader_advance(reader);
        }
    }
    if (!is_readable) {
        reader_note(reader, EFFECT_UNKNOWN);
    }
    return is_readable;
}

static void read_any(struct reader *reader, enum effect_kind kind)
{
    char setting[SETTING_SIZE] = "";

    if (reader_is_at_end(reader) || !read_setting(reader, setting)) {
        return;
    }
    if (reader_accept(reader, "from")) {
        if (kind == EFFECT_SET) {
            reader_note(reader, EFFECT_SETTINGS_UNKNOWN);
        }
        return;
    }
    if (follows_a_name(&reader->token)) {
        reader_advance(reader);
        read_value(reader, kind, setting);
    }
}

/* SESSION was consumed. */
static bool read_session(struct reader *reader, enum effect_kind kind)
{
    if (reader_accept(reader, "authorization")) {
        read_value(reader, kind, "session_authorization");
        return true;
    }
    if (!reader_is(reader, "characteristics") || !reader_next_is(reader, "as")) {
        return false;
    }
    read_modes(reader, kind);
    return true;
}

/* Spellings that have a word of their own; false if it is none of them. */
static bool read_special(struct reader *reader, enum effect_kind kind)
{
    static const struct {
        const char *word, *second, *setting;
    } spellings[] = {{"names", NULL, "client_encoding"},
                     {"role", NULL, "role"},
                     {"schema", NULL, "search_path"},
                     {"xml", "option", "xmloption"}};

    if (follows_a_name(&reader->next)) {
        return false;
    }
    if (reader_is(reader, "time") && reader_next_is(reader, "zone")) {
        reader_advance(reader);
        reader_advance(reader);
        read_time_zone(reader, kind);
        return true;
    }
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        if (!reader_is(reader, spellings[i].word)) {
            continue;
        }
        reader_advance(reader);
        if (spellings[i].second != NULL && !reader_accept(reader, spellings[i].second)) {
            return true; /* no SQL */
        }
        if (reader_is_at_end(reader) && i == 0) {
            note_default(reader, kind, spellings[i].setting); /* SET NAMES alone */
        }
        read_value(reader, kind, spellings[i].setting);
        return true;
    }
    return reader_is(reader, "transaction") || reader_is(reader, "constraints") ||
           reader_is(reader, "catalog");
}

void effects_set(struct reader *reader)
{
    enum effect_kind kind = EFFECT_SET;

    if (reader_is(reader, "local") && !follows_a_name(&reader->next)) {
        reader_advance(reader);
        kind = EFFECT_SET_LOCAL;
    } else if (reader_is(reader, "session") && !follows_a_name(&reader->next)) {
        reader_advance(reader);
        if (read_session(reader, kind)) {
            return;
        }
    }
    if (reader_is(reader, "session") && !follows_a_name(&reader->next)) {
        reader_advance(reader);
        if (read_session(reader, kind)) {
            return;
        }
    }
    if (!read_special(reader, kind)) {
        read_any(reader, kind);
    }
}

void effects_reset(struct reader *reader)
{
    static const struct {
        const char *word, *second, *setting;
    } spellings[] = {{"time", "zone", "timezone"},
                     {"session", "authorization", "session_authorization"},
                     {"transaction", "isolation", "transaction_isolation"}};
    char setting[SETTING_SIZE] = "";

    if (reader_accept(reader, "all")) {
        reader_note(reader, EFFECT_RESET_ALL);
        return;
    }
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        if (reader_is(reader, spellings[i].word) && reader_next_is(reader, spellings[i].second)) {
            effects_note_setting(reader, EFFECT_RESET, spellings[i].setting);
            return;
        }
    }
    if (!reader_is_at_end(reader) && read_setting(reader, setting)) {
        effects_note_setting(reader, EFFECT_RESET, setting);
    }
}
