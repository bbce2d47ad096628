#include "lab/lab_loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"

struct watch {
    lab_loop_ready *ready;
    void *context;
};

struct timer {
    int64_t interval, next; /* interval 0: the place is free */
    lab_loop_tick *tick;
    void *context;
};

struct lab_loop {
    struct pollfd fds[LOOP_FDS_MAX];
    struct watch watches[LOOP_FDS_MAX]; /* of the descriptor at the same index */
    nfds_t count;
    struct timer timers[LOOP_TIMERS_MAX];
    bool is_stopping;
};

struct lab_loop *lab_loop_create(void)
{
    return calloc(1, sizeof(struct lab_loop));
}

void lab_loop_destroy(struct lab_loop *loop)
{
    free(loop);
}

static bool find(const struct lab_loop *loop, int fd, nfds_t *at)
{
    for (nfds_t i = 0; i < loop->count; i++) {
        if (loop->fds[i].fd == fd) {
            *at = i;
            return true;
        }
    }
    return false;
}

bool lab_loop_watch(struct lab_loop *loop, int fd, short events, lab_loop_ready *ready,
                    void *context)
{
    nfds_t at;

    assert(fd >= 0);
    if (!find(loop, fd, &at)) {
        if (loop->count == LOOP_FDS_MAX) {
            return false;
        }
        at = loop->count++;
        loop->fds[at] = (struct pollfd){.fd = fd};
    }
    loop->fds[at].events = events;
    loop->watches[at] = (struct watch){ready, context};
    return true;
}

void lab_loop_forget(struct lab_loop *loop, int fd)
{
    nfds_t at;

    if (find(loop, fd, &at)) {
        loop->count--;
        loop->fds[at] = loop->fds[loop->count];
        loop->watches[at] = loop->watches[loop->count];
    }
}

int lab_loop_every(struct lab_loop *loop, int64_t interval, lab_loop_tick *tick, void *context)
{
    assert(interval > 0);
    for (int i = 0; i < LOOP_TIMERS_MAX; i++) {
        if (loop->timers[i].interval == 0) {
            loop->timers[i] = (struct timer){interval, clock_now() + interval, tick, context};
            return i;
        }
    }
    return -1;
}

void lab_loop_cancel(struct lab_loop *loop, int timer)
{
    if (timer >= 0) {
        assert(timer < LOOP_TIMERS_MAX);
        loop->timers[timer].interval = 0;
    }
}

void lab_loop_stop(struct lab_loop *loop)
{
    loop->is_stopping = true;
}

static int timeout_of(const struct lab_loop *loop)
{
    int64_t now = clock_now(), next = INT64_MAX;

    for (int i = 0; i < LOOP_TIMERS_MAX; i++) {
        if (loop->timers[i].interval > 0 && loop->timers[i].next < next) {
            next = loop->timers[i].next;
        }
    }
    return next == INT64_MAX ? -1 : clock_poll_timeout(next, now);
}

static void run_timers(struct lab_loop *loop)
{
    int64_t now = clock_now();

    for (int i = 0; i < LOOP_TIMERS_MAX; i++) {
        struct timer *timer = &loop->timers[i];
        if (timer->interval > 0 && timer->next <= now) {
            timer->next = now + timer->interval;
            timer->tick(timer->context);
        }
    }
}

/* A callback may reorder the table, so each ready descriptor is looked up again. */
static void run_ready(struct lab_loop *loop, int ready_count)
{
    struct pollfd ready[LOOP_FDS_MAX];
    int count = 0;
    nfds_t at;

    for (nfds_t i = 0; i < loop->count && count < ready_count; i++) {
        if (loop->fds[i].revents != 0) {
            ready[count++] = loop->fds[i];
            loop->fds[i].revents = 0;
        }
    }
    for (int i = 0; i < count; i++) {
        if (find(loop, ready[i].fd, &at)) {
            loop->watches[at].ready(loop->watches[at].context, ready[i].fd, ready[i].revents);
        }
    }
}

void lab_loop_run(struct lab_loop *loop)
{
    while (!loop->is_stopping) {
        int count = poll(loop->fds, loop->count, timeout_of(loop));
        assert(count >= 0 || errno == EINTR);
        if (count > 0) {
            run_ready(loop, count);
        }
        run_timers(loop);
    }
}
