/* config/hba_pattern: a name in an hba or identity map line: a text, or a regular expression.
 *
 * POSIX extended, of the kind that means the same in PostgreSQL and here: no
 * \d, no (?…), no *?.  No back-references, as a client chooses the name that is
 * matched and must not make that expensive; no {…} and four + at most, as the C
 * library makes copies for them.
 */
#pragma once

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "config/hba_line.h"

/* Compiles what stands behind the slash; false when it was reported.  regfree() it. */
[[nodiscard]] bool hba_pattern_compile(const struct hba_item *item, regex_t *regex,
                                       struct report *report);
