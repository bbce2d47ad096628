#include "load_test/plan.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"

/* Readers mostly ask for what was just written, for there lag shows. */
enum { RECENT_ROWS = 100 };

void plan_init(struct run_plan *plan)
{
    memset(plan, 0, sizeof *plan);
    plan->writers = 4;
    plan->readers = 8;
    plan->duration = 10 * CLOCK_SECOND;
    plan->warmup = 2 * CLOCK_SECOND;
    plan->calibration = 2 * CLOCK_SECOND;
    plan->sample_rate = 1000;
    plan->probe_share = 0.1;
    plan->timeout = 5 * CLOCK_SECOND;
    plan->verify_timeout = 30 * CLOCK_SECOND;
    plan->is_verified = true;
    plan->output = ".";
}

void plan_arrivals_init(struct plan_arrivals *arrivals, uint64_t seed, double rate, int64_t start)
{
    assert(rate > 0);
    random_init(&arrivals->random, seed, 1);
    arrivals->mean_gap = 1e9 / rate;
    arrivals->start = start;
    arrivals->next = 0;
}

int64_t plan_arrivals_next(struct plan_arrivals *arrivals)
{
    arrivals->next += random_exponential(&arrivals->random, arrivals->mean_gap);
    return arrivals->start + (int64_t)arrivals->next;
}

uint64_t plan_pick_row(struct random *random, uint64_t last)
{
    assert(last > 0);
    uint64_t window = last < RECENT_ROWS ? last : RECENT_ROWS;
    return last - random_below(random, window);
}
