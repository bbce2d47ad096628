#include <stdio.h>

#include "config/config.h"
#include "config/hba.h"
#include "config/name_list.h"

static bool is_password_asked(const struct settings *settings)
{
    return settings->auth_type == HBA_SCRAM || settings->auth_type == HBA_MD5 ||
           settings->auth_type == HBA_PASSWORD;
}

static void check_console_users(const struct config *config, const struct auth_file *file,
                                const char *setting, const char *list, struct report *report)
{
    const char *item;
    size_t size;

    while (name_list_next(&list, &item, &size)) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)size, item);
        if (config->settings.auth_user[0] == '\0' &&
            (file == NULL || auth_file_find(file, name) == NULL)) {
            report_warning(report, (struct report_place){0}, NULL, "%s: \"%s\" is not in auth_file",
                           setting, name);
        }
    }
}

void config_check_users(const struct config *config, const struct auth_file *file,
                        struct report *report)
{
    /* By rule they may need no password, which only the rules' reader knows. */
    if (config->settings.auth_hba_file[0] != '\0' || !is_password_asked(&config->settings)) {
        return;
    }
    check_console_users(config, file, "admin_users", config->settings.admin_users, report);
    check_console_users(config, file, "stats_users", config->settings.stats_users, report);
}
