/* backend/prepared: prepared statements, apart from who named them and where they are.
 *
 * A client's statement is a name in its own map for a `statement`: a text and
 * its declared types, interned, with a name of ours ("reparto_0_17") under which
 * any server connection of this thread may hold it.  A `plans` is what one server
 * connection holds, the longest unused one first to go.  All of one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/variables.h"
#include "base/hashmap.h"
#include "base/list.h"

struct statement_table; /* opaque */

enum { STATEMENT_NAME_SIZE = 32 };

struct statement {
    struct statement_table *table; /* borrowed */
    size_t share_count;
    char name[STATEMENT_NAME_SIZE]; /* on servers */
    bool is_sql;                    /* made by PREPARE: `text` is what follows the name there */
    const char *text;               /* of its key; zero-terminated */
    size_t text_size;
    const char *types; /* of its key: as in a Parse message, from the count on */
    size_t types_size;
    void *facts;                     /* owned; what its session knows of the text, NULL: nothing */
    void (*free_facts)(void *facts); /* NULL: nothing to free */
    size_t key_size;
    char key[];
};

/* `worker` makes the names differ from those of other threads' tables.  NULL: out of memory. */
[[nodiscard]] struct statement_table *statement_table_create(unsigned worker);
void statement_table_destroy(struct statement_table *table); /* statements must be gone */
[[nodiscard]] size_t statement_table_count(const struct statement_table *table);

/* For loops: `*at` starts at 0; NULL at the end.  The table must not change meanwhile. */
[[nodiscard]] const struct statement *statement_table_next(const struct statement_table *table,
                                                           size_t *at);

/* The statement of that text and types (`types` as in a Parse message, from the count on; size 0
 * for SQL): a new share.  NULL: out of memory. */
[[nodiscard]] struct statement *statement_find(struct statement_table *table, bool is_sql,
                                               const char *text, size_t text_size,
                                               const char *types, size_t types_size);
struct statement *statement_share(struct statement *statement);
void statement_release(struct statement *statement); /* NULL is allowed */

/* ---- what a server connection holds ---- */

struct plan {
    struct list_link link;       /* in its plans, longest unused first */
    struct statement *statement; /* a share */
    bool is_there;               /* the server has said so */
    bool is_assumed;             /* it will be, once all that was sent has been answered well */
    uint64_t epoch;              /* of the schema, when it was parsed */
    struct variables *settings;  /* of the session that it was parsed for; a share */
    bool is_stale;               /* it must be parsed anew before it's used again */
    unsigned in_flight;          /* messages about it that are not answered yet */
    uint64_t batch;              /* of the server: in which it was last sent or closed */
};

struct plans {
    struct hashmap map; /* statement → plan */
    struct list order;
};

void plans_init(struct plans *plans);
void plans_done(struct plans *plans);

/* The plan of that statement, now the most recently used; NULL: there is none. */
[[nodiscard]] struct plan *plans_use(struct plans *plans, const struct statement *statement);
[[nodiscard]] struct plan *plans_add(struct plans *plans,
                                     struct statement *statement); /* NULL: memory */

/* The longest unused that nothing is in flight about; NULL: none. */
[[nodiscard]] struct plan *plans_oldest(struct plans *plans);
void plans_remove(struct plans *plans, struct plan *plan);

/* DEALLOCATE ALL, DISCARD ALL: the server has none any more. */
void plans_forget(struct plans *plans);
