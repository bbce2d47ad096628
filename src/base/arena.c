#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
    struct arena_chunk *next; /* owned */
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, size_t chunk_size, size_t limit)
{
    assert(chunk_size > 0);
    *arena = (struct arena){.chunk_size = chunk_size, .limit = limit};
}

static void free_chunks(struct arena_chunk *chunk)
{
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void arena_done(struct arena *arena)
{
    free_chunks(arena->first);
    *arena = (struct arena){0};
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t size_min)
{
    size_t size = size_min > arena->chunk_size ? size_min : arena->chunk_size;
    if (size > SIZE_MAX - sizeof(struct arena_chunk)) {
        return NULL;
    }
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->next = NULL;
    chunk->size = size;
    chunk->used = 0;
    if (arena->current == NULL) {
        arena->first = chunk;
    } else {
        arena->current->next = chunk;
    }
    arena->current = chunk;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t align = alignof(max_align_t);
    if (size > SIZE_MAX - align) {
        return NULL;
    }
    size_t rounded = (size + align - 1) / align * align;
    if (arena->used > arena->limit || rounded > arena->limit - arena->used) {
        return NULL;
    }
    struct arena_chunk *chunk = arena->current;
    if (chunk == NULL || rounded > chunk->size - chunk->used) {
        chunk = add_chunk(arena, rounded);
        if (chunk == NULL) {
            return NULL;
        }
    }
    void *memory = chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->used += rounded;
    return memset(memory, 0, rounded);
}

char *arena_copy(struct arena *arena, const char *bytes, size_t size)
{
    if (size == SIZE_MAX) {
        return NULL;
    }
    char *copy = arena_alloc(arena, size + 1); /* zeroed, so it ends in a zero byte */
    if (copy != NULL && size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

void arena_reset(struct arena *arena)
{
    if (arena->first != NULL) {
        free_chunks(arena->first->next);
        arena->first->next = NULL;
        arena->first->used = 0;
        arena->current = arena->first;
    }
    arena->used = 0;
}
