/* backend/ask: one question of ours to a server, over a pool's connection.
 *
 * A statement with one text parameter ($1, bound, never part of the SQL) that
 * returns at most one row of texts.  It waits for a connection as sessions do,
 * gives it back clean, and bounds what a server can answer and how long it may
 * take.  What the question is about it does not know.
 */
#pragma once

#include <stddef.h>

#include "backend/pool.h"

enum { ASK_COLUMN_MAX = 4 };

struct ask; /* opaque */

struct ask_plan {
    struct pool *pool; /* borrowed; all else is copied */
    const char *sql, *parameter;
    size_t column_count; /* that the answer must have, at most ASK_COLUMN_MAX */
    int64_t limit;       /* ns that the server may take; 0: for ever */
    /* The end of it: `row` is NULL when there was none, its values NULL where they are; borrowed
     * for the call, and wiped.  With `err` (NULL: it went well) the server's SQLSTATE and message,
     * or why there is no server; 22023 when the answer has another shape.  Not called after
     * ask_drop(), and never before ask_begin() has returned. */
    void (*on_answer)(void *owner, const char *const *row, const struct error *err);
    void *owner; /* borrowed until then */
};

/* NULL: out of memory.  It frees itself when it has answered. */
[[nodiscard]] struct ask *ask_begin(const struct ask_plan *plan);

/* Nobody wants the answer any more.  If it was sent, the connection goes back when it has come. */
void ask_drop(struct ask *ask);

struct backend;

/* The worker ends: what is under way is given up, unanswered. */
void asks_done(struct backend *backend);
