#include "backend/variables.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hashmap.h"

struct variables_table {
    struct hashmap sets; /* key → struct variables */
};

struct variables_table *variables_table_create(void)
{
    struct variables_table *table = calloc(1, sizeof *table);
    uint64_t seed[2] = {0};

    if (table == NULL) {
        return NULL;
    }
    if (getrandom(seed, sizeof seed, 0) != sizeof seed) {
        free(table); /* clients choose the keys */
        return NULL;
    }
    hashmap_init(&table->sets, seed);
    return table;
}

void variables_table_destroy(struct variables_table *table)
{
    if (table == NULL) {
        return;
    }
    assert(table->sets.count == 0);
    hashmap_done(&table->sets);
    free(table);
}

struct variables *variables_share(struct variables *set)
{
    if (set != NULL) {
        set->share_count++;
    }
    return set;
}

void variables_release(struct variables *set)
{
    if (set == NULL || --set->share_count > 0) {
        return;
    }
    (void)hashmap_remove(&set->table->sets, set->key, set->key_size);
    free(set->key);
    free(set);
}

const char *variables_get(const struct variables *set, const char *name)
{
    size_t count = set == NULL ? 0 : set->count;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(set->list[i].name, name) == 0) {
            return set->list[i].value;
        }
    }
    return NULL;
}

/* The set of that list, interned; a new share.  False when out of memory. */
static bool intern(struct variables_table *table, const struct startup_parameter *list,
                   size_t count, struct variables **result)
{
    if (count == 0) {
        *result = NULL;
        return true;
    }
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += strlen(list[i].name) + strlen(list[i].value) + 2;
    }
    char *key = malloc(size);
    if (key == NULL) {
        return false;
    }
    struct startup_parameter entries[VARIABLES_COUNT_MAX];
    char *at = key;
    for (size_t i = 0; i < count; i++) {
        entries[i].name = at;
        at = stpcpy(at, list[i].name) + 1;
        entries[i].value = at;
        at = stpcpy(at, list[i].value) + 1;
    }
    struct variables *known = hashmap_get(&table->sets, key, size);
    if (known != NULL) {
        free(key);
        *result = variables_share(known);
        return true;
    }
    struct variables *set = calloc(1, sizeof *set + count * sizeof set->list[0]);
    if (set == NULL) {
        free(key);
        return false;
    }
    *set = (struct variables){.table = table,
                              .share_count = 1,
                              .size = size,
                              .key_size = size,
                              .key = key,
                              .count = count};
    memcpy(set->list, entries, count * sizeof entries[0]);
    if (!hashmap_put(&table->sets, key, size, set)) {
        free(key);
        free(set);
        return false;
    }
    *result = set;
    return true;
}

bool variables_put(struct variables_table *table, struct variables **set, const char *name,
                   const char *value)
{
    struct startup_parameter list[VARIABLES_COUNT_MAX + 1];
    const struct variables *old = *set;
    size_t old_count = old == NULL ? 0 : old->count, count = 0, at = 0;
    size_t size = value == NULL ? 0 : strlen(name) + strlen(value) + 2;

    assert(strlen(name) <= VARIABLE_NAME_MAX);
    while (at < old_count && strcmp(old->list[at].name, name) < 0) {
        size += strlen(old->list[at].name) + strlen(old->list[at].value) + 2;
        list[count++] = old->list[at++];
    }
    if (value != NULL) {
        list[count++] = (struct startup_parameter){name, value};
    }
    if (at < old_count && strcmp(old->list[at].name, name) == 0) {
        if (value != NULL && strcmp(old->list[at].value, value) == 0) {
            return true;
        }
        at++;
    }
    while (at < old_count) {
        size += strlen(old->list[at].name) + strlen(old->list[at].value) + 2;
        list[count++] = old->list[at++];
    }
    struct variables *result;
    if (count > VARIABLES_COUNT_MAX || size > VARIABLES_SIZE_MAX ||
        !intern(table, list, count, &result)) {
        return false;
    }
    variables_release(*set);
    *set = result;
    return true;
}

bool variables_copy(struct variables_table *table, const struct variables *set,
                    struct variables **copy)
{
    if (set == NULL) {
        *copy = NULL;
        return true;
    }
    return intern(table, set->list, set->count, copy);
}

void variables_diff(const struct variables *from, const struct variables *to,
                    void (*visit)(void *context, const char *name, const char *from_value,
                                  const char *to_value),
                    void *context)
{
    size_t from_count = from == NULL ? 0 : from->count, to_count = to == NULL ? 0 : to->count;
    size_t i = 0, j = 0;

    while (i < from_count || j < to_count) {
        int order = i == from_count ? 1
                    : j == to_count ? -1
                                    : strcmp(from->list[i].name, to->list[j].name);
        const char *name = order <= 0 ? from->list[i].name : to->list[j].name;
        const char *old = order <= 0 ? from->list[i++].value : NULL;
        const char *new = order >= 0 ? to->list[j++].value : NULL;
        if (old == NULL || new == NULL || strcmp(old, new) != 0) {
            visit(context, name, old, new);
        }
    }
}
