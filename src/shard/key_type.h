/* shard/key_type: which column types can be a shard key.
 *
 * A type is here only when equal values have one byte form that the router can
 * make from text, from binary and from a literal.  What is not here (numeric,
 * timestamps, float, citext, nondeterministic collations, …) is refused when
 * the configuration is read, never at a statement.  That a column's collation
 * is deterministic and the database's encoding UTF8 is for the caller to check:
 * a type's name does not tell it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum key_kind {
    KEY_INT2,
    KEY_INT4,
    KEY_INT8,
    KEY_UUID,
    KEY_TEXT,
    KEY_VARCHAR,
    KEY_CHAR, /* char(n), which PostgreSQL calls bpchar: trailing blanks mean nothing */
    KEY_DATE,
    KEY_KIND_COUNT
};

struct key_type {
    enum key_kind kind;
    uint32_t length; /* the n of varchar(n) and char(n), in characters; 0: without */
};

/* Reads "int8", "bigint", "character varying(20)" …, in any case.  As in SQL,
 * "char" is char(1); "bpchar" has no length.  42704 for a name that is no type
 * of ours, with the list as the hint. */
[[nodiscard]] bool key_type_parse(const char *name, struct key_type *type, struct error *err);

/* The type of a column or parameter with this pg_type.oid, without a length.
 * False when it cannot be a shard key. */
[[nodiscard]] bool key_type_from_oid(uint32_t oid, struct key_type *type);

/* "int8", "varchar", "char": the short name; static. */
[[nodiscard]] const char *key_kind_name(enum key_kind kind);
[[nodiscard]] bool key_kind_is_integer(enum key_kind kind);
[[nodiscard]] bool key_kind_is_string(enum key_kind kind); /* text, varchar, char */

enum { KEY_TYPE_NAME_SIZE = 24 };

/* "varchar(20)".  Returns `buffer`. */
const char *key_type_print(char buffer[KEY_TYPE_NAME_SIZE], const struct key_type *type);
