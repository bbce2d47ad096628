#include "backend/prepared.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct statement_table {
    struct hashmap statements; /* key → statement */
    uint64_t next_number;
    unsigned worker;
};

struct statement_table *statement_table_create(unsigned worker)
{
    struct statement_table *table = calloc(1, sizeof *table);
    uint64_t seed[2] = {0};

    if (table == NULL || getrandom(seed, sizeof seed, 0) != sizeof seed) {
        free(table);
        return NULL;
    }
    hashmap_init(&table->statements, seed);
    table->next_number = 1;
    table->worker = worker;
    return table;
}

void statement_table_destroy(struct statement_table *table)
{
    if (table == NULL) {
        return;
    }
    assert(table->statements.count == 0);
    hashmap_done(&table->statements);
    free(table);
}

size_t statement_table_count(const struct statement_table *table)
{
    return table->statements.count;
}

const struct statement *statement_table_next(const struct statement_table *table, size_t *at)
{
    const struct hashmap_entry *entry = hashmap_next(&table->statements, at);
    return entry == NULL ? NULL : entry->value;
}

/* The key: a letter for its kind, the types, the text and a zero; the text can't hold one. */
static struct statement *create(struct statement_table *table, bool is_sql, const char *text,
                                size_t text_size, const char *types, size_t types_size)
{
    size_t key_size = 1 + types_size + text_size + 1;
    struct statement *statement = calloc(1, sizeof *statement + key_size);
    if (statement == NULL) {
        return NULL;
    }
    statement->table = table;
    statement->share_count = 1;
    statement->is_sql = is_sql;
    statement->key_size = key_size;
    statement->key[0] = is_sql ? 'S' : 'P';
    if (types_size > 0) {
        memcpy(statement->key + 1, types, types_size);
    }
    memcpy(statement->key + 1 + types_size, text, text_size);
    statement->types = statement->key + 1;
    statement->types_size = types_size;
    statement->text = statement->key + 1 + types_size;
    statement->text_size = text_size;
    return statement;
}

struct statement *statement_find(struct statement_table *table, bool is_sql, const char *text,
                                 size_t text_size, const char *types, size_t types_size)
{
    struct statement *statement = create(table, is_sql, text, text_size, types, types_size);
    if (statement == NULL) {
        return NULL;
    }
    struct statement *known = hashmap_get(&table->statements, statement->key, statement->key_size);
    if (known != NULL) {
        free(statement);
        return statement_share(known);
    }
    if (!hashmap_put(&table->statements, statement->key, statement->key_size, statement)) {
        free(statement);
        return NULL;
    }
    snprintf(statement->name, sizeof statement->name, "reparto_%u_%" PRIu64, table->worker,
             table->next_number++);
    return statement;
}

struct statement *statement_share(struct statement *statement)
{
    statement->share_count++;
    return statement;
}

void statement_release(struct statement *statement)
{
    if (statement == NULL || --statement->share_count > 0) {
        return;
    }
    (void)hashmap_remove(&statement->table->statements, statement->key, statement->key_size);
    if (statement->free_facts != NULL) {
        statement->free_facts(statement->facts);
    }
    free(statement);
}

void plans_init(struct plans *plans)
{
    static const uint64_t seed[2] = {0}; /* keys are our pointers, nobody outside chooses them */
    hashmap_init(&plans->map, seed);
    list_init(&plans->order);
}

static struct plan *plan_of(struct list_link *link)
{
    return link == NULL ? NULL : LIST_MEMBER(link, struct plan, link);
}

void plans_forget(struct plans *plans)
{
    while (!list_is_empty(&plans->order)) {
        plans_remove(plans, plan_of(list_first(&plans->order)));
    }
}

void plans_done(struct plans *plans)
{
    plans_forget(plans);
    hashmap_done(&plans->map);
}

enum { KEY_SIZE = sizeof(void *) }; /* a plan's key is the address of its statement */

struct plan *plans_use(struct plans *plans, const struct statement *statement)
{
    struct plan *plan = hashmap_get(&plans->map, (const char *)&statement, KEY_SIZE);
    if (plan != NULL) {
        list_remove(&plans->order, &plan->link);
        list_push_last(&plans->order, &plan->link);
    }
    return plan;
}

struct plan *plans_add(struct plans *plans, struct statement *statement)
{
    struct plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) {
        return NULL;
    }
    plan->statement = statement;
    const char *key = (const char *)&plan->statement;
    if (!hashmap_put(&plans->map, key, KEY_SIZE, plan)) {
        free(plan);
        return NULL;
    }
    (void)statement_share(statement);
    list_push_last(&plans->order, &plan->link);
    return plan;
}

struct plan *plans_oldest(struct plans *plans)
{
    for (struct list_link *link = list_first(&plans->order); link != NULL;
         link = list_next(&plans->order, link)) {
        struct plan *plan = plan_of(link);
        if (plan->in_flight == 0) {
            return plan;
        }
    }
    return NULL;
}

void plans_remove(struct plans *plans, struct plan *plan)
{
    (void)hashmap_remove(&plans->map, (const char *)&plan->statement, KEY_SIZE);
    list_remove(&plans->order, &plan->link);
    statement_release(plan->statement);
    variables_release(plan->settings);
    free(plan);
}
