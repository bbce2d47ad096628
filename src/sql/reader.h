/* sql/reader: the words of one statement after another, for effects.c and its parts.
 *
 * Internal to sql/effects: a window on the lexer's tokens, the current one and
 * the next, which knows where a statement ends, and a place to note effects.
 */
#pragma once

#include "sql/effects.h"
#include "sql/lexer.h"

struct reader {
    struct lexer lexer;
    const char *sql;
    struct token before, previous; /* consumed; TOKEN_END at the start of a statement */
    struct token token, next;      /* to be consumed */
    const char *consumed;          /* the end of the last token that was */
    unsigned depth;                /* parentheses that are open */
    bool is_deferred;              /* the query runs later: PREPARE, DECLARE */
    bool is_definition;            /* the query does not run: CREATE VIEW */
    bool is_explained;             /* the query may not run */
    bool is_dropped;               /* ON COMMIT DROP */
    struct effects *effects;
    struct effect overflow; /* takes what EFFECT_MAX leaves no room for */
};

void reader_advance(struct reader *reader);

/* What follows is seen as the start of a statement: EXPLAIN …, PREPARE x AS …. */
void reader_restart(struct reader *reader);

/* At the end of the text, at what the lexer can't read, or at a semicolon outside parentheses. */
[[nodiscard]] bool reader_is_at_end(const struct reader *reader);
[[nodiscard]] bool reader_is(const struct reader *reader, const char *keyword);
[[nodiscard]] bool reader_next_is(const struct reader *reader, const char *keyword);

/* Consumes the word if it is there. */
bool reader_accept(struct reader *reader, const char *keyword);

/* A new effect of this statement; borrowed until the next one. */
struct effect *reader_note(struct reader *reader, enum effect_kind kind);

/* One whose name is the current token; consumes it.  EFFECT_UNKNOWN if that has no readable name;
 * nothing if there is none. */
void reader_note_named(struct reader *reader, enum effect_kind kind);

/* From `from` to the last token consumed; none if that is before it. */
[[nodiscard]] struct effect_span reader_span(const struct reader *reader, const char *from);

/* In effects_set.c: what stands after SET, RESET. */
void effects_set(struct reader *reader);
void effects_reset(struct reader *reader);

/* Notes that a setting changes, under the name that PostgreSQL has for it; NULL if that is nobody's
 * business or another effect. */
struct effect *effects_note_setting(struct reader *reader, enum effect_kind kind,
                                    const char *setting);

/* Whether a search_path's text may name the schema of temporary objects. */
[[nodiscard]] bool effects_may_name_temp(const char *text, size_t size);

/* In effects_call.c.  After SELECT: reads the rest of the statement if it is only a list of
 * set_config() calls with literals, or pg_advisory_unlock_all(); consumes nothing if it is anything
 * else. */
void effects_call_list(struct reader *reader);

/* At a name and "(": what that function does to the session.  Consumes nothing. */
void effects_call(struct reader *reader);

/* In effects_do.c: what stands after DO. */
void effects_do(struct reader *reader);

/* What a call of that function does to the session; EFFECT_NONE for most. */
[[nodiscard]] enum effect_kind effects_of_function(const char *name);
