/* shard_router/report: how keys spread, and what one more shard would move.
 *
 * Counts keys for two routers at once (`after` may be NULL), then prints the
 * counts as text or JSON.  Borrows the routers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "shard/shard_router.h"

struct report {
    const struct shard_router *before, *after; /* borrowed; after: NULL without --add */
    size_t before_count, after_count;          /* shards */
    uint64_t *counts; /* owned; [before * after_count + after]; after_count 1 without --add */
    uint64_t total;
    double *expected_share;      /* owned; by weights; [before_count] */
    struct shard_overlap own;    /* `before` with itself: each shard's true share */
    struct shard_overlap growth; /* `before` with `after` */
};

/* 53200 or 0A000. */
[[nodiscard]] bool report_init(struct report *report, const struct shard_router *before,
                               const struct shard_router *after, struct error *err);
void report_done(struct report *report);

void report_count(struct report *report, const struct key_text *key);

/* Keys that moved between shards that are in both maps. */
[[nodiscard]] uint64_t report_moved_between_old(const struct report *report);

/* Whether the scheme promises that a new shard moves nothing between old ones. */
[[nodiscard]] bool report_promises_stillness(const struct report *report);

void report_print_distribution(const struct report *report, FILE *out);
void report_print_growth(const struct report *report, FILE *out);

/* False when out of memory. */
[[nodiscard]] bool report_print_json(const struct report *report, FILE *out);
