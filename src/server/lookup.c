#include "server/lookup.h"

#include <stdio.h>
#include <string.h>

#include "backend/ask.h"
#include "server/worker.h"

enum {
    SOURCE_SIZE = 512,
    POOLS_MAX = 256 /* of a worker, up to which somebody who isn't logged in can make another */
};

static const char from_file[] = "auth_file"; /* the source of credentials, for the cache */

/* ---- addresses ---- */

static void on_address(void *self, const struct address_list *addresses, const struct error *err)
{
    pool_resolved(self, addresses, err);
}

void lookup_address(struct backend *backend, struct pool *pool)
{
    struct worker *worker = backend->host;
    const struct resolver_asker asker = {.on_answer = on_address, .self = pool};
    struct address_list addresses;
    struct error error = {0};

    switch (resolver_ask(worker->resolver, pool->host, (unsigned)pool->port, &asker, &addresses,
                         &pool->question, &error)) {
    case RESOLVER_NOW: pool_resolved(pool, &addresses, NULL); return;
    case RESOLVER_LATER: return;
    case RESOLVER_REFUSED: pool_resolved(pool, NULL, &error); return;
    }
}

/* ---- which auth_query ---- */

struct query {
    const char *user, *sql, *database; /* who runs it, and where; borrowed from the configuration */
    bool is_open_to_all;               /* the client chose the database's name */
    char source[SOURCE_SIZE];          /* for the cache */
};

static const char *first_set(const char *a, const char *b, const char *c)
{
    return a[0] != '\0' ? a : b[0] != '\0' ? b : c;
}

/* The one that knows the session's user; false: there is none. */
static bool find_query(const struct session *session, struct query *query)
{
    const struct config *config = session->hall->backend.config;
    const struct settings *settings = &config->settings;
    const char *name = greet_startup(session->greet)->database;
    const struct config_database *database =
        session_is_console(name) ? NULL : config_database(config, name);

    if (database == NULL) { /* the console has no server of its own; other names are wrong */
        query->user = settings->auth_user;
        query->sql = settings->auth_query;
        query->database = settings->auth_dbname;
        query->is_open_to_all = false;
        snprintf(query->source, sizeof query->source, "auth_query");
        return session_is_console(name) && query->user[0] != '\0' && query->database[0] != '\0';
    }
    query->user = first_set(database->auth_user, settings->auth_user, "");
    query->sql = first_set(database->auth_query, settings->auth_query, "");
    query->database = first_set(database->auth_dbname, settings->auth_dbname, name);
    query->is_open_to_all = query->database == name && strcmp(database->name, "*") == 0;
    int size = snprintf(query->source, sizeof query->source, "auth_query %s %s", database->name,
                        query->database);
    return query->user[0] != '\0' && (size_t)size < sizeof query->source;
}

/* ---- what it answers ---- */

/* The client isn't told where we look, nor why that fails: it's nobody yet. */
static void refuse(struct session *session, const struct error *why)
{
    static const char passed_on[][3] = {"08", "53", "57"}; /* it may come back later */
    const struct startup *startup = greet_startup(session->greet);
    struct log_context context = {.log = session->hall->backend.log, .session_id = session->id};
    struct error told = {0};
    const char *sqlstate = "58000";

    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) {
        sqlstate = strncmp(why->sqlstate, passed_on[i], 2) == 0 ? why->sqlstate : sqlstate;
    }
    log_event(LOG_ERROR, &context, "auth_query_failed",
              "database=%s user=%s sqlstate=%s error=\"%s\"", startup->database, startup->user,
              why->sqlstate, why->message);
    error_set(&told, sqlstate, "the password of user \"%.63s\" can't be looked up now",
              startup->user);
    session_credential(session, NULL, &told);
}

static const struct credential *keep(struct session *session, const struct query *query,
                                     const char *const *row, struct error *err)
{
    struct worker *worker = session->hall->host;
    const char *user = greet_startup(session->greet)->user;
    struct credential credential = {0};
    const struct credential *kept = NULL;

    if (row[0] == NULL || strcmp(row[0], user) != 0) {
        error_set(err, "22023", "the answer is about another user");
        return NULL;
    }
    if (credential_parse(row[1] == NULL ? "" : row[1], &credential, err)) {
        kept = auth_cache_put(worker->auth_cache, query->source, user, &credential,
                              loop_now(worker->loop), err);
    }
    credential_wipe(&credential);
    return kept;
}

static void on_answer(void *owner, const char *const *row, const struct error *err)
{
    struct session *session = owner;
    struct worker *worker = session->hall->host;
    struct query query;
    struct error error = {0};

    session->lookup = NULL;
    if (err != NULL) {
        refuse(session, err);
        return;
    }
    if (!find_query(session, &query)) { /* the configuration has changed meanwhile */
        session_credential(session, NULL, NULL);
        return;
    }
    if (row == NULL) {
        auth_cache_expire(worker->auth_cache, query.source, greet_startup(session->greet)->user);
        session_credential(session, NULL, NULL);
        return;
    }
    const struct credential *known = keep(session, &query, row, &error);
    if (known == NULL) {
        refuse(session, &error);
        return;
    }
    session_credential(session, known, NULL);
}

/* ---- asking ---- */

static struct pool *find_pool(struct session *session, const struct query *query, struct error *err)
{
    struct backend *backend = &session->hall->backend;
    struct pool *pool = pool_find(backend, query->database, query->user, false);

    if (pool != NULL) {
        return pool;
    }
    if (query->is_open_to_all && backend->pools.count >= POOLS_MAX) {
        error_set(err, "53300", "auth_query: clients ask for too many databases");
        error_hint(err, "set auth_dbname");
        return NULL;
    }
    return pool_create(backend, query->database, query->user, false, err);
}

static void ask(struct session *session, const struct query *query)
{
    struct error error = {0};
    struct pool *pool = find_pool(session, query, &error);

    if (pool == NULL) {
        refuse(session, &error);
        return;
    }
    const struct ask_plan plan = {
        .pool = pool,
        .sql = query->sql,
        .parameter = greet_startup(session->greet)->user,
        .column_count = 2,
        .limit = session->hall->backend.config->settings.server_connect_timeout,
        .on_answer = on_answer,
        .owner = session,
    };
    session->lookup = ask_begin(&plan);
    if (session->lookup == NULL) {
        error_set(&error, "53200", "out of memory");
        refuse(session, &error);
    }
}

void lookup_stop(struct session *session)
{
    if (session->lookup != NULL) {
        ask_drop(session->lookup);
        session->lookup = NULL;
    }
}

void lookup_distrust(struct session *session)
{
    struct worker *worker = session->hall->host;
    struct query query;

    if (find_query(session, &query)) {
        auth_cache_expire(worker->auth_cache, query.source, greet_startup(session->greet)->user);
    }
}

/* ---- credentials ---- */

static const struct credential *find_in_file(struct worker *worker, const char *user,
                                             struct error *err)
{
    int64_t now = loop_now(worker->loop);
    const struct auth_user *found = auth_file_find(&worker->setup->auth_file, user);

    if (found == NULL) {
        return NULL;
    }
    const struct credential *known = auth_cache_find(worker->auth_cache, from_file, user, now);
    return known != NULL
               ? known
               : auth_cache_put(worker->auth_cache, from_file, user, &found->credential, now, err);
}

void lookup_credential(struct session *session)
{
    struct worker *worker = session->hall->host;
    const char *user = greet_startup(session->greet)->user;
    int64_t ttl = session->hall->backend.config->settings.auth_query_ttl;
    struct error error = {0};
    struct query query;

    const struct credential *known = find_in_file(worker, user, &error);
    if (known == NULL && !error_is_set(&error) && find_query(session, &query)) {
        known = ttl == 0 ? NULL
                         : auth_cache_find(worker->auth_cache, query.source, user,
                                           loop_now(worker->loop));
        if (known == NULL) {
            ask(session, &query);
            return;
        }
    }
    session_credential(session, known, error_is_set(&error) ? &error : NULL);
}
