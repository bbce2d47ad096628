/* shard/utf8: is it UTF-8 as PostgreSQL accepts it?
 *
 * No overlong forms, no surrogates, nothing above U+10FFFF, no zero byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

[[nodiscard]] bool utf8_is_valid(const char *bytes, size_t size);

/* The bytes that the first `characters` characters of a valid text take; all of
 * them when it has fewer. */
[[nodiscard]] size_t utf8_prefix(const char *bytes, size_t size, size_t characters);
