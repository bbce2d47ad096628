/* net/loop: waits for sockets and times; one for each thread.
 *
 * Edge-triggered epoll: a source is registered once, for everything, and from
 * then on the kernel is asked nothing more (docs/adr/0005): whoever gets an
 * event remembers it until a read or write finds the socket exhausted.
 * Handlers run one after the other and must not block.  A source that is taken
 * out, by whichever handler, gets no event any more, not even one that was
 * already fetched; its owner may free it at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct loop; /* opaque */

struct loop_source {
    void (*on_event)(struct loop_source *source, uint32_t events); /* EPOLLIN and so on */
    int fd;                                                        /* borrowed */
};

struct loop_timer {
    void (*on_time)(struct loop_timer *timer);
    int64_t deadline; /* ns of clock_now() */
    size_t place;     /* in the loop's heap, from 1; 0: not set */
};

/* The caller owns it.  NULL and `err` when the system gives no epoll or memory. */
[[nodiscard]] struct loop *loop_create(struct error *err);
void loop_destroy(struct loop *loop); /* sources and timers are the owners'; NULL is allowed */

/* `source` is borrowed until loop_unwatch(); its fd must be non-blocking.  The
 * first event comes at once if the socket is ready. */
[[nodiscard]] bool loop_watch(struct loop *loop, struct loop_source *source, struct error *err);
void loop_unwatch(struct loop *loop, struct loop_source *source); /* before its fd is closed */

/* The next turn brings an event if the socket is ready, though nothing changed: for whoever begins
 * to look anew. */
void loop_look_again(struct loop *loop, struct loop_source *source);

/* `timer` is borrowed until it ran or loop_cancel(); set again, it moves.  False when out of
 * memory.  A timer that isn't set may be cancelled; a zeroed one isn't set. */
[[nodiscard]] bool loop_set_timer(struct loop *loop, struct loop_timer *timer, int64_t deadline);
void loop_cancel(struct loop *loop, struct loop_timer *timer);

/* ns of clock_now() when the last wait ended: what happened in one turn happened then. */
[[nodiscard]] int64_t loop_now(const struct loop *loop);

/* Blocks that all streams of this loop share. */
[[nodiscard]] struct buffer_pool *loop_buffers(struct loop *loop);

/* Waits for the next events or timer, at most until `deadline`, and runs their handlers. */
void loop_turn(struct loop *loop, int64_t deadline);
