/* base/clock: what time it is, in one unit each.
 *
 * Durations and deadlines are nanoseconds of the monotonic clock, which never
 * jumps; only what a person reads, or PostgreSQL compares, is UTC.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_MS INT64_C(1000000)        /* nanoseconds in a millisecond */
#define CLOCK_SECOND INT64_C(1000000000) /* nanoseconds in a second */

/* Nanoseconds of CLOCK_MONOTONIC. */
[[nodiscard]] int64_t clock_now(void);

/* Microseconds since 1970-01-01 UTC. */
[[nodiscard]] int64_t clock_utc(void);

/* Sleeps until the monotonic clock says `deadline`, or a signal handler ran.
 * False: cut short by a signal. */
bool clock_sleep_until(int64_t deadline);

/* Milliseconds to hand to poll(): 0 when `deadline` has passed, rounded up, at
 * most an hour. */
[[nodiscard]] int clock_poll_timeout(int64_t deadline, int64_t now);

enum { CLOCK_TEXT_SIZE = 40 };

/* "2026-11-24T07:51:02.125Z" of a clock_utc() value.  Returns `buffer`. */
const char *clock_iso(char buffer[CLOCK_TEXT_SIZE], int64_t utc);
