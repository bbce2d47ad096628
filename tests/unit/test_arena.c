/* An arena hands out aligned zeroed memory, keeps its limit, and starts over after reset. */
#include "check.h"

#include <stdalign.h>
#include <string.h>

#include "base/arena.h"

static void memory_is_aligned_and_zeroed(void **)
{
    struct arena arena;
    arena_init(&arena, 64, 100000);
    for (size_t size = 0; size < 200; size++) {
        unsigned char *memory = arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xff, size);
    }
    arena_done(&arena);
}

static void the_limit_holds_and_reset_reuses(void **)
{
    struct arena arena;
    arena_init(&arena, 64, 128);
    void *first = arena_alloc(&arena, 40);

    assert_non_null(first);
    assert_non_null(arena_alloc(&arena, 80));
    assert_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_ptr_equal(arena_alloc(&arena, 40), first);
    arena_done(&arena);
}

static void copies_end_in_zero(void **)
{
    struct arena arena;
    arena_init(&arena, 64, 1000);
    assert_string_equal(arena_copy(&arena, "shard", 3), "sha");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    assert_null(arena_copy(&arena, "", SIZE_MAX));
    arena_done(&arena);
    arena_done(&(struct arena){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_and_zeroed),
        cmocka_unit_test(the_limit_holds_and_reset_reuses),
        cmocka_unit_test(copies_end_in_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
