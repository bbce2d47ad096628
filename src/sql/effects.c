#include "sql/effects.h"

#include <assert.h>
#include <string.h>

#include "sql/reader.h"

static bool is_name(const struct token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED;
}

static bool names_temp_schema(const struct token *token)
{
    char name[TOKEN_NAME_SIZE];
    return token_name(token, name) && strncmp(name, "pg_temp", 7) == 0;
}

static bool opens_parenthesis(const struct token *token)
{
    return token_is_punctuation(token, '(');
}

/* At INTO: INSERT INTO, or the INTO of a SELECT?  INSERT may be a column's label too. */
static void read_into(struct reader *reader)
{
    bool is_insert = token_is(&reader->previous, "insert") || token_is(&reader->previous, "merge");
    bool is_first = reader->before.kind == TOKEN_END || opens_parenthesis(&reader->before);

    if (is_insert && is_first) {
        return;
    }
    if (reader_next_is(reader, "temp") || reader_next_is(reader, "temporary") ||
        reader_next_is(reader, "local") || reader_next_is(reader, "global") ||
        names_temp_schema(&reader->next)) {
        reader_note(reader, EFFECT_TEMP);
    }
    if (!is_insert || !token_is_punctuation(&reader->before, ')')) {
        reader->effects->is_ddl = true;
        reader->effects->is_read_only_text = false;
    }
}

/* Any token of a query: what may have an effect wherever it stands.  Consumes it. */
static void read_token(struct reader *reader)
{
    if (reader->token.kind == TOKEN_QUOTED && reader->token.text[0] != '"') {
        reader_note(reader, EFFECT_UNKNOWN); /* U&"…" may be any name */
    } else if (is_name(&reader->token) && opens_parenthesis(&reader->next)) {
        if (!reader->is_definition) {
            effects_call(reader);
        }
    } else if (reader->token.size == 4 && reader_is(reader, "into")) {
        read_into(reader);
    }
    reader_advance(reader);
}

static void read_rest(struct reader *reader)
{
    while (!reader_is_at_end(reader)) {
        read_token(reader);
    }
}

static void read_statement(struct reader *reader);

/* Transactions. */

static void accept_work(struct reader *reader)
{
    if (!reader_accept(reader, "work")) {
        reader_accept(reader, "transaction");
    }
}

static void on_begin(struct reader *reader)
{
    reader_note(reader, EFFECT_BEGIN);
}

static void on_start(struct reader *reader)
{
    if (reader_is(reader, "transaction")) {
        reader_note(reader, EFFECT_BEGIN);
    }
}

static void read_chain(struct reader *reader, struct effect *effect)
{
    effect->is_chained = reader_accept(reader, "and") && reader_is(reader, "chain");
}

static void on_commit(struct reader *reader)
{
    if (!reader_is(reader, "prepared")) {
        accept_work(reader);
        read_chain(reader, reader_note(reader, EFFECT_COMMIT));
    }
}

static void on_rollback(struct reader *reader)
{
    if (reader_is(reader, "prepared")) {
        return;
    }
    accept_work(reader);
    if (!reader_accept(reader, "to")) {
        read_chain(reader, reader_note(reader, EFFECT_ROLLBACK));
        return;
    }
    if (reader_is(reader, "savepoint") && is_name(&reader->next)) {
        reader_advance(reader);
    }
    reader_note_named(reader, EFFECT_ROLLBACK_TO);
}

static void on_savepoint(struct reader *reader)
{
    reader_note_named(reader, EFFECT_SAVEPOINT);
}

static void on_release(struct reader *reader)
{
    if (reader_is(reader, "savepoint") && is_name(&reader->next)) {
        reader_advance(reader);
    }
    reader_note_named(reader, EFFECT_RELEASE);
}

/* Prepared statements and cursors. */

static void on_prepare(struct reader *reader)
{
    if (reader_is(reader, "transaction") && reader->next.kind == TOKEN_STRING) {
        reader_note(reader, EFFECT_COMMIT);
        return;
    }
    unsigned index = reader->effects->count;
    reader_note_named(reader, EFFECT_PREPARE);
    const char *start = reader->token.text;
    while (!reader_is_at_end(reader) && !reader_is(reader, "as")) {
        reader_advance(reader);
    }
    if (reader_accept(reader, "as")) {
        reader->is_deferred = true;
        reader_restart(reader);
        read_rest(reader);
    }
    if (index < EFFECT_MAX && reader->effects->list[index].kind == EFFECT_PREPARE) {
        reader->effects->list[index].value = reader_span(reader, start);
    }
}

static void on_execute(struct reader *reader)
{
    reader_note_named(reader, EFFECT_EXECUTE);
}

static void on_deallocate(struct reader *reader)
{
    if (reader_is(reader, "prepare") && is_name(&reader->next)) {
        reader_advance(reader);
    }
    if (reader_accept(reader, "all")) {
        reader_note(reader, EFFECT_DEALLOCATE_ALL);
        return;
    }
    reader_note_named(reader, EFFECT_DEALLOCATE);
}

static void on_declare(struct reader *reader)
{
    struct token cursor = reader->token;

    reader->is_deferred = true;
    reader_advance(reader);
    while (!reader_is_at_end(reader) && !reader_is(reader, "for")) {
        if (reader_is(reader, "with") && reader_next_is(reader, "hold")) {
            struct effect *effect = reader_note(reader, EFFECT_HOLD_CURSOR);
            effect->name.offset = (size_t)(cursor.text - reader->sql);
            effect->name.size = cursor.size;
        }
        reader_advance(reader);
    }
}

static void on_close(struct reader *reader)
{
    if (reader_accept(reader, "all")) {
        reader_note(reader, EFFECT_CLOSE_ALL);
        return;
    }
    reader_note_named(reader, EFFECT_CLOSE_CURSOR);
}

/* The words of EXPLAIN; then what it explains, which ANALYZE runs. */
static void on_explain(struct reader *reader)
{
    if (opens_parenthesis(&reader->token) && is_name(&reader->next)) {
        do { /* options, or a query in parentheses */
            read_token(reader);
        } while (reader->depth > 0 && !reader_is_at_end(reader));
    }
    while (reader_is(reader, "analyze") || reader_is(reader, "analyse") ||
           reader_is(reader, "verbose")) {
        reader_advance(reader);
    }
    reader_restart(reader);
    reader->is_explained = true;
    read_statement(reader);
}

/* Whole sessions. */

static void on_listen(struct reader *reader)
{
    reader_note_named(reader, EFFECT_LISTEN);
}

static void on_unlisten(struct reader *reader)
{
    if (reader->token.kind == TOKEN_OPERATOR) {
        reader_note(reader, EFFECT_UNLISTEN_ALL);
        return;
    }
    reader_note_named(reader, EFFECT_UNLISTEN);
}

static void on_load(struct reader *reader)
{
    reader_note(reader, EFFECT_LOAD);
}

static void on_discard(struct reader *reader)
{
    static const struct {
        const char *word;
        enum effect_kind kind;
    } words[] = {{"all", EFFECT_DISCARD_ALL},
                 {"plans", EFFECT_DISCARD_PLANS},
                 {"sequences", EFFECT_DISCARD_PLANS},
                 {"temp", EFFECT_DISCARD_TEMP},
                 {"temporary", EFFECT_DISCARD_TEMP}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (reader_is(reader, words[i].word)) {
            reader_note(reader, words[i].kind);
        }
    }
}

/* Definitions. */

/* The semicolons of BEGIN ATOMIC … END do not end the statement.  END ends the body only where a
 * statement would begin; no body can hold another. */
static bool read_body(struct reader *reader)
{
    bool is_start = true, names_temp = false;

    reader_advance(reader);
    reader_advance(reader);
    while (reader->token.kind != TOKEN_END && reader->token.kind != TOKEN_BAD) {
        if (is_start && reader_accept(reader, "end")) {
            break;
        }
        is_start = reader->depth == 0 && token_is_punctuation(&reader->token, ';');
        names_temp |= names_temp_schema(&reader->token);
        reader_advance(reader);
    }
    return names_temp;
}

/* To the end of CREATE; whether the object may be in pg_temp. */
static bool read_definition(struct reader *reader, bool is_routine)
{
    bool names_temp = false, is_started = false;

    while (!reader_is_at_end(reader)) {
        bool is_outside = reader->depth == 0;
        names_temp |= names_temp_schema(&reader->token) && token_is_punctuation(&reader->next, '.');
        if (is_routine && is_outside && reader_is(reader, "begin") &&
            reader_next_is(reader, "atomic")) {
            return read_body(reader) || names_temp;
        }
        if (!is_started && is_outside && reader_is(reader, "as")) {
            is_started = true; /* CREATE TABLE … AS EXECUTE */
            if (reader_next_is(reader, "execute")) {
                reader_advance(reader);
                reader_advance(reader);
                reader_note_named(reader, EFFECT_EXECUTE);
                continue;
            }
        }
        if (is_outside && reader_is(reader, "drop") && token_is(&reader->previous, "commit") &&
            token_is(&reader->before, "on")) {
            reader->is_dropped = true;
        }
        read_token(reader);
    }
    return names_temp;
}

static void on_create(struct reader *reader)
{
    static const char *const unrun[] = {"view",    "recursive",  "rule",
                                        "trigger", "constraint", "policy"};

    if (reader_accept(reader, "or")) {
        reader_accept(reader, "replace");
    }
    if (reader_is(reader, "local") || reader_is(reader, "global")) {
        reader_advance(reader);
    }
    bool is_temp = reader_accept(reader, "temp") || reader_accept(reader, "temporary");
    bool is_routine = reader_is(reader, "function") || reader_is(reader, "procedure");
    reader->is_definition = is_routine;
    for (size_t i = 0; i < sizeof unrun / sizeof unrun[0]; i++) {
        reader->is_definition |= reader_is(reader, unrun[i]);
    }
    reader->is_dropped = false;
    is_temp |= read_definition(reader, is_routine);
    if (is_temp && !reader->is_dropped) {
        reader_note(reader, EFFECT_TEMP);
    }
}

static void on_select(struct reader *reader)
{
    if (!reader->is_explained && reader->depth == 0) {
        effects_call_list(reader);
    }
}

/* Statements, by their first word, sorted. */
static const struct {
    const char *word;
    void (*read)(struct reader *reader); /* what stands behind the word; NULL: nothing special */
    bool is_ddl, only_reads;
} statements[] = {
    {"abort", on_rollback, false, false},
    {"alter", NULL, true, false},
    {"begin", on_begin, false, false},
    {"close", on_close, false, false},
    {"commit", on_commit, false, false},
    {"create", on_create, true, false},
    {"deallocate", on_deallocate, false, false},
    {"declare", on_declare, false, false},
    {"discard", on_discard, false, false},
    {"do", effects_do, false, false},
    {"drop", NULL, true, false},
    {"end", on_commit, false, false},
    {"execute", on_execute, false, false},
    {"explain", on_explain, false, false},
    {"fetch", NULL, false, true},
    {"import", NULL, true, false},
    {"listen", on_listen, false, false},
    {"load", on_load, false, false},
    {"prepare", on_prepare, false, false},
    {"release", on_release, false, false},
    {"reset", effects_reset, false, false},
    {"rollback", on_rollback, false, false},
    {"savepoint", on_savepoint, false, false},
    {"select", on_select, false, true},
    {"set", effects_set, false, false},
    {"show", NULL, false, true},
    {"start", on_start, false, false},
    {"table", NULL, false, true},
    {"truncate", NULL, true, false},
    {"unlisten", on_unlisten, false, false},
    {"values", NULL, false, true},
};

static void read_statement(struct reader *reader)
{
    bool only_reads = false;

    while (opens_parenthesis(&reader->token)) {
        reader_advance(reader); /* of a query */
    }
    int first = reader->token.kind == TOKEN_WORD ? reader->token.text[0] | 0x20 : 0;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        if (statements[i].word[0] == first && reader_is(reader, statements[i].word)) {
            reader_advance(reader);
            only_reads = statements[i].only_reads;
            reader->effects->is_ddl |= statements[i].is_ddl;
            if (statements[i].read != NULL) {
                statements[i].read(reader);
            }
            break;
        }
    }
    reader->effects->is_read_only_text &= only_reads;
    read_rest(reader);
}

void effects_read(const char *sql, size_t size, bool standard_conforming_strings,
                  struct effects *effects)
{
    struct reader reader = {.sql = sql, .effects = effects, .consumed = sql};

    assert(sql != NULL || size == 0);
    effects->statement_count = effects->count = 0;
    effects->is_ddl = false;
    effects->is_read_only_text = true;
    lexer_begin(&reader.lexer, sql, size, standard_conforming_strings);
    reader.token = lexer_next(&reader.lexer);
    reader.next = lexer_next(&reader.lexer);
    while (reader.token.kind != TOKEN_END) {
        if (token_is_punctuation(&reader.token, ';')) {
            reader_advance(&reader);
            continue;
        }
        reader_restart(&reader);
        reader.depth = 0;
        reader.is_deferred = reader.is_definition = reader.is_explained = false;
        read_statement(&reader);
        if (reader.token.kind == TOKEN_BAD) {
            reader_note(&reader, EFFECT_UNKNOWN);
            reader_advance(&reader);
        }
        effects->statement_count++;
    }
    effects->is_read_only_text &= effects->statement_count > 0;
}
