/* admin/gather: asks every worker for rows, and answers when all have answered.
 *
 * Each worker's part is made in its own thread; the answer comes in the thread
 * that asked, whose loop meanwhile serves others.  An asker that goes away
 * abandons its question.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admin/admin.h"
#include "admin/rows.h"

struct gather; /* opaque */

struct gather_plan {
    const struct admin *admin; /* borrowed */
    int home;                  /* where it's asked and answered */
    const struct column *columns;
    size_t column_count;
    /* In each worker; `argument` is shared by all: they only read it. */
    void (*collect)(struct hall *hall, const void *argument, struct rows *rows);
    void *argument; /* owned by the gather from gather_begin() on, if that succeeds: free() */
    /* At home, once: the rows of all, in the order of the workers; to be kept or done with. */
    void (*on_done)(void *owner, struct rows *rows);
    void *owner; /* borrowed until on_done() or gather_abandon() */
};

/* NULL: out of memory, or the process is at its end.  The answer never comes within the call. */
[[nodiscard]] struct gather *gather_begin(const struct gather_plan *plan);

/* The asker is gone: on_done will not be called.  At home; NULL is allowed. */
void gather_abandon(struct gather *gather);
