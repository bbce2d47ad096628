/* shard/digest: MD5 of a short text, as numbers.
 *
 * MD5 is here for its spread and because every language and PostgreSQL have
 * it, not for secrecy.  The state lives on the stack; nothing is allocated.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct digest {
    uint64_t high, low; /* the 16 bytes, read as one big-endian number */
};

[[nodiscard]] struct digest digest_of(const char *bytes, size_t size);
