#include "base/buffer.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct buffer_block {
    struct buffer_block *next; /* while in a pool */
};

void buffer_pool_init(struct buffer_pool *pool, size_t count_max)
{
    *pool = (struct buffer_pool){.count_max = count_max};
}

void buffer_pool_done(struct buffer_pool *pool)
{
    while (pool->free != NULL) {
        struct buffer_block *block = pool->free;
        pool->free = block->next;
        free(block);
    }
    pool->count = 0;
}

static char *pool_take(struct buffer_pool *pool)
{
    if (pool == NULL || pool->free == NULL) {
        return malloc(BUFFER_BLOCK_SIZE);
    }
    struct buffer_block *block = pool->free;
    pool->free = block->next;
    pool->count--;
    return (char *)block;
}

static void pool_give(struct buffer_pool *pool, char *bytes, size_t capacity)
{
    if (pool == NULL || capacity != BUFFER_BLOCK_SIZE || pool->count >= pool->count_max) {
        free(bytes);
        return;
    }
    struct buffer_block *block = (struct buffer_block *)(void *)bytes;
    block->next = pool->free;
    pool->free = block;
    pool->count++;
}

void buffer_init(struct buffer *buffer, struct buffer_pool *pool)
{
    *buffer = (struct buffer){.pool = pool};
}

static void give_back(struct buffer *buffer)
{
    if (buffer->bytes == NULL) {
        return;
    }
    if (buffer->is_secret) {
        explicit_bzero(buffer->bytes, buffer->capacity);
    }
    pool_give(buffer->pool, buffer->bytes, buffer->capacity);
}

void buffer_done(struct buffer *buffer)
{
    give_back(buffer);
    *buffer = (struct buffer){.pool = buffer->pool, .is_secret = buffer->is_secret};
}

size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

char *buffer_bytes(const struct buffer *buffer)
{
    return buffer->bytes == NULL ? NULL : buffer->bytes + buffer->start;
}

/* To a new place of at least `needed` bytes, which is returned; NULL: there is none. */
static char *grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = BUFFER_BLOCK_SIZE;
    while (capacity < needed) {
        if (capacity > SIZE_MAX / 2) {
            return NULL;
        }
        capacity *= 2;
    }
    char *bytes = capacity == BUFFER_BLOCK_SIZE ? pool_take(buffer->pool) : malloc(capacity);
    if (bytes == NULL) {
        return NULL;
    }
    size_t size = buffer_size(buffer);
    if (buffer->bytes != NULL) {
        memcpy(bytes, buffer->bytes + buffer->start, size);
    }
    give_back(buffer);
    *buffer = (struct buffer){.pool = buffer->pool,
                              .bytes = bytes,
                              .start = 0,
                              .end = size,
                              .capacity = capacity,
                              .is_secret = buffer->is_secret};
    return bytes;
}

char *buffer_reserve(struct buffer *buffer, size_t size)
{
    size_t used = buffer_size(buffer);
    if (size > SIZE_MAX - used) {
        return NULL;
    }
    if (buffer->bytes != NULL && buffer->capacity - buffer->end < size &&
        buffer->capacity - used >= size && buffer->start >= used) {
        memcpy(buffer->bytes, buffer->bytes + buffer->start, used); /* they can't overlap */
        buffer->start = 0;
        buffer->end = used;
    }
    if (buffer->bytes == NULL || buffer->capacity - buffer->end < size) {
        char *bytes = grow(buffer, used + size);
        return bytes == NULL ? NULL : bytes + used;
    }
    return buffer->bytes + buffer->end;
}

void buffer_commit(struct buffer *buffer, size_t size)
{
    assert(buffer->capacity - buffer->end >= size);
    buffer->end += size;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    if (size == 0) {
        return true;
    }
    char *room = buffer_reserve(buffer, size);
    if (room == NULL) {
        return false;
    }
    memcpy(room, bytes, size);
    buffer->end += size;
    return true;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    assert(size <= buffer_size(buffer));
    buffer->start += size;
    if (buffer->start == buffer->end) {
        buffer_done(buffer);
    }
}

void buffer_truncate(struct buffer *buffer, size_t size)
{
    assert(size <= buffer_size(buffer));
    buffer->end = buffer->start + size;
    if (size == 0) {
        buffer_done(buffer);
    }
}
