/* server/errand: what admin asks of the process's threads.
 *
 * An errand is one function to be run in the thread of a worker or in the
 * control thread.  Its memory is made before, so that an answer can always be
 * brought home.
 */
#pragma once

#include <stdbool.h>

#include "admin/admin.h"
#include "net/mailbox.h"
#include "server/worker.h"

/* Something to be done in the control thread; as struct worker_call there. */
struct control_call {
    struct mailbox_message message;
    void (*run)(void *router, struct control_call *call);
};

/* The threads that errands run in; lives as long as they do. */
struct errands {
    struct workers *workers; /* borrowed */
    struct mailbox *control; /* borrowed; NULL: the control thread takes nothing any more */
};

/* For struct admin; `owner` is a struct errands. */
struct admin_ticket *errand_ticket(void *owner);
void errand_tear(struct admin_ticket *ticket);
bool errand_post(void *owner, int place, struct admin_ticket *ticket,
                 void (*run)(struct hall *hall, void *argument), void *argument);
