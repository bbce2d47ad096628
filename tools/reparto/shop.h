/* reparto/shop: the demo's shop: its tables, its data, and whether each row is where it belongs.
 *
 * Each shard gets the schema `shop` and the rows whose shard key is its own by
 * md5 % shards; the database computes that with SQL, src/shard with C, and
 * shop_check() compares the two.  The data is the same in every run.
 */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

#include "base/error.h"

enum { SHOP_USERS = 20000, SHOP_PRODUCTS = 2000 };

enum shop_table {
    SHOP_TABLE_USERS,
    SHOP_TABLE_PRODUCTS,
    SHOP_TABLE_STOCK,
    SHOP_TABLE_CARTS,
    SHOP_TABLE_CART_ITEMS,
    SHOP_TABLE_ORDERS,
    SHOP_TABLE_ORDER_ITEMS,
    SHOP_TABLE_COUNT
};

/* "users", "order_items", … */
[[nodiscard]] const char *shop_table_name(enum shop_table table);

/* The column that decides a row's shard: "user_id" or "product_id". */
[[nodiscard]] const char *shop_table_key(enum shop_table table);

/* Makes and fills the schema; `connection` is to the primary of shard `shard`
 * of `shards`.  All or nothing.  42P06 with a hint when there already is one. */
[[nodiscard]] bool shop_create(PGconn *connection, int shard, int shards, struct error *err);

/* Counts each table's rows, and of these the ones whose key is another shard's. */
struct shop_rows {
    int64_t rows[SHOP_TABLE_COUNT];
    int64_t strays;
};
[[nodiscard]] bool shop_count(PGconn *connection, int shard, int shards, struct shop_rows *rows,
                              struct error *err);
