#include "backend/expected.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

void expected_done(struct expected_queue *queue)
{
    free(queue->ring);
    *queue = (struct expected_queue){0};
}

static bool grow(struct expected_queue *queue)
{
    uint32_t capacity = queue->capacity == 0 ? FIRST_CAPACITY : queue->capacity * 2;
    struct expected *ring = reallocarray(NULL, capacity, sizeof *ring);
    if (ring == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < queue->count; i++) {
        ring[i] = *expected_at(queue, i);
    }
    free(queue->ring);
    queue->ring = ring;
    queue->capacity = capacity;
    queue->first = 0;
    return true;
}

struct expected *expected_push(struct expected_queue *queue, enum expected_kind kind,
                               bool is_hidden, void *object)
{
    if (queue->count == queue->capacity && !grow(queue)) {
        return NULL;
    }
    uint32_t place = (queue->first + queue->count) & (queue->capacity - 1);
    queue->count++;
    queue->ring[place] =
        (struct expected){.kind = (uint8_t)kind, .is_hidden = is_hidden, .object = object};
    return &queue->ring[place];
}

struct expected *expected_first(struct expected_queue *queue)
{
    return queue->count == 0 ? NULL : &queue->ring[queue->first];
}

struct expected *expected_at(struct expected_queue *queue, uint32_t index)
{
    assert(index < queue->count);
    return &queue->ring[(queue->first + index) & (queue->capacity - 1)];
}

void expected_pop(struct expected_queue *queue)
{
    assert(queue->count > 0);
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->count--;
}

void expected_remove(struct expected_queue *queue, uint32_t index)
{
    assert(index < queue->count);
    for (uint32_t i = index; i + 1 < queue->count; i++) {
        *expected_at(queue, i) = *expected_at(queue, i + 1);
    }
    queue->count--;
}
