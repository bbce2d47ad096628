/* lab/relay: the link between one replica and its primary, which can be cut and slowed.
 *
 * A process of its own per replica: it accepts on `listener` and carries bytes
 * to and from the primary.  Stopped (SIGSTOP) it is a black hole: connections
 * stay, no byte passes, as when a cable is pulled.  The delay holds what the
 * primary sends for that long before the replica gets it; so it slows
 * everything that a long line would: reads on the replica get stale, and
 * commits that wait for the replica wait longer.  (recovery_min_apply_delay
 * would only do the former.)  At most RELAY_QUEUE_MAX bytes are held for a
 * connection; when the primary writes more than that in the delay, it is held back
 * like by a full line, and the lag exceeds the delay.
 */
#pragma once

#include <stdint.h>

enum { RELAY_QUEUE_MAX = 64 * 1024 * 1024 };

/* Writes a byte to `control` when it is set up and runs until that closes.  Each 8 bytes read from
 * `control` are an int64_t: the new delay in nanoseconds.  Connections go to 127.0.0.1:port. */
[[gnu::noreturn]] void relay_run(int listener, int control, int port, int64_t delay);
