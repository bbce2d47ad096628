/* Any bytes as any type, text and binary: what is accepted has a key text that
 * parses to itself, the same partitions, and is within the limits. */
#include <stdlib.h>
#include <string.h>

#include "shard/key_text.h"
#include "shard/pg_hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_stable(const struct key_text *key, const struct key_type *column)
{
    struct key_text again;
    struct error err = {0};

    check(key->size <= KEY_TEXT_SIZE_MAX);
    check(key_text_parse(&again, column, NULL, key_text_bytes(key), key->size, &err));
    check(again.size == key->size);
    check(memcmp(key_text_bytes(&again), key_text_bytes(key), key->size) == 0);
    check(pg_hash_of(&again) == pg_hash_of(key));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 3) {
        return 0;
    }
    struct key_type column = {.kind = bytes[0] % KEY_KIND_COUNT};
    struct key_type source = {.kind = bytes[1] % KEY_KIND_COUNT, .length = bytes[2] % 8};
    bool is_bare = bytes[2] >= 128;
    column.length = key_kind_is_string(column.kind) ? bytes[2] / 8 % 8 : 0;
    source.length = key_kind_is_string(source.kind) ? source.length : 0;
    const struct key_type *given = is_bare ? NULL : &source;
    struct key_text key;
    struct error err = {0};

    if (key_text_parse(&key, &column, given, (const char *)bytes + 3, size - 3, &err)) {
        check_stable(&key, &column);
    } else {
        check(error_is_set(&err));
    }
    err = (struct error){0};
    if (key_text_decode(&key, &column, given, bytes + 3, size - 3, &err)) {
        check_stable(&key, &column);
    } else {
        check(error_is_set(&err));
    }
    return 0;
}
