/* admin/show_private: the tables of columns, and what fills them; for admin/show only.
 *
 * One file for each kind of thing that is shown.
 */
#pragma once

#include "admin/show.h"

#define SHOW_COLUMNS(columns) columns, sizeof(columns) / sizeof(columns)[0]

extern const struct column show_version_columns[1];
void show_version_collect(struct hall *hall, const void *argument, struct rows *rows);
