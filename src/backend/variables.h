/* backend/variables: sets of names and values, immutable and interned.
 *
 * What a session has SET, and what a server reports (ParameterStatus), are such
 * sets.  Equal sets of one table are the same pointer, so that "does this
 * server connection have this session's settings?" is one comparison.  NULL is
 * the empty set.  A set lives as long as somebody holds a share of it; a table
 * and its sets belong to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "wire/startup.h"

enum {
    VARIABLES_COUNT_MAX = 64,   /* entries of a set */
    VARIABLES_SIZE_MAX = 16384, /* bytes of all names and values of a set */
    VARIABLE_NAME_MAX = 63
};

struct variables_table; /* opaque */

struct variables {
    struct variables_table *table; /* borrowed */
    size_t share_count, size;      /* size: bytes of its texts */
    size_t key_size;
    char *key; /* owned: "name\0value\0…", what it's interned by */
    size_t count;
    struct startup_parameter list[]; /* sorted by name; borrowed from the key */
};

/* NULL: out of memory. */
[[nodiscard]] struct variables_table *variables_table_create(void);
void variables_table_destroy(struct variables_table *table); /* its sets must be gone */

struct variables *variables_share(struct variables *set); /* returns it; NULL is allowed */
void variables_release(struct variables *set);            /* NULL is allowed */

[[nodiscard]] const char *variables_get(const struct variables *set,
                                        const char *name); /* or NULL */

/* Replaces `*set` (one share of it) by the set in which `name` has `value`, or with `value` NULL
 * has none.  False when that would pass a limit, or memory ran out: `*set` is as it was. */
[[nodiscard]] bool variables_put(struct variables_table *table, struct variables **set,
                                 const char *name, const char *value);

/* The same set in another table (another thread's): a new share.  False when out of memory. */
[[nodiscard]] bool variables_copy(struct variables_table *table, const struct variables *set,
                                  struct variables **copy);

/* Calls `visit` for each name whose value in `from` is not that in `to`; values are NULL where a
 * set has none.  In the order of the names. */
void variables_diff(const struct variables *from, const struct variables *to,
                    void (*visit)(void *context, const char *name, const char *from_value,
                                  const char *to_value),
                    void *context);
