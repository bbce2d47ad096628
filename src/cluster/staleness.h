/* cluster/staleness: how old the data on a replica is, by the ring method.
 *
 * A ring remembers when the primary's WAL was at which position.  The oldest
 * position that a replica has not replayed tells since when it is behind; no
 * server's clock is compared, and an idle primary makes nobody stale.  Every
 * figure is an interval:
 *
 *   gauge         now - (answer of the oldest sample above the replica's
 *                 replay position), 0 when there is none.  The replica lacks
 *                 something that was there then: it is at least so stale.
 *   conservative  now - (asking of the newest sample that the replica has
 *                 replayed).  It has all that was acknowledged before then:
 *                 it is at most so stale.  This one enforces a bound.
 *
 * The ring is bounded: full, it joins neighbours, the old ones coarsest.  A
 * joined entry has the older time and the higher position, so both figures can
 * only grow by it, by at most `error` (under 4 % of the figure for a week of
 * ceaseless writes at 10 samples/s in 1,024 entries; a test shows it).
 *
 * Positions are comparable within one timeline only: staleness_sample() of a
 * newer timeline forgets all that was before.  Pure: times are passed in, in
 * nanoseconds of one monotonic clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STALENESS_ENTRIES_MIN = 8 };

struct staleness_ring; /* opaque: only staleness.c knows its fields */

/* `entry_count` >= STALENESS_ENTRIES_MIN, 32 bytes each.  The caller owns the
 * result and must staleness_ring_destroy() it.  NULL when out of memory. */
[[nodiscard]] struct staleness_ring *staleness_ring_create(size_t entry_count);
void staleness_ring_destroy(struct staleness_ring *ring); /* NULL is allowed */

/* Forgets everything, as when it is no longer known which node is primary. */
void staleness_ring_reset(struct staleness_ring *ring);

/* The primary, asked at `sent`, said at `received` that its WAL is flushed up
 * to `lsn` on `timeline`.  A newer timeline, or a position that went backwards
 * (another history), empties the ring first.  False: refused, because the
 * timeline is older than one seen since the last reset, or because a time went
 * backwards; nothing changed. */
bool staleness_ring_sample(struct staleness_ring *ring, uint32_t timeline, uint64_t lsn,
                           int64_t sent, int64_t received);

/* What a replica said last. */
struct staleness_replica {
    uint32_t timeline; /* 0: unknown, taken for the primary's */
    uint64_t replay_lsn;
    int64_t sent; /* when it was asked */
};

enum staleness_basis {
    STALENESS_UNKNOWN,  /* no sample of a primary: nothing can be said */
    STALENESS_MEASURED, /* gauge is right up to `error` */
    STALENESS_AT_LEAST, /* gauge is only a lower bound; see `why` */
};

enum staleness_reason {
    STALENESS_FINE,
    STALENESS_RING_YOUNG,     /* it was behind before the first entry */
    STALENESS_PRIMARY_SILENT, /* no primary sample for longer than `patience` */
    STALENESS_OTHER_TIMELINE, /* the replica follows another history */
};

struct staleness {
    enum staleness_basis basis;
    enum staleness_reason why;
    int64_t gauge;        /* ns */
    int64_t conservative; /* ns; INT64_MAX: no upper bound is known */
    int64_t error;        /* ns by which joined entries may have raised `gauge` */
};

/* `patience` (ns, a few sampling intervals) is how long a silence is normal:
 * a primary sample newer than the replica's last answer does not count against
 * the replica, nor a missing one against the primary, until then. */
[[nodiscard]] struct staleness staleness_of(const struct staleness_ring *ring,
                                            const struct staleness_replica *replica, int64_t now,
                                            int64_t patience);

/* Entries in use, for tests and statistics. */
[[nodiscard]] size_t staleness_ring_count(const struct staleness_ring *ring);

/* The newest position and timeline; 0 when empty. */
[[nodiscard]] uint64_t staleness_ring_lsn(const struct staleness_ring *ring);
[[nodiscard]] uint32_t staleness_ring_timeline(const struct staleness_ring *ring);
