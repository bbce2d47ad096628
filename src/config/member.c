#include "config/member.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/config.h"
#include "config/settings_private.h"

enum { TEXT_MAX = 1024, NAME_MAX_BYTES = 63 }; /* PostgreSQL cuts longer names */

/* Name, kind and place of a field, and a compile error when the field is of another type. */
#define DATABASE_NUMBER(field, setting)                                                            \
#field, setting,                                                                               \
        _Generic(((struct config_database *)0)->field, int64_t                                     \
                 : offsetof(struct config_database, field))
#define DATABASE_TEXT(field)                                                                       \
#field, NULL,                                                                                  \
        _Generic(((struct config_database *)0)->field, char *                                      \
                 : offsetof(struct config_database, field))
#define USER_NUMBER(field, setting)                                                                \
#field, setting,                                                                               \
        _Generic(((struct config_user *)0)->field, int64_t                                         \
                 : offsetof(struct config_user, field))

/* clang-format off */
static const struct member database_rows[] = {
    {DATABASE_TEXT(auth_dbname), "", TEXT_MAX, false,
     "As the setting of that name."},
    {DATABASE_TEXT(auth_query), "", TEXT_MAX, false,
     "As the setting of that name."},
    {DATABASE_TEXT(auth_user), "", NAME_MAX_BYTES, false,
     "As the setting of that name."},
    {DATABASE_TEXT(client_encoding), "", NAME_MAX_BYTES, false,
     "Asked from the server at login; empty: as the client wants it."},
    {DATABASE_TEXT(connect_query), "", TEXT_MAX, false,
     "Run on each new server connection before a client gets it."},
    {DATABASE_TEXT(datestyle), "", NAME_MAX_BYTES, false,
     "Asked from the server at login; empty: as the client wants it."},
    {DATABASE_TEXT(dbname), "", NAME_MAX_BYTES, false,
     "The name on the server; empty: the name that the client asked for."},
    {DATABASE_TEXT(host), "/run/postgresql", TEXT_MAX, false,
     "Name, address, or the directory of a Unix socket (it begins with `/`)."},
    {DATABASE_NUMBER(max_db_connections, "max_db_connections"), NULL, 0, false,
     "As the setting of that name."},
    {DATABASE_NUMBER(min_pool_size, "min_pool_size"), NULL, 0, false,
     "As the setting of that name."},
    {DATABASE_TEXT(password), "", TEXT_MAX - 1, true,
     "Of `user`; empty: as `auth_file` has it."},
    {DATABASE_NUMBER(pool_mode, "pool_mode"), NULL, 0, false,
     "As the setting of that name."},
    {DATABASE_NUMBER(pool_size, "default_pool_size"), NULL, 0, false,
     "As `default_pool_size`."},
    {DATABASE_NUMBER(port, "listen_port"), "5432", 0, false,
     "Of the server."},
    {DATABASE_NUMBER(reserve_pool_size, "reserve_pool_size"), NULL, 0, false,
     "As the setting of that name."},
    {DATABASE_NUMBER(sslmode, "server_tls_sslmode"), NULL, 0, false,
     "As `server_tls_sslmode`."},
    {DATABASE_TEXT(timezone), "", NAME_MAX_BYTES, false,
     "Asked from the server at login; empty: as the client wants it."},
    {DATABASE_TEXT(user), "", NAME_MAX_BYTES, false,
     "Who logs in to the server, for all clients; empty: each as itself."},
};
static const struct member user_rows[] = {
    {USER_NUMBER(max_user_client_connections, "max_user_connections"), NULL, 0, false,
     "Client connections of this user; 0: no limit."},
    {USER_NUMBER(max_user_connections, "max_user_connections"), NULL, 0, false,
     "As the setting of that name."},
    {USER_NUMBER(pool_mode, "pool_mode"), NULL, 0, false,
     "As the setting of that name; stronger than the database's."},
    {USER_NUMBER(pool_size, "default_pool_size"), NULL, 0, false,
     "As `default_pool_size`; stronger than the database's."},
};
/* clang-format on */

const struct member_table database_members = {
    database_rows, sizeof database_rows / sizeof database_rows[0], "database",
    offsetof(struct config_database, name), NAME_MAX_BYTES};
const struct member_table user_members = {user_rows, sizeof user_rows / sizeof user_rows[0], "user",
                                          offsetof(struct config_user, name), NAME_MAX_BYTES};

static char **text_at(void *entry, size_t offset)
{
    return (char **)(void *)((char *)entry + offset);
}

static int64_t *number_at(void *entry, size_t offset)
{
    return (int64_t *)(void *)((char *)entry + offset);
}

const struct member *member_find(const struct member_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->rows[i].name, name) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

static const char *nearest(const struct member_table *table, const char *name)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 2; /* further away is no typing mistake */

    for (size_t i = 0; i < table->count; i++) {
        size_t distance = text_distance(name, table->rows[i].name);
        if (distance < best_distance) {
            best = table->rows[i].name;
            best_distance = distance;
        }
    }
    return best;
}

static bool unknown(const struct member_table *table, const char *name, struct error *err)
{
    const char *best = nearest(table, name);

    error_set(err, "42704", "unknown %s option \"%.80s\"", table->what, name);
    if (setting_find(name) != NULL) {
        return error_hint(err, "%s is a setting: it belongs to the top of the file", name);
    }
    return best == NULL ? false : error_hint(err, "did you mean %s?", best);
}

static void free_secret(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
    }
    free(text);
}

static bool set_text(const struct member *member, void *entry, const char *value, struct error *err)
{
    if (strlen(value) > member->size_max) {
        return error_set(err, "22023", "%s: has %zu bytes, more than %zu", member->name,
                         strlen(value), member->size_max);
    }
    char *copy = strdup(value);
    if (copy == NULL) {
        return error_set(err, "53200", "%s: out of memory", member->name);
    }
    free_secret(*text_at(entry, member->offset));
    *text_at(entry, member->offset) = copy;
    return true;
}

bool member_set(const struct member_table *table, void *entry, const char *name, const char *value,
                struct error *err)
{
    const struct member *member = member_find(table, name);

    if (member == NULL) {
        return unknown(table, name, err);
    }
    if (member->setting == NULL) {
        return set_text(member, entry, value, err);
    }
    return setting_read_number(setting_find(member->setting), name, value,
                               number_at(entry, member->offset), err);
}

bool member_init(const struct member_table *table, void *entry, const char *name)
{
    struct error err = {0};
    char **own = text_at(entry, table->name_offset);

    for (size_t i = 0; i < table->count; i++) {
        const struct member *member = &table->rows[i];
        if (member->setting == NULL) {
            *text_at(entry, member->offset) = NULL;
        } else {
            *number_at(entry, member->offset) = -1;
        }
    }
    *own = strdup(name);
    bool is_ok = *own != NULL;
    for (size_t i = 0; is_ok && i < table->count; i++) {
        const struct member *member = &table->rows[i];
        is_ok = member->fallback == NULL ||
                member_set(table, entry, member->name, member->fallback, &err);
    }
    return is_ok;
}

void member_done(const struct member_table *table, void *entry)
{
    free(*text_at(entry, table->name_offset));
    *text_at(entry, table->name_offset) = NULL;
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].setting == NULL) {
            free_secret(*text_at(entry, table->rows[i].offset));
            *text_at(entry, table->rows[i].offset) = NULL;
        }
    }
}

const char *member_show(const struct member *member, const void *entry, char text[MEMBER_TEXT_SIZE])
{
    static_assert((int)MEMBER_TEXT_SIZE == (int)SETTING_TEXT_SIZE, "one buffer fits both");
    const void *field = (const char *)entry + member->offset;
    char *const *string = field;
    const int64_t *number = field;

    if (member->setting == NULL) {
        snprintf(text, MEMBER_TEXT_SIZE, "%s", *string);
    } else if (*number < 0) {
        text[0] = '\0';
    } else {
        setting_show_number(setting_find(member->setting), *number, text);
    }
    return text;
}
