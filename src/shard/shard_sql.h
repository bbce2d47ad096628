/* shard/shard_sql: the same placement as an SQL expression.
 *
 * So that a database can check which rows are its own, and a row filter can
 * name them.  Exact for databases with encoding UTF8.  A date goes through
 * to_json(), whose form no DateStyle changes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"
#include "shard/key_type.h"
#include "shard/shard_map.h"

/* Appends an expression of type bigint, the partition of `column`, which may be
 * qualified with dots and is quoted here.  A ring has none in SQL: 0A000. */
[[nodiscard]] bool shard_sql_partition(const struct shard_map *map, const struct key_type *type,
                                       const char *column, struct text *out, struct error *err);

/* Appends a condition that is true for the rows that `shard` owns. */
[[nodiscard]] bool shard_sql_owned(const struct shard_map *map, const struct key_type *type,
                                   const char *column, size_t shard, struct text *out,
                                   struct error *err);
