/* shard/key_text: the bytes of a shard key that are hashed.
 *
 * One value has one key text, however it came: as a text or binary parameter,
 * or as a literal, with or without a cast.
 *     integers   decimal, no "+", no leading zeros, no "-0"
 *     uuid       lower case with hyphens
 *     text       its UTF-8 bytes; char(n) without trailing blanks
 *     date       ISO: 2026-11-24, 0044-03-15 BC, infinity
 * Beside the text stands the native value, which pg_hash needs.
 *
 * Pure; allocates nothing.  What PostgreSQL would read but we cannot read with
 * certainty (a date in another style, hexadecimal integers of newer versions)
 * is refused: the caller must then ask all shards or refuse the statement.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "shard/key_type.h"

enum {
    KEY_TEXT_SIZE_MAX = 2048, /* bytes; PostgreSQL's B-tree takes 2,704 */
    KEY_TEXT_BUFFER = 40
};

/* A plain value: it may be copied. */
struct key_text {
    enum key_kind kind;   /* of the column */
    uint32_t size;        /* bytes of the key text */
    const char *borrowed; /* strings: the caller's bytes, as long as those live; else NULL */
    union {
        int64_t number;   /* integers; date: days since 2000-01-01 */
        uint8_t uuid[16]; /* uuid */
    };
    char buffer[KEY_TEXT_BUFFER]; /* the text when it is not borrowed; no zero at its end */
};

/* From PostgreSQL's text format: a parameter, or a literal without its quotes.
 * `source` is the type that the statement gives the value: a cast, a declared
 * parameter type, int8 for a bare number; NULL for a quoted literal or an
 * undeclared parameter, which take the column's type.  A length in `source` is
 * that of an explicit cast, and cuts.
 *
 * 22P02 malformed, 22003 out of range, 22001 longer than varchar(n) or char(n),
 * 22021 not UTF-8, 54000 longer than KEY_TEXT_SIZE_MAX, 42846 a cast that we do
 * not follow.  Messages never hold the value.  On error `key` is untouched. */
[[nodiscard]] bool key_text_parse(struct key_text *key, const struct key_type *column,
                                  const struct key_type *source, const char *bytes, size_t size,
                                  struct error *err);

/* From PostgreSQL's binary format.  `source` is the parameter's type; NULL: the
 * column's.  Errors as above; 22P03 for a wrong size. */
[[nodiscard]] bool key_text_decode(struct key_text *key, const struct key_type *column,
                                   const struct key_type *source, const uint8_t *bytes, size_t size,
                                   struct error *err);

/* An integer key without the way through text; for generated keys.
 * `number` must fit the column's kind, which must be an integer. */
void key_text_from_integer(struct key_text *key, enum key_kind kind, int64_t number);

/* The key text: key_text.size bytes, not zero-terminated.  Borrowed from `key`
 * or, for strings, from the bytes it was made of. */
[[nodiscard]] const char *key_text_bytes(const struct key_text *key);
