/* cluster/lsn: a position in a node's WAL, as PostgreSQL writes it.
 *
 * A plain 64-bit number, so it compares with < and subtracts to bytes.  It
 * means nothing without its timeline: positions of two timelines must not be
 * compared beyond the point where they part.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LSN_TEXT_SIZE = 20 };

/* Reads exactly what PostgreSQL's pg_lsn reads: "16/B374D848", one to eight
 * hexadecimal digits on each side, nothing before, between or after them.
 * False, with `lsn` untouched, when text[0..size) is anything else. */
[[nodiscard]] bool lsn_parse(const char *text, size_t size, uint64_t *lsn);

/* "16/B374D848".  Returns `buffer`. */
const char *lsn_print(char buffer[LSN_TEXT_SIZE], uint64_t lsn);

/* Bytes of WAL from `lsn` to `ahead`; 0 when `lsn` is not behind. */
[[nodiscard]] uint64_t lsn_bytes_behind(uint64_t lsn, uint64_t ahead);
