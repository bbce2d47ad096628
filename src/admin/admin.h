/* admin/admin: what the console and the metrics need of the process.
 *
 * The server fills it in; admin knows of threads only that a function can be
 * run in the one of a worker or in the control thread.  Immutable once made.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "session/session.h"

enum { ADMIN_CONTROL = -1 }; /* the place of the control thread; 0, 1, …: workers */

struct admin_ticket; /* the server's: memory for one errand */

struct admin {
    void *owner; /* the server's, for errands */
    unsigned worker_count;
    int64_t started_at; /* µs since 1970, UTC */

    /* Memory for one admin_post(); NULL: none left.  Post it, or tear it up. */
    struct admin_ticket *(*ticket)(void *owner);
    void (*tear)(struct admin_ticket *ticket);

    /* Has `run` called in that thread, soon, with its hall (the control thread: NULL).  Takes the
     * ticket.  False: the process is at its end, all threads have stopped, and it will not be run.
     */
    bool (*post)(void *owner, int place, struct admin_ticket *ticket,
                 void (*run)(struct hall *hall, void *argument), void *argument);

    /* All of these in the control thread only, with `control`.  reload and set: `err` says why not,
     * then the old configuration stays in force. */
    void *control; /* the server's */
    bool (*reload)(void *control, struct error *err);
    bool (*set)(void *control, const char *name, const char *value, struct error *err);
    void (*stop)(void *control, bool waits_for_clients);
};
