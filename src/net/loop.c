#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

enum { EVENT_MAX = 256, SPARE_BLOCK_MAX = 256 };

struct loop {
    int fd; /* owned */
    int64_t now;
    struct buffer_pool buffers;
    struct epoll_event events[EVENT_MAX]; /* of this turn */
    int event_count, event_at;
    struct loop_timer **heap; /* owned; [1..timer_count], the nearest deadline first */
    size_t timer_count, timer_capacity;
};

struct loop *loop_create(struct error *err)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        error_set(err, "53200", "no memory for an event loop");
        return NULL;
    }
    loop->fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->fd < 0) {
        error_set(err, "53000", "epoll_create: %s", strerror(errno));
        free(loop);
        return NULL;
    }
    buffer_pool_init(&loop->buffers, SPARE_BLOCK_MAX);
    loop->now = clock_now();
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    close(loop->fd);
    buffer_pool_done(&loop->buffers);
    free(loop->heap);
    free(loop);
}

static int control(const struct loop *loop, int operation, struct loop_source *source)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = source};
    return epoll_ctl(loop->fd, operation, source->fd, &event);
}

bool loop_watch(struct loop *loop, struct loop_source *source, struct error *err)
{
    if (control(loop, EPOLL_CTL_ADD, source) != 0) {
        return error_set(err, "53000", "epoll_ctl: %s", strerror(errno));
    }
    return true;
}

void loop_look_again(struct loop *loop, struct loop_source *source)
{
    (void)control(loop, EPOLL_CTL_MOD, source); /* it can only fail for what isn't watched */
}

void loop_unwatch(struct loop *loop, struct loop_source *source)
{
    (void)epoll_ctl(loop->fd, EPOLL_CTL_DEL, source->fd, NULL);
    for (int i = loop->event_at; i < loop->event_count; i++) {
        if (loop->events[i].data.ptr == source) {
            loop->events[i].data.ptr = NULL;
        }
    }
}

/* ---- timers: a binary heap that knows where each timer stands ---- */

static void heap_put(struct loop *loop, size_t place, struct loop_timer *timer)
{
    loop->heap[place] = timer;
    timer->place = place;
}

static void heap_rise(struct loop *loop, struct loop_timer *timer, size_t place)
{
    while (place > 1 && loop->heap[place / 2]->deadline > timer->deadline) {
        heap_put(loop, place, loop->heap[place / 2]);
        place /= 2;
    }
    heap_put(loop, place, timer);
}

static void heap_sink(struct loop *loop, struct loop_timer *timer, size_t place)
{
    for (;;) {
        size_t child = place * 2;
        if (child < loop->timer_count &&
            loop->heap[child + 1]->deadline < loop->heap[child]->deadline) {
            child++;
        }
        if (child > loop->timer_count || loop->heap[child]->deadline >= timer->deadline) {
            break;
        }
        heap_put(loop, place, loop->heap[child]);
        place = child;
    }
    heap_put(loop, place, timer);
}

bool loop_set_timer(struct loop *loop, struct loop_timer *timer, int64_t deadline)
{
    loop_cancel(loop, timer);
    if (loop->timer_count + 1 >= loop->timer_capacity) {
        size_t capacity = loop->timer_capacity == 0 ? 64 : loop->timer_capacity * 2;
        struct loop_timer **heap = reallocarray(loop->heap, capacity, sizeof(struct loop_timer *));
        if (heap == NULL) {
            return false;
        }
        loop->heap = heap;
        loop->timer_capacity = capacity;
    }
    timer->deadline = deadline;
    loop->timer_count++;
    heap_rise(loop, timer, loop->timer_count);
    return true;
}

void loop_cancel(struct loop *loop, struct loop_timer *timer)
{
    if (timer->place == 0) {
        return;
    }
    size_t place = timer->place;
    struct loop_timer *last = loop->heap[loop->timer_count];
    loop->timer_count--;
    timer->place = 0;
    if (last == timer) {
        return;
    }
    if (place > 1 && loop->heap[place / 2]->deadline > last->deadline) {
        heap_rise(loop, last, place);
    } else {
        heap_sink(loop, last, place);
    }
}

static void run_timers(struct loop *loop)
{
    while (loop->timer_count > 0 && loop->heap[1]->deadline <= loop->now) {
        struct loop_timer *timer = loop->heap[1];
        loop_cancel(loop, timer);
        timer->on_time(timer);
    }
}

int64_t loop_now(const struct loop *loop)
{
    return loop->now;
}

struct buffer_pool *loop_buffers(struct loop *loop)
{
    return &loop->buffers;
}

void loop_turn(struct loop *loop, int64_t deadline)
{
    if (loop->timer_count > 0 && loop->heap[1]->deadline < deadline) {
        deadline = loop->heap[1]->deadline;
    }
    /* Not loop->now: the handlers took their time, by which the timer would come too late. */
    int timeout = clock_poll_timeout(deadline, clock_now());
    int count = epoll_wait(loop->fd, loop->events, EVENT_MAX, timeout);
    loop->now = clock_now();
    loop->event_count = count > 0 ? count : 0; /* a signal: nothing happened */
    for (loop->event_at = 0; loop->event_at < loop->event_count;) {
        struct epoll_event *event = &loop->events[loop->event_at++];
        struct loop_source *source = event->data.ptr;
        if (source != NULL) {
            source->on_event(source, event->events);
        }
    }
    loop->event_count = 0;
    run_timers(loop);
}
