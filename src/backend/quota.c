#include "backend/quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    struct quota quota;
    char kind;
    char *second; /* within name's memory */
    char name[];
};

struct quotas {
    pthread_mutex_t lock;
    struct entry *first;
};

struct quotas *quotas_create(void)
{
    struct quotas *quotas = calloc(1, sizeof *quotas);
    if (quotas == NULL || pthread_mutex_init(&quotas->lock, NULL) != 0) {
        free(quotas);
        return NULL;
    }
    return quotas;
}

void quotas_destroy(struct quotas *quotas)
{
    if (quotas == NULL) {
        return;
    }
    while (quotas->first != NULL) {
        struct entry *entry = quotas->first;
        quotas->first = entry->next;
        free(entry);
    }
    pthread_mutex_destroy(&quotas->lock);
    free(quotas);
}

static struct entry *find(const struct quotas *quotas, char kind, const char *name,
                          const char *second)
{
    for (struct entry *entry = quotas->first; entry != NULL; entry = entry->next) {
        if (entry->kind == kind && strcmp(entry->name, name) == 0 &&
            strcmp(entry->second, second) == 0) {
            return entry;
        }
    }
    return NULL;
}

struct quota *quota_get(struct quotas *quotas, char kind, const char *name, const char *second)
{
    pthread_mutex_lock(&quotas->lock);
    struct entry *entry = find(quotas, kind, name, second);
    if (entry == NULL) {
        size_t name_size = strlen(name) + 1, second_size = strlen(second) + 1;
        entry = calloc(1, sizeof *entry + name_size + second_size);
        if (entry != NULL) {
            entry->kind = kind;
            memcpy(entry->name, name, name_size);
            entry->second = entry->name + name_size;
            memcpy(entry->second, second, second_size);
            entry->next = quotas->first;
            quotas->first = entry;
        }
    }
    pthread_mutex_unlock(&quotas->lock);
    return entry == NULL ? NULL : &entry->quota;
}

bool quota_take(struct quota *quota, int64_t limit)
{
    long count = atomic_load_explicit(&quota->count, memory_order_relaxed);
    do {
        if (limit > 0 && count >= limit) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&quota->count, &count, count + 1));
    return true;
}

void quota_give(struct quota *quota)
{
    atomic_fetch_sub(&quota->count, 1);
}
