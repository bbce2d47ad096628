/* load_test/record: what is known of each write, and of each reading of a replay position.
 *
 * Plain data, appended by the one thread that makes it, read by others only
 * after that thread has ended.  Times are clock_now() nanoseconds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum write_state {
    WRITE_SENT,    /* not settled yet */
    WRITE_ACKED,   /* the server said that it is committed */
    WRITE_FAILED,  /* the server refused it: it must not be there */
    WRITE_UNKNOWN, /* sent, and the connection was lost before an answer: it may be there */
    WRITE_UNSENT,  /* never left, as no connection was free before the end */
};

struct write_record {
    int64_t due, sent,
        acked;         /* acked: when an answer or the loss came; due == sent in a closed loop */
    uint64_t lsn_low;  /* the commit record lies after it; 0: not known */
    uint64_t lsn_high; /* the commit record ends at or before it; 0: not known */
    int64_t committed_utc; /* commit timestamp in µs of UTC by the primary's clock; 0: not known */
    uint64_t sequence;     /* 1, 2, … for each writer */
    uint16_t writer;
    uint8_t state;    /* enum write_state */
    bool is_measured; /* due in the measured time */
    bool is_late;     /* sent late although a connection was free */
};

struct write_log {
    struct write_record *records; /* owned */
    size_t count, capacity;
};

/* The new last record, zeroed, valid until the next append; NULL when out of memory or at `limit`.
 */
[[nodiscard]] struct write_record *write_log_append(struct write_log *log, size_t limit);
void write_log_done(struct write_log *log);

struct replay_sample {
    int64_t asked, answered; /* t0, t1 */
    uint64_t lsn;            /* replayed by then */
};

struct replay_log {
    struct replay_sample *samples; /* owned; in the order of `asked`, lsn never goes back */
    size_t count, capacity;
};

[[nodiscard]] bool replay_log_append(struct replay_log *log, struct replay_sample sample);
void replay_log_done(struct replay_log *log);
