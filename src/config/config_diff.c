/* What a reload changes, for the log and the console. */
#include <string.h>

#include "config/config.h"
#include "config/member.h"

static size_t diff_settings(const struct settings *old, const struct settings *new,
                            struct text *out)
{
    char before[SETTING_TEXT_SIZE], after[SETTING_TEXT_SIZE];
    const struct setting *setting;
    size_t count = 0;

    for (size_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        setting_show(old, setting, before);
        setting_show(new, setting, after);
        if (strcmp(before, after) == 0) {
            continue;
        }
        bool is_text = setting->type == SETTING_STRING;
        const char *quote = is_text ? "\"" : "";
        text_appendf(out, "%s: %s%s%s -> %s%s%s%s\n", setting->name, quote, before, quote, quote,
                     after, quote, setting->reload == RELOAD_RESTART ? " (needs a restart)" : "");
        count++;
    }
    return count;
}

static const char *or_unset(const char *text)
{
    return text[0] != '\0' ? text : "unset";
}

static size_t diff_entry(const struct member_table *table, const char *name, const void *old,
                         const void *new, struct text *out)
{
    char before[MEMBER_TEXT_SIZE], after[MEMBER_TEXT_SIZE];
    size_t count = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct member *member = &table->rows[i];
        member_show(member, old, before);
        member_show(member, new, after);
        if (strcmp(before, after) != 0) {
            text_appendf(out, "%s %s: %s", table->what, name, member->name);
            if (member->is_secret) {
                text_append(out, " (changed)\n");
            } else {
                text_appendf(out, " %s -> %s\n", or_unset(before), or_unset(after));
            }
            count++;
        }
        explicit_bzero(before, sizeof before); /* passwords were there */
        explicit_bzero(after, sizeof after);
    }
    return count;
}

/* By its own name: "*" stands only for itself. */
static const struct config_database *find_database(const struct config *config, const char *name)
{
    const struct config_database *database = config_database(config, name);

    return database != NULL && strcmp(database->name, name) == 0 ? database : NULL;
}

static size_t diff_databases(const struct config *old, const struct config *new, struct text *out)
{
    size_t count = 0;

    for (size_t i = 0; i < old->database_count; i++) {
        const struct config_database *before = &old->databases[i];
        const struct config_database *after = find_database(new, before->name);
        if (after == NULL) {
            text_appendf(out, "database %s: removed\n", before->name);
            count++;
        } else {
            count += diff_entry(&database_members, before->name, before, after, out);
        }
    }
    for (size_t i = 0; i < new->database_count; i++) {
        if (find_database(old, new->databases[i].name) == NULL) {
            text_appendf(out, "database %s: added\n", new->databases[i].name);
            count++;
        }
    }
    return count;
}

static size_t diff_users(const struct config *old, const struct config *new, struct text *out)
{
    size_t count = 0;

    for (size_t i = 0; i < old->user_count; i++) {
        const struct config_user *before = &old->users[i];
        const struct config_user *after = config_user(new, before->name);
        if (after == NULL) {
            text_appendf(out, "user %s: removed\n", before->name);
            count++;
        } else {
            count += diff_entry(&user_members, before->name, before, after, out);
        }
    }
    for (size_t i = 0; i < new->user_count; i++) {
        if (config_user(old, new->users[i].name) == NULL) {
            text_appendf(out, "user %s: added\n", new->users[i].name);
            count++;
        }
    }
    return count;
}

size_t config_diff(const struct config *old, const struct config *new, struct text *out)
{
    return diff_settings(&old->settings, &new->settings, out) + diff_databases(old, new, out) +
           diff_users(old, new, out);
}
