/* lab/lab_loop: waits for descriptors and timers of one process, with poll().
 *
 * Small on purpose: a lab has some dozens of descriptors.  A callback must not
 * block; it may add, change and forget descriptors and timers, its own too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lab_loop; /* opaque: only loop.c knows its fields */

typedef void lab_loop_ready(void *context, int fd, short events); /* poll()'s revents */
typedef void lab_loop_tick(void *context);

[[nodiscard]] struct lab_loop *lab_loop_create(void); /* NULL when out of memory */
void lab_loop_destroy(struct lab_loop *loop);         /* closes nothing */

/* Calls `ready` when one of `events` (POLLIN, POLLOUT; POLLERR and POLLHUP
 * always) is there.  Watching a watched descriptor replaces all three.  `fd`
 * and `context` are borrowed until lab_loop_forget().  False when there are too
 * many (LOOP_FDS_MAX). */
enum { LOOP_FDS_MAX = 1024, LOOP_TIMERS_MAX = 64 };
[[nodiscard]] bool lab_loop_watch(struct lab_loop *loop, int fd, short events,
                                  lab_loop_ready *ready, void *context);
void lab_loop_forget(struct lab_loop *loop,
                     int fd); /* before close(fd); unknown ones are ignored */

/* Calls `tick` every `interval` nanoseconds, first after one interval; a late
 * tick is not made up for.  Returns the timer's number, or -1 when there are
 * too many. */
[[nodiscard]] int lab_loop_every(struct lab_loop *loop, int64_t interval, lab_loop_tick *tick,
                                 void *context);
void lab_loop_cancel(struct lab_loop *loop, int timer); /* -1 is allowed */

/* Runs until lab_loop_stop(). */
void lab_loop_run(struct lab_loop *loop);
void lab_loop_stop(struct lab_loop *loop);
