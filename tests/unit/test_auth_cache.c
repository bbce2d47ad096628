/* What was found of a user is found again until it is too old, costs one hash only, and never grows
 * beyond its limit. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "session/auth_cache.h"

static const unsigned char seed[32] = "a seed for mock secrets, 32 byte";

static struct auth_cache *cache_of(size_t entry_max, int64_t ttl)
{
    const struct auth_cache_plan plan = {.entry_max = entry_max, .ttl = ttl, .seed = seed};
    struct auth_cache *cache = auth_cache_create(&plan);

    assert_non_null(cache);
    return cache;
}

static const struct credential *put(struct auth_cache *cache, const char *source, const char *user,
                                    const char *password, int64_t now)
{
    struct credential credential;
    struct error err = {0};

    assert_true(credential_parse(password, &credential, &err));
    const struct credential *kept = auth_cache_put(cache, source, user, &credential, now, &err);
    assert_string_equal(err.message, "");
    assert_non_null(kept);
    return kept;
}

static void users_are_told_apart_by_source_and_name(void **)
{
    struct auth_cache *cache = cache_of(10, 0);

    put(cache, "shop", "ann", "one", 0);
    put(cache, "file", "ann", "two", 0);
    put(cache, "shopa", "nn", "three", 0);
    assert_string_equal(auth_cache_find(cache, "shop", "ann", 0)->text, "one");
    assert_string_equal(auth_cache_find(cache, "file", "ann", 0)->text, "two");
    assert_string_equal(auth_cache_find(cache, "shopa", "nn", 0)->text, "three");
    assert_null(auth_cache_find(cache, "shop", "Ann", 0));
    assert_null(auth_cache_find(cache, "", "ann", 0));
    assert_null(auth_cache_find(cache, "shop", "", 0));
    assert_int_equal(auth_cache_count(cache), 3);
    put(cache, "shop", "ann", "four", 0);
    assert_string_equal(auth_cache_find(cache, "shop", "ann", 0)->text, "four");
    assert_int_equal(auth_cache_count(cache), 3);
    auth_cache_clear(cache);
    assert_int_equal(auth_cache_count(cache), 0);
    assert_null(auth_cache_find(cache, "shop", "ann", 0));
    auth_cache_destroy(cache);
}

static void what_is_too_old_is_asked_for_again(void **)
{
    struct auth_cache *cache = cache_of(10, CLOCK_SECOND);

    put(cache, "shop", "ann", "one", 5 * CLOCK_SECOND);
    assert_non_null(auth_cache_find(cache, "shop", "ann", 6 * CLOCK_SECOND - 1));
    assert_null(auth_cache_find(cache, "shop", "ann", 6 * CLOCK_SECOND));
    put(cache, "shop", "ann", "one", 7 * CLOCK_SECOND);
    assert_non_null(auth_cache_find(cache, "shop", "ann", 7 * CLOCK_SECOND));
    auth_cache_expire(cache, "shop", "ann");
    auth_cache_expire(cache, "shop", "nobody");
    assert_null(auth_cache_find(cache, "shop", "ann", 7 * CLOCK_SECOND));
    auth_cache_destroy(cache);
    cache = cache_of(10, 0); /* never too old */
    put(cache, "file", "ann", "one", 0);
    assert_non_null(auth_cache_find(cache, "file", "ann", INT64_MAX));
    auth_cache_destroy(cache);
}

/* Told by a changed secret: what is made anew would not have the change. */
static void a_plain_password_is_hashed_once(void **)
{
    struct auth_cache *cache = cache_of(10, CLOCK_SECOND);
    struct credential marked;
    struct error err = {0};

    const struct credential *kept = put(cache, "shop", "ann", "one", 0);
    assert_true(kept->has_scram);
    assert_true(kept->scram.has_client_key);
    marked = *kept;
    marked.scram.stored_key[0] ^= 1;
    assert_non_null(auth_cache_put(cache, "shop", "ann", &marked, 0, &err));
    auth_cache_expire(cache, "shop", "ann");
    kept = put(cache, "shop", "ann", "one", 9 * CLOCK_SECOND);
    assert_memory_equal(&kept->scram, &marked.scram, sizeof marked.scram);
    kept = put(cache, "shop", "ann", "other", 9 * CLOCK_SECOND);
    assert_memory_not_equal(kept->scram.stored_key, marked.scram.stored_key, SCRAM_KEY_SIZE);
    kept = put(cache, "shop", "ann", "one", 9 * CLOCK_SECOND);
    assert_memory_not_equal(kept->scram.stored_key, marked.scram.stored_key, SCRAM_KEY_SIZE);
    auth_cache_destroy(cache);
}

static void only_a_plain_password_is_hashed(void **)
{
    struct auth_cache *cache = cache_of(10, 0);

    assert_false(put(cache, "f", "m", "md5c6b8d2c2f8ab0d7e0ab0b5c4a9e8f701", 0)->has_scram);
    assert_false(put(cache, "f", "n", "", 0)->has_scram);
    auth_cache_destroy(cache);
}

static void the_one_used_longest_ago_goes_first(void **)
{
    struct auth_cache *cache = cache_of(3, 0);

    put(cache, "f", "a", "md5c6b8d2c2f8ab0d7e0ab0b5c4a9e8f701", 0);
    put(cache, "f", "b", "md5c6b8d2c2f8ab0d7e0ab0b5c4a9e8f701", 0);
    put(cache, "f", "c", "md5c6b8d2c2f8ab0d7e0ab0b5c4a9e8f701", 0);
    assert_non_null(auth_cache_find(cache, "f", "a", 0));
    put(cache, "f", "d", "md5c6b8d2c2f8ab0d7e0ab0b5c4a9e8f701", 0);
    assert_int_equal(auth_cache_count(cache), 3);
    assert_null(auth_cache_find(cache, "f", "b", 0));
    assert_non_null(auth_cache_find(cache, "f", "a", 0));
    assert_non_null(auth_cache_find(cache, "f", "c", 0));
    assert_non_null(auth_cache_find(cache, "f", "d", 0));
    for (int i = 0; i < 1000; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        put(cache, "f", user, "md5c6b8d2c2f8ab0d7e0ab0b5c4a9e8f701", 0);
        assert_int_equal(auth_cache_count(cache), 3);
    }
    auth_cache_destroy(cache);
}

static void a_name_longer_than_any_user_is_refused(void **)
{
    struct auth_cache *cache = cache_of(3, 0);
    struct credential credential = {.kind = CREDENTIAL_NONE};
    struct error err = {0};
    char user[2000];

    memset(user, 'u', sizeof user);
    user[1024 - sizeof "f"] = '\0'; /* as long as can be */
    assert_non_null(auth_cache_put(cache, "f", user, &credential, 0, &err));
    assert_non_null(auth_cache_find(cache, "f", user, 0));
    user[1024 - sizeof "f"] = 'u';
    user[1024 - sizeof "f" + 1] = '\0';
    assert_null(auth_cache_put(cache, "f", user, &credential, 0, &err));
    assert_string_equal(err.sqlstate, "22023");
    assert_null(auth_cache_find(cache, "f", user, 0));
    auth_cache_expire(cache, "f", user);
    assert_int_equal(auth_cache_count(cache), 1);
    auth_cache_destroy(cache);
    auth_cache_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_told_apart_by_source_and_name),
        cmocka_unit_test(what_is_too_old_is_asked_for_again),
        cmocka_unit_test(a_plain_password_is_hashed_once),
        cmocka_unit_test(only_a_plain_password_is_hashed),
        cmocka_unit_test(the_one_used_longest_ago_goes_first),
        cmocka_unit_test(a_name_longer_than_any_user_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
