/* lab/launch: starts a lab, and asks a running one to do things.
 *
 *     reparto lab up ──fork──> guardian ──fork──> supervisor ──fork──> postgres, relays, helpers
 *
 * The guardian is the subreaper of all: when the supervisor has ended, for
 * whatever reason, it kills what is left, also stopped processes, and removes
 * the directory.  When the guardian dies, the supervisor ends in order, and so does
 * what `lab up --foreground` started when that dies.  Nothing runs as root.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "lab/lab_state.h"

enum { LAB_SHARDS_MAX = 16, LAB_REPLICAS_MAX = 8, LAB_SETTINGS_MAX = 64 };

struct lab_options {
    const char *directory; /* NULL: as lab_directory() */
    const char *bin;       /* PostgreSQL's programs; NULL: looked for */
    const char *user;      /* to run as, when started as root; NULL: postgres, else nobody */
    long shards, replicas; /* replicas of each shard */
    long port;             /* the first node's, the others follow; 0: free ones from 5433 on */
    bool is_kept;          /* the directory stays at the end */
    bool is_foreground;
    const char *const *settings; /* "name=value" for postgresql.conf */
    size_t setting_count;
};

/* What happened, as told while the lab starts: {"event": "postgres", "version", "bin", "user"},
 * {"event": "step", "node", "what"}, {"event": "node", "node", "role", "host",
 * "port"}, {"event": "ready"}; each with "elapsed_ms".  Borrowed. */
typedef void lab_watcher(void *context, const json_t *event);

/* Starts a lab and returns when all of it streams.  SIGINT and SIGTERM are
 * caught meanwhile: it then stops what it started and returns false with
 * `err` 57014.  In the foreground form it returns when the lab has ended, true
 * after such a signal. */
[[nodiscard]] bool lab_up(const struct lab_options *options, lab_watcher *watcher, void *context,
                          struct error *err);

/* Sends {"command": …} to the lab's supervisor and waits for the answer, at
 * most `timeout_s`.  The caller owns the result.  NULL with `err` when no lab
 * runs or it says no. */
[[nodiscard]] json_t *lab_ask(const char *directory, const json_t *request, int timeout_s,
                              struct error *err);

/* Stops the lab and waits until nothing of it is left; also what one left whose supervisor and
 * guardian were killed both. */
[[nodiscard]] bool lab_down(const char *directory, struct error *err);
