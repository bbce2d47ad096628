/* monitor/probe: asks one PostgreSQL node, again and again, how far it is.
 *
 * Never blocks its caller: it hands out a descriptor, the events to wait for
 * and a deadline, and is stepped when one of them is there.  It connects,
 * asks every `interval`, gives up on an answer after `answer_limit`, and
 * reconnects with a back-off that doubles.  It remembers what the node said
 * last; it draws no conclusion from it and knows no other node.
 *
 * One thing libpq does in this thread: it resolves a host name when it
 * connects.  Give an address, or `hostaddr`, where that must not stall.
 * Times are ns of clock_now().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/machine.h"
#include "cluster/node.h"

struct probe; /* opaque: only probe.c knows its fields */

enum probe_state {
    PROBE_WAITING,    /* no connection; the deadline is the next attempt */
    PROBE_CONNECTING, /* the deadline is the limit for being connected */
    PROBE_SETTLING,   /* connected; the session's settings are on their way */
    PROBE_IDLE,       /* connected; the deadline is the next question */
    PROBE_ASKED,      /* the deadline is the limit for the answer */
    PROBE_STATE_COUNT,
};

extern const struct machine probe_machine;

struct probe_limits {
    int64_t interval;      /* between questions */
    int64_t connect_limit; /* for connecting and settling */
    int64_t answer_limit;  /* for one answer; the connection is given up after it */
    int64_t backoff_min, backoff_max;
};

/* 10 questions a second, 2 s to connect, 1 s to answer, back-off 100 ms to 2 s. */
extern const struct probe_limits probe_limits_default;

/* `dsn` is copied.  First due at `start`.  The caller owns the result and must
 * probe_destroy() it.  NULL with `err`: malformed DSN (22023), no memory (53200). */
[[nodiscard]] struct probe *probe_create(const char *dsn, const struct probe_limits *limits,
                                         int64_t start, struct error *err);
void probe_destroy(struct probe *probe); /* closes the connection; NULL is allowed */

/* From the next answer on, questions fall on `phase` plus a multiple of the interval. */
void probe_set_phase(struct probe *probe, int64_t phase);

/* The descriptor to wait for, or -1; it may be another after each step. */
[[nodiscard]] int probe_fd(const struct probe *probe);
[[nodiscard]] short probe_events(const struct probe *probe); /* POLLIN, POLLOUT or both */
[[nodiscard]] int64_t probe_deadline(const struct probe *probe);

/* To be called when the descriptor is ready (`is_ready`) or the deadline has
 * passed; at any other time it does nothing.  True: a new answer is there. */
bool probe_step(struct probe *probe, bool is_ready, int64_t now);

[[nodiscard]] enum probe_state probe_state(const struct probe *probe);

/* What the node said last and whether it still answers at `now`. */
[[nodiscard]] struct node_facts probe_facts(const struct probe *probe, int64_t now);

/* Why it was left last; NULL when it answers.  Borrowed, until the next step. */
[[nodiscard]] const struct error *probe_error(const struct probe *probe);

/* When it stopped answering, or when probing began if it never did; 0 while it answers. */
[[nodiscard]] int64_t probe_silent_since(const struct probe *probe, int64_t now);
