#include "reparto/shop.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "common/pg.h"
#include "shop_sql.h"

static const struct {
    const char *name, *key;
} tables[SHOP_TABLE_COUNT] = {
    [SHOP_TABLE_USERS] = {"users", "user_id"},
    [SHOP_TABLE_PRODUCTS] = {"products", "product_id"},
    [SHOP_TABLE_STOCK] = {"stock", "product_id"},
    [SHOP_TABLE_CARTS] = {"carts", "user_id"},
    [SHOP_TABLE_CART_ITEMS] = {"cart_items", "user_id"},
    [SHOP_TABLE_ORDERS] = {"orders", "user_id"},
    [SHOP_TABLE_ORDER_ITEMS] = {"order_items", "user_id"},
};

const char *shop_table_name(enum shop_table table)
{
    return tables[table].name;
}

const char *shop_table_key(enum shop_table table)
{
    return tables[table].key;
}

/* Appends `sql` with each {name} replaced by its number. */
static void fill_in(struct text *text, const char *sql, int shard, int shards)
{
    const struct {
        const char *name;
        int number;
    } values[] = {{"{shard}", shard},
                  {"{shards}", shards},
                  {"{users}", SHOP_USERS},
                  {"{products}", SHOP_PRODUCTS}};

    while (*sql != '\0') {
        size_t plain = strcspn(sql, "{");
        text_append_bytes(text, sql, plain);
        sql += plain;
        for (size_t i = 0; *sql == '{' && i < sizeof values / sizeof values[0]; i++) {
            size_t size = strlen(values[i].name);
            if (strncmp(sql, values[i].name, size) == 0) {
                text_appendf(text, "%d", values[i].number);
                sql += size;
            }
        }
    }
}

bool shop_create(PGconn *connection, int shard, int shards, struct error *err)
{
    struct text sql = {0};

    fill_in(&sql, shop_sql, shard, shards);
    if (sql.has_failed) {
        text_done(&sql);
        return error_set(err, "53200", "out of memory");
    }
    bool is_ok = pg_execute(connection, text_cstr(&sql), err);
    text_done(&sql);
    if (!is_ok && strcmp(err->sqlstate, "42P06") == 0) {
        error_hint(err, "DROP SCHEMA shop CASCADE removes the one that is there");
    }
    return is_ok;
}

bool shop_count(PGconn *connection, int shard, int shards, struct shop_rows *rows,
                struct error *err)
{
    *rows = (struct shop_rows){0};
    for (int i = 0; i < SHOP_TABLE_COUNT; i++) {
        char sql[300];
        snprintf(sql, sizeof sql,
                 "SELECT count(*), count(*) FILTER (WHERE shop.md5_modulo(%s::text, %d) <> %d) "
                 "FROM shop.%s",
                 tables[i].key, shards, shard, tables[i].name);
        PGresult *result = pg_query(connection, sql, 0, NULL, err);
        if (result == NULL) {
            return error_wrap(err, "counting shop.%s", tables[i].name);
        }
        rows->rows[i] = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        rows->strays += strtoll(PQgetvalue(result, 0, 1), NULL, 10);
        PQclear(result);
    }
    return true;
}
