#include "cluster/staleness.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    uint64_t lsn;
    int64_t first_received; /* by then the primary was above the entry before */
    int64_t last_sent;      /* at the newest asking that `lsn` answered */
    int64_t error;          /* ns between the first and the last sample joined here */
};

struct staleness_ring {
    size_t capacity, count;
    uint32_t timeline;      /* 0: none yet */
    struct entry entries[]; /* by rising lsn and time; compacting moves them down, in place */
};

struct staleness_ring *staleness_ring_create(size_t entry_count)
{
    assert(entry_count >= STALENESS_ENTRIES_MIN);
    struct staleness_ring *ring = calloc(1, sizeof *ring + entry_count * sizeof(struct entry));
    if (ring != NULL) {
        ring->capacity = entry_count;
    }
    return ring;
}

void staleness_ring_destroy(struct staleness_ring *ring)
{
    free(ring);
}

void staleness_ring_reset(struct staleness_ring *ring)
{
    ring->count = 0;
    ring->timeline = 0;
}

size_t staleness_ring_count(const struct staleness_ring *ring)
{
    return ring->count;
}

uint64_t staleness_ring_lsn(const struct staleness_ring *ring)
{
    return ring->count > 0 ? ring->entries[ring->count - 1].lsn : 0;
}

uint32_t staleness_ring_timeline(const struct staleness_ring *ring)
{
    return ring->count > 0 ? ring->timeline : 0;
}

/* Whether joining `younger` into `older` keeps the error below age / divisor.
 * A divisor of 0 allows any. */
static bool may_join(const struct entry *older, const struct entry *younger, int64_t now,
                     int64_t divisor)
{
    int64_t error = younger->first_received + younger->error - older->first_received;
    /* Past the younger one's lsn the joined entry no longer answers, so its age is the least
     * figure to which the error is ever added. */
    int64_t age = now - younger->first_received - younger->error;
    return divisor == 0 || error <= age / divisor;
}

/* One pass over all but the newest two entries, joining what may be joined. */
static void join_entries(struct staleness_ring *ring, int64_t divisor)
{
    int64_t now = ring->entries[ring->count - 1].last_sent;
    size_t kept = 0, fixed = ring->count - 2;

    for (size_t i = 1; i < ring->count; i++) {
        struct entry *older = &ring->entries[kept];
        const struct entry *younger = &ring->entries[i];
        if (i < fixed && may_join(older, younger, now, divisor)) {
            older->error = younger->first_received + younger->error - older->first_received;
            older->lsn = younger->lsn;
            older->last_sent = younger->last_sent;
            continue;
        }
        ring->entries[++kept] = *younger;
    }
    ring->count = kept + 1;
}

/* Frees an eighth at least, so that the cost of a pass is spread over many samples. */
static void make_room(struct staleness_ring *ring)
{
    size_t target = ring->capacity - ring->capacity / 8;

    for (int64_t divisor = 64; ring->count > target; divisor /= 2) {
        join_entries(ring, divisor);
        if (divisor == 0) {
            break;
        }
    }
    assert(ring->count < ring->capacity);
}

bool staleness_ring_sample(struct staleness_ring *ring, uint32_t timeline, uint64_t lsn,
                           int64_t sent, int64_t received)
{
    assert(timeline != 0);
    if (sent > received || timeline < ring->timeline) {
        return false;
    }
    struct entry *newest = ring->count > 0 ? &ring->entries[ring->count - 1] : NULL;
    if (newest != NULL && sent < newest->last_sent) {
        return false;
    }
    if (timeline > ring->timeline || (newest != NULL && lsn < newest->lsn)) {
        ring->count = 0;
        newest = NULL;
    }
    ring->timeline = timeline;
    if (newest != NULL && lsn == newest->lsn) {
        newest->last_sent = sent; /* idle: no room is used */
        return true;
    }
    if (ring->count == ring->capacity) {
        make_room(ring);
    }
    ring->entries[ring->count++] =
        (struct entry){.lsn = lsn, .first_received = received, .last_sent = sent};
    return true;
}

/* The index of the oldest entry above `lsn`; the count when there is none. */
static size_t first_above(const struct staleness_ring *ring, uint64_t lsn)
{
    size_t low = 0, high = ring->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ring->entries[middle].lsn > lsn) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static int64_t age_of(int64_t time, int64_t now)
{
    return now > time ? now - time : 0;
}

/* The replica lacks at least the record that ended the old timeline, which was
 * there before the ring's first sample of the new one. */
static struct staleness on_other_timeline(const struct staleness_ring *ring, int64_t now)
{
    return (struct staleness){.basis = STALENESS_AT_LEAST,
                              .why = STALENESS_OTHER_TIMELINE,
                              .gauge = age_of(ring->entries[0].first_received, now),
                              .conservative = INT64_MAX};
}

struct staleness staleness_of(const struct staleness_ring *ring,
                              const struct staleness_replica *replica, int64_t now,
                              int64_t patience)
{
    struct staleness result = {.basis = STALENESS_MEASURED, .conservative = INT64_MAX};

    if (ring->count == 0) {
        result.basis = STALENESS_UNKNOWN;
        return result;
    }
    if (replica->timeline != 0 && replica->timeline != ring->timeline) {
        return on_other_timeline(ring, now);
    }
    size_t at = first_above(ring, replica->replay_lsn);
    if (at > 0) {
        result.conservative = age_of(ring->entries[at - 1].last_sent, now);
    }
    if (at < ring->count) {
        const struct entry *missing = &ring->entries[at];
        bool is_asked_since = missing->first_received + missing->error <= replica->sent;
        if (is_asked_since || now - replica->sent > patience) {
            result.gauge = age_of(missing->first_received, now);
            result.error = missing->error;
        }
    }
    if (at == 0) {
        result.basis = STALENESS_AT_LEAST;
        result.why = STALENESS_RING_YOUNG;
    }
    if (now - ring->entries[ring->count - 1].last_sent > patience) {
        result.basis = STALENESS_AT_LEAST;
        result.why = STALENESS_PRIMARY_SILENT;
    }
    return result;
}
