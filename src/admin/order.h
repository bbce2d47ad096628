/* admin/order: what an operator orders the pools of one worker to do.
 *
 * PAUSE, RESUME, RECONNECT, KILL, DISABLE, ENABLE and the waiting for their
 * end.  Runs in the worker's thread; the console sends it to each of them.
 */
#pragma once

#include "admin/query.h"
#include "admin/rows.h"
#include "session/session.h"

struct order {
    enum query_kind kind;
    bool is_question;               /* only look how far it is */
    char database[TOKEN_NAME_SIZE]; /* "": all */
};

extern const struct column order_columns[3];

/* For a gather; `argument` is a struct order.  One row: connections that it still waits for,
 * databases that are no longer held back, failures for lack of memory. */
void order_collect(struct hall *hall, const void *argument, struct rows *rows);
