#include "load_test/engine.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"

void engine_init(struct engine *engine, const struct run_plan *plan, const struct target *target,
                 const char *table)
{
    memset(engine, 0, sizeof *engine);
    engine->plan = plan;
    engine->target = target;
    engine->table = table;
    engine->measure_from = INT64_MAX;
    engine->measure_to = INT64_MAX;
    engine->settle_until = INT64_MAX;
}

bool engine_is_measured(const struct engine *engine, int64_t at)
{
    return at >= engine->measure_from && at < engine->measure_to;
}

void tally_add(struct tally *tally, const char *sqlstate, const char *message)
{
    for (size_t i = 0; i < tally->count; i++) {
        if (strcmp(tally->rows[i].sqlstate, sqlstate) == 0) {
            tally->rows[i].count++;
            return;
        }
    }
    if (tally->count == REPORT_ERROR_MAX) {
        return;
    }
    struct tally_row *row = &tally->rows[tally->count++];
    snprintf(row->sqlstate, sizeof row->sqlstate, "%s", sqlstate);
    snprintf(row->message, sizeof row->message, "%.*s", (int)strcspn(message, "\n"), message);
    row->count = 1;
}

double engine_thread_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void engine_wait(struct pollfd *fds, size_t count, int64_t wake)
{
    const int64_t longest = 50 * CLOCK_MS;
    int64_t wait = wake - clock_now();

    wait = wait < 0 ? 0 : wait > longest ? longest : wait;
    struct timespec timeout = {.tv_sec = wait / CLOCK_SECOND, .tv_nsec = wait % CLOCK_SECOND};
    /* EINTR and the like end the wait early; the caller looks at the clock anyway. */
    if (ppoll(fds, count, &timeout, NULL) < 0) {
        for (size_t i = 0; i < count; i++) {
            fds[i].revents = 0;
        }
    }
}
