#include "shard/pg_hash.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "shard/scheme.h"
#include "shard/table_state.h"

/* HASH_PARTITION_SEED, and the constant of hash_combine64() that is added to
 * the first column's hash (partbounds.c and hashfn.h of PostgreSQL). */
#define PARTITION_SEED UINT64_C(0x7A5B22367996DCFD)
#define COMBINE_CONSTANT UINT64_C(0x49A0F4DD15E5A8E3)

/* Bob Jenkins' lookup3: three words that are mixed 12 bytes at a time. */
struct words {
    uint32_t a, b, c;
};

static uint32_t rotate(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static void mix(struct words *w)
{
    static const int bits[] = {4, 6, 8, 16, 19, 4};
    for (size_t i = 0; i < 6; i += 3) {
        w->a = (w->a - w->c) ^ rotate(w->c, bits[i]);
        w->c += w->b;
        w->b = (w->b - w->a) ^ rotate(w->a, bits[i + 1]);
        w->a += w->c;
        w->c = (w->c - w->b) ^ rotate(w->b, bits[i + 2]);
        w->b += w->a;
    }
}

static void finish(struct words *w)
{
    w->c = (w->c ^ w->b) - rotate(w->b, 14);
    w->a = (w->a ^ w->c) - rotate(w->c, 11);
    w->b = (w->b ^ w->a) - rotate(w->a, 25);
    w->c = (w->c ^ w->b) - rotate(w->b, 16);
    w->a = (w->a ^ w->c) - rotate(w->c, 4);
    w->b = (w->b ^ w->a) - rotate(w->a, 14);
    w->c = (w->c ^ w->b) - rotate(w->b, 24);
}

static struct words begin(size_t size)
{
    uint32_t first = UINT32_C(0x9e3779b9) + (uint32_t)size + 3923095;
    struct words w = {first, first, first};
    w.a += (uint32_t)(PARTITION_SEED >> 32);
    w.b += (uint32_t)PARTITION_SEED;
    mix(&w);
    return w;
}

static uint64_t result(const struct words *w)
{
    return (uint64_t)w->b << 32 | w->c;
}

/* At most four bytes as a little-endian word; those beyond `size` are 0. */
static uint32_t word_at(const uint8_t *bytes, size_t size)
{
    uint32_t word = 0;
    for (size_t i = 0; i < 4 && i < size; i++) {
        word |= (uint32_t)bytes[i] << (8 * i);
    }
    return word;
}

static uint64_t hash_bytes(const uint8_t *bytes, size_t size)
{
    struct words w = begin(size);
    for (; size >= 12; bytes += 12, size -= 12) {
        w.a += word_at(bytes, 4);
        w.b += word_at(bytes + 4, 4);
        w.c += word_at(bytes + 8, 4);
        mix(&w);
    }
    /* The last 0 to 11 bytes; the lowest byte of c stands for the length. */
    w.a += word_at(bytes, size);
    w.b += size > 4 ? word_at(bytes + 4, size - 4) : 0;
    w.c += size > 8 ? word_at(bytes + 8, size - 8) << 8 : 0;
    finish(&w);
    return result(&w);
}

static uint64_t hash_word(uint32_t word)
{
    struct words w = begin(sizeof word);
    w.a += word;
    finish(&w);
    return result(&w);
}

/* hashint8extended folds the halves so that an int8 hashes as the int4 and
 * int2 of the same value. */
static uint64_t hash_number(int64_t number)
{
    uint32_t low = (uint32_t)number, high = (uint32_t)((uint64_t)number >> 32);
    return hash_word(low ^ (number >= 0 ? high : ~high));
}

static uint64_t hash_value(const struct key_text *key)
{
    switch (key->kind) {
    case KEY_INT2:
    case KEY_INT4:
    case KEY_INT8:
    case KEY_DATE: return hash_number(key->number);
    case KEY_UUID: return hash_bytes(key->uuid, sizeof key->uuid);
    case KEY_TEXT:
    case KEY_VARCHAR:
    case KEY_CHAR: return hash_bytes((const uint8_t *)key_text_bytes(key), key->size);
    case KEY_KIND_COUNT: break;
    }
    assert(false);
    return 0;
}

uint64_t pg_hash_of(const struct key_text *key)
{
    return hash_value(key) + COMBINE_CONSTANT;
}

static uint32_t find_partition(const void *state, const struct key_text *key)
{
    const struct table_state *table = state;
    return (uint32_t)(pg_hash_of(key) % table->count);
}

const struct scheme_methods pg_hash_methods = {table_state_create, table_state_destroy,
                                               find_partition, table_state_owners};
