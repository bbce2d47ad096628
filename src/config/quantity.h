/* config/quantity: numbers with units, as people write them: "5s", "1.5 MB".
 *
 * Times are ns, sizes bytes.  Nothing is rounded: what can't be told exactly
 * in the base unit is refused, and what is shown reads back as the same number.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum quantity_kind { QUANTITY_TIME, QUANTITY_SIZE };

/* How many base units `unit` is; 0: there is none of that name. */
[[nodiscard]] int64_t quantity_factor(enum quantity_kind kind, const char *unit);

/* A number alone is in `unit`s.  False when it's malformed or too large. */
[[nodiscard]] bool quantity_read(const char *text, enum quantity_kind kind, const char *unit,
                                 int64_t *number);

/* With the largest unit that divides it. */
void quantity_show(int64_t number, enum quantity_kind kind, char *text, size_t size);
