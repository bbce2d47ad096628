-- The demo's shop, the same on every shard. {shard} is this shard's number, {shards} how many there are.
--
-- Users, carts and orders are sharded by user_id, products and stock by product_id: a row lives on the shard
-- that md5(key) % shards names, and shop.md5_modulo lets the database itself say which one that is.

BEGIN;

CREATE SCHEMA shop;

-- Word 0..3 of the MD5, as an unsigned number.
CREATE FUNCTION shop.md5_word(key text, word int) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ('x' || substr(md5(key), 1 + 8 * word, 8))::bit(32)::bigint;

-- md5(key) as a 128-bit big-endian integer, modulo `shards`: exact, 32 bits at a time.
CREATE FUNCTION shop.md5_modulo(key text, shards bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (((shop.md5_word(key, 0) % shards * 4294967296
        + shop.md5_word(key, 1)) % shards * 4294967296
        + shop.md5_word(key, 2)) % shards * 4294967296
        + shop.md5_word(key, 3)) % shards;

CREATE TABLE shop.users (
    user_id       bigint PRIMARY KEY,
    email         text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    full_name     text NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE TABLE shop.products (
    product_id bigint PRIMARY KEY,
    title      text NOT NULL,
    cents      integer NOT NULL CHECK (cents > 0)
);
CREATE TABLE shop.stock (
    product_id bigint PRIMARY KEY REFERENCES shop.products,
    units      integer NOT NULL CHECK (units >= 0)
);
CREATE TABLE shop.carts (
    user_id    bigint PRIMARY KEY,
    updated_at timestamptz NOT NULL
);
CREATE TABLE shop.cart_items (
    user_id    bigint NOT NULL,
    product_id bigint NOT NULL,
    quantity   integer NOT NULL CHECK (quantity > 0),
    added_at   timestamptz NOT NULL,
    PRIMARY KEY (user_id, product_id)
);
CREATE TABLE shop.orders (
    order_id  uuid NOT NULL,
    user_id   bigint NOT NULL,
    placed_at timestamptz NOT NULL,
    status    text NOT NULL CHECK (status IN ('placed', 'paid', 'sent', 'delivered')),
    PRIMARY KEY (user_id, order_id)
);
CREATE TABLE shop.order_items (
    order_id   uuid NOT NULL,
    user_id    bigint NOT NULL,
    product_id bigint NOT NULL,
    quantity   integer NOT NULL CHECK (quantity > 0),
    cents      integer NOT NULL CHECK (cents > 0),
    PRIMARY KEY (user_id, order_id, product_id),
    FOREIGN KEY (user_id, order_id) REFERENCES shop.orders
);

-- The data: the same for the same counts, whatever the number of shards; each shard keeps its own keys.
CREATE TEMP TABLE my_users ON COMMIT DROP AS
SELECT id FROM generate_series(1::bigint, {users}) AS id WHERE shop.md5_modulo(id::text, {shards}) = {shard};
CREATE TEMP TABLE my_products ON COMMIT DROP AS
SELECT id FROM generate_series(1::bigint, {products}) AS id WHERE shop.md5_modulo(id::text, {shards}) = {shard};

INSERT INTO shop.users
SELECT id, 'user' || id || '@shop.example', 'scram:' || md5('password' || id),
       (ARRAY['Ana','Luis','Marta','Jorge','Lucía','Pablo','Elena','Diego','Sofía','Iván'])[1 + id % 10] || ' '
       || (ARRAY['García','Rojas','Pérez','Núñez','Vega','Soto','Ibáñez'])[1 + id % 7],
       timestamptz '2026-01-01 00:00:00+00' + id * interval '37 seconds'
FROM my_users;

INSERT INTO shop.products
SELECT id, (ARRAY['Lámpara','Mochila','Teclado','Taza','Silla','Reloj','Libreta'])[1 + id % 7] || ' ' || id,
       199 + (id * 7919) % 20000
FROM my_products;
INSERT INTO shop.stock SELECT id, 20 + (id * 31) % 200 FROM my_products;

INSERT INTO shop.carts SELECT id, timestamptz '2026-11-01 00:00:00+00' + id * interval '1 second'
FROM my_users WHERE id % 4 = 0;
INSERT INTO shop.cart_items
SELECT id, 1 + (id * 13 + item * 101) % {products}, 1 + (id + item) % 3, timestamptz '2026-11-01 00:00:00+00' + id * interval '1 second'
FROM my_users, generate_series(0, 1) AS item WHERE id % 4 = 0
ON CONFLICT DO NOTHING;

INSERT INTO shop.orders
SELECT md5('order' || id || '/' || number)::uuid, id, timestamptz '2026-03-01 00:00:00+00' + (id * 5 + number) * interval '1 minute',
       (ARRAY['placed','paid','sent','delivered'])[1 + (id + number) % 4]
FROM my_users, generate_series(1, 2) AS number WHERE id % 2 = 0;
INSERT INTO shop.order_items
SELECT order_id, user_id, product_id, 1 + user_id % 3, 199 + (product_id * 7919) % 20000
FROM shop.orders, LATERAL (SELECT DISTINCT 1 + (user_id * 17 + item * 7) % {products} AS product_id
                           FROM generate_series(1, 1 + user_id % 4) AS item) AS items;

COMMIT;
ANALYZE;
