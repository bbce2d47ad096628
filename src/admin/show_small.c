/* What is shown of the process itself. */
#include "admin/show_private.h"
#include "version.h"

const struct column show_version_columns[1] = {
    {"version", COLUMN_TEXT, MERGE_KEY, "Name and version of this program."},
};

void show_version_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)hall;
    (void)argument;
    rows_text(rows, "Reparto " REPARTO_VERSION);
}
