#include "shard/digest.h"

#include <nettle/md5.h>

static uint64_t big_endian(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

struct digest digest_of(const char *bytes, size_t size)
{
    struct md5_ctx context;
    uint8_t raw[MD5_DIGEST_SIZE];

    md5_init(&context);
    md5_update(&context, size, (const uint8_t *)bytes);
    md5_digest(&context, sizeof raw, raw);
    return (struct digest){.high = big_endian(raw), .low = big_endian(raw + 8)};
}
