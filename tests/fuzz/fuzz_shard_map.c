/* Any bytes: what shard_map_parse() accepts is printed back byte for byte, and routes. */
#include <stdlib.h>
#include <string.h>

#include "shard/shard_router.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_routes(const struct shard_map *map)
{
    const struct key_type type = {.kind = KEY_TEXT};
    struct error err = {0};
    struct key_text key;
    struct shard_router *router = shard_router_create(map, &err);

    check(router != NULL);
    check(key_text_parse(&key, &type, NULL, "user:1", 6, &err));
    check(shard_router_partition(router, &key) < shard_router_partition_count(router));
    check(shard_router_shard(router, &key) < shard_map_shard_count(map));
    shard_router_destroy(router);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct error err = {0};
    struct text printed = {0};
    struct shard_map *map = shard_map_parse((const char *)bytes, size, &err);

    if (map == NULL) {
        check(error_is_set(&err));
        return 0;
    }
    shard_map_print(map, &printed);
    check(printed.size == size);
    check(memcmp(printed.bytes, bytes, size) == 0);
    if (shard_map_vnodes(map) <= 4096) { /* a large ring takes a second to build */
        check_routes(map);
    }
    text_done(&printed);
    shard_map_destroy(map);
    return 0;
}
