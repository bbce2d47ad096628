/* reparto/status_check: what is wrong with the cluster that a status document describes.
 *
 * Pure: reads the document (docs/status.schema.json) and nothing else.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Sets document's "problems" (an array of sentences, worst first within each
 * shard) and "healthy".  `stale_ms_max`: a replica whose data is older than
 * this is a problem.  Returns whether all is well. */
bool status_check(json_t *document, double stale_ms_max);
