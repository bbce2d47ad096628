#include <stdio.h>
#include <string.h>

#include "config/config.h"

const char *config_place(const char *config_path, const char *name, char path[CONFIG_PATH_SIZE],
                         struct error *err)
{
    const char *slash = strrchr(config_path, '/');
    bool stays = slash == NULL || name[0] == '/' || name[0] == '\0' || strcmp(name, "system") == 0;
    size_t directory = stays ? 0 : (size_t)(slash - config_path) + 1;

    if (directory + strlen(name) >= CONFIG_PATH_SIZE) {
        error_set(err, "F0000", "%.200s: the path is too long", name);
        return NULL;
    }
    snprintf(path, CONFIG_PATH_SIZE, "%.*s%s", (int)directory, config_path, name);
    return path;
}
