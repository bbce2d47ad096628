/* load_test/interrupt: Ctrl-C and SIGTERM as something to poll, not a handler.
 *
 * The signals are blocked in all threads and read from a signalfd.  The first
 * one asks for an orderly end (stop the load, verify, report, exit 1); the
 * second ends the process at once with status 130.  One in a process; create
 * it before any thread.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct interrupt {
    int fd; /* owned; -1: none */
    bool is_asked;
};

[[nodiscard]] bool interrupt_init(struct interrupt *interrupt, struct error *err);
void interrupt_done(struct interrupt *interrupt); /* unblocks the signals */

/* Reads what is pending.  True once a signal came. */
bool interrupt_check(struct interrupt *interrupt);
