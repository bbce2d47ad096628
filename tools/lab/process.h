/* lab/process: starting, seeing and ending processes, so that none is left over.
 *
 * Every child of ours dies with the supervisor (PR_SET_PDEATHSIG), is a process
 * group of its own, has a fresh signal mask, no descriptor above 2 but those
 * handed to it, /dev/null as input and a log as output: nothing that a caller
 * piped us into stays open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct process_setup {
    const char *log;       /* appended to, mode 0600; NULL: /dev/null */
    const char *directory; /* to change into; NULL: "/" */
    const int *fds;        /* to keep, as 3, 4, … in this order */
    size_t fd_count;       /* at most PROCESS_FDS_MAX */
};

enum { PROCESS_FDS_MAX = 4 };

/* As fork(), with the setup done in the child.  -1 with `err` when it failed. */
[[nodiscard]] pid_t process_fork(const struct process_setup *setup, struct error *err);

/* Forks and executes argv[0], an absolute path, with our small environment
 * (PATH, HOME, C locale, UTC; nothing that starts with PG).  A failed exec ends the
 * child with 127 and a line in its log. */
[[nodiscard]] pid_t process_start(const struct process_setup *setup, const char *const *argv,
                                  struct error *err);

/* Runs argv and keeps the first line it prints, without the line break.  For
 * programs that end at once (--version); waits for them. */
[[nodiscard]] bool process_capture(const char *const *argv, char *line, size_t size,
                                   struct error *err);

struct process_seen {
    pid_t pid, parent;
    char state; /* of /proc/PID/stat: R, S, D, T (stopped), … never Z */
};

enum { PROCESS_SEEN_MAX = 512 };

/* The processes, dead ones aside, whose working directory is `directory` or, with
 * `below`, lies in it: a PostgreSQL server and all of its children run in the data
 * directory, whoever their parent is by now.  Children of ours that are ending and have
 * no directory any more count too: for a subreaper that has reaped the server they may be
 * what it left.  `directory` must have no symbolic link in it.  Returns how many were put into
 * `seen`. */
[[nodiscard]] size_t process_find(const char *directory, bool below,
                                  struct process_seen seen[PROCESS_SEEN_MAX]);

/* Whether the process's title contains `word`; PostgreSQL sets titles such as
 * "postgres: s0r1: walreceiver streaming 0/3000148". */
[[nodiscard]] bool process_title_has(pid_t pid, const char *word);

/* Whether it runs the program of this name (of at most 15 bytes), whatever its title is. */
[[nodiscard]] bool process_is_program(pid_t pid, const char *name);

/* Kills (SIGKILL, which also ends stopped processes) every child of this
 * process and whatever becomes its child by that, until none is left.  For a
 * subreaper: that is every descendant. */
void process_kill_children(void);
