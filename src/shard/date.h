/* shard/date: days since 2000-01-01 and ISO dates, over PostgreSQL's range.
 *
 * Proleptic Gregorian calendar, 4714-11-24 BC to 5874897-12-31, and both
 * infinities.  Only the ISO form is read: the meaning of any other depends on
 * the session's DateStyle.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATE_TEXT_SIZE = 24 };

/* "2026-11-24", "0044-03-15 BC", "infinity", with blanks around and months and
 * days of one digit, as PostgreSQL reads them.  False: not such a date. */
[[nodiscard]] bool date_parse(const char *bytes, size_t size, int32_t *days);

/* Whether PostgreSQL has such a date: finite and in range, or an infinity. */
[[nodiscard]] bool date_is_valid(int32_t days);

/* Writes what PostgreSQL prints with DateStyle ISO; `days` must be valid.
 * Returns the size, below DATE_TEXT_SIZE. */
size_t date_print(char buffer[DATE_TEXT_SIZE], int32_t days);
