/* admin/show: what SHOW can show: one table of all, with their columns.
 *
 * The console, SHOW HELP and docs/admin.md read it.  Names and columns are
 * PgBouncer 1.18's where it has them, in its order, ours behind them.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "admin/admin.h"
#include "admin/rows.h"

struct show {
    const char *name; /* in lower case */
    const struct column *columns;
    size_t column_count;
    /* What each worker contributes; the columns of that are `raw` if there is a finish. */
    void (*collect)(struct hall *hall, const void *argument, struct rows *rows);
    bool is_local; /* any one worker knows all of it */
    const struct column *raw;
    size_t raw_count;
    /* At home: the answer out of what all have contributed; NULL: that is the answer. */
    void (*finish)(const struct admin *admin, struct hall *hall, struct rows *raw,
                   struct rows *rows);
    const char *help; /* docs/admin.md */
};

[[nodiscard]] const struct show *show_find(const char *name); /* any case; NULL: there is none */
[[nodiscard]] const struct show *show_at(size_t index);       /* NULL behind the last */

/* docs/admin.md, from the tables. */
void show_document(FILE *out);
