/* net/mailbox: messages from any thread to one loop's thread.
 *
 * The only way in which threads talk.  A message is part of what its sender
 * made (no allocation, no limit of its own: there are as many as there are
 * things that hold one) and belongs to the receiver once it's posted.  Posting
 * never blocks and takes no lock; a batch wakes the receiver once.  Messages of
 * one sender arrive in its order.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "net/loop.h"

struct mailbox; /* opaque */

struct mailbox_message {
    struct mailbox_message *next; /* the mailbox's while it has the message */
};

/* `on_message` runs in the loop's thread, and may free the message or post it anew; not close the
 * mailbox.  `loop` and `owner` are borrowed until mailbox_close().  NULL and `err` (53000, 53200).
 */
[[nodiscard]] struct mailbox *
mailbox_open(struct loop *loop, void (*on_message)(void *owner, struct mailbox_message *message),
             void *owner, struct error *err);

/* In the loop's thread, when no mailbox_post() can be under way any more (that a message has
 * arrived does not tell that its sender's call has ended: join the threads first); what is left is
 * delivered first.  NULL is allowed. */
void mailbox_close(struct mailbox *mailbox);

/* From any thread. */
void mailbox_post(struct mailbox *mailbox, struct mailbox_message *message);
