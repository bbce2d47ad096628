#include "server/upkeep.h"

#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/pool.h"
#include "base/clock.h"
#include "server/notify.h"
#include "server/worker.h"

enum { WORDS_SIZE = 240 };

#define LOOK_EVERY CLOCK_SECOND

/* ---- what workers publish ---- */

void published_write(struct published *published, const struct backend *backend, int64_t now)
{
    uint64_t sums[TOTAL_COUNT] = {0};

    for (struct list_link *link = list_first(&backend->pools); link != NULL;
         link = list_next(&backend->pools, link)) {
        const struct pool_stats *stats = &LIST_MEMBER(link, struct pool, link)->stats;
        sums[TOTAL_TRANSACTIONS] += stats->transactions;
        sums[TOTAL_QUERIES] += stats->queries;
        sums[TOTAL_BYTES_RECEIVED] += stats->bytes_received;
        sums[TOTAL_BYTES_SENT] += stats->bytes_sent;
        sums[TOTAL_TRANSACTION_US] += stats->transaction_us;
        sums[TOTAL_QUERY_US] += stats->query_us;
        sums[TOTAL_WAIT_US] += stats->wait_us;
    }
    for (size_t i = 0; i < TOTAL_COUNT; i++) {
        atomic_store_explicit(&published->totals[i], sums[i], memory_order_relaxed);
    }
    atomic_store_explicit(&published->turned_at, now, memory_order_relaxed);
}

static void add_up(const struct workers *workers, uint64_t sums[TOTAL_COUNT])
{
    memset(sums, 0, TOTAL_COUNT * sizeof sums[0]);
    for (unsigned i = 0; i < workers->count; i++) {
        for (size_t j = 0; j < TOTAL_COUNT; j++) {
            sums[j] +=
                atomic_load_explicit(&workers->list[i]->published.totals[j], memory_order_relaxed);
        }
    }
}

/* ---- the line of totals ---- */

static uint64_t per(uint64_t sum, uint64_t count)
{
    return count == 0 ? 0 : sum / count;
}

/* In PgBouncer's words and units: averages over the period; the wait is µs in each second. */
static void log_stats(struct upkeep *upkeep, int64_t now)
{
    uint64_t sums[TOTAL_COUNT], more[TOTAL_COUNT], rate[TOTAL_COUNT];
    char words[WORDS_SIZE];
    double seconds = (double)(now - upkeep->stats_at) / (double)CLOCK_SECOND;

    add_up(upkeep->workers, sums);
    for (size_t i = 0; i < TOTAL_COUNT; i++) {
        more[i] = sums[i] - upkeep->last[i];
        rate[i] = (uint64_t)((double)more[i] / seconds);
    }
    memcpy(upkeep->last, sums, sizeof sums);
    upkeep->stats_at = now;
    unsigned long long transaction_us = per(more[TOTAL_TRANSACTION_US], more[TOTAL_TRANSACTIONS]);
    unsigned long long query_us = per(more[TOTAL_QUERY_US], more[TOTAL_QUERIES]);
    snprintf(words, sizeof words,
             "stats: %llu xacts/s, %llu queries/s, in %llu B/s, out %llu B/s, xact %llu us, "
             "query %llu us, wait %llu us",
             (unsigned long long)rate[TOTAL_TRANSACTIONS], (unsigned long long)rate[TOTAL_QUERIES],
             (unsigned long long)rate[TOTAL_BYTES_RECEIVED],
             (unsigned long long)rate[TOTAL_BYTES_SENT], transaction_us, query_us,
             (unsigned long long)rate[TOTAL_WAIT_US]);
    const struct log_context context = {.log = upkeep->log, .words = words};
    log_event(LOG_INFO, &context, "stats",
              "transactions_per_s=%llu queries_per_s=%llu in_bytes_per_s=%llu out_bytes_per_s=%llu "
              "transaction_us=%llu query_us=%llu wait_us_per_s=%llu clients=%ld",
              (unsigned long long)rate[TOTAL_TRANSACTIONS], (unsigned long long)rate[TOTAL_QUERIES],
              (unsigned long long)rate[TOTAL_BYTES_RECEIVED],
              (unsigned long long)rate[TOTAL_BYTES_SENT], transaction_us, query_us,
              (unsigned long long)rate[TOTAL_WAIT_US], atomic_load(&upkeep->workers->client_count));
    if (!upkeep->is_silent) {
        notify_status(words);
    }
}

/* ---- the log ---- */

static void tell_of_lost_lines(struct upkeep *upkeep)
{
    unsigned long lost = __atomic_load_n(&upkeep->lost_count, __ATOMIC_RELAXED);
    const struct log_context context = {.log = upkeep->log};

    if (lost == upkeep->lost_told) {
        return;
    }
    unsigned long before = upkeep->lost_told;
    log_event(LOG_WARN, &context, "log_lines_lost", "count=%lu", lost - before);
    bool is_told = __atomic_load_n(&upkeep->lost_count, __ATOMIC_RELAXED) == lost;
    upkeep->lost_told = is_told ? lost : before; /* else it was lost itself, maybe: again later */
}

static void on_look(struct loop_timer *timer)
{
    struct upkeep *upkeep =
        (struct upkeep *)(void *)((char *)timer - offsetof(struct upkeep, look));
    int64_t now = loop_now(upkeep->loop);

    tell_of_lost_lines(upkeep);
    if (upkeep->stats_period > 0 && now - upkeep->stats_at >= upkeep->stats_period) {
        log_stats(upkeep, now);
    }
    (void)loop_set_timer(upkeep->loop, timer, now + LOOK_EVERY);
}

/* ---- the watchdog ---- */

static bool are_all_alive(const struct upkeep *upkeep, int64_t now)
{
    const struct workers *workers = upkeep->workers;

    for (unsigned i = 0; i < workers->count; i++) {
        int64_t turned_at =
            atomic_load_explicit(&workers->list[i]->published.turned_at, memory_order_relaxed);
        if (turned_at != 0 && now - turned_at > upkeep->watchdog_period) {
            const struct log_context context = {.log = upkeep->log};
            log_event(LOG_ERROR, &context, "worker_stuck", "worker=%u ms=%lld limit_ms=%lld", i,
                      (long long)((now - turned_at) / CLOCK_MS),
                      (long long)(upkeep->watchdog_period / CLOCK_MS));
            return false;
        }
    }
    return true;
}

static void on_watchdog(struct loop_timer *timer)
{
    struct upkeep *upkeep =
        (struct upkeep *)(void *)((char *)timer - offsetof(struct upkeep, watchdog));
    int64_t now = loop_now(upkeep->loop);

    if (!upkeep->is_silent && are_all_alive(upkeep, now)) {
        notify_alive();
    }
    (void)loop_set_timer(upkeep->loop, timer, now + upkeep->watchdog_period);
}

bool upkeep_begin(struct upkeep *upkeep)
{
    int64_t now = clock_now();

    upkeep->look.on_time = on_look;
    upkeep->watchdog.on_time = on_watchdog;
    upkeep->watchdog_period = notify_watchdog_period();
    upkeep->stats_at = now;
    return loop_set_timer(upkeep->loop, &upkeep->look, now + LOOK_EVERY) &&
           (upkeep->watchdog_period == 0 || loop_set_timer(upkeep->loop, &upkeep->watchdog, now));
}

void upkeep_end(struct upkeep *upkeep)
{
    if (upkeep->loop != NULL) {
        loop_cancel(upkeep->loop, &upkeep->look);
        loop_cancel(upkeep->loop, &upkeep->watchdog);
    }
}
