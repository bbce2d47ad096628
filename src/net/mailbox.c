#include "net/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A stack that senders push on and the receiver takes whole, so that no message is ever looked at
 * by two threads; whoever pushes on an empty one wakes the receiver. */
struct mailbox {
    struct loop_source source; /* an eventfd, owned */
    struct loop *loop;         /* borrowed */
    void (*on_message)(void *owner, struct mailbox_message *message);
    void *owner;                              /* borrowed */
    _Atomic(struct mailbox_message *) newest; /* NULL: none */
};

/* In the order in which they were posted. */
static struct mailbox_message *take_all(struct mailbox *mailbox)
{
    struct mailbox_message *newest =
        atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    struct mailbox_message *first = NULL;

    while (newest != NULL) {
        struct mailbox_message *older = newest->next;
        newest->next = first;
        first = newest;
        newest = older;
    }
    return first;
}

static void deliver(struct mailbox *mailbox)
{
    struct mailbox_message *message = take_all(mailbox);

    while (message != NULL) {
        struct mailbox_message *next = message->next; /* on_message may free it */
        mailbox->on_message(mailbox->owner, message);
        message = next;
    }
}

/* The eventfd is never read: each write is a new edge, whatever it counts. */
static void on_wake(struct loop_source *source, uint32_t)
{
    deliver((struct mailbox *)(void *)source);
}

struct mailbox *mailbox_open(struct loop *loop,
                             void (*on_message)(void *owner, struct mailbox_message *message),
                             void *owner, struct error *err)
{
    struct mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (mailbox == NULL) {
        error_set(err, "53200", "no memory for a mailbox");
        return NULL;
    }
    *mailbox = (struct mailbox){
        .source = {.on_event = on_wake}, .loop = loop, .on_message = on_message, .owner = owner};
    mailbox->source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->source.fd < 0) {
        error_set(err, "53000", "eventfd: %s", strerror(errno));
        free(mailbox);
        return NULL;
    }
    if (!loop_watch(loop, &mailbox->source, err)) {
        close(mailbox->source.fd);
        free(mailbox);
        return NULL;
    }
    return mailbox;
}

void mailbox_close(struct mailbox *mailbox)
{
    if (mailbox == NULL) {
        return;
    }
    deliver(mailbox);
    assert(atomic_load(&mailbox->newest) == NULL);
    loop_unwatch(mailbox->loop, &mailbox->source);
    close(mailbox->source.fd);
    free(mailbox);
}

void mailbox_post(struct mailbox *mailbox, struct mailbox_message *message)
{
    struct mailbox_message *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);

    do {
        message->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, message,
                                                    memory_order_release, memory_order_relaxed));
    if (newest != NULL) {
        return; /* who pushed on the empty stack wakes, or has woken, the receiver */
    }
    const uint64_t one = 1;
    ssize_t written;
    do {
        written = write(mailbox->source.fd, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    assert(written == sizeof one); /* it could only be full after 2^64 - 2 of them */
}
