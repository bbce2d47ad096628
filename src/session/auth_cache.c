#include "session/auth_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hashmap.h"
#include "base/list.h"

enum { KEY_MAX = 1024 }; /* source and user with their zeros; PostgreSQL's names have at most 63 */

struct entry {
    struct list_link used; /* in cache->used */
    bool is_expired;
    int64_t put_at; /* ns */
    struct credential credential;
    size_t key_size;
    char key[]; /* source, a zero, user */
};

struct auth_cache {
    struct auth_cache_plan plan;
    struct hashmap entries; /* owns them */
    struct list used;       /* the one that was used longest ago first */
};

struct key {
    size_t size; /* 0: too long */
    char bytes[KEY_MAX];
};

static void make_key(struct key *key, const char *source, const char *user)
{
    size_t source_size = strlen(source) + 1, user_size = strlen(user);

    key->size = 0;
    if (source_size + user_size <= sizeof key->bytes) {
        memcpy(key->bytes, source, source_size);
        memcpy(key->bytes + source_size, user, user_size);
        key->size = source_size + user_size;
    }
}

static struct entry *get(const struct auth_cache *cache, const struct key *key)
{
    return key->size == 0 ? NULL : hashmap_get(&cache->entries, key->bytes, key->size);
}

struct auth_cache *auth_cache_create(const struct auth_cache_plan *plan)
{
    uint64_t seed[2];

    assert(plan->entry_max > 0);
    struct auth_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return NULL;
    }
    memcpy(seed, plan->seed, sizeof seed);
    cache->plan = *plan;
    hashmap_init(&cache->entries, seed);
    list_init(&cache->used);
    return cache;
}

static void drop(struct auth_cache *cache, struct entry *entry)
{
    hashmap_remove(&cache->entries, entry->key, entry->key_size);
    list_remove(&cache->used, &entry->used);
    credential_wipe(&entry->credential);
    free(entry);
}

void auth_cache_clear(struct auth_cache *cache)
{
    while (!list_is_empty(&cache->used)) {
        drop(cache, LIST_MEMBER(list_first(&cache->used), struct entry, used));
    }
}

void auth_cache_keep_for(struct auth_cache *cache, int64_t ttl)
{
    cache->plan.ttl = ttl;
}

void auth_cache_destroy(struct auth_cache *cache)
{
    if (cache != NULL) {
        auth_cache_clear(cache);
        hashmap_done(&cache->entries);
        free(cache);
    }
}

static void touch(struct auth_cache *cache, struct entry *entry)
{
    list_remove(&cache->used, &entry->used);
    list_push_last(&cache->used, &entry->used);
}

const struct credential *auth_cache_find(struct auth_cache *cache, const char *source,
                                         const char *user, int64_t now)
{
    struct key key;

    make_key(&key, source, user);
    struct entry *entry = get(cache, &key);
    if (entry == NULL || entry->is_expired ||
        (cache->plan.ttl > 0 && now - entry->put_at >= cache->plan.ttl)) {
        return NULL;
    }
    touch(cache, entry);
    return &entry->credential;
}

static struct entry *add(struct auth_cache *cache, const struct key *key, struct error *err)
{
    struct entry *entry = calloc(1, sizeof *entry + key->size);
    if (entry == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    memcpy(entry->key, key->bytes, key->size);
    entry->key_size = key->size;
    if (!hashmap_put(&cache->entries, entry->key, entry->key_size, entry)) {
        free(entry);
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    list_push_last(&cache->used, &entry->used);
    return entry;
}

/* What was made of the same password already. */
static void reuse_secret(struct credential *fresh, const struct credential *old)
{
    if (fresh->kind == CREDENTIAL_PLAIN && !fresh->has_scram && old->kind == CREDENTIAL_PLAIN &&
        old->has_scram && strcmp(fresh->text, old->text) == 0) {
        fresh->scram = old->scram;
        fresh->has_scram = true;
    }
}

static const struct credential *put(struct auth_cache *cache, const struct key *key,
                                    const struct credential *credential, int64_t now,
                                    struct error *err)
{
    struct entry *entry = get(cache, key);
    if (entry == NULL) {
        entry = add(cache, key, err);
    }
    if (entry == NULL) {
        return NULL;
    }
    entry->credential = *credential;
    entry->put_at = now;
    entry->is_expired = false;
    touch(cache, entry);
    if (cache->entries.count > cache->plan.entry_max) {
        drop(cache, LIST_MEMBER(list_first(&cache->used), struct entry, used));
    }
    return &entry->credential;
}

const struct credential *auth_cache_put(struct auth_cache *cache, const char *source,
                                        const char *user, const struct credential *credential,
                                        int64_t now, struct error *err)
{
    struct credential fresh = *credential;
    const struct credential *kept = NULL;
    struct key key;

    make_key(&key, source, user);
    if (key.size == 0) {
        error_set(err, "22023", "a user name of %zu bytes is too long", strlen(user));
        return NULL;
    }
    const struct entry *old = get(cache, &key);
    if (old != NULL) {
        reuse_secret(&fresh, &old->credential);
    }
    if (credential_scram(&fresh, user, cache->plan.seed, err)) {
        kept = put(cache, &key, &fresh, now, err);
    }
    credential_wipe(&fresh);
    return kept;
}

void auth_cache_expire(struct auth_cache *cache, const char *source, const char *user)
{
    struct key key;

    make_key(&key, source, user);
    struct entry *entry = get(cache, &key);
    if (entry != NULL) {
        entry->is_expired = true;
    }
}

size_t auth_cache_count(const struct auth_cache *cache)
{
    return cache->entries.count;
}
