#include "server/lookup.h"

#include "server/worker.h"

static const char from_file[] = "auth_file"; /* the source of credentials, for the cache */

/* ---- addresses ---- */

static void on_answer(void *self, const struct address_list *addresses, const struct error *err)
{
    pool_resolved(self, addresses, err);
}

void lookup_address(struct backend *backend, struct pool *pool)
{
    struct worker *worker = backend->host;
    const struct resolver_asker asker = {.on_answer = on_answer, .self = pool};
    struct address_list addresses;
    struct error error = {0};

    switch (resolver_ask(worker->resolver, pool->host, (unsigned)pool->port, &asker, &addresses,
                         &pool->question, &error)) {
    case RESOLVER_NOW: pool_resolved(pool, &addresses, NULL); return;
    case RESOLVER_LATER: return;
    case RESOLVER_REFUSED: pool_resolved(pool, NULL, &error); return;
    }
}

/* ---- credentials ---- */

void lookup_credential(struct session *session)
{
    struct worker *worker = session->hall->host;
    const char *user = greet_startup(session->greet)->user;
    int64_t now = loop_now(worker->loop);
    struct error error = {0};

    const struct credential *known = auth_cache_find(worker->auth_cache, from_file, user, now);
    if (known == NULL) {
        const struct auth_user *found = auth_file_find(&worker->setup->auth_file, user);
        if (found != NULL) {
            known = auth_cache_put(worker->auth_cache, from_file, user, &found->credential, now,
                                   &error);
        }
    }
    session_credential(session, known, error_is_set(&error) ? &error : NULL);
}
