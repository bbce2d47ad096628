/* A buffer gives its memory back when it's empty, keeps what it holds in order, and wipes secrets.
 */
#include "check.h"

#include <string.h>

#include "base/buffer.h"

static void an_empty_buffer_holds_no_memory(void **)
{
    struct buffer_pool pool;
    struct buffer buffer;

    buffer_pool_init(&pool, 4);
    buffer_init(&buffer, &pool);
    assert_null(buffer_bytes(&buffer));
    assert_true(buffer_append(&buffer, "abc", 3));
    buffer_consume(&buffer, 3);
    assert_null(buffer_bytes(&buffer));
    assert_int_equal(pool.count, 1);
    assert_true(buffer_append(&buffer, "abc", 3));
    assert_int_equal(pool.count, 0);
    buffer_truncate(&buffer, 0);
    assert_int_equal(pool.count, 1);
    buffer_done(&buffer);
    buffer_pool_done(&pool);
}

static void bytes_stay_in_order_however_they_grow(void **)
{
    struct buffer buffer = {0};
    unsigned char next_in = 0, next_out = 0;

    for (size_t round = 1; round < 400; round++) {
        for (size_t i = 0; i < round * 7; i++) {
            assert_true(buffer_append(&buffer, &next_in, 1));
            next_in++;
        }
        for (size_t i = 0; i < round * 5; i++) {
            assert_int_equal((unsigned char)buffer_bytes(&buffer)[0], next_out);
            buffer_consume(&buffer, 1);
            next_out++;
        }
    }
    assert_int_equal(buffer_size(&buffer), (size_t)399 * 400 / 2 * 2);
    buffer_done(&buffer);
}

static void the_pool_keeps_no_more_than_its_limit(void **)
{
    struct buffer_pool pool;
    struct buffer buffers[5];
    static const char large[BUFFER_BLOCK_SIZE + 1] = "";

    buffer_pool_init(&pool, 3);
    for (size_t i = 0; i < 5; i++) {
        buffer_init(&buffers[i], &pool);
        assert_true(buffer_append(&buffers[i], "a", 1));
    }
    for (size_t i = 0; i < 5; i++) {
        buffer_done(&buffers[i]);
    }
    assert_int_equal(pool.count, 3);
    assert_true(buffer_append(&buffers[0], large, sizeof large)); /* no block of the pool fits */
    assert_int_equal(pool.count, 3);
    buffer_done(&buffers[0]);
    assert_int_equal(pool.count, 3);
    buffer_pool_done(&pool);
    assert_int_equal(pool.count, 0);
}

static void truncation_undoes_an_append(void **)
{
    struct buffer buffer = {0};
    assert_true(buffer_append(&buffer, "consumed, kept, dropped", 23));
    buffer_consume(&buffer, 10);
    buffer_truncate(&buffer, 4);
    assert_int_equal(buffer_size(&buffer), 4);
    assert_true(buffer_append(&buffer, " on", 3));
    assert_memory_equal(buffer_bytes(&buffer), "kept on", 7);
    buffer_done(&buffer);
}

static void what_is_reserved_counts_once_it_is_committed(void **)
{
    struct buffer buffer = {0};
    assert_true(buffer_append(&buffer, "ab", 2));
    char *room = buffer_reserve(&buffer, 100);
    assert_non_null(room);
    memset(room, 'c', 100);
    assert_int_equal(buffer_size(&buffer), 2);
    buffer_commit(&buffer, 3);
    assert_int_equal(buffer_size(&buffer), 5);
    assert_memory_equal(buffer_bytes(&buffer), "abccc", 5);
    buffer_done(&buffer);
}

/* A stream that is consumed as it comes needs one block, however much comes. */
static void consumed_room_is_used_again(void **)
{
    static const char chunk[BUFFER_BLOCK_SIZE / 4] = "";
    struct buffer_pool pool;
    struct buffer buffer;

    buffer_pool_init(&pool, 4);
    buffer_init(&buffer, &pool);
    assert_true(buffer_append(&buffer, chunk, sizeof chunk));
    const char *block = buffer_bytes(&buffer);
    for (int i = 0; i < 100; i++) {
        assert_true(buffer_append(&buffer, chunk, sizeof chunk));
        buffer_consume(&buffer, sizeof chunk);
        assert_in_range((uintptr_t)buffer_bytes(&buffer), (uintptr_t)block,
                        (uintptr_t)block + BUFFER_BLOCK_SIZE - sizeof chunk);
    }
    buffer_done(&buffer);
    buffer_pool_done(&pool);
}

static void an_impossible_size_changes_nothing(void **)
{
    struct buffer buffer = {0};
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_true(buffer_append(&buffer, "abc", 3));
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_null(buffer_reserve(&buffer, SIZE_MAX - 3));
    assert_memory_equal(buffer_bytes(&buffer), "abc", 3);
    assert_int_equal(buffer_size(&buffer), 3);
    buffer_done(&buffer);
}

/* How often the secret is in the pool's blocks, all of which are taken out. */
static int count_secrets(struct buffer_pool *pool)
{
    int count = 0;

    while (pool->count > 0) {
        struct buffer block;
        buffer_init(&block, pool);
        const char *bytes = buffer_reserve(&block, BUFFER_BLOCK_SIZE);
        count += memmem(bytes, BUFFER_BLOCK_SIZE, "hush, a secret", 14) != NULL;
        block.pool = NULL;
        buffer_done(&block);
    }
    return count;
}

static void secrets_are_wiped_before_memory_is_given_back(void **)
{
    static const char filler[BUFFER_BLOCK_SIZE] = "";

    for (int is_secret = 0; is_secret <= 1; is_secret++) {
        for (int grows = 0; grows <= 1; grows++) {
            struct buffer_pool pool;
            struct buffer buffer;

            buffer_pool_init(&pool, 4);
            buffer_init(&buffer, &pool);
            buffer.is_secret = is_secret != 0;
            assert_true(buffer_append(&buffer, "open", 4));
            assert_true(buffer_append(&buffer, " but: hush, a secret", 20));
            assert_true(grows == 0 || buffer_append(&buffer, filler, sizeof filler));
            buffer_consume(&buffer, buffer_size(&buffer));
            assert_int_equal(buffer.is_secret, is_secret);
            assert_int_equal(pool.count, 1); /* else nothing is looked at */
            assert_int_equal(count_secrets(&pool), is_secret ? 0 : 1);
            buffer_pool_done(&pool);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_holds_no_memory),
        cmocka_unit_test(bytes_stay_in_order_however_they_grow),
        cmocka_unit_test(the_pool_keeps_no_more_than_its_limit),
        cmocka_unit_test(truncation_undoes_an_append),
        cmocka_unit_test(what_is_reserved_counts_once_it_is_committed),
        cmocka_unit_test(consumed_room_is_used_again),
        cmocka_unit_test(an_impossible_size_changes_nothing),
        cmocka_unit_test(secrets_are_wiped_before_memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
