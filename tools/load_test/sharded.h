/* load_test/sharded: do the rows land where the library routes them?
 *
 * Keys user:0 … user:N-1 are routed, written to each shard's primary, counted
 * there, and read back.  A scheme's figures come in two steps: sharded_route()
 * is pure; sharded_write() needs the servers.  A shard that fails is left out
 * from then on, with its reason, and the others go on.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "common/terminal.h"
#include "load_test/interrupt.h"
#include "load_test/report.h"
#include "shard/shard_router.h"

enum {
    SHARDED_SHARD_MAX = 32,
    SHARDED_KEY_MAX = 50000000, /* a bit of memory each while they are read back */
    SHARDED_KEY_SIZE = 24,      /* "user:49999999" */
    SHARDED_SCHEME_MAX = 3,
    SHARDED_VNODES_FEW = 160,
};

struct sharded_shard {
    char name[SHARD_NAME_SIZE];
    char place[REPORT_VALUE_SIZE]; /* host:port; "" in a dry run */
    char *dsn;                     /* owned; may hold a password: never print it */
};

struct sharded_plan {
    long keys;
    uint64_t seed; /* of the values in the rows */
    uint32_t vnodes;
    int64_t timeout; /* ns: one connection, one statement */
    size_t shard_count;
    struct sharded_shard shards[SHARDED_SHARD_MAX];
};

struct sharded_rows { /* of one shard */
    uint64_t routed;
    uint64_t written;                     /* acknowledged by the server */
    uint64_t unknown;                     /* sent, but the connection broke before the answer */
    uint64_t counted;                     /* by SQL */
    uint64_t misplaced, altered, doubled; /* read back: another shard's, another value, a second */
    uint64_t misplaced_sql;               /* by the server's own expression */
    double write_seconds;                 /* while this shard was written to; the others waited */
    bool is_left;                         /* its table could not be dropped */
    bool is_counted;                      /* the server was asked after the writing, and answered */
    struct error fail;                    /* why it was left out; unset: it was not */
};

struct sharded_result {
    enum shard_scheme scheme;
    uint32_t vnodes; /* of a ring */
    struct sharded_rows rows[SHARDED_SHARD_MAX];
    double fullest; /* of the mean */
    double chi_square, p;
    unsigned degrees;
    double expected_skew; /* what a ring of so many points may be expected to show */
    uint32_t other_vnodes;
    double other_fullest; /* with other_vnodes points; NAN: no ring */
    uint64_t moved;       /* keys that one more shard would move */
    bool has_sql;         /* the scheme can be told as SQL, and was */
    bool is_written;      /* false: a dry run */
    char table[REPORT_VALUE_SIZE];
};

/* The text of key `index`; returns its size. */
size_t sharded_key(char buffer[SHARDED_KEY_SIZE], uint64_t index);
/* The index of a key's text; false when it is none of ours. */
[[nodiscard]] bool sharded_key_index(const char *key, uint64_t count, uint64_t *index);
/* What the row of a key holds beside it, so that a changed row is seen. */
[[nodiscard]] int64_t sharded_value(uint64_t seed, uint64_t index);

/* The map of that scheme over the plan's shards.  The caller must shard_map_destroy() it. */
[[nodiscard]] struct shard_map *sharded_map(const struct sharded_plan *plan,
                                            enum shard_scheme scheme, uint32_t vnodes,
                                            struct error *err);
[[nodiscard]] size_t sharded_shard_of(const struct shard_router *router, uint64_t index);

/* Routes every key: fills all of `result` that needs no server. */
[[nodiscard]] bool sharded_route(const struct sharded_plan *plan, enum shard_scheme scheme,
                                 struct sharded_result *result, struct error *err);

/* Writes, counts, reads back, and drops the tables, also when it fails.  False: interrupted, or no
 * memory; what a single shard refused is in `result`. */
[[nodiscard]] bool sharded_write(const struct sharded_plan *plan, struct interrupt *interrupt,
                                 struct progress *progress, struct sharded_result *result,
                                 struct error *err);

/* 0; 1: a shard could not be written or counted; 4: rows are not what was routed. */
[[nodiscard]] int sharded_exit_code(const struct sharded_plan *plan,
                                    const struct sharded_result *results, size_t count);

/* sharded_print.c */
void sharded_print(const struct sharded_plan *plan, const struct sharded_result *results,
                   size_t count, enum report_language language, struct text *out);
[[nodiscard]] bool sharded_json(const struct sharded_plan *plan,
                                const struct sharded_result *results, size_t count,
                                struct text *out, struct error *err);
