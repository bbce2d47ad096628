/* Events and times come once each, in order, and never to who was taken out. */
#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "net/loop.h"

enum { TIMERS = 300 };

static int set_up(void **state)
{
    struct error err = {0};

    *state = loop_create(&err);
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    loop_destroy(*state);
    loop_destroy(NULL);
    return 0;
}

/* ---- sources ---- */

struct end {
    struct loop_source source;
    struct loop *loop;
    struct end *victim; /* taken out and freed at the first event */
    uint32_t events;
    int count;
};

static void on_event(struct loop_source *source, uint32_t events)
{
    struct end *end = (struct end *)(void *)source;

    end->events = events;
    end->count++;
    if (end->victim != NULL) {
        struct end *victim = end->victim;
        end->victim = NULL;
        loop_unwatch(end->loop, &victim->source);
        close(victim->source.fd);
        free(victim);
    }
}

static struct end *watch(struct loop *loop, int fd)
{
    struct error err = {0};
    struct end *end = calloc(1, sizeof *end);

    assert_non_null(end);
    end->source = (struct loop_source){on_event, fd};
    end->loop = loop;
    assert_true(loop_watch(loop, &end->source, &err));
    return end;
}

static void drop(struct end *end)
{
    loop_unwatch(end->loop, &end->source);
    close(end->source.fd);
    free(end);
}

static void make_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static void an_edge_comes_once_and_again_when_asked_for(void **state)
{
    struct loop *loop = *state;
    int fds[2];

    make_pair(fds);
    struct end *end = watch(loop, fds[0]);
    loop_turn(loop, clock_now());
    assert_int_equal(end->count, 1); /* it can be written to */
    assert_int_equal(end->events, EPOLLOUT);
    loop_turn(loop, clock_now());
    assert_int_equal(end->count, 1);
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_turn(loop, clock_now());
    assert_int_equal(end->count, 2);
    assert_true((end->events & EPOLLIN) != 0);
    loop_turn(loop, clock_now());
    assert_int_equal(end->count, 2); /* though it was not read */
    loop_look_again(loop, &end->source);
    loop_turn(loop, clock_now());
    assert_int_equal(end->count, 3);
    assert_true((end->events & EPOLLIN) != 0);
    close(fds[1]);
    loop_turn(loop, clock_now());
    assert_int_equal(end->count, 4);
    assert_true((end->events & EPOLLRDHUP) != 0);
    drop(end);
}

static void who_is_taken_out_within_a_turn_gets_nothing_more(void **state)
{
    struct loop *loop = *state;
    int fds[2];

    make_pair(fds);
    struct end *one = watch(loop, fds[0]), *other = watch(loop, fds[1]);
    one->victim = other; /* both have an event; whichever comes first frees the other */
    other->victim = one;
    loop_turn(loop, clock_now()); /* the address sanitizer sees if the freed one is called */
    loop_turn(loop, clock_now());
    /* Which of them is left can't be asked of freed memory, but of the descriptors. */
    struct end *left = fcntl(fds[0], F_GETFD) >= 0 ? one : other;
    assert_true(left->count >= 1);
    drop(left);
}

static void what_is_no_descriptor_cannot_be_watched(void **state)
{
    struct error err = {0};
    struct loop_source source = {on_event, -1};

    assert_false(loop_watch(*state, &source, &err));
    assert_string_equal(err.sqlstate, "53000");
}

/* ---- timers ---- */

struct alarm {
    struct loop_timer timer;
    struct loop *loop;
    int64_t *last;        /* the deadline that came before */
    struct alarm *victim; /* cancelled when this one comes */
    int64_t again;        /* set anew so much later */
    int count;
};

static void on_time(struct loop_timer *timer)
{
    struct alarm *alarm = (struct alarm *)(void *)timer;

    assert_true(loop_now(alarm->loop) >= timer->deadline);
    assert_true(timer->deadline >= *alarm->last);
    *alarm->last = timer->deadline;
    alarm->count++;
    if (alarm->victim != NULL) {
        loop_cancel(alarm->loop, &alarm->victim->timer);
    }
    if (alarm->again > 0) {
        assert_true(loop_set_timer(alarm->loop, timer, timer->deadline + alarm->again));
        alarm->again = 0;
    }
}

static void run_for(struct loop *loop, int64_t time)
{
    int64_t deadline = clock_now() + time;

    while (clock_now() < deadline) {
        loop_turn(loop, deadline);
    }
}

static void timers_come_in_order_once_and_not_if_cancelled(void **state)
{
    struct loop *loop = *state;
    struct alarm *alarms = calloc(TIMERS, sizeof *alarms);
    struct random random;
    int64_t last = 0, start = clock_now();

    assert_non_null(alarms);
    random_init(&random, 7, 0);
    for (int i = 0; i < TIMERS; i++) {
        alarms[i] = (struct alarm){.timer.on_time = on_time, .loop = loop, .last = &last};
        int64_t deadline = start + (int64_t)random_below(&random, 30) * CLOCK_MS;
        assert_true(loop_set_timer(loop, &alarms[i].timer, deadline));
    }
    for (int i = 0; i < TIMERS; i += 3) { /* a third is moved, a third cancelled, at any place */
        int64_t deadline = start + (int64_t)random_below(&random, 30) * CLOCK_MS;
        assert_true(loop_set_timer(loop, &alarms[i].timer, deadline));
        loop_cancel(loop, &alarms[i + 1].timer);
        loop_cancel(loop, &alarms[i + 1].timer); /* it isn't set: allowed */
    }
    run_for(loop, 40 * CLOCK_MS);
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(alarms[i].count, i % 3 == 1 ? 0 : 1);
        assert_int_equal(alarms[i].timer.place, 0);
    }
    free(alarms);
}

static void a_timer_may_cancel_another_and_set_itself(void **state)
{
    struct loop *loop = *state;
    int64_t last = 0, start = clock_now();
    struct alarm victim = {.timer.on_time = on_time, .loop = loop, .last = &last};
    struct alarm alarm = victim;

    alarm.victim = &victim;
    alarm.again = 5 * CLOCK_MS;
    assert_true(loop_set_timer(loop, &victim.timer, start + CLOCK_MS + 1));
    assert_true(loop_set_timer(loop, &alarm.timer, start + CLOCK_MS));
    run_for(loop, 20 * CLOCK_MS);
    assert_int_equal(alarm.count, 2);
    assert_int_equal(victim.count, 0);
}

static void a_turn_waits_for_the_nearest_of_timer_and_deadline(void **state)
{
    struct loop *loop = *state;
    int64_t last = 0, start = clock_now();
    struct alarm alarm = {.timer.on_time = on_time, .loop = loop, .last = &last};

    assert_true(loop_set_timer(loop, &alarm.timer, start + 10 * CLOCK_MS));
    loop_turn(loop, start + 5000 * CLOCK_MS);
    assert_int_equal(alarm.count, 1);
    assert_true(clock_now() - start >= 10 * CLOCK_MS);
    assert_true(clock_now() - start < 4000 * CLOCK_MS);
    start = clock_now();
    loop_turn(loop, start + 10 * CLOCK_MS);
    assert_true(clock_now() - start >= 10 * CLOCK_MS);
}

static void a_slow_handler_does_not_delay_the_next_timer(void **state)
{
    struct loop *loop = *state;
    int64_t last = 0;
    struct alarm alarm = {.timer.on_time = on_time, .loop = loop, .last = &last};

    loop_turn(loop, clock_now());
    int64_t start = clock_now();
    clock_sleep_until(start + 400 * CLOCK_MS); /* the handler */
    assert_true(loop_set_timer(loop, &alarm.timer, start + 410 * CLOCK_MS));
    loop_turn(loop, start + 5000 * CLOCK_MS);
    assert_int_equal(alarm.count, 1);
    assert_true(clock_now() - start < 700 * CLOCK_MS); /* not 810 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(an_edge_comes_once_and_again_when_asked_for),
        CASE(who_is_taken_out_within_a_turn_gets_nothing_more),
        CASE(what_is_no_descriptor_cannot_be_watched),
        CASE(timers_come_in_order_once_and_not_if_cancelled),
        CASE(a_timer_may_cancel_another_and_set_itself),
        CASE(a_turn_waits_for_the_nearest_of_timer_and_deadline),
        CASE(a_slow_handler_does_not_delay_the_next_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
