/* config/name_list: the settings that hold several names: "ann, bob".
 *
 * Commas between, blanks around don't count; no quoting.  Nothing is copied:
 * items are borrowed from the list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* For loops: `*at` starts at the list; false behind the last item.  An item may be empty ("a,,b"),
 * an empty list has none. */
[[nodiscard]] bool name_list_next(const char **at, const char **item, size_t *size);
[[nodiscard]] bool name_list_contains(const char *list, const char *name);
