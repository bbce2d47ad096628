#include "backend/pool.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "backend/backend.h"
#include "base/clock.h"

enum {
    LOGIN_AT_ONCE_MAX = 8,         /* logins of one pool under way at a time */
    HISTOGRAM_MAX = 600 * 1000000, /* µs: ten minutes */
    TAKE_WAIT_LEAD = 2000000 /* ns by which another worker's waiter must be older to go first */
};

static struct server *server_of(struct list_link *link)
{
    return link == NULL ? NULL : LIST_MEMBER(link, struct server, link);
}

static struct pool_waiter *waiter_of(struct list_link *link)
{
    return link == NULL ? NULL : LIST_MEMBER(link, struct pool_waiter, link);
}

size_t pool_server_count(const struct pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < SERVER_STATE_COUNT; i++) {
        count += pool->lists[i].count;
    }
    return count;
}

/* ---- configuration ---- */

static int64_t first_set(int64_t a, int64_t b, int64_t c)
{
    return a >= 0 ? a : b >= 0 ? b : c;
}

static bool replace(char **to, const char *from)
{
    char *copy = strdup(from);
    if (copy == NULL) {
        return false;
    }
    free(*to);
    *to = copy;
    return true;
}

/* Whether they stand for one password; a SCRAM secret's client key may be known to one only. */
static bool is_same_secret(const struct credential *a, const struct credential *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind != CREDENTIAL_SCRAM) {
        return strcmp(a->text, b->text) == 0;
    }
    return a->scram.iterations == b->scram.iterations && a->scram.salt_size == b->scram.salt_size &&
           memcmp(a->scram.salt, b->scram.salt, a->scram.salt_size) == 0 &&
           memcmp(a->scram.stored_key, b->scram.stored_key, SCRAM_KEY_SIZE) == 0;
}

static void set_credential(struct pool *pool, const struct credential *credential)
{
    explicit_bzero(&pool->made_secret, sizeof pool->made_secret);
    pool->has_made_secret = false;
    pool->credential = *credential;
    pool->has_credential = true;
    pool->retry_at = 0;
}

void pool_learn(struct pool *pool, const struct credential *credential)
{
    bool is_known = pool->has_credential && is_same_secret(&pool->credential, credential) &&
                    (credential->kind != CREDENTIAL_SCRAM || pool->credential.scram.has_client_key);

    if (!is_known && pool->settings->password[0] == '\0') {
        set_credential(pool, credential);
        pool->is_learned = true;
    }
}

/* The credential for the servers: the database's own password, the auth file's of that user, or
 * what a client has logged in with. */
static void find_credential(struct pool *pool)
{
    const struct auth_file *file = pool->backend->auth_file;
    struct credential own = {0};
    struct error error = {0};

    if (pool->settings->password[0] != '\0') {
        pool->is_learned = false;
        pool->has_credential = false;
        if (credential_parse(pool->settings->password, &own, &error)) {
            set_credential(pool, &own);
        }
        credential_wipe(&own);
        return;
    }
    const struct auth_user *user = file == NULL ? NULL : auth_file_find(file, pool->server_user);
    if (user == NULL) {
        pool->has_credential = pool->has_credential && pool->is_learned;
        return;
    }
    if (!pool->has_credential || !is_same_secret(&pool->credential, &user->credential)) {
        set_credential(pool, &user->credential);
        pool->is_learned = false;
    }
}

static bool fill(struct pool *pool, struct config *config, struct error *err)
{
    const struct settings *settings = &config->settings;
    const struct config_database *database = config_database(config, pool->database);
    const struct config_user *user = config_user(config, pool->user);

    if (database == NULL) {
        return error_set(err, "3D000", "database \"%s\" does not exist", pool->database) ||
               error_hint(err, "it must be under databases: in the router's configuration");
    }
    const char *server_user = database->user[0] != '\0' ? database->user : pool->user;
    const char *dbname = database->dbname[0] != '\0' ? database->dbname : pool->database;
    if (!replace(&pool->host, database->host) || !replace(&pool->server_database, dbname) ||
        !replace(&pool->server_user, server_user)) {
        return error_set(err, "53200", "no memory for a pool");
    }
    config_release(pool->config);
    pool->config = config_share(config);
    pool->settings = database;
    pool->port = database->port;
    int64_t user_mode = user == NULL ? -1 : user->pool_mode;
    pool->mode = (enum pool_mode)first_set(user_mode, database->pool_mode, settings->pool_mode);
    if (pool->is_replication) {
        pool->mode = POOL_SESSION;
    }
    pool->size = first_set(user == NULL ? -1 : user->pool_size, database->pool_size,
                           settings->default_pool_size);
    pool->size_min = first_set(database->min_pool_size, settings->min_pool_size, 0);
    pool->size_reserve = first_set(database->reserve_pool_size, settings->reserve_pool_size, 0);
    find_credential(pool);
    return true;
}

struct pool *pool_create(struct backend *backend, const char *database, const char *user,
                         bool is_replication, struct error *err)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL || !replace(&pool->database, database) || !replace(&pool->user, user) ||
        !histogram_init(&pool->wait_histogram, HISTOGRAM_MAX) ||
        !histogram_init(&pool->query_histogram, HISTOGRAM_MAX)) {
        error_set(err, "53200", "no memory for a pool");
        pool_destroy(pool);
        return NULL;
    }
    pool->backend = backend;
    pool->is_replication = is_replication;
    pool->forced_mode = -1;
    pool->is_paused = holds_is_paused(&backend->holds, database);
    pool->newer_at = pool->older_at = loop_now(backend->loop);
    for (size_t i = 0; i < SERVER_STATE_COUNT; i++) {
        list_init(&pool->lists[i]);
    }
    list_init(&pool->waiters);
    if (!fill(pool, backend->config, err)) {
        pool_destroy(pool);
        return NULL;
    }
    pool->quota = quota_get(backend->quotas, is_replication ? 'r' : 'p', database, user);
    pool->database_quota = quota_get(backend->quotas, 'd', database, "");
    pool->user_quota = quota_get(backend->quotas, 'u', "", user);
    if (pool->quota == NULL || pool->database_quota == NULL || pool->user_quota == NULL) {
        error_set(err, "53200", "no memory for a pool");
        pool_destroy(pool);
        return NULL;
    }
    list_push_last(&backend->pools, &pool->link);
    return pool;
}

struct pool *pool_find(struct backend *backend, const char *database, const char *user,
                       bool is_replication)
{
    for (struct list_link *link = list_first(&backend->pools); link != NULL;
         link = list_next(&backend->pools, link)) {
        struct pool *pool = LIST_MEMBER(link, struct pool, link);
        if (pool->is_replication == is_replication && strcmp(pool->database, database) == 0 &&
            strcmp(pool->user, user) == 0) {
            return pool;
        }
    }
    return NULL;
}

void pool_forget_greetings(struct pool *pool)
{
    for (size_t i = 0; i < POOL_GREETING_MAX; i++) {
        variables_release(pool->greetings[i].initial);
        variables_release(pool->greetings[i].told);
        pool->greetings[i] = (struct pool_greeting){0};
    }
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pool->is_disabled = true; /* nothing new while we close */
    if (pool->question != NULL) {
        resolver_drop(pool->question);
    }
    for (size_t i = 0; i < SERVER_STATE_COUNT && pool->backend != NULL; i++) {
        while (!list_is_empty(&pool->lists[i])) {
            server_close(server_of(list_first(&pool->lists[i])), "the pool ends");
        }
    }
    if (list_contains_link(&pool->link)) {
        list_remove(&pool->backend->pools, &pool->link);
    }
    pool_forget_greetings(pool);
    variables_release(pool->welcome);
    credential_wipe(&pool->credential);
    explicit_bzero(&pool->made_secret, sizeof pool->made_secret);
    histogram_done(&pool->wait_histogram);
    histogram_done(&pool->query_histogram);
    config_release(pool->config);
    free(pool->database);
    free(pool->user);
    free(pool->host);
    free(pool->server_database);
    free(pool->server_user);
    free(pool);
}

/* ---- addresses ---- */

const struct address *pool_address(const struct pool *pool)
{
    assert(pool->address_at < pool->addresses.count);
    return &pool->addresses.all[pool->address_at];
}

static bool has_address(const struct address_list *list, const struct address *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->all[i].size == address->size &&
            memcmp(&list->all[i].bytes, &address->bytes, address->size) == 0) {
            return true;
        }
    }
    return false;
}

void pool_resolved(struct pool *pool, const struct address_list *addresses,
                   const struct error *error)
{
    pool->question = NULL;
    pool->resolved_at = loop_now(pool->backend->loop);
    if (error != NULL) {
        if (pool->addresses.count == 0) { /* an old address is better than none */
            pool->last_error = *error;
            pool->retry_at = pool->resolved_at + pool->config->settings.server_login_retry;
        }
        return;
    }
    bool is_other = pool->addresses.count > 0 && !has_address(addresses, pool_address(pool));
    pool->addresses = *addresses;
    pool->address_at = 0;
    if (is_other) {
        pool_reconnect(pool, "its host has another address now");
    }
    pool_serve(pool);
}

/* ---- opening ---- */

enum opening { OPENED, OPEN_LATER, POOL_IS_FULL, DATABASE_IS_FULL, USER_IS_FULL };

/* Whether another connection may be opened; then it's counted. */
static enum opening take_quotas(struct pool *pool, int64_t size)
{
    const struct settings *settings = &pool->config->settings;
    int64_t database_max =
        first_set(pool->settings->max_db_connections, settings->max_db_connections, 0);

    if (!quota_take(pool->quota, size)) {
        return POOL_IS_FULL;
    }
    if (!quota_take(pool->database_quota, database_max)) {
        quota_give(pool->quota);
        return DATABASE_IS_FULL;
    }
    if (!quota_take(pool->user_quota, settings->max_user_connections)) {
        quota_give(pool->quota);
        quota_give(pool->database_quota);
        return USER_IS_FULL;
    }
    return OPENED;
}

static void give_quotas(struct pool *pool)
{
    quota_give(pool->quota);
    quota_give(pool->database_quota);
    quota_give(pool->user_quota);
}

static enum opening open_one(struct pool *pool, int64_t size, struct variables *startup)
{
    struct error error = {0};

    if (pool->is_disabled || pool->addresses.count == 0 ||
        pool->retry_at > loop_now(pool->backend->loop)) {
        return OPEN_LATER;
    }
    enum opening opening = take_quotas(pool, size);
    if (opening != OPENED) {
        return opening;
    }
    if (server_connect(pool, startup, &error) == NULL) {
        give_quotas(pool);
        pool->last_error = error;
        pool->retry_at = loop_now(pool->backend->loop) + pool->config->settings.server_login_retry;
        pool->stats.login_failures++;
        return OPEN_LATER;
    }
    return OPENED;
}

/* An idle connection of another pool of this database makes room, when only the database's limit is
 * in the way. */
static bool evict_other(struct pool *pool)
{
    for (struct list_link *link = list_first(&pool->backend->pools); link != NULL;
         link = list_next(&pool->backend->pools, link)) {
        struct pool *other = LIST_MEMBER(link, struct pool, link);
        if (other != pool && other->database_quota == pool->database_quota &&
            list_is_empty(&other->waiters) && !list_is_empty(&other->lists[SERVER_IDLE]) &&
            pool_server_count(other) > (size_t)other->size_min) {
            server_close(server_of(other->lists[SERVER_IDLE].head.previous),
                         "another user of its database needs it more");
            return true;
        }
    }
    return false;
}

/* An idle connection that was started otherwise than the waiters need makes room. */
static bool evict_misfit(struct pool *pool)
{
    if (list_is_empty(&pool->lists[SERVER_IDLE])) {
        return false;
    }
    server_close(server_of(pool->lists[SERVER_IDLE].head.previous),
                 "a client with other startup parameters needs the place");
    return true;
}

/* Opens one, in the place of an idle one if only a limit is in the way. */
static bool open_or_replace(struct pool *pool, int64_t size, struct variables *startup)
{
    enum opening opening = open_one(pool, size, startup);

    if (opening == OPENED || opening == OPEN_LATER) {
        return opening == OPENED;
    }
    return (evict_misfit(pool) || (opening == DATABASE_IS_FULL && evict_other(pool))) &&
           open_one(pool, size, startup) == OPENED;
}

static void grow(struct pool *pool)
{
    struct list_link *link = list_first(&pool->waiters);
    size_t opening = pool->lists[SERVER_LOGIN].count + pool->lists[SERVER_CLEANING].count;
    int64_t size = pool->size;

    if (link == NULL || pool->is_paused) {
        return;
    }
    if (pool->addresses.count == 0 && pool->question == NULL &&
        pool->retry_at <= loop_now(pool->backend->loop)) {
        pool->backend->resolve(pool->backend, pool);
    }
    int64_t reserve_after = pool->config->settings.reserve_pool_timeout;
    int64_t waited = loop_now(pool->backend->loop) - waiter_of(link)->since;
    if (pool->size_reserve > 0 && waited >= reserve_after) {
        size += pool->size_reserve;
    }
    if (pool->is_growing) {
        return; /* a connection that made room told of its end */
    }
    pool->is_growing = true;
    while (link != NULL && opening < pool->waiters.count && opening < LOGIN_AT_ONCE_MAX) {
        struct variables *startup = waiter_of(link)->startup;
        if (!open_or_replace(pool, size, startup)) {
            break;
        }
        opening++;
        link = list_next(&pool->waiters, link);
    }
    pool->is_growing = false;
}

/* ---- taking and giving ---- */

static void publish(struct pool *pool)
{
    if (pool->backend->worker_count < 2) {
        return;
    }
    struct quota_slot *slot = &pool->quota->slots[pool->backend->worker];
    struct list_link *first = list_first(&pool->waiters);
    atomic_store_explicit(&slot->waiting_since, first == NULL ? 0 : waiter_of(first)->since,
                          memory_order_relaxed);
    atomic_store_explicit(&slot->idle, (int)pool->lists[SERVER_IDLE].count, memory_order_relaxed);
}

static void move(struct server *server, enum server_state state)
{
    struct pool *pool = server->pool;
    list_remove(&pool->lists[server->state], &server->link);
    server->state = state;
    list_push_first(&pool->lists[state], &server->link);
}

static bool fits(const struct pool_waiter *waiter, const struct server *server)
{
    return waiter->is_any_startup || waiter->startup == server->startup;
}

/* An idle server for the waiter; NULL: none. */
static struct server *find_idle(struct pool *pool, const struct pool_waiter *waiter)
{
    struct list *idle = &pool->lists[SERVER_IDLE];
    bool is_robin = pool->config->settings.server_round_robin;
    struct list_link *link = is_robin ? idle->head.previous : list_first(idle);

    for (size_t i = idle->count; i > 0; i--) {
        struct server *server = server_of(link);
        if (fits(waiter, server)) {
            return server;
        }
        link = is_robin ? link->previous : link->next;
    }
    return NULL;
}

static bool needs_check(const struct server *server, int64_t now)
{
    const struct settings *settings = &server->pool->config->settings;
    return settings->server_check_query[0] != '\0' && settings->server_check_delay > 0 &&
           now - server->used_at > settings->server_check_delay;
}

static struct server *take_idle(struct pool *pool, const struct pool_waiter *waiter)
{
    int64_t now = loop_now(pool->backend->loop);
    struct server *server = pool->is_paused ? NULL : find_idle(pool, waiter);

    while (server != NULL && needs_check(server, now)) {
        server_clean(server, pool->config->settings.server_check_query, NULL,
                     pool->config->settings.server_connect_timeout);
        server = find_idle(pool, waiter);
    }
    if (server != NULL) {
        move(server, SERVER_USED);
        server->used_at = now;
        server->use_count++;
    }
    return server;
}

struct server *pool_take(struct pool *pool, struct pool_waiter *waiter)
{
    assert(!list_contains_link(&waiter->link));
    waiter->since = loop_now(pool->backend->loop);
    if (list_is_empty(&pool->waiters)) {
        struct server *server = take_idle(pool, waiter);
        if (server != NULL) {
            publish(pool);
            return server;
        }
    }
    list_push_last(&pool->waiters, &waiter->link);
    pool->stats.waits++;
    grow(pool);
    publish(pool);
    if (pool->backend->worker_count > 1) {
        pool->backend->ask_for(pool->backend, pool);
    }
    return NULL;
}

void pool_stop_waiting(struct pool *pool, struct pool_waiter *waiter)
{
    if (list_contains_link(&waiter->link)) {
        list_remove(&pool->waiters, &waiter->link);
        publish(pool);
    }
}

/* The other worker whose oldest waiter is older than ours, by enough to be worth the way; or -1. */
static int older_elsewhere(struct pool *pool)
{
    struct list_link *first = list_first(&pool->waiters);
    int64_t best = first == NULL ? INT64_MAX : waiter_of(first)->since - TAKE_WAIT_LEAD;
    int worker = -1;

    for (unsigned i = 0; i < pool->backend->worker_count; i++) {
        int64_t since =
            atomic_load_explicit(&pool->quota->slots[i].waiting_since, memory_order_relaxed);
        if (i != pool->backend->worker && since != 0 && since < best) {
            best = since;
            worker = (int)i;
        }
    }
    return worker;
}

static bool hand_over(struct server *server)
{
    struct pool *pool = server->pool;
    int worker = pool->backend->worker_count > 1 ? older_elsewhere(pool) : -1;

    if (worker < 0 || server->startup != NULL || buffer_size(&server->in) > 0) {
        return false; /* a session's own startup is that of a session here */
    }
    /* So that the next one given back here does not go to the same waiter. */
    atomic_store_explicit(&pool->quota->slots[worker].waiting_since, 0, memory_order_relaxed);
    list_remove(&pool->lists[server->state], &server->link);
    pool->backend->hand_over(pool->backend, (unsigned)worker, server);
    return true;
}

void pool_serve(struct pool *pool)
{
    if (pool->is_serving) {
        return; /* a waiter that was just served gave back at once: the loop below goes on */
    }
    pool->is_serving = true;
    for (;;) {
        struct pool_waiter *waiter = waiter_of(list_first(&pool->waiters));
        struct server *server = waiter == NULL ? NULL : take_idle(pool, waiter);
        if (server == NULL) {
            break;
        }
        list_remove(&pool->waiters, &waiter->link);
        int64_t waited = loop_now(pool->backend->loop) - waiter->since;
        pool->stats.wait_us += (uint64_t)(waited / 1000);
        histogram_record(&pool->wait_histogram, waited / 1000);
        waiter->on_server(waiter, server, NULL);
    }
    pool->is_serving = false;
    grow(pool);
    publish(pool);
}

static bool is_old(const struct server *server, int64_t now)
{
    int64_t lifetime = server->pool->config->settings.server_lifetime;
    return lifetime > 0 && now - server->connected_at > lifetime;
}

static void go_idle(struct server *server)
{
    struct pool *pool = server->pool;
    int64_t now = loop_now(pool->backend->loop);

    server->user = NULL;
    if (server->is_doomed) {
        server_close(server, server->doom);
        return;
    }
    if (is_old(server, now)) {
        server_close(server, "server_lifetime");
        return;
    }
    if (pool->is_disabled && list_is_empty(&pool->waiters)) {
        server_close(server, "the database is disabled");
        return;
    }
    if (pool->is_paused) { /* it came from another worker, or was clean too late */
        server_close(server, "PAUSE");
        return;
    }
    server->used_at = now;
    if (server->pool->backend->worker_count > 1 && hand_over(server)) {
        return;
    }
    move(server, SERVER_IDLE);
    pool_serve(pool);
}

void pool_give_back(struct server *server)
{
    assert(server->expected.count == 0 && server->status == 'I');
    go_idle(server);
}

void pool_server_ready(struct server *server)
{
    struct pool *pool = server->pool;

    if (server->state == SERVER_LOGIN) {
        pool->stats.logins++;
        pool->last_error = (struct error){0};
        pool->retry_at = 0;
        if (!pool->has_welcome || pool->welcome != server->parameters) {
            variables_release(pool->welcome);
            pool->welcome = variables_share(server->parameters);
            pool->has_welcome = true;
            pool_forget_greetings(pool);
        }
        if (pool->settings->connect_query[0] != '\0') {
            server_clean(server, pool->settings->connect_query, NULL,
                         pool->config->settings.server_connect_timeout);
            return;
        }
    }
    go_idle(server);
}

/* Whether trying again can't help: the names or the password are wrong. */
static bool is_final(const char *sqlstate)
{
    return strncmp(sqlstate, "28", 2) == 0 || strncmp(sqlstate, "3D", 2) == 0 ||
           strncmp(sqlstate, "42", 2) == 0 || strncmp(sqlstate, "22", 2) == 0;
}

static void refuse_waiters(struct pool *pool, const struct error *why)
{
    while (!list_is_empty(&pool->waiters)) {
        struct pool_waiter *waiter = waiter_of(list_pop_first(&pool->waiters));
        waiter->on_server(waiter, NULL, why);
    }
    publish(pool);
}

void pool_server_failed(struct server *server, const struct error *error)
{
    struct pool *pool = server->pool;
    struct log_context context = {.log = pool->backend->log, .node = pool->host};
    struct error why = *error;
    enum tls_mode other = TLS_DISABLE;

    if (pool->forced_mode < 0 && server->login != NULL && login_other_mode(server->login, &other)) {
        pool->forced_mode = other; /* the second attempt that sslmode asks for, at once */
        server_close(server, "login failed, the other way of sslmode is tried");
        pool_serve(pool);
        return;
    }
    pool->forced_mode = -1;
    log_event(LOG_WARN, &context, "server_login_failed",
              "database=%s user=%s port=%d sqlstate=%s error=\"%s\"", pool->database, pool->user,
              (int)pool->port, why.sqlstate, why.message);
    pool->last_error = why;
    pool->stats.login_failures++;
    if (strncmp(why.sqlstate, "08", 2) == 0) { /* the host may have another address that answers */
        pool->address_at = (pool->address_at + 1) % pool->addresses.count;
    }
    pool->retry_at = loop_now(pool->backend->loop) + pool->config->settings.server_login_retry;
    server_close(server, "login failed");
    if (is_final(why.sqlstate) && list_is_empty(&pool->lists[SERVER_USED]) &&
        list_is_empty(&pool->lists[SERVER_IDLE])) {
        refuse_waiters(pool, &why);
    }
}

void pool_server_gone(struct pool *pool)
{
    give_quotas(pool);
    if (pool->is_serving || pool->is_growing || pool->is_disabled) {
        return;
    }
    grow(pool);
    publish(pool);
}

/* ---- upkeep ---- */

static void end_long_waits(struct pool *pool, int64_t now)
{
    int64_t limit = pool->config->settings.query_wait_timeout;

    while (limit > 0 && !list_is_empty(&pool->waiters)) {
        struct pool_waiter *waiter = waiter_of(list_first(&pool->waiters));
        if (now - waiter->since < limit) {
            return;
        }
        struct error error = {0};
        error_set(&error, "53300", "no server connection became free within query_wait_timeout");
        if (error_is_set(&pool->last_error)) {
            memcpy(error.sqlstate, pool->last_error.sqlstate, sizeof error.sqlstate);
            snprintf(error.message, sizeof error.message, "%.350s", pool->last_error.message);
        }
        error_hint(&error, "pool %s/%s: %zu in use of %d", pool->database, pool->user,
                   pool->lists[SERVER_USED].count, (int)pool->size);
        list_remove(&pool->waiters, &waiter->link);
        waiter->on_server(waiter, NULL, &error);
    }
}

static void retire_idle(struct pool *pool, int64_t now)
{
    int64_t limit = pool->config->settings.server_idle_timeout;
    struct list *idle = &pool->lists[SERVER_IDLE];
    struct list_link *link = list_is_empty(idle) ? NULL : idle->head.previous;

    pool->is_growing = true; /* else who waits might close the next one to make room */
    for (size_t i = idle->count; i > 0 && link != NULL; i--) {
        struct server *server = server_of(link);
        link = link->previous;
        if (is_old(server, now)) {
            server_close(server, "server_lifetime");
        } else if (limit > 0 && now - server->used_at > limit &&
                   pool_server_count(pool) > (size_t)pool->size_min) {
            server_close(server, "server_idle_timeout");
        }
    }
    pool->is_growing = false;
}

static void keep_minimum(struct pool *pool)
{
    size_t count = pool_server_count(pool);

    while (!pool->is_replication && !pool->is_paused && !pool->backend->is_draining &&
           pool->client_count > 0 && count < (size_t)pool->size_min &&
           pool->lists[SERVER_LOGIN].count < LOGIN_AT_ONCE_MAX &&
           open_one(pool, pool->size, NULL) == OPENED) {
        count++;
    }
}

/* What averages are taken from; without a stats_period they are over the pool's whole life. */
static void note_stats(struct pool *pool, int64_t now)
{
    int64_t period = pool->config->settings.stats_period;

    if (period > 0 && now - pool->newer_at >= period) {
        pool->older_stats = pool->newer_stats;
        pool->older_at = pool->newer_at;
        pool->newer_stats = pool->stats;
        pool->newer_at = now;
    }
}

void pool_maintain(struct pool *pool, int64_t now)
{
    note_stats(pool, now);
    end_long_waits(pool, now);
    retire_idle(pool, now);
    keep_minimum(pool);
    int64_t dns_ttl = pool->config->settings.dns_max_ttl;
    if (pool->addresses.count > 0 && pool->question == NULL && dns_ttl > 0 &&
        now - pool->resolved_at > dns_ttl) {
        pool->backend->resolve(pool->backend, pool);
    }
    pool_serve(pool);
}

void pool_reconnect(struct pool *pool, const char *reason)
{
    for (struct list_link *link = list_first(&pool->lists[SERVER_USED]); link != NULL;
         link = list_next(&pool->lists[SERVER_USED], link)) {
        server_of(link)->is_doomed = true;
        server_of(link)->doom = reason;
    }
    for (struct list_link *link = list_first(&pool->lists[SERVER_CLEANING]); link != NULL;
         link = list_next(&pool->lists[SERVER_CLEANING], link)) {
        server_of(link)->is_doomed = true;
        server_of(link)->doom = reason;
    }
    bool was_growing = pool->is_growing;
    pool->is_growing = true; /* else waiters have a new one opened for each that is closed */
    while (!list_is_empty(&pool->lists[SERVER_LOGIN])) {
        server_close(server_of(list_first(&pool->lists[SERVER_LOGIN])), reason);
    }
    while (!list_is_empty(&pool->lists[SERVER_IDLE])) {
        server_close(server_of(list_first(&pool->lists[SERVER_IDLE])), reason);
    }
    pool->is_growing = was_growing;
    pool_serve(pool);
}

void pool_configure(struct pool *pool, struct config *config)
{
    struct error error = {0};
    char *old_host = strdup(pool->host), *old_database = strdup(pool->server_database);
    char *old_user = strdup(pool->server_user);
    int64_t old_port = pool->port;

    if (!fill(pool, config, &error)) {
        if (strcmp(error.sqlstate, "3D000") == 0) {
            pool->is_disabled = true; /* taken out of the configuration */
            pool_reconnect(pool, "its database was taken out of the configuration");
            refuse_waiters(pool, &error);
        }
    } else if (old_host == NULL || old_database == NULL || old_user == NULL ||
               strcmp(old_host, pool->host) != 0 || old_port != pool->port ||
               strcmp(old_database, pool->server_database) != 0 ||
               strcmp(old_user, pool->server_user) != 0) {
        pool->addresses.count = 0;
        pool->address_at = 0;
        pool->retry_at = 0;
        pool_reconnect(pool, "its configuration has changed");
    }
    free(old_host);
    free(old_database);
    free(old_user);
    pool_serve(pool);
}

/* ---- between workers ---- */

void pool_keep(struct server *server)
{
    struct pool *pool = server->pool;
    server->state = SERVER_IDLE;
    list_push_first(&pool->lists[SERVER_IDLE], &server->link);
    pool_serve(pool);
}

void pool_spare(struct pool *pool)
{
    if (list_is_empty(&pool->waiters) && !list_is_empty(&pool->lists[SERVER_IDLE])) {
        (void)hand_over(server_of(pool->lists[SERVER_IDLE].head.previous));
        publish(pool);
    }
}

void pool_depart(struct server *server)
{
    loop_cancel(server->pool->backend->loop, &server->deadline);
    stream_leave(&server->stream);
    server->has_plans = server->plans.order.count > 0;
    server->has_settings = server->settings != NULL;
    server_forget(server);
    variables_release(server->parameters);
    server->parameters = NULL;
    server->pool = NULL;
}

/* Reads what it came with into this thread's tables. */
static bool take_in(struct pool *pool, struct server *server, const char *parameters, size_t size)
{
    struct error error = {0};

    server->pool = pool;
    server->in.pool = loop_buffers(pool->backend->loop);
    for (const char *name = parameters; name < parameters + size;) {
        const char *value = name + strlen(name) + 1;
        if (!variables_put(pool->backend->variables, &server->parameters, name, value)) {
            return false;
        }
        name = value + strlen(value) + 1;
    }
    return stream_join(&server->stream, pool->backend->loop, &error);
}

void pool_arrive(struct pool *pool, struct server *server, const char *parameters, size_t size)
{
    enum { CLEAN_LIMIT = 5 }; /* seconds */

    assert(pool != NULL); /* it asked, so it is there; pools live as long as their worker */
    bool is_ok = take_in(pool, server, parameters, size);
    server->state = SERVER_USED;
    list_push_first(&pool->lists[SERVER_USED], &server->link);
    if (!is_ok) {
        server_close(server, "it could not be taken over from another worker");
        return;
    }
    if (server->has_plans || server->has_settings) {
        server_clean(server, "DISCARD ALL", NULL, CLEAN_LIMIT * CLOCK_SECOND);
        return;
    }
    go_idle(server);
}
