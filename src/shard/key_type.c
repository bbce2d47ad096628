#include "shard/key_type.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LENGTH_MAX = 10485760 }; /* PostgreSQL's own limit for varchar(n) and char(n) */

static const struct {
    const char *name;
    enum key_kind kind;
    uint32_t length; /* when none is written */
    bool takes_length;
} names[] = {
    {"int2", KEY_INT2, 0, false},   {"smallint", KEY_INT2, 0, false},
    {"int4", KEY_INT4, 0, false},   {"integer", KEY_INT4, 0, false},
    {"int", KEY_INT4, 0, false},    {"int8", KEY_INT8, 0, false},
    {"bigint", KEY_INT8, 0, false}, {"uuid", KEY_UUID, 0, false},
    {"text", KEY_TEXT, 0, false},   {"varchar", KEY_VARCHAR, 0, true},
    {"bpchar", KEY_CHAR, 0, true},  {"character varying", KEY_VARCHAR, 0, true},
    {"char", KEY_CHAR, 1, true},    {"character", KEY_CHAR, 1, true},
    {"date", KEY_DATE, 0, false},
};

static const struct {
    const char *name;
    uint32_t oid; /* pg_type.dat: fixed for ever */
} kinds[KEY_KIND_COUNT] = {
    [KEY_INT2] = {"int2", 21},   [KEY_INT4] = {"int4", 23},   [KEY_INT8] = {"int8", 20},
    [KEY_UUID] = {"uuid", 2950}, [KEY_TEXT] = {"text", 25},   [KEY_VARCHAR] = {"varchar", 1043},
    [KEY_CHAR] = {"char", 1042}, [KEY_DATE] = {"date", 1082},
};

const char *key_kind_name(enum key_kind kind)
{
    assert(kind < KEY_KIND_COUNT);
    return kinds[kind].name;
}

bool key_kind_is_integer(enum key_kind kind)
{
    return kind == KEY_INT2 || kind == KEY_INT4 || kind == KEY_INT8;
}

bool key_kind_is_string(enum key_kind kind)
{
    return kind == KEY_TEXT || kind == KEY_VARCHAR || kind == KEY_CHAR;
}

bool key_type_from_oid(uint32_t oid, struct key_type *type)
{
    for (size_t i = 0; i < KEY_KIND_COUNT; i++) {
        if (kinds[i].oid == oid) {
            *type = (struct key_type){.kind = (enum key_kind)i};
            return true;
        }
    }
    return false;
}

/* Reads "(20)" and nothing after it. */
static bool parse_length(const char *text, uint32_t *length)
{
    uint32_t value = 0;
    const char *at = text + 1;

    for (; *at >= '0' && *at <= '9' && value <= LENGTH_MAX; at++) {
        value = value * 10 + (uint32_t)(*at - '0');
    }
    if (strcmp(at, ")") != 0 || value == 0 || value > LENGTH_MAX) {
        return false;
    }
    *length = value;
    return true;
}

bool key_type_parse(const char *name, struct key_type *type, struct error *err)
{
    size_t size = strcspn(name, "(");
    bool has_length = name[size] == '(';

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) != size || strncasecmp(names[i].name, name, size) != 0) {
            continue;
        }
        uint32_t length = names[i].length;
        if (has_length && (!names[i].takes_length || !parse_length(name + size, &length))) {
            return error_set(err, "42601", "\"%s\": this length does not belong to type %s", name,
                             names[i].name);
        }
        *type = (struct key_type){.kind = names[i].kind, .length = length};
        return true;
    }
    error_set(err, "42704", "type \"%s\" cannot be a shard key", name);
    return error_hint(err, "a shard key is int2, int4, int8, uuid, text, varchar, char(n) or date");
}

const char *key_type_print(char buffer[KEY_TYPE_NAME_SIZE], const struct key_type *type)
{
    const char *name =
        type->kind == KEY_CHAR && type->length == 0 ? "bpchar" : key_kind_name(type->kind);
    if (type->length > 0) {
        snprintf(buffer, KEY_TYPE_NAME_SIZE, "%s(%u)", name, type->length);
        return buffer;
    }
    snprintf(buffer, KEY_TYPE_NAME_SIZE, "%s", name);
    return buffer;
}
