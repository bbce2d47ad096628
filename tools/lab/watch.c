#include "lab/watch.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cluster/lsn.h"
#include "common/pg.h"

struct watched_node {
    char name[64];
    char place[PG_PLACE_SIZE];
};

struct watched_shard {
    char name[64];
    struct lag *lag;            /* owned */
    struct watched_node *nodes; /* owned; lag_count() of them */
};

struct watch {
    int64_t started;
    size_t count;
    struct watched_shard shards[WATCH_SHARDS_MAX];
};

struct watch *watch_create(int64_t now)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (watch != NULL) {
        watch->started = now;
    }
    return watch;
}

void watch_destroy(struct watch *watch)
{
    if (watch == NULL) {
        return;
    }
    for (size_t i = 0; i < watch->count; i++) {
        lag_destroy(watch->shards[i].lag);
        free(watch->shards[i].nodes);
    }
    free(watch);
}

bool watch_add(struct watch *watch, const char *shard_name, const struct watch_node *nodes,
               size_t count, int64_t now, struct error *err)
{
    const char *dsns[LAG_NODES_MAX];

    if (watch->count == WATCH_SHARDS_MAX || count == 0 || count > LAG_NODES_MAX) {
        return error_set(err, "54000", "at most %d shards of 1 to %d nodes can be watched",
                         WATCH_SHARDS_MAX, LAG_NODES_MAX);
    }
    struct watched_node *copies = calloc(count, sizeof *copies);
    if (copies == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(copies[i].name, sizeof copies[i].name, "%s", nodes[i].name);
        pg_place(copies[i].place, nodes[i].dsn);
        dsns[i] = nodes[i].dsn;
    }
    struct lag *lag = lag_create(dsns, count, &probe_limits_default, now, err);
    if (lag == NULL) {
        free(copies);
        return false;
    }
    struct watched_shard *shard = &watch->shards[watch->count++];
    *shard = (struct watched_shard){.lag = lag, .nodes = copies};
    snprintf(shard->name, sizeof shard->name, "%s", shard_name);
    return true;
}

struct lag *watch_lag(struct watch *watch, size_t shard)
{
    return watch->shards[shard].lag;
}

/* Fills fds[] with all nodes' descriptors, shard by shard; returns how many. */
static nfds_t list_fds(struct watch *watch, struct pollfd *fds, int64_t *deadline)
{
    nfds_t count = 0;

    for (size_t i = 0; i < watch->count; i++) {
        struct lag *lag = watch->shards[i].lag;
        *deadline = lag_deadline(lag) < *deadline ? lag_deadline(lag) : *deadline;
        for (size_t k = 0; k < lag_count(lag); k++) {
            fds[count++] = (struct pollfd){.fd = lag_fd(lag, k), .events = lag_events(lag, k)};
        }
    }
    return count;
}

bool watch_run(struct watch *watch, int64_t until)
{
    size_t total = 0;

    for (size_t i = 0; i < watch->count; i++) {
        total += lag_count(watch->shards[i].lag);
    }
    struct pollfd *fds = calloc(total + 1, sizeof *fds);
    bool is_whole = fds != NULL;
    for (int64_t now = clock_now(); is_whole && now < until; now = clock_now()) {
        int64_t deadline = until;
        nfds_t count = list_fds(watch, fds, &deadline);
        is_whole = poll(fds, count, clock_poll_timeout(deadline, now)) >= 0 || errno != EINTR;
        now = clock_now();
        for (size_t i = 0, at = 0; is_whole && i < watch->count; i++) {
            struct lag *lag = watch->shards[i].lag;
            for (size_t k = 0; k < lag_count(lag); k++, at++) {
                lag_step(lag, k, fds[at].fd >= 0 && fds[at].revents != 0, now);
            }
        }
    }
    free(fds);
    return is_whole;
}

bool watch_is_settled(const struct watch *watch, int64_t now)
{
    for (size_t i = 0; i < watch->count; i++) {
        for (size_t k = 0; k < lag_count(watch->shards[i].lag); k++) {
            if (lag_facts(watch->shards[i].lag, k, now).contact == NODE_NEVER_ANSWERED) {
                return false;
            }
        }
    }
    return true;
}

static const char *basis_name(enum staleness_basis basis)
{
    static const char *const names[] = {[STALENESS_UNKNOWN] = "unknown",
                                        [STALENESS_MEASURED] = "measured",
                                        [STALENESS_AT_LEAST] = "at least"};
    return names[basis];
}

/* NULL when there is nothing to explain. */
static const char *reason_text(enum staleness_reason why)
{
    static const char *const texts[] = {
        [STALENESS_FINE] = NULL,
        [STALENESS_RING_YOUNG] = "it was behind before the watch began",
        [STALENESS_PRIMARY_SILENT] = "the primary is not heard, so nothing newer is known",
        [STALENESS_OTHER_TIMELINE] = "it does not follow the primary's timeline",
    };
    return texts[why];
}

static json_t *milliseconds(int64_t nanoseconds)
{
    return nanoseconds == INT64_MAX ? json_null() : json_real((double)nanoseconds / 1e6);
}

static json_t *staleness_json(struct staleness staleness)
{
    bool is_known = staleness.basis != STALENESS_UNKNOWN;
    return json_pack("{s:s, s:s?, s:o, s:o, s:o}", "basis", basis_name(staleness.basis), "why",
                     reason_text(staleness.why), "ms",
                     is_known ? milliseconds(staleness.gauge) : json_null(), "at_most_ms",
                     milliseconds(staleness.conservative), "error_ms",
                     is_known ? milliseconds(staleness.error) : json_null());
}

/* A server's message may be in an encoding that JSON can't hold. */
static json_t *error_json(const struct error *err)
{
    if (err == NULL) {
        return json_null();
    }
    json_t *text = json_string(err->message);
    return text != NULL ? text : json_string("its error message is not UTF-8");
}

static json_t *lsn_json(uint64_t lsn)
{
    char text[LSN_TEXT_SIZE];
    return lsn == 0 ? json_null() : json_string(lsn_print(text, lsn));
}

/* What a node that never answered has not said is null, never 0. */
static json_t *node_json(const struct watched_shard *shard, size_t index, int64_t now)
{
    struct node_facts facts = lag_facts(shard->lag, index, now);
    const struct error *err = lag_error(shard->lag, index);
    int64_t silent_since = lag_silent_since(shard->lag, index, now);
    bool has_said = facts.received != 0, is_replica = has_said && facts.is_in_recovery;
    struct staleness staleness = lag_staleness(shard->lag, index, now);
    bool is_comparable = is_replica && staleness.basis != STALENESS_UNKNOWN;
    char system[24];

    snprintf(system, sizeof system, "%" PRIu64, facts.system_identifier);
    return json_pack("{s:s, s:s, s:s?, s:s, s:o, s:o, s:o, s:o, s:s?, s:o, s:o}", "name",
                     shard->nodes[index].name, "place", shard->nodes[index].place, "role",
                     !has_said    ? NULL
                     : is_replica ? "replica"
                                  : "primary",
                     "state", node_contact_name(facts.contact), "silent_ms",
                     silent_since != 0 ? milliseconds(now - silent_since) : json_null(), "error",
                     error_json(err), "lsn", lsn_json(facts.lsn), "timeline",
                     facts.timeline != 0 ? json_integer(facts.timeline) : json_null(),
                     "system_identifier", has_said ? system : NULL, "staleness",
                     is_replica ? staleness_json(staleness) : json_null(), "bytes_behind",
                     is_comparable ? json_integer((json_int_t)lag_bytes_behind(shard->lag, index))
                                   : json_null());
}

static json_t *shard_json(const struct watched_shard *shard, int64_t now)
{
    size_t primary = 0;
    enum shard_verdict verdict = lag_primary(shard->lag, now, &primary);
    json_t *nodes = json_array();

    for (size_t i = 0; i < lag_count(shard->lag); i++) {
        json_array_append_new(nodes, node_json(shard, i, now));
    }
    return json_pack("{s:s, s:s, s:s?, s:o}", "name", shard->name, "verdict",
                     shard_verdict_name(verdict), "primary",
                     verdict == SHARD_HAS_PRIMARY ? shard->nodes[primary].name : NULL, "nodes",
                     nodes);
}

json_t *watch_json(const struct watch *watch, int64_t now)
{
    json_t *shards = json_array();

    for (size_t i = 0; i < watch->count; i++) {
        json_array_append_new(shards, shard_json(&watch->shards[i], now));
    }
    return json_pack("{s:f, s:o}", "watched_s", (double)(now - watch->started) / 1e9, "shards",
                     shards);
}
