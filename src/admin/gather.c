#include "admin/gather.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct part {
    struct gather *gather;
    struct admin_ticket *ticket; /* owned until posted */
    struct rows rows;            /* written by its worker only */
};

struct gather {
    struct gather_plan plan;
    struct admin_ticket *answer; /* owned until the last part is there */
    atomic_uint missing;
    bool is_abandoned; /* at home only */
    bool is_stranded;  /* the process ends: the answer could not be brought home */
    struct part parts[];
};

static void free_gather(struct gather *gather)
{
    for (unsigned i = 0; i < gather->plan.admin->worker_count; i++) {
        rows_done(&gather->parts[i].rows);
        if (gather->parts[i].ticket != NULL) {
            gather->plan.admin->tear(gather->parts[i].ticket);
        }
    }
    if (gather->answer != NULL) {
        gather->plan.admin->tear(gather->answer);
    }
    free(gather->plan.argument);
    free(gather);
}

static void come_home(struct hall *hall, void *argument)
{
    struct gather *gather = argument;
    struct rows all;
    (void)hall;

    if (!gather->is_abandoned) {
        rows_init(&all, gather->plan.columns, gather->plan.column_count);
        for (unsigned i = 0; i < gather->plan.admin->worker_count; i++) {
            rows_append(&all, &gather->parts[i].rows);
        }
        gather->plan.on_done(gather->plan.owner, &all);
    }
    free_gather(gather);
}

/* Posted with the last part, so that nobody else uses the gather any more. */
static void end_part(struct gather *gather)
{
    const struct admin *admin = gather->plan.admin;

    if (atomic_fetch_sub(&gather->missing, 1) > 1) {
        return;
    }
    struct admin_ticket *ticket = gather->answer;
    gather->answer = NULL;
    if (!admin->post(admin->owner, gather->plan.home, ticket, come_home, gather)) {
        if (gather->is_abandoned) { /* all threads have stopped: this one is home */
            free_gather(gather);
            return;
        }
        gather->is_stranded = true;
    }
}

static void run_part(struct hall *hall, void *argument)
{
    struct part *part = argument;

    part->gather->plan.collect(hall, part->gather->plan.argument, &part->rows);
    end_part(part->gather);
}

struct gather *gather_begin(const struct gather_plan *plan)
{
    const struct admin *admin = plan->admin;
    unsigned count = admin->worker_count;
    struct gather *gather = calloc(1, sizeof *gather + count * sizeof(struct part));

    if (gather == NULL) {
        return NULL;
    }
    gather->plan = *plan;
    gather->answer = admin->ticket(admin->owner);
    atomic_init(&gather->missing, count);
    bool is_ok = gather->answer != NULL;
    for (unsigned i = 0; i < count; i++) {
        gather->parts[i].gather = gather;
        gather->parts[i].ticket = admin->ticket(admin->owner);
        is_ok = is_ok && gather->parts[i].ticket != NULL;
        rows_init(&gather->parts[i].rows, plan->columns, plan->column_count);
    }
    if (!is_ok) {
        gather->plan.argument = NULL; /* stays the caller's */
        free_gather(gather);
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        struct admin_ticket *ticket = gather->parts[i].ticket;
        gather->parts[i].ticket = NULL;
        if (!admin->post(admin->owner, (int)i, ticket, run_part, &gather->parts[i])) {
            assert(i == 0); /* threads stop all at once */
            gather->plan.argument = NULL;
            free_gather(gather);
            return NULL;
        }
    }
    return gather;
}

void gather_abandon(struct gather *gather)
{
    if (gather == NULL) {
        return;
    }
    if (gather->is_stranded) {
        free_gather(gather);
        return;
    }
    gather->is_abandoned = true;
}
