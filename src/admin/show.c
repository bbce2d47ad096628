#include "admin/show.h"

#include <strings.h>

#include "admin/show_private.h"

static const struct show shows[] = {
    {
        .name = "version",
        .columns = show_version_columns,
        .column_count = sizeof show_version_columns / sizeof show_version_columns[0],
        .collect = show_version_collect,
        .is_local = true,
        .help = "The version of Reparto.",
    },
};

const struct show *show_at(size_t index)
{
    return index < sizeof shows / sizeof shows[0] ? &shows[index] : NULL;
}

const struct show *show_find(const char *name)
{
    for (size_t i = 0; show_at(i) != NULL; i++) {
        if (strcasecmp(name, shows[i].name) == 0) {
            return &shows[i];
        }
    }
    return NULL;
}
