/* load_test/audit: the comparison of what was acknowledged with the rows that are there.
 *
 * Pure: rows are told to it one by one, in any order, node after node.  16 bytes
 * for each write, nothing for a row.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "load_test/record.h"

struct audit; /* opaque: only audit.c knows its fields */

/* Of one node. */
struct audit_counts {
    size_t lost;          /* acknowledged, and not there */
    size_t twice;         /* there more than once */
    size_t unwritten;     /* refused, and there all the same */
    size_t unknown_there; /* of unknown outcome, and there */
    size_t strange;       /* rows, not writes: nobody has sent them */
};

/* The caller owns the result and must audit_destroy() it; `writes` is borrowed and must not change
 * until then.  Writes that were never sent don't count.  NULL with `err`: out of memory, or a write
 * that is in the log twice (22023). */
[[nodiscard]] struct audit *audit_create(const struct write_log *writes, struct error *err);
void audit_destroy(struct audit *audit);

/* Forgets the rows: what follows is told of another node, or of the same one from its start. */
void audit_begin(struct audit *audit);

/* Counts a row.  Returns the write's place in the log; SIZE_MAX when nobody sent it. */
size_t audit_row(struct audit *audit, uint64_t writer, uint64_t sequence);

/* The counts of the node begun last, after its last row; and adds them to the totals: once for each
 * node. */
struct audit_counts audit_end(struct audit *audit);

/* After audit_end(): loops over the writes lost on this node, by writer and sequence.  `*at` starts
 * at 0; NULL at the end. */
[[nodiscard]] const struct write_record *audit_next_lost(const struct audit *audit, size_t *at);

/* Over all nodes ended so far: a write counts once, on however many nodes it is lost. */
struct audit_totals {
    size_t acknowledged, lost, twice;
};
[[nodiscard]] struct audit_totals audit_totals(const struct audit *audit);
