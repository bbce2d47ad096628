/* A configuration with one setting changed, as SET on the console makes it. */
#include <stdlib.h>
#include <string.h>

#include "config/config_private.h"
#include "config/member.h"
#include "config/settings_private.h"

static bool copy_text(const void *from, void *to, size_t offset)
{
    const char *const *text = (const char *const *)(const void *)((const char *)from + offset);
    char *copy = strdup(*text);
    if (copy == NULL) {
        return false;
    }
    memcpy((char *)to + offset, &copy, sizeof copy);
    return true;
}

/* `to` is zeroed; member_done() in any case. */
static bool copy_entry(const struct member_table *table, const void *from, void *to)
{
    bool is_ok = copy_text(from, to, table->name_offset);

    for (size_t i = 0; i < table->count; i++) {
        size_t offset = table->rows[i].offset;
        if (table->rows[i].setting != NULL) {
            memcpy((char *)to + offset, (const char *)from + offset, sizeof(int64_t));
        } else {
            is_ok = copy_text(from, to, offset) && is_ok;
        }
    }
    return is_ok;
}

static bool copy_entries(const struct config *from, struct config *to)
{
    to->databases = calloc(from->database_count + 1, sizeof to->databases[0]);
    to->users = calloc(from->user_count + 1, sizeof to->users[0]);
    to->database_order = calloc(from->database_count + 1, sizeof to->database_order[0]);
    to->user_order = calloc(from->user_count + 1, sizeof to->user_order[0]);
    if (to->databases == NULL || to->users == NULL || to->database_order == NULL ||
        to->user_order == NULL) {
        return false;
    }
    memcpy(to->database_order, from->database_order,
           from->database_count * sizeof to->database_order[0]);
    memcpy(to->user_order, from->user_order, from->user_count * sizeof to->user_order[0]);
    bool is_ok = true;
    for (size_t i = 0; i < from->database_count; i++) {
        to->database_count++;
        to->databases[i].line = from->databases[i].line;
        is_ok = copy_entry(&database_members, &from->databases[i], &to->databases[i]) && is_ok;
    }
    for (size_t i = 0; i < from->user_count; i++) {
        to->user_count++;
        to->users[i].line = from->users[i].line;
        is_ok = copy_entry(&user_members, &from->users[i], &to->users[i]) && is_ok;
    }
    return is_ok;
}

/* The rules that hold between settings. */
static bool check(const struct config *config, struct error *err)
{
    struct config_places places = {0};
    struct report report;

    places.settings = calloc(settings_count, sizeof places.settings[0]);
    places.database_fields = calloc((config->database_count + 1) * database_members.count,
                                    sizeof places.database_fields[0]);
    if (places.settings == NULL || places.database_fields == NULL) {
        free(places.settings);
        free(places.database_fields);
        return error_set(err, "53200", "no memory for a configuration");
    }
    report_init(&report, "SET", "", 0);
    config_check(config, &places, &report);
    bool is_ok = report.error_count == 0;
    if (!is_ok) {
        report_first_error(&report, err);
    }
    report_done(&report);
    free(places.settings);
    free(places.database_fields);
    return is_ok;
}

struct config *config_with(const struct config *config, const char *name, const char *value,
                           struct error *err)
{
    const struct setting *setting = setting_find(name);
    struct config *copy = calloc(1, sizeof *copy);

    if (copy == NULL) {
        error_set(err, "53200", "no memory for a configuration");
        return NULL;
    }
    copy->share_count = 1;
    if (!settings_copy(&copy->settings, &config->settings, err)) {
        config_release(copy);
        return NULL;
    }
    if (setting != NULL && setting->reload == RELOAD_RESTART) {
        error_set(err, "55P02", "%s cannot be changed without a restart", name);
    } else if (!copy_entries(config, copy)) {
        error_set(err, "53200", "no memory for a configuration");
    } else if (setting_set(&copy->settings, name, value, err) && check(copy, err)) {
        return copy;
    }
    config_release(copy);
    return NULL;
}
