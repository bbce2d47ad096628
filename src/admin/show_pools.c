/* Pools, and what they belong to: databases, users, the number of all things. */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "admin/show_private.h"
#include "backend/server.h"

const struct column show_pools_columns[] = {
    {"database", COLUMN_TEXT, MERGE_KEY, "As clients call it."},
    {"user", COLUMN_TEXT, MERGE_KEY, "As clients call themselves."},
    {"cl_active", COLUMN_INT8, MERGE_SUM,
     "Clients that are linked to a server connection, or idle and wait for none."},
    {"cl_waiting", COLUMN_INT8, MERGE_SUM, "Clients that wait for a server connection."},
    {"cl_active_cancel_req", COLUMN_INT8, MERGE_SUM, "Cancel requests on their way to a server."},
    {"cl_waiting_cancel_req", COLUMN_INT8, MERGE_SUM,
     "0: cancel requests need no place in the pool; for PgBouncer's tools."},
    {"sv_active", COLUMN_INT8, MERGE_SUM, "Server connections that are linked to a client."},
    {"sv_active_cancel", COLUMN_INT8, MERGE_SUM,
     "Connections that carry a cancel request to a server."},
    {"sv_being_canceled", COLUMN_INT8, MERGE_SUM,
     "Server connections that nobody gets before a cancel request for them has ended."},
    {"sv_idle", COLUMN_INT8, MERGE_SUM, "Server connections that are free."},
    {"sv_used", COLUMN_INT8, MERGE_SUM,
     "0: a free connection is checked when a client needs it; for PgBouncer's tools."},
    {"sv_tested", COLUMN_INT8, MERGE_SUM,
     "Server connections that run a check, a reset or a rollback of ours."},
    {"sv_login", COLUMN_INT8, MERGE_SUM, "Server connections that are logging in."},
    {"maxwait", COLUMN_INT4, MERGE_MAX, "Seconds for which the oldest waiting client has waited."},
    {"maxwait_us", COLUMN_INT4, MERGE_MAX, "Microseconds of that, without the seconds."},
    {"pool_mode", COLUMN_TEXT, MERGE_FIRST, "`session`, `transaction` or `statement`."},
    {"cl_pinned", COLUMN_INT8, MERGE_SUM,
     "Clients that keep their server connection between transactions (SHOW PINS)."},
    {"last_error", COLUMN_TEXT, MERGE_FIRST,
     "Why the last login at the server failed; empty after a good one."},
};

const struct column show_databases_columns[] = {
    {"name", COLUMN_TEXT, MERGE_KEY,
     "As clients call it; those that the entry `*` serves once a client has asked for them."},
    {"host", COLUMN_TEXT, MERGE_FIRST, "Of the server."},
    {"port", COLUMN_INT4, MERGE_FIRST, "Of the server."},
    {"database", COLUMN_TEXT, MERGE_FIRST, "Its name on the server."},
    {"force_user", COLUMN_TEXT, MERGE_FIRST,
     "User for the server, whoever the client is; empty: the client's."},
    {"pool_size", COLUMN_INT4, MERGE_FIRST, "Server connections for each user."},
    {"min_pool_size", COLUMN_INT4, MERGE_FIRST, "Those that are kept open."},
    {"reserve_pool", COLUMN_INT4, MERGE_FIRST, "More of them for clients that wait for long."},
    {"pool_mode", COLUMN_TEXT, MERGE_FIRST, "Its own; empty: the setting's."},
    {"max_connections", COLUMN_INT4, MERGE_FIRST,
     "Server connections for all users together; 0: no limit."},
    {"current_connections", COLUMN_INT8, MERGE_SUM, "Server connections now."},
    {"paused", COLUMN_INT4, MERGE_MAX, "1: after PAUSE or KILL, until RESUME."},
    {"disabled", COLUMN_INT4, MERGE_MAX, "1: after DISABLE, until ENABLE."},
};

const struct column show_users_columns[] = {
    {"name", COLUMN_TEXT, MERGE_KEY,
     "A user of the auth file, of the configuration, or who has a pool."},
    {"pool_mode", COLUMN_TEXT, MERGE_FIRST, "Its own; empty: the database's."},
    {"max_user_connections", COLUMN_INT4, MERGE_FIRST,
     "Server connections over all databases; 0: no limit."},
    {"current_connections", COLUMN_INT8, MERGE_SUM, "Server connections now."},
};

const struct column show_lists_columns[] = {
    {"list", COLUMN_TEXT, MERGE_KEY, "What is counted."},
    {"items", COLUMN_INT8, MERGE_SUM, "How many there are."},
};

static const char *const mode_names[] = {"session", "transaction", "statement"};

static const struct pool *pool_of(const struct list_link *link)
{
    return (const struct pool *)(const void *)((const char *)link - offsetof(struct pool, link));
}

void show_merged(const struct admin *admin, struct hall *hall, struct rows *raw, struct rows *rows)
{
    (void)admin;
    (void)hall;
    rows_append(rows, raw);
    rows_merge(rows);
}

/* ---- pools ---- */

static void count_used(const struct pool *pool, int64_t *pinned, int64_t *canceled)
{
    for (struct list_link *link = list_first(&pool->lists[SERVER_USED]); link != NULL;
         link = list_next(&pool->lists[SERVER_USED], link)) {
        const struct server *server = LIST_MEMBER(link, struct server, link);
        const struct session *session = server->user;
        *pinned += session != NULL && session->pins != 0;
        *canceled += server->cancels > 0;
    }
}

static int64_t oldest_wait(const struct pool *pool)
{
    const struct list_link *link = list_first(&pool->waiters);
    const struct pool_waiter *waiter = (const struct pool_waiter *)(const void *)link;
    static_assert(offsetof(struct pool_waiter, link) == 0);
    return link == NULL ? 0 : (loop_now(pool->backend->loop) - waiter->since) / 1000;
}

void show_pools_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)argument;

    for (const struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        const struct pool *pool = pool_of(link);
        int64_t waiting = (int64_t)pool->waiters.count, pinned = 0, canceled = 0;
        count_used(pool, &pinned, &canceled);
        rows_text(rows, pool->database);
        rows_text(rows, pool->user);
        rows_number(rows, pool->client_count > waiting ? pool->client_count - waiting : 0);
        rows_number(rows, waiting);
        rows_number(rows, canceled);
        rows_number(rows, 0);
        rows_number(rows, SHOW_COUNT(pool, SERVER_USED));
        rows_number(rows, canceled);
        rows_number(rows, canceled);
        rows_number(rows, SHOW_COUNT(pool, SERVER_IDLE));
        rows_number(rows, 0);
        rows_number(rows, SHOW_COUNT(pool, SERVER_CLEANING));
        rows_number(rows, SHOW_COUNT(pool, SERVER_LOGIN));
        rows_number(rows, oldest_wait(pool)); /* µs, so that the longest of all workers is found */
        rows_number(rows, 0);
        rows_text(rows, mode_names[pool->mode]);
        rows_number(rows, pinned);
        rows_text(rows, pool->last_error.message);
    }
}

enum { COLUMN_MAXWAIT = 13, COLUMN_MAXWAIT_US = 14 };

void show_pools_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                       struct rows *rows)
{
    show_merged(admin, hall, raw, rows);
    for (size_t row = 0; row < rows_count(rows); row++) {
        struct cell *cells = &rows->cells[row * rows->column_count];
        int64_t waited = cells[COLUMN_MAXWAIT].number;
        cells[COLUMN_MAXWAIT].number = waited / 1000000;
        cells[COLUMN_MAXWAIT_US].number = waited % 1000000;
    }
}

/* ---- databases ---- */

static int64_t or_setting(int64_t own, int64_t setting)
{
    return own >= 0 ? own : setting;
}

static void put_database(struct rows *rows, const struct hall *hall,
                         const struct config_database *database, const char *name, int64_t count)
{
    const struct settings *settings = &hall->backend.config->settings;

    rows_text(rows, name);
    rows_text(rows, database->host);
    rows_number(rows, database->port);
    rows_text(rows, database->dbname[0] != '\0' ? database->dbname : name);
    rows_text(rows, database->user);
    rows_number(rows, or_setting(database->pool_size, settings->default_pool_size));
    rows_number(rows, or_setting(database->min_pool_size, settings->min_pool_size));
    rows_number(rows, or_setting(database->reserve_pool_size, settings->reserve_pool_size));
    rows_text(rows, database->pool_mode < 0 ? "" : mode_names[database->pool_mode]);
    rows_number(rows, or_setting(database->max_db_connections, settings->max_db_connections));
    rows_number(rows, count);
    rows_number(rows, holds_is_paused(&hall->backend.holds, name));
    rows_number(rows, holds_is_disabled(&hall->backend.holds, name));
}

void show_databases_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    const struct config *config = hall->backend.config;
    (void)argument;

    for (size_t i = 0; i < config->database_count; i++) {
        if (strcmp(config->databases[i].name, "*") != 0) {
            put_database(rows, hall, &config->databases[i], config->databases[i].name, 0);
        }
    }
    for (const struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        const struct pool *pool = pool_of(link);
        const struct config_database *database = config_database(config, pool->database);
        if (database != NULL) {
            put_database(rows, hall, database, pool->database, (int64_t)pool_server_count(pool));
        }
    }
}

/* ---- users ---- */

static void put_user(struct rows *rows, const struct config *config, const char *name,
                     int64_t count)
{
    const struct config_user *user = config_user(config, name);
    int64_t own = user == NULL ? -1 : user->max_user_connections;

    rows_text(rows, name);
    rows_text(rows, user == NULL || user->pool_mode < 0 ? "" : mode_names[user->pool_mode]);
    rows_number(rows, or_setting(own, config->settings.max_user_connections));
    rows_number(rows, count);
}

void show_users_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    const struct config *config = hall->backend.config;
    const struct auth_file *file = hall->backend.auth_file;
    (void)argument;

    for (size_t i = 0; file != NULL && hall->backend.worker == 0 && i < file->count; i++) {
        put_user(rows, config, file->users[i].name, 0);
    }
    for (size_t i = 0; hall->backend.worker == 0 && i < config->user_count; i++) {
        put_user(rows, config, config->users[i].name, 0);
    }
    for (const struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        const struct pool *pool = pool_of(link);
        put_user(rows, config, pool->user, (int64_t)pool_server_count(pool));
    }
}

/* ---- lists ---- */

static void put_item(struct rows *rows, const char *name, int64_t count)
{
    rows_text(rows, name);
    rows_number(rows, count);
}

static void put_pools(struct hall *hall, struct rows *rows)
{
    for (const struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        const struct pool *pool = pool_of(link);
        rows_textf(rows, "pool %s %s", pool->database, pool->user); /* counted once for all */
        rows_number(rows, 1);
        if (pool->addresses.count > 0 && pool->host[0] != '/') {
            rows_textf(rows, "host %s", pool->host);
            rows_number(rows, 1);
        }
        put_item(rows, "dns_queries", pool->question == NULL ? 0 : 1);
        put_item(rows, "free_servers", SHOW_COUNT(pool, SERVER_IDLE));
        put_item(rows, "used_servers",
                 (int64_t)pool_server_count(pool) - SHOW_COUNT(pool, SERVER_IDLE));
    }
}

void show_lists_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    const struct config *config = hall->backend.config;
    int64_t logging_in = 0;
    (void)argument;

    for (struct list_link *link = list_first(&hall->sessions); link != NULL;
         link = list_next(&hall->sessions, link)) {
        logging_in += LIST_MEMBER(link, struct session, link)->greet != NULL;
    }
    if (hall->backend.worker == 0) {
        put_item(rows, "databases", (int64_t)config->database_count);
        const struct auth_file *file = hall->backend.auth_file;
        put_item(rows, "users",
                 (int64_t)config->user_count + (int64_t)(file == NULL ? 0 : file->count));
        put_item(rows, "free_clients",
                 config->settings.max_client_conn - atomic_load(hall->client_count));
    }
    put_item(rows, "used_clients", (int64_t)hall->sessions.count - logging_in);
    put_item(rows, "login_clients", logging_in);
    put_pools(hall, rows);
}

static int64_t sum_of(const struct rows *rows, const char *name)
{
    int64_t sum = 0;
    for (size_t row = 0; row < rows_count(rows); row++) {
        if (strcmp(rows_at(rows, row, 0)->text, name) == 0) {
            sum += rows_at(rows, row, 1)->number;
        }
    }
    return sum;
}

static int64_t count_of(const struct rows *rows, const char *prefix)
{
    int64_t count = 0;
    for (size_t row = 0; row < rows_count(rows); row++) {
        count += strncmp(rows_at(rows, row, 0)->text, prefix, strlen(prefix)) == 0;
    }
    return count;
}

void show_lists_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                       struct rows *rows)
{
    static const char *const names[] = {"databases",    "users",        "pools",
                                        "free_clients", "used_clients", "login_clients",
                                        "free_servers", "used_servers", "dns_names",
                                        "dns_zones",    "dns_queries",  "dns_pending"};
    (void)admin;
    (void)hall;

    if (raw->has_failed) {
        return; /* a text may be missing; told as out of memory */
    }
    rows_merge(raw);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int64_t count = strcmp(names[i], "pools") == 0       ? count_of(raw, "pool ")
                        : strcmp(names[i], "dns_names") == 0 ? count_of(raw, "host ")
                                                             : sum_of(raw, names[i]);
        put_item(rows, names[i], count);
    }
}
