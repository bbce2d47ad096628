/* config/config_private: where each setting stood in the file, and what the checks ask for.
 *
 * For config.c and config_check.c alone.
 */
#pragma once

#include "config/config.h"

/* While a file is read. */
struct config_places {
    struct report_place *settings;        /* owned; by setting_at(); line 0: its default */
    struct report_place *database_fields; /* owned; see config_field_place() */
};

/* Where the setting stands; line 0 when it has its default. */
[[nodiscard]] struct report_place config_setting_place(const struct config_places *places,
                                                       const char *name);

/* Where the database's field stands; line 0 when it has its default. */
[[nodiscard]] struct report_place config_field_place(const struct config_places *places,
                                                     size_t database, const char *field);

/* Reports what is well-formed but can't be meant.  Needs a file without errors so far. */
void config_check(const struct config *config, const struct config_places *places,
                  struct report *report);
