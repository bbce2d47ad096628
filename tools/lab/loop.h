/* lab/loop: waits for descriptors and timers of one process, with poll().
 *
 * Small on purpose: a lab has some dozens of descriptors.  A callback must not
 * block; it may add, change and forget descriptors and timers, its own too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop; /* opaque: only loop.c knows its fields */

typedef void loop_ready(void *context, int fd, short events); /* poll()'s revents */
typedef void loop_tick(void *context);

[[nodiscard]] struct loop *loop_create(void); /* NULL when out of memory */
void loop_destroy(struct loop *loop);         /* closes nothing */

/* Calls `ready` when one of `events` (POLLIN, POLLOUT; POLLERR and POLLHUP
 * always) is there.  Watching a watched descriptor replaces all three.  `fd`
 * and `context` are borrowed until loop_forget().  False when there are too
 * many (LOOP_FDS_MAX). */
enum { LOOP_FDS_MAX = 1024, LOOP_TIMERS_MAX = 64 };
[[nodiscard]] bool loop_watch(struct loop *loop, int fd, short events, loop_ready *ready,
                              void *context);
void loop_forget(struct loop *loop, int fd); /* before close(fd); unknown ones are ignored */

/* Calls `tick` every `interval` nanoseconds, first after one interval; a late
 * tick is not made up for.  Returns the timer's number, or -1 when there are
 * too many. */
[[nodiscard]] int loop_every(struct loop *loop, int64_t interval, loop_tick *tick, void *context);
void loop_cancel(struct loop *loop, int timer); /* -1 is allowed */

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
