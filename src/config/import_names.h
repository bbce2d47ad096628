/* config/import_names: what became of PgBouncer's names.
 *
 * Those that are ours too, with the same meaning, are in no table here.
 */
#pragma once

struct import_name {
    const char *name; /* PgBouncer's */
    const char *ours; /* NULL: there is none */
    const char *note; /* why not, or what to do; NULL: nothing to say */
};

/* NULL when it isn't in the table. */
[[nodiscard]] const struct import_name *import_setting_name(const char *name);
[[nodiscard]] const struct import_name *import_database_name(const char *name);

/* Defaults that aren't ours, by setting_at() names; ends with a NULL name. */
struct import_default {
    const char *name, *value;
};
extern const struct import_default import_defaults[];
