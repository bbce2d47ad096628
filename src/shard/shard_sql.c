#include "shard/shard_sql.h"

#include <assert.h>
#include <inttypes.h>

/* "t.key" as "t"."key".  Always quoted: user, unquoted, is a function. */
static bool append_column(const char *column, struct text *out, struct error *err)
{
    size_t part = 0;
    text_append(out, "\"");
    for (const char *at = column; *at != '\0'; at++) {
        if (*at == '.' && (part == 0 || at[1] == '\0')) {
            part = 0;
            break;
        }
        if (*at == '.') {
            text_append(out, "\".\"");
            part = 0;
            continue;
        }
        text_append(out, *at == '"' ? "\"\"" : (char[]){*at, '\0'});
        part++;
    }
    text_append(out, "\"");
    return part > 0 || error_set(err, "42602", "\"%s\" is no column name", column);
}

/* The key text of DESIGN: what md5() hashes. */
static bool append_key_text(const struct key_type *type, const char *column, struct text *out,
                            struct error *err)
{
    bool is_date = type->kind == KEY_DATE;
    text_append(out, is_date ? "(to_json(" : "");
    if (!append_column(column, out, err)) {
        return false;
    }
    text_append(out, is_date ? ")#>>'{}')" : "::text");
    return true;
}

/* 32 bits of the MD5, counted in hexadecimal digits from 1, as a bigint. */
static void append_bits(const char *key_text, int first, int digits, struct text *out)
{
    text_appendf(out, "('x'||substr(md5(%s),%d,%d))::bit(%d)::bigint", key_text, first, digits,
                 digits * 4);
}

static void append_md5_modulo(const char *key_text, uint32_t count, struct text *out)
{
    text_append(out, "(((((((");
    append_bits(key_text, 1, 8, out);
    for (int i = 1; i < 4; i++) {
        text_appendf(out, " %% %" PRIu32 ")*4294967296 + ", count);
        append_bits(key_text, 1 + 8 * i, 8, out);
        text_append(out, i < 3 ? ")" : "");
    }
    text_appendf(out, ") %% %" PRIu32 ")", count);
}

static const char *hash_function(enum key_kind kind)
{
    switch (kind) {
    case KEY_INT2: return "hashint2extended";
    case KEY_INT4:
    case KEY_DATE: return "hashint4extended";
    case KEY_INT8: return "hashint8extended";
    case KEY_UUID: return "uuid_hash_extended";
    case KEY_TEXT:
    case KEY_VARCHAR: return "hashtextextended";
    case KEY_CHAR: return "hashbpcharextended";
    case KEY_KIND_COUNT: break;
    }
    assert(false);
    return "";
}

/* The seed and the constant of pg_hash.c in decimal; numeric stands in for the
 * unsigned 64-bit numbers that SQL lacks. */
static bool append_pg_hash(const struct key_type *type, const char *column, uint32_t count,
                           struct text *out, struct error *err)
{
    struct text name = {0};
    bool is_ok = append_column(column, &name, err);
    text_appendf(out, "(mod(mod(%s(", hash_function(type->kind));
    if (type->kind == KEY_DATE) {
        /* No hash function takes a date, but its days since 2000 hash as it does. */
        text_appendf(out,
                     "CASE %s WHEN 'infinity' THEN 2147483647 WHEN '-infinity' THEN -2147483648 "
                     "ELSE %s - date '2000-01-01' END::int4",
                     text_cstr(&name), text_cstr(&name));
    } else {
        text_append(out, text_cstr(&name));
    }
    is_ok = is_ok &&
            (!name.has_failed || error_set(err, "53200", "out of memory for an SQL expression"));
    text_done(&name);
    text_appendf(out,
                 ",8816678312871386365)::numeric + 23752253665144318179, 18446744073709551616)"
                 ", %" PRIu32 ")::bigint)",
                 count);
    return is_ok;
}

static bool append_partition(const struct shard_map *map, const struct key_type *type,
                             const char *column, struct text *out, struct error *err)
{
    uint32_t count = shard_map_partition_count(map);
    if (shard_map_scheme(map) == SHARD_PG_HASH) {
        return append_pg_hash(type, column, count, out, err);
    }
    struct text key_text = {0};
    bool is_ok = append_key_text(type, column, &key_text, err);
    if (is_ok && key_text.has_failed) {
        is_ok = error_set(err, "53200", "out of memory for an SQL expression");
    }
    if (is_ok && shard_map_scheme(map) == SHARD_SLOTS) {
        text_append(out, "(");
        append_bits(text_cstr(&key_text), 29, 4, out);
        text_appendf(out, " & %d)", SHARD_SLOT_COUNT - 1);
    } else if (is_ok) {
        append_md5_modulo(text_cstr(&key_text), count, out);
    }
    text_done(&key_text);
    return is_ok;
}

bool shard_sql_partition(const struct shard_map *map, const struct key_type *type,
                         const char *column, struct text *out, struct error *err)
{
    if (shard_map_scheme(map) == SHARD_RING) {
        error_set(err, "0A000", "a ring has no partition expression in SQL");
        return error_hint(err, "md5_modulo, slots and pg_hash have one");
    }
    if (!append_partition(map, type, column, out, err)) {
        return false;
    }
    return !out->has_failed || error_set(err, "53200", "out of memory for an SQL expression");
}

bool shard_sql_owned(const struct shard_map *map, const struct key_type *type, const char *column,
                     size_t shard, struct text *out, struct error *err)
{
    const uint16_t *owners = shard_map_owners(map);
    const char *separator = "";

    assert(shard < shard_map_shard_count(map));
    if (!shard_sql_partition(map, type, column, out, err)) {
        return false;
    }
    text_append(out, " = ANY ('{");
    for (uint32_t i = 0; i < shard_map_partition_count(map); i++) {
        if (owners[i] == shard) {
            text_appendf(out, "%s%" PRIu32, separator, i);
            separator = ",";
        }
    }
    text_append(out, "}'::bigint[])");
    return !out->has_failed || error_set(err, "53200", "out of memory for an SQL expression");
}
