#include "monitor/lag.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cluster/lsn.h"

struct lag {
    size_t count;
    int64_t interval, patience, phase;
    uint32_t timeline_seen;     /* the highest that a trusted primary was on */
    uint64_t system_identifier; /* of the newest trusted primary; 0: none yet */
    struct staleness_ring *ring;
    struct probe *probes[LAG_NODES_MAX];
};

static bool create_parts(struct lag *lag, const char *const *dsns, size_t count,
                         const struct probe_limits *limits, int64_t now, struct error *err)
{
    lag->ring = staleness_ring_create(LAG_RING_ENTRIES);
    if (lag->ring == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        lag->probes[i] = probe_create(dsns[i], limits, now, err);
        if (lag->probes[i] == NULL) {
            return false;
        }
        lag->count++;
    }
    return true;
}

struct lag *lag_create(const char *const *dsns, size_t count, const struct probe_limits *limits,
                       int64_t now, struct error *err)
{
    assert(count <= LAG_NODES_MAX);
    struct lag *lag = calloc(1, sizeof *lag);
    if (lag == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    lag->interval = limits->interval;
    lag->patience = 3 * limits->interval;
    lag->phase = now;
    if (!create_parts(lag, dsns, count, limits, now, err)) {
        lag_destroy(lag);
        return NULL;
    }
    return lag;
}

void lag_destroy(struct lag *lag)
{
    if (lag == NULL) {
        return;
    }
    for (size_t i = 0; i < lag->count; i++) {
        probe_destroy(lag->probes[i]);
    }
    staleness_ring_destroy(lag->ring);
    free(lag);
}

size_t lag_count(const struct lag *lag)
{
    return lag->count;
}

int lag_fd(const struct lag *lag, size_t index)
{
    return probe_fd(lag->probes[index]);
}

short lag_events(const struct lag *lag, size_t index)
{
    return probe_events(lag->probes[index]);
}

int64_t lag_deadline(const struct lag *lag)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < lag->count; i++) {
        int64_t deadline = probe_deadline(lag->probes[i]);
        first = deadline < first ? deadline : first;
    }
    return first;
}

enum shard_verdict lag_primary(const struct lag *lag, int64_t now, size_t *primary)
{
    struct node_facts facts[LAG_NODES_MAX];

    for (size_t i = 0; i < lag->count; i++) {
        facts[i] = probe_facts(lag->probes[i], now);
    }
    return shard_find_primary(facts, lag->count, lag->timeline_seen, primary);
}

/* A trusted primary's answer goes into the ring.  Replicas are asked half an interval later. */
static void take_answer(struct lag *lag, size_t index, int64_t now)
{
    struct node_facts facts = probe_facts(lag->probes[index], now);
    size_t primary;

    probe_set_phase(lag->probes[index],
                    lag->phase + (facts.is_in_recovery ? lag->interval / 2 : 0));
    if (facts.is_in_recovery || lag_primary(lag, now, &primary) != SHARD_HAS_PRIMARY ||
        primary != index) {
        return;
    }
    if (facts.system_identifier != lag->system_identifier) {
        staleness_ring_reset(lag->ring); /* another cluster answers on that address */
    }
    lag->system_identifier = facts.system_identifier;
    lag->timeline_seen = facts.timeline;
    staleness_ring_sample(lag->ring, facts.timeline, facts.lsn, facts.sent, facts.received);
}

void lag_step(struct lag *lag, size_t index, bool is_ready, int64_t now)
{
    if (probe_step(lag->probes[index], is_ready, now)) {
        take_answer(lag, index, now);
    }
}

bool lag_run(struct lag *lag, int64_t until)
{
    struct pollfd fds[LAG_NODES_MAX];

    for (int64_t now = clock_now(); now < until; now = clock_now()) {
        for (size_t i = 0; i < lag->count; i++) {
            fds[i] = (struct pollfd){.fd = lag_fd(lag, i), .events = lag_events(lag, i)};
        }
        int64_t deadline = lag_deadline(lag);
        int timeout = clock_poll_timeout(deadline < until ? deadline : until, now);
        if (poll(fds, lag->count, timeout) < 0 && errno == EINTR) {
            return false;
        }
        now = clock_now();
        for (size_t i = 0; i < lag->count; i++) {
            lag_step(lag, i, fds[i].fd >= 0 && fds[i].revents != 0, now);
        }
    }
    return true;
}

struct node_facts lag_facts(const struct lag *lag, size_t index, int64_t now)
{
    return probe_facts(lag->probes[index], now);
}

const struct error *lag_error(const struct lag *lag, size_t index)
{
    return probe_error(lag->probes[index]);
}

int64_t lag_silent_since(const struct lag *lag, size_t index, int64_t now)
{
    return probe_silent_since(lag->probes[index], now);
}

struct staleness lag_staleness(const struct lag *lag, size_t index, int64_t now)
{
    struct node_facts facts = probe_facts(lag->probes[index], now);
    struct staleness_replica replica = {
        .timeline = facts.timeline, .replay_lsn = facts.lsn, .sent = facts.sent};

    if (facts.received == 0 || facts.system_identifier != lag->system_identifier) {
        return (struct staleness){.basis = STALENESS_UNKNOWN, .conservative = INT64_MAX};
    }
    return staleness_of(lag->ring, &replica, now, lag->patience);
}

uint64_t lag_bytes_behind(const struct lag *lag, size_t index)
{
    struct node_facts facts = probe_facts(lag->probes[index], 0);
    return lsn_bytes_behind(facts.lsn, staleness_ring_lsn(lag->ring));
}
