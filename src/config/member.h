/* config/member: the fields of a database and of a user, one row each.
 *
 * The parser, the diff, the importer and docs/settings.md read these tables;
 * limits and units are those of the setting that a field stands in for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct member {
    const char *name;
    const char *setting;  /* whose limits, units and values a number has; NULL: a text */
    size_t offset;        /* in the database or user; int64_t, or char * owned and never NULL */
    const char *fallback; /* as one would write it; NULL: as the setting has it, -1 in the field */
    size_t size_max;      /* bytes of a text */
    bool is_secret;
    const char *help;
};

struct member_table {
    const struct member *rows; /* sorted by name */
    size_t count;
    const char *what;   /* "database", for messages */
    size_t name_offset; /* of the entry's own name, char * */
    size_t name_max;    /* bytes */
};

extern const struct member_table database_members, user_members;

/* Of both kinds: 42704 unknown (with a hint), 22023 bad value. */
[[nodiscard]] bool member_set(const struct member_table *table, void *entry, const char *name,
                              const char *value, struct error *err);
[[nodiscard]] const struct member *member_find(const struct member_table *table, const char *name);

/* Copies the name and sets all fallbacks.  False when out of memory; member_done() in any case. */
[[nodiscard]] bool member_init(const struct member_table *table, void *entry, const char *name);
void member_done(const struct member_table *table, void *entry); /* wipes and frees */

/* As one would write it; "" for a text or number that is the setting's.  Returns `text`. */
enum { MEMBER_TEXT_SIZE = 1100 };
const char *member_show(const struct member *member, const void *entry,
                        char text[MEMBER_TEXT_SIZE]);
