/* lab/lab_state: what runs in a lab, for every tool that wants to connect to it.
 *
 * Reads DIR/lab.json, which the supervisor writes when all nodes stream and
 * rewrites atomically when a role changes; so one load is consistent, and a
 * tool that outlives a promotion loads again.  The password goes into libpq's
 * connection string in memory only: never put a DSN of ours into argv or a log
 * (pg_place() tells host and port of one).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum lab_role {
    LAB_PRIMARY, /* takes the shard's writes */
    LAB_REPLICA, /* streams from the primary */
    LAB_FORMER,  /* was primary until another was promoted; `lab start` rebuilds it as a replica */
};

struct lab_node {
    const char *name; /* "p", "r1" with one shard, else "s0p", "s0r1"; stays after a promotion */
    enum lab_role role;
    const char *host; /* an address */
    int port;
    const char *data; /* data directory */
    const char *log;  /* directory of postgresql-*.log */
};

struct lab_shard {
    const char *name; /* "s0" */
    struct lab_node *nodes;
    size_t node_count;
};

struct json_t; /* jansson's */

/* All strings are borrowed from `document` and live until lab_state_done(). */
struct lab_state {
    struct json_t *document; /* owned */
    const char *directory, *database, *user, *password;
    const char *bin; /* where psql, postgres … are */
    pid_t supervisor_pid;
    struct lab_shard *shards; /* owned */
    size_t shard_count;
};

enum { LAB_PATH_SIZE = 512, LAB_DSN_SIZE = 512 };

/* Held by a running lab; also the mark of a directory that is a lab's. */
#define LAB_LOCK_FILE "reparto-lab.lock"

/* The directory to use: `directory` when not NULL, else $REPARTO_LAB, else
 * ${TMPDIR:-/tmp}/reparto-lab-<uid>; made absolute.  False when too long. */
[[nodiscard]] bool lab_directory(const char *directory, char path[LAB_PATH_SIZE],
                                 struct error *err);

/* Loads the running lab of `directory` (as lab_directory()).  The caller must
 * lab_state_done() it, also after a failure.  Fails with a hint when no lab
 * runs there (58P01), it is still starting (57P03), or the file can't be read
 * (58030) or understood (22023). */
[[nodiscard]] bool lab_state_load(const char *directory, struct lab_state *state,
                                  struct error *err);
void lab_state_done(struct lab_state *state); /* a zeroed one is allowed */

/* The shard of that name; the first one when `name` is NULL.  22023 with "did you mean". */
[[nodiscard]] const struct lab_shard *lab_state_shard(const struct lab_state *state,
                                                      const char *name, struct error *err);

/* The node of that name in any shard.  22023 with "did you mean" and the list. */
[[nodiscard]] const struct lab_node *lab_state_node(const struct lab_state *state, const char *name,
                                                    struct error *err);

/* The node with the role of primary, or NULL. */
[[nodiscard]] const struct lab_node *lab_shard_primary(const struct lab_shard *shard);

/* The connection string for user, password and database of the lab.  Returns `buffer`. */
const char *lab_state_dsn(const struct lab_state *state, const struct lab_node *node,
                          char buffer[LAB_DSN_SIZE]);

/* "primary", "replica", "former primary". */
[[nodiscard]] const char *lab_role_name(enum lab_role role);

/* Whether a lab's processes hold DIR's lock.  Opens and closes a descriptor. */
[[nodiscard]] bool lab_is_running(const char *absolute_directory);
