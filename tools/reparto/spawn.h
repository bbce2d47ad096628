/* reparto/spawn: runs our other programs as children, without a shell.
 *
 * A program of ours is looked for beside this one, where the build puts it,
 * and on PATH, in this order; so a checkout never runs an installed version by
 * mistake.  Children keep our terminal, so Ctrl-C reaches them too.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

enum { SPAWN_PATH_SIZE = 512 };

/* The path of the program `name` of ours ("load_test", "reparto"); 58P01 with a hint when there is
 * none. */
[[nodiscard]] bool spawn_find(const char *name, char path[SPAWN_PATH_SIZE], struct error *err);

/* Starts argv[0], a path; it gets SIGTERM when we die.  `is_apart`: in a process group of its
 * own, so that Ctrl-C at the terminal does not reach it.  -1 with `err` when it failed. */
[[nodiscard]] pid_t spawn_start(const char *const *argv, bool is_apart, struct error *err);

/* Waits for such a child, also across signals.  Its exit status; 128 + N when signal N ended
 * it; 127 when it could not be executed. */
[[nodiscard]] int spawn_wait(pid_t child);

struct spawn_signals {
    volatile sig_atomic_t *last; /* where the handler of SIGINT, SIGTERM and SIGHUP puts them */
    bool is_interrupt_for_child; /* SIGINT is for the child alone: forgotten when that has ended */
};

/* Runs argv[0], a path, and waits.  A SIGTERM or SIGHUP that we get ends the child too.
 * Returns its exit status, 128 + N when signal N ended it, or -1 with `err` when it could not
 * be started or a signal came before. */
[[nodiscard]] int spawn_run(const char *const *argv, const struct spawn_signals *signals,
                            struct error *err);
