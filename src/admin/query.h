/* admin/query: reads what is typed on the admin console.
 *
 * Pure.  A small, strict grammar of our own, over the tokens of sql/lexer:
 *
 *     SHOW name [WHERE column op literal [AND …]] [ORDER BY column [ASC|DESC] [, …]] [LIMIT n]
 *     PAUSE|RESUME|RECONNECT|WAIT_CLOSE [database]    KILL|DISABLE|ENABLE database
 *     SET name {=|TO} value   RELOAD   SHUTDOWN [WAIT_FOR_CLIENTS]   BEGIN, COMMIT, ROLLBACK
 *
 * with op one of = <> != < <= > >= [NOT] LIKE.  A literal or a name may be a parameter ($1).  What
 * it does not know is refused (42601), never guessed.  Whether names of columns, databases and
 * settings exist is not known here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sql/lexer.h"

enum {
    QUERY_TERM_MAX = 16,
    QUERY_ORDER_MAX = 8,
    QUERY_VALUE_SIZE = 1024, /* a literal, with its zero */
    QUERY_PARAMETER_MAX = 32
};

enum query_kind {
    QUERY_EMPTY,
    QUERY_SHOW,
    QUERY_SET,
    QUERY_PAUSE,
    QUERY_RESUME,
    QUERY_RECONNECT,
    QUERY_WAIT_CLOSE,
    QUERY_KILL,
    QUERY_DISABLE,
    QUERY_ENABLE,
    QUERY_RELOAD,
    QUERY_SHUTDOWN,
    QUERY_BEGIN,
    QUERY_COMMIT,
    QUERY_ROLLBACK
};

enum query_operator {
    QUERY_EQUAL,
    QUERY_NOT_EQUAL,
    QUERY_LESS,
    QUERY_AT_MOST,
    QUERY_MORE,
    QUERY_AT_LEAST,
    QUERY_LIKE,
    QUERY_NOT_LIKE
};

struct query_term {
    char column[TOKEN_NAME_SIZE];
    enum query_operator operator;
    char value[QUERY_VALUE_SIZE];
    bool is_null; /* a parameter that is NULL: the term is true of nothing */
};

struct query_order {
    char column[TOKEN_NAME_SIZE];
    bool is_descending;
};

struct query {
    enum query_kind kind;
    char name[TOKEN_NAME_SIZE];   /* of what is shown, of the database or setting; "": none */
    char value[QUERY_VALUE_SIZE]; /* of SET */
    bool waits_for_clients;       /* SHUTDOWN WAIT_FOR_CLIENTS */
    struct query_term terms[QUERY_TERM_MAX];
    size_t term_count;
    struct query_order orders[QUERY_ORDER_MAX];
    size_t order_count;
    int64_t limit;            /* -1: none */
    unsigned parameter_count; /* the highest $n */
};

/* Values of parameters: texts, borrowed for the call.  All NULL pointers: not bound yet, any value
 * is taken for one. */
struct query_parameters {
    const char *const *values; /* NULL: not bound yet; an element NULL: NULL */
    size_t count;
};

/* Reads the first statement of bytes[0..size); `*used` is where the next one begins.  QUERY_EMPTY
 * and all used: there is none.  42601 with what was found and expected, 54000 for more terms than
 * fit, 08P01 for a parameter that is not bound. */
[[nodiscard]] bool query_read(const char *bytes, size_t size,
                              const struct query_parameters *parameters, struct query *query,
                              size_t *used, struct error *err);

/* What completes it: "SHOW", "PAUSE", …; static. */
[[nodiscard]] const char *query_tag(enum query_kind kind);
