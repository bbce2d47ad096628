/* shard/pg_hash: the hash that PostgreSQL gives a row of a HASH-partitioned table.
 *
 * Equal to what satisfies_hash_partition() computes for one key column, on
 * little-endian servers (PostgreSQL's hash of strings and uuids differs on
 * big-endian ones).  The partition is this modulo the number of partitions.
 */
#pragma once

#include <stdint.h>

#include "shard/key_text.h"

[[nodiscard]] uint64_t pg_hash_of(const struct key_text *key);
