/* Messages of several threads arrive once each, in their sender's order. */
#include "check.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/loop.h"
#include "net/mailbox.h"

enum { SENDERS = 4, MESSAGES = 20000 };

struct letter {
    struct mailbox_message message;
    int sender, number;
};

struct sender {
    struct mailbox *mailbox;
    int number;
};

struct receiver {
    struct mailbox *mailbox;
    int next[SENDERS];
    int count;
    int wakes_left; /* messages that it posts to itself */
};

static void on_letter(void *owner, struct mailbox_message *message)
{
    struct receiver *receiver = owner;
    struct letter *letter = (struct letter *)(void *)message;

    assert_int_equal(letter->number, receiver->next[letter->sender]);
    receiver->next[letter->sender]++;
    receiver->count++;
    if (receiver->wakes_left > 0) {
        receiver->wakes_left--;
        letter->number++;
        mailbox_post(receiver->mailbox, &letter->message);
        return;
    }
    free(letter);
}

static struct letter *letter_create(int sender, int number)
{
    struct letter *letter = calloc(1, sizeof *letter);
    assert_non_null(letter);
    letter->sender = sender;
    letter->number = number;
    return letter;
}

static void *send_all(void *argument)
{
    const struct sender *sender = argument;

    for (int i = 0; i < MESSAGES; i++) {
        mailbox_post(sender->mailbox, &letter_create(sender->number, i)->message);
    }
    return NULL;
}

static void run_until(struct loop *loop, const struct receiver *receiver, int count)
{
    int64_t deadline = clock_now() + 20 * CLOCK_SECOND;

    while (receiver->count < count) {
        assert_true(clock_now() < deadline);
        loop_turn(loop, deadline);
    }
}

static void every_message_arrives_once_in_its_senders_order(void **)
{
    struct error err = {0};
    struct receiver receiver = {0};
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    struct loop *loop = loop_create(&err);

    assert_non_null(loop);
    receiver.mailbox = mailbox_open(loop, on_letter, &receiver, &err);
    assert_non_null(receiver.mailbox);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){receiver.mailbox, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    run_until(loop, &receiver, SENDERS * MESSAGES);
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(receiver.next[i], MESSAGES);
    }
    mailbox_close(receiver.mailbox);
    loop_destroy(loop);
}

static void a_batch_wakes_once_and_a_handler_may_post(void **)
{
    struct error err = {0};
    struct receiver receiver = {.wakes_left = 3};
    struct loop *loop = loop_create(&err);

    assert_non_null(loop);
    receiver.mailbox = mailbox_open(loop, on_letter, &receiver, &err);
    assert_non_null(receiver.mailbox);
    loop_turn(loop, clock_now()); /* the first event of any source */
    for (int i = 0; i < 3; i++) {
        mailbox_post(receiver.mailbox, &letter_create(i, 0)->message);
    }
    loop_turn(loop, clock_now() + CLOCK_SECOND);
    assert_int_equal(receiver.count, 3); /* all in one turn */
    loop_turn(loop, clock_now() + CLOCK_SECOND);
    assert_int_equal(receiver.count, 6); /* and what they posted in the next */
    int64_t before = clock_now();
    loop_turn(loop, before + 20 * CLOCK_MS);
    assert_true(clock_now() - before >= 20 * CLOCK_MS); /* nothing is left that would wake it */
    mailbox_close(receiver.mailbox);
    loop_destroy(loop);
}

static void what_is_left_is_delivered_when_it_closes(void **)
{
    struct error err = {0};
    struct receiver receiver = {0};
    struct loop *loop = loop_create(&err);

    receiver.mailbox = mailbox_open(loop, on_letter, &receiver, &err);
    assert_non_null(receiver.mailbox);
    mailbox_post(receiver.mailbox, &letter_create(0, 0)->message);
    mailbox_post(receiver.mailbox, &letter_create(0, 1)->message);
    mailbox_close(receiver.mailbox);
    assert_int_equal(receiver.count, 2);
    mailbox_close(NULL);
    loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_arrives_once_in_its_senders_order),
        cmocka_unit_test(a_batch_wakes_once_and_a_handler_may_post),
        cmocka_unit_test(what_is_left_is_delivered_when_it_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
