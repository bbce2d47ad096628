/* config/hba_private: the parsed lines, for hba.c, hba_parse.c and hba_map.c alone.
 *
 * All of it lives in the arena but the compiled expressions, which are listed.
 */
#pragma once

#include <regex.h>

#include "base/arena.h"
#include "config/address.h"
#include "config/hba.h"
#include "config/hba_line.h"

enum { HBA_REGEXES_MAX = 1000 };

enum hba_name_kind {
    HBA_NAME_TEXT,
    HBA_NAME_REGEX,
    HBA_NAME_ALL,
    HBA_NAME_SAME, /* of a database: the user's name */
    HBA_NAME_NONE  /* "replication": matches no database */
};

struct hba_regex {
    regex_t regex; /* owned */
    struct hba_regex *next;
};

struct hba_name {
    enum hba_name_kind kind;
    const char *text;
    const regex_t *regex;
    struct hba_name *next;
};

struct hba_rule {
    bool is_local, is_for_tls, is_for_clear; /* the kinds of connection that it is for */
    struct hba_name *databases, *users;
    bool is_any_address;
    struct address_network network;
    struct hba_result result;
    struct hba_rule *next;
};

struct hba_mapping {
    const char *map;
    struct hba_name system_name;
    const char *user; /* may hold \1 when the system's name is an expression */
    bool is_any_user;
    struct hba_mapping *next;
};

struct hba {
    struct arena arena;
    struct hba_rule *rules, **last_rule;
    struct hba_mapping *mappings, **last_mapping;
    struct hba_regex *regexes; /* to be freed */
    size_t regex_count;        /* at most HBA_REGEXES_MAX */
};

/* Compiles the item's expression into `hba`; NULL when it was reported. */
[[nodiscard]] const regex_t *hba_add_regex(struct hba *hba, const struct hba_item *item,
                                           struct report *report);

/* Compares or matches as a whole name. */
[[nodiscard]] bool hba_name_matches(const struct hba_name *name, const char *text);
