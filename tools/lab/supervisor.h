/* lab/supervisor: the process whose children are the lab's servers and relays.
 *
 * One event loop, nothing in it blocks: SQL, initdb and base backups run in
 * child processes.  It tells `lab up` what happens as JSON lines, answers
 * commands on DIR/control (lab/control.h), and writes lab.json.
 */
#pragma once

#include <stdint.h>

#include "lab/launch.h"

struct supervisor_start {
    const struct lab_options *options; /* `directory` is absolute and ours */
    int events_fd;                     /* owned */
    int64_t started;                   /* clock_now() of `lab up` */
};

/* Runs the lab until it is told to end (control socket, SIGTERM, the death of the
 * guardian, `lab up` going away while the lab starts).  Returns the exit status. */
int supervisor_run(const struct supervisor_start *start);

/* Writes {"event": "failed", "sqlstate", "message", "hint"} to `events_fd`. */
void supervisor_tell_failure(int events_fd, const struct error *err);

/* Removes what a lab left in `directory`, its lock file aside. */
void supervisor_remove_files(const char *directory);

/* That, the lock file and the directory. */
void supervisor_remove_directory(const char *directory);
