/* config/settings_private: the table of all settings, for settings.c alone.
 *
 * Rows are sorted by name.  Everyone else asks setting_at() and setting_find().
 */
#pragma once

#include "config/settings.h"

extern const struct setting settings_table[];
extern const size_t settings_count;
