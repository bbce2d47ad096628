/* reparto/status_details: what each node tells about its connections, streaming and slots.
 *
 * Keeps one connection a node, so that --watch does not log in every second.
 * A node that stops answering costs at most the time limit, then its
 * connection is dropped.  Query texts are row data: they go to the operator's
 * terminal or --json, never to a log.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct status_details; /* opaque: only status_details.c knows its fields */

/* A connection string and the node's name in the document; both borrowed. */
struct status_target {
    const char *name, *dsn;
};

/* `long_query` (ns): from when a running query is listed.  The caller owns the
 * result and must status_details_destroy() it; NULL when out of memory. */
[[nodiscard]] struct status_details *status_details_create(const struct status_target *targets,
                                                           size_t count, int64_t long_query);
void status_details_destroy(struct status_details *details); /* NULL is allowed */

/* Adds "details" to each node of document's "shards": an object, or null with
 * "details_error" when the node does not answer or refused.  Only nodes whose
 * "state" is "answering" are asked. */
void status_details_add(struct status_details *details, json_t *document);
