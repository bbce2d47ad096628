/* base/buffer: bytes that are appended at the back and consumed at the front.
 *
 * An empty buffer holds no memory, so that ten thousand idle connections cost
 * nothing: the first block of each comes from a pool that its thread shares,
 * and goes back when the last byte is consumed.  Bytes stay contiguous.  The
 * buffer itself has no limit; whoever fills it must have one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { BUFFER_BLOCK_SIZE = 8192 }; /* bytes of a block of the pool */

/* Blocks that were given back; not thread-safe: one for each thread. */
struct buffer_pool {
    struct buffer_block *free; /* owned */
    size_t count, count_max;   /* blocks kept; those beyond are freed */
};

struct buffer {
    struct buffer_pool *pool; /* borrowed; NULL: memory comes from malloc */
    char *bytes;              /* owned; NULL while empty */
    size_t start, end, capacity;
    bool is_secret; /* set by whoever puts a secret in: memory is wiped before it is given back */
};

void buffer_pool_init(struct buffer_pool *pool, size_t count_max);
void buffer_pool_done(struct buffer_pool *pool);

void buffer_init(struct buffer *buffer, struct buffer_pool *pool);
void buffer_done(struct buffer *buffer); /* a zeroed buffer is allowed */

/* How many bytes there are, and the first of them; valid until the next append. */
[[nodiscard]] size_t buffer_size(const struct buffer *buffer);
[[nodiscard]] char *buffer_bytes(const struct buffer *buffer);

/* Room for `size` more bytes, to be written and then committed.  NULL when out of
 * memory: nothing changed. */
[[nodiscard]] char *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_commit(struct buffer *buffer, size_t size);

/* False when out of memory: nothing was appended. */
[[nodiscard]] bool buffer_append(struct buffer *buffer, const void *bytes, size_t size);

/* Drops the first `size` bytes; gives the memory back when none is left. */
void buffer_consume(struct buffer *buffer, size_t size);

/* Drops the last bytes, so that `size` are left: undoes an append. */
void buffer_truncate(struct buffer *buffer, size_t size);
