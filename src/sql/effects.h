/* sql/effects: what a statement does to the session that runs it.
 *
 * Pure, from the words alone: one pass of the lexer, no parse tree, no catalog.
 * It tells transaction pooling what must be tracked, restored, translated or
 * pinned.  In doubt it says more than is true (EFFECT_UNKNOWN), never less; what a function
 * does inside can't be seen, and docs/protocol.md says so.
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
    EFFECT_SET,       /* `name` (the setting's, lower case), `value`: its tokens as written; SET
                         TIME ZONE, NAMES, ROLE, SESSION AUTHORIZATION, XML OPTION, SESSION
                         CHARACTERISTICS are given under the setting's own name;
                         `value` "DEFAULT" is EFFECT_RESET; SELECT set_config('x','v',false)
                         alone or with literals only is this too, `value` then a quoted literal */
    EFFECT_SET_LOCAL, /* `name`; SET TRANSACTION and SET CONSTRAINTS are EFFECT_NONE */
    EFFECT_RESET,     /* `name` */
    EFFECT_RESET_ALL,
    EFFECT_DISCARD_ALL,
    EFFECT_DISCARD_PLANS, /* DISCARD PLANS or SEQUENCES: nothing that others could see */
    EFFECT_DISCARD_TEMP,
    EFFECT_SETTINGS_UNKNOWN, /* set_config() with anything but literals; DO with SET or set_config
                                in its text: ask the server afterwards what is set */
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
                    those that are ON COMMIT DROP */
    EFFECT_HOLD_CURSOR,  /* DECLARE … WITH HOLD; `name` */
    EFFECT_CLOSE_CURSOR, /* `name` */
    EFFECT_CLOSE_ALL,
    EFFECT_ADVISORY_LOCK, /* session-level pg_advisory_lock and pg_try_advisory_lock, _shared too */
    EFFECT_ADVISORY_UNLOCK_ALL,
    EFFECT_LOAD,           /* LOAD 'library', setseed(): state that can't be taken back */
    EFFECT_SEQUENCE_STATE, /* currval() or lastval() is read */
    /* What a statement may not do here. */
    EFFECT_UNKNOWN /* not understood (TOKEN_BAD, too many statements): pin, to be safe */
};

/* A piece of the SQL text. */
struct effect_span {
    size_t offset, size; /* bytes; size 0: none */
};

struct effect {
    enum effect_kind kind;
    unsigned statement;      /* which of the string's statements, from 0; empty ones don't count */
    bool is_chained;         /* AND CHAIN */
    bool is_ddl;             /* unused by kinds above; see effects.is_ddl */
    struct effect_span name; /* of the token; compare with token_name() */
    struct effect_span value;
    char setting[64]; /* EFFECT_SET, _SET_LOCAL, _RESET: the setting's name, lower case */
};

enum { EFFECT_MAX = 32 };

struct effects {
    unsigned statement_count;
    unsigned count;
    bool is_ddl; /* some statement is CREATE, ALTER, DROP, TRUNCATE, …: plans may change */
    bool is_read_only_text; /* every statement begins with SELECT, VALUES, TABLE, SHOW, FETCH */
    struct effect list[EFFECT_MAX]; /* in the order of the text; a statement may have several */
};

/* Whether the text can have any effect but plain transaction control by a lone BEGIN, COMMIT or
 * ROLLBACK: a quick test that is allowed to say yes too often.  About 1 ns a byte. */
[[nodiscard]] bool effects_may_be(const char *sql, size_t size);

/* Reads the whole text.  More than EFFECT_MAX effects end in EFFECT_UNKNOWN. */
void effects_read(const char *sql, size_t size, bool standard_conforming_strings,
                  struct effects *effects);
