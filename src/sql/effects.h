/* sql/effects: what a statement does to the session that runs it.
 *
 * Pure, from the words alone: one pass of the lexer, no parse tree, no catalog.
 * It tells transaction pooling what must be tracked, restored, translated or
 * pinned.  In doubt it says more than is true (EFFECT_UNKNOWN), never less, but for what a
 * function, view or CALLed procedure does inside, which can't be seen; docs/protocol.md says so.
 * It may miss effects of a text that PostgreSQL's parser refuses, as that runs not at all.
 * Effects are what the statement does if it succeeds.  The text must be in an encoding that
 * lexer_can_read().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum effect_kind {
    EFFECT_NONE,
    /* Transactions: the word and its synonyms. */
    EFFECT_BEGIN,       /* BEGIN, START TRANSACTION */
    EFFECT_COMMIT,      /* COMMIT, END, PREPARE TRANSACTION; `is_chained`: AND CHAIN */
    EFFECT_ROLLBACK,    /* ROLLBACK, ABORT; `is_chained` */
    EFFECT_SAVEPOINT,   /* `name` */
    EFFECT_RELEASE,     /* `name` */
    EFFECT_ROLLBACK_TO, /* `name` */
    /* Settings. */
    EFFECT_SET,       /* `setting`, `value`: its tokens as written, or `literal`; effect_replay()
                         writes the statement that does the same elsewhere.  SET TIME ZONE, NAMES, SCHEMA,
                         ROLE, SESSION AUTHORIZATION, XML OPTION and SESSION CHARACTERISTICS (an
                         effect for each mode) are given under the setting's own name; a `value` of
                         DEFAULT       (TIME ZONE LOCAL too) is EFFECT_RESET.  So is SELECT
                         set_config('x', 'v',       false), if the whole       statement is a list of such
                         calls       with literals */
    EFFECT_SET_LOCAL, /* `setting`, "" if unknown; set_config() with is_local true anywhere */
    EFFECT_RESET,     /* `setting` */
    EFFECT_RESET_ALL,
    EFFECT_DISCARD_ALL,
    EFFECT_DISCARD_PLANS, /* DISCARD PLANS or SEQUENCES: nothing that others could see */
    EFFECT_DISCARD_TEMP,
    EFFECT_SETTINGS_UNKNOWN, /* set_config() in another way; SET x FROM CURRENT; DO with SET, RESET
                                or set_config in its text: ask the server afterwards what is set */
    /* Prepared statements of SQL. */
    EFFECT_PREPARE,    /* `name`; `value`: the text after the name, "(int) AS SELECT $1" */
    EFFECT_EXECUTE,    /* `name`; also EXPLAIN … EXECUTE, CREATE TABLE … AS EXECUTE */
    EFFECT_DEALLOCATE, /* `name` */
    EFFECT_DEALLOCATE_ALL,
    /* Notifications. */
    EFFECT_LISTEN,   /* `name` */
    EFFECT_UNLISTEN, /* `name` */
    EFFECT_UNLISTEN_ALL,
    /* What ties a session to its server connection. */
    EFFECT_TEMP, /* creates a temporary object: TEMP, TEMPORARY, INTO TEMP, schema pg_temp; not
                    those that are ON COMMIT DROP; also a search_path with pg_temp, where plain
                    CREATE does */
    EFFECT_HOLD_CURSOR,  /* DECLARE … WITH HOLD; `name` */
    EFFECT_CLOSE_CURSOR, /* `name` */
    EFFECT_CLOSE_ALL,
    EFFECT_ADVISORY_LOCK, /* session-level pg_advisory_lock and pg_try_advisory_lock, _shared too */
    EFFECT_ADVISORY_UNLOCK_ALL, /* only if the statement is that call alone */
    EFFECT_LOAD,           /* LOAD 'library', setseed(), SET seed: state that can't be taken back */
    EFFECT_SEQUENCE_STATE, /* currval() or lastval() is read */
    /* What a statement may not do here. */
    EFFECT_UNKNOWN /* not understood: pin, to be safe.  TOKEN_BAD, too many effects, U&"names", DO
                      with dynamic EXECUTE, LISTEN, PREPARE or in another language than plpgsql;
                      set_config() in the query of a PREPARE or a cursor, which runs later */
};

/* A piece of the SQL text. */
struct effect_span {
    size_t offset, size; /* bytes; size 0: none */
};

/* How EFFECT_SET is written again; effect_replay() does it. */
enum effect_form {
    EFFECT_FORM_SET,       /* SET setting = value */
    EFFECT_FORM_TIME_ZONE, /* SET TIME ZONE value: an INTERVAL, which the other form has not */
    EFFECT_FORM_FUNCTION   /* SELECT set_config('setting', value, false): 'a, b' is a list there and
                              one name in SET search_path */
};

struct effect {
    enum effect_kind kind;
    unsigned statement;      /* which of the string's statements, from 0; empty ones don't count */
    bool is_chained;         /* AND CHAIN */
    struct effect_span name; /* of the token; compare with token_name() */
    struct effect_span value;
    enum effect_form form;
    const char *literal; /* static; stands for `value` if not NULL, as "'read committed'" */
    char setting[64];    /* EFFECT_SET, _SET_LOCAL, _RESET: the setting's name, lower case, as
                            pg_settings has it */
};

enum { EFFECT_MAX = 32 };

struct effects {
    unsigned statement_count;
    unsigned count;
    bool is_ddl; /* some statement is CREATE, ALTER, DROP, TRUNCATE, …: plans may change */
    bool is_read_only_text; /* there are statements, and each begins with SELECT, VALUES, TABLE,
                               SHOW, FETCH; no SELECT INTO; functions and FOR UPDATE may still write
                             */
    struct effect list[EFFECT_MAX]; /* in the order of the text; a statement may have several */
};

/* Whether the text can have any effect but plain transaction control by a lone BEGIN, COMMIT or
 * ROLLBACK: a quick test that is allowed to say yes too often.  About 1 ns a byte. */
[[nodiscard]] bool effects_may_be(const char *sql, size_t size);

/* Reads the whole text.  More than EFFECT_MAX effects end in EFFECT_UNKNOWN. */
void effects_read(const char *sql, size_t size, bool standard_conforming_strings,
                  struct effects *effects);

/* EFFECT_BEGIN, _COMMIT or _ROLLBACK if that is all the text is: one statement, not chained, no
 * PREPARE TRANSACTION, BEGIN with any modes; else EFFECT_NONE. */
[[nodiscard]] enum effect_kind effects_lone_transaction(const char *sql, size_t size);

/* Writes the statement that has the effect of an EFFECT_SET or EFFECT_RESET on another connection,
 * zero-terminated and without a semicolon; `sql` is the text that effects_read() read.  Its strings
 * mean the same only with the same standard_conforming_strings and client_encoding: replay those
 * two settings first, and session_authorization before role.  False if it does not fit. */
[[nodiscard]] bool effect_replay(const struct effect *effect, const char *sql, char *out,
                                 size_t size);
