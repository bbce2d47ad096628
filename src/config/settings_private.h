/* config/settings_private: the table of all settings, and its numbers for fields that stand in
 * for one.
 *
 * Rows are sorted by name.  Outside of config/ one asks setting_at() and setting_find().
 */
#pragma once

#include "config/settings.h"

extern const struct setting settings_table[];
extern const size_t settings_count;

/* A value of such a setting (a number, time, size or choice) that `name` has; 22023. */
[[nodiscard]] bool setting_read_number(const struct setting *setting, const char *name,
                                       const char *value, int64_t *number, struct error *err);
void setting_show_number(const struct setting *setting, int64_t number,
                         char text[SETTING_TEXT_SIZE]);

/* "1..65535", "0..365d", "session, transaction, statement", for messages and documents. */
void setting_limits(const struct setting *setting, char text[SETTING_TEXT_SIZE]);
