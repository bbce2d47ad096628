#include "server/errand.h"

#include <assert.h>
#include <stdlib.h>

struct admin_ticket {
    union {
        struct worker_call worker;
        struct control_call control;
    } call;
    void (*run)(struct hall *hall, void *argument);
    void *argument;
};

struct admin_ticket *errand_ticket(void *owner)
{
    (void)owner;
    return calloc(1, sizeof(struct admin_ticket));
}

void errand_tear(struct admin_ticket *ticket)
{
    free(ticket);
}

static void run_in(struct hall *hall, struct admin_ticket *ticket)
{
    void (*run)(struct hall * hall, void *argument) = ticket->run;
    void *argument = ticket->argument;

    free(ticket);
    run(hall, argument);
}

static void run_in_worker(struct worker *worker, struct worker_call *call)
{
    run_in(&worker->hall, (struct admin_ticket *)(void *)call);
}

static void run_in_control(void *router, struct control_call *call)
{
    (void)router;
    run_in(NULL, (struct admin_ticket *)(void *)call);
}

bool errand_post(void *owner, int place, struct admin_ticket *ticket,
                 void (*run)(struct hall *hall, void *argument), void *argument)
{
    const struct errands *errands = owner;

    ticket->run = run;
    ticket->argument = argument;
    if (errands->workers->is_over) {
        free(ticket);
        return false;
    }
    if (place == ADMIN_CONTROL) {
        ticket->call.control.run = run_in_control;
        mailbox_post(errands->control, &ticket->call.control.message);
        return true;
    }
    assert(place >= 0 && (unsigned)place < errands->workers->count);
    ticket->call.worker.run = run_in_worker;
    worker_post(errands->workers->list[place], &ticket->call.worker);
    return true;
}
