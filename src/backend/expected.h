/* backend/expected: which answers a server connection still owes, in order.
 *
 * PostgreSQL answers in the order of the messages, so a queue of what was sent
 * tells what each answer belongs to, which ones are ours and must not reach
 * the client ("hidden"), and when the connection owes nothing any more.  After
 * an error all is dropped up to the Sync that ends it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum expected_kind {
    EXPECTED_QUERY,    /* … ReadyForQuery */
    EXPECTED_PARSE,    /* ParseComplete */
    EXPECTED_BIND,     /* BindComplete */
    EXPECTED_DESCRIBE, /* [ParameterDescription] RowDescription or NoData */
    EXPECTED_EXECUTE,  /* … CommandComplete, EmptyQueryResponse or PortalSuspended */
    EXPECTED_CLOSE,    /* CloseComplete */
    EXPECTED_CALL,     /* FunctionCallResponse, ReadyForQuery */
    EXPECTED_SYNC,     /* ReadyForQuery */
    EXPECTED_COPY_END  /* nothing: the client's CopyDone or CopyFail was sent here */
};

struct expected {
    uint8_t kind;    /* enum expected_kind */
    bool is_hidden;  /* ours: the client sees nothing of its answers */
    bool is_copy_in; /* the server has asked for the client's data */
    uint16_t part;   /* which statement of a query string is running; session/names has its own */
    void *object;    /* what it is about; its owner frees it when it is taken out */
};

struct expected_queue {
    struct expected *ring; /* owned; a power of two, or NULL while nothing was ever owed */
    uint32_t capacity, first, count;
};

void expected_done(struct expected_queue *queue); /* the objects are the owner's */

/* False when out of memory.  The entry is valid until the next push. */
[[nodiscard]] struct expected *expected_push(struct expected_queue *queue, enum expected_kind kind,
                                             bool is_hidden, void *object);

/* NULL when nothing is owed. */
[[nodiscard]] struct expected *expected_first(struct expected_queue *queue);

/* Entry `index` from the front, index < count. */
[[nodiscard]] struct expected *expected_at(struct expected_queue *queue, uint32_t index);
void expected_pop(struct expected_queue *queue);

/* Takes out entry `index`. */
void expected_remove(struct expected_queue *queue, uint32_t index);
