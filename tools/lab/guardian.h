/* lab/guardian: the process that leaves nothing behind.
 *
 * It does so little that nothing can go wrong in it: drops root, takes the
 * directory's lock, starts the supervisor, waits for its end, kills every
 * process below it and removes the directory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lab/launch.h"

struct guardian_account {
    uid_t uid;
    gid_t gid;
    bool must_drop; /* we are root: become this user before anything is run */
    char name[64];  /* set when must_drop */
};

struct guardian_start {
    const struct lab_options *options; /* `directory` is absolute */
    const struct guardian_account *account;
    int events_fd; /* the write end of the pipe that `lab up` reads */
    pid_t starter; /* `lab up` */
    int64_t started;
};

/* In a fresh child of `lab up`. */
[[gnu::noreturn]] void guardian_run(const struct guardian_start *start);

enum guardian_clean_up_status { GUARDIAN_CLEANED, GUARDIAN_FOUND_NOTHING, GUARDIAN_FAILED };

/* In a fresh child of `lab down`, for a lab whose supervisor and guardian were killed both: ends
 * its processes and, unless they are kept, removes its files.  Exits with one of these. */
[[gnu::noreturn]] void guardian_clean_up(const char *directory,
                                         const struct guardian_account *account, bool is_kept);
