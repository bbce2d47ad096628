/* server/router: the process: its configuration, workers, listeners and signals.
 *
 * The calling thread becomes the control thread: it takes signals, reloads,
 * drains and stops.  HUP reloads; USR2 starts a new process in our place; TERM
 * drains, a second TERM stops; INT and QUIT stop at once.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct router_plan {
    const char *config_path; /* borrowed for the call, as all here */
    char *const *argv;       /* the program as it was called: a restart runs it again */
    bool is_quiet;           /* says nothing on standard output */
};

/* Serves until it's told to stop.  False and `err` when it could not start. */
[[nodiscard]] bool router_run(const struct router_plan *plan, struct error *err);
