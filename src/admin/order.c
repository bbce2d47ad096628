#include "admin/order.h"

#include <string.h>

#include "backend/backend.h"
#include "backend/pool.h"
#include "backend/server.h"

const struct column order_columns[3] = {
    {"left", COLUMN_INT8, MERGE_SUM, "Server connections that must end first."},
    {"resumed", COLUMN_INT8, MERGE_SUM, "Workers in which it's no longer held back."},
    {"failed", COLUMN_INT8, MERGE_SUM, "Workers that had no memory for it."},
};

static bool is_meant(const struct order *order, const char *database)
{
    return order->database[0] == '\0' || strcmp(order->database, database) == 0;
}

static bool is_paused(const struct hall *hall, const struct order *order)
{
    return order->database[0] == '\0' ? hall->backend.holds.all_paused
                                      : holds_is_paused(&hall->backend.holds, order->database);
}

static bool set_paused(struct hall *hall, const struct order *order, bool is_to_pause)
{
    struct holds *holds = &hall->backend.holds;

    if (order->database[0] == '\0') {
        holds->all_paused = is_to_pause;
        return true;
    }
    return holds_pause(holds, order->database, is_to_pause);
}

/* ---- pools ---- */

static void each_pool(struct hall *hall, const struct order *order, void (*run)(struct pool *pool))
{
    for (struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        struct pool *pool = LIST_MEMBER(link, struct pool, link);
        if (is_meant(order, pool->database)) {
            run(pool);
        }
    }
}

static void pause_pool(struct pool *pool)
{
    pool->is_paused = true;
    pool_reconnect(pool, "PAUSE");
}

static void resume_pool(struct pool *pool)
{
    pool->is_paused = holds_is_paused(&pool->backend->holds, pool->database);
    pool_serve(pool);
}

static void reconnect_pool(struct pool *pool)
{
    pool_reconnect(pool, "RECONNECT");
}

static size_t doomed_in(const struct list *list)
{
    size_t count = 0;
    for (struct list_link *link = list_first(list); link != NULL; link = list_next(list, link)) {
        count += LIST_MEMBER(link, struct server, link)->is_doomed;
    }
    return count;
}

/* What PAUSE and WAIT_CLOSE wait for. */
static size_t count_left(struct hall *hall, const struct order *order)
{
    size_t count = 0;

    for (struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        const struct pool *pool = LIST_MEMBER(link, struct pool, link);
        if (!is_meant(order, pool->database)) {
            continue;
        }
        /* The quota also counts those on their way between two workers; it's the same in each of
         * them: what matters is that it becomes 0. */
        count += order->kind == QUERY_WAIT_CLOSE ? doomed_in(&pool->lists[SERVER_USED]) +
                                                       doomed_in(&pool->lists[SERVER_CLEANING])
                                                 : (size_t)atomic_load(&pool->quota->count);
    }
    return count;
}

/* ---- KILL ---- */

/* The end of one session may be that of others: begins anew where the list has changed. */
static struct session *victim(struct hall *hall, const struct order *order)
{
    for (struct list_link *link = list_first(&hall->sessions); link != NULL;
         link = list_next(&hall->sessions, link)) {
        struct session *session = LIST_MEMBER(link, struct session, link);
        if (session->pool != NULL && is_meant(order, session->pool->database)) {
            return session;
        }
    }
    return NULL;
}

static void kill_sessions(struct hall *hall, const struct order *order)
{
    struct session *session;

    while ((session = victim(hall, order)) != NULL) {
        struct error error = {0};
        error_set(&error, "57P01", "terminating connection due to administrator command");
        error_hint(&error, "KILL was given on the router's console");
        session_fail(session, &error);
    }
}

/* ---- all of them ---- */

static bool run(struct hall *hall, const struct order *order)
{
    switch (order->kind) {
    case QUERY_PAUSE:
        if (!set_paused(hall, order, true)) {
            return false;
        }
        each_pool(hall, order, pause_pool);
        return true;
    case QUERY_KILL:
        if (!set_paused(hall, order, true)) {
            return false;
        }
        each_pool(hall, order, pause_pool); /* first: nobody gets what the others give back */
        kill_sessions(hall, order);
        each_pool(hall, order, pause_pool);
        return true;
    case QUERY_RESUME:
        (void)set_paused(hall, order, false);
        each_pool(hall, order, resume_pool);
        return true;
    case QUERY_RECONNECT: each_pool(hall, order, reconnect_pool); return true;
    case QUERY_DISABLE: return holds_disable(&hall->backend.holds, order->database, true);
    case QUERY_ENABLE: return holds_disable(&hall->backend.holds, order->database, false);
    case QUERY_EMPTY:
    case QUERY_SHOW:
    case QUERY_SET:
    case QUERY_WAIT_CLOSE:
    case QUERY_RELOAD:
    case QUERY_SHUTDOWN:
    case QUERY_BEGIN:
    case QUERY_COMMIT:
    case QUERY_ROLLBACK: break;
    }
    return true;
}

void order_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    const struct order *order = argument;
    bool is_ok = order->is_question || run(hall, order);

    rows_number(rows, (int64_t)count_left(hall, order));
    rows_number(rows, !is_paused(hall, order));
    rows_number(rows, !is_ok);
}
