/* base/arena: memory that dies together.
 *
 * One per session, reset at ReadyForQuery: whatever a query needed is gone
 * when the query is.  Nothing in an arena is freed one by one, and nothing
 * that outlives the query may point into it.  An arena grows by chunks up to
 * its limit; a reset keeps the first chunk, so that a steady load allocates
 * nothing, and gives the rest back.
 */
#pragma once

#include <stddef.h>

struct arena_chunk; /* opaque: only arena.c knows its fields */

struct arena {
    struct arena_chunk *first, *current; /* owned */
    size_t chunk_size;                   /* bytes in an ordinary chunk */
    size_t used;                         /* bytes handed out or lost to alignment */
    size_t limit;                        /* bytes; `used` never passes it */
};

/* Allocates nothing yet.  `chunk_size` and `limit` are in bytes. */
void arena_init(struct arena *arena, size_t chunk_size, size_t limit);
void arena_done(struct arena *arena); /* frees all; a zeroed arena is allowed */

/* Returns zeroed memory aligned for any type, valid until arena_reset() or
 * arena_done().  NULL when the limit is reached or memory ran out. */
[[nodiscard]] void *arena_alloc(struct arena *arena, size_t size);

/* Copies bytes[0..size) and adds a zero byte.  As arena_alloc() else. */
[[nodiscard]] char *arena_copy(struct arena *arena, const char *bytes, size_t size);

/* Ends the life of everything in the arena. */
void arena_reset(struct arena *arena);
