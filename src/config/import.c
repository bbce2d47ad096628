/* pgbouncer.ini to our YAML, line by line; what has no counterpart becomes a comment. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/config.h"
#include "config/import_ini.h"
#include "config/import_names.h"
#include "config/member.h"
#include "config/settings_private.h"
#include "config/yaml.h"

struct import {
    struct report *report;
    struct settings settings; /* where values are checked */
    bool *is_set;             /* owned; by setting_at() */
    struct text socket_directory;
    bool is_hba;                       /* auth_type is hba: only then PgBouncer looks at its file */
    struct text top, databases, users; /* the parts of the result */
};

/* ---- YAML ---- */

/* A text that YAML takes for nothing but itself. */
static bool is_plain(const char *text)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./";

    return text[0] != '\0' && strspn(text, safe) == strlen(text) && strcmp(text, "null") != 0;
}

static void append_scalar(struct text *out, const char *text)
{
    if (is_plain(text)) {
        text_append(out, text);
        return;
    }
    text_append(out, "\"");
    for (; *text != '\0'; text++) {
        bool is_special = *text == '"' || *text == '\\';
        if (*text == '\t') {
            text_append(out, "\\t");
            continue;
        }
        text_append(out, is_special ? "\\" : "");
        text_append_bytes(out, text, 1);
    }
    text_append(out, "\"");
}

static void append_pair(struct text *out, const char *indentation, const char *name,
                        const char *value)
{
    text_append(out, indentation);
    append_scalar(out, name);
    text_append(out, ": ");
    append_scalar(out, value);
    text_append(out, "\n");
}

static void append_note(struct text *out, const char *indentation, const char *name,
                        const char *value, const char *note)
{
    text_appendf(out, "%s# %s = %s  (%s)\n", indentation, name, value,
                 note != NULL ? note : "has no counterpart here");
}

/* ---- settings ---- */

static bool is_one_of(const char *value, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcasecmp(value, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* Ours for "secure", "tlsv1.2, tlsv1.3": the oldest of them, which is at least 1.2. */
static const char *translate_protocols(const char *value, const char **note)
{
    if (strcasestr(value, "tlsv1.0") != NULL || strcasestr(value, "tlsv1.1") != NULL ||
        strcasecmp(value, "all") == 0 || strcasecmp(value, "legacy") == 0) {
        *note = "TLS before 1.2 is not supported";
    }
    return strcasecmp(value, "tlsv1.3") == 0 ? "TLSv1.3" : "TLSv1.2";
}

static const char *translate_auth_type(const char *value, const char **note)
{
    static const char *const unknown[] = {"any", "ldap", "pam", NULL};

    if (strcmp(value, "hba") == 0) {
        *note = "the rules of auth_hba_file decide";
        return NULL;
    }
    if (is_one_of(value, unknown)) {
        *note = "not supported: scram-sha-256 is used";
        return NULL;
    }
    return strcmp(value, "plain") == 0 ? "password" : value;
}

static const char *translate_ciphers(const char *value, const char **note)
{
    static const char *const usual[] = {"default", "secure", "fast", "normal", NULL};

    if (strcmp(value, "all") == 0) {
        *note = "the list of all ciphers is not used";
        return NULL;
    }
    return is_one_of(value, usual) ? "" : value;
}

static const char *translate_boolean(const char *value)
{
    static const char *const yes[] = {"1", "yes", "true", "on", NULL};
    static const char *const no[] = {"0", "no", "false", "off", NULL};

    return is_one_of(value, yes) ? "true" : is_one_of(value, no) ? "false" : value;
}

/* Our value for PgBouncer's; NULL: there is none.  `note` says what is lost. */
static const char *translate(const struct import *import, const struct setting *setting,
                             const char *value, const char **note)
{
    const char *name = setting->name;

    if (strcmp(name, "auth_type") == 0) {
        return translate_auth_type(value, note);
    }
    if (strcmp(name, "client_tls_min_protocol") == 0 ||
        strcmp(name, "server_tls_min_protocol") == 0) {
        return translate_protocols(value, note);
    }
    if (strcmp(name, "client_tls_ciphers") == 0 || strcmp(name, "server_tls_ciphers") == 0) {
        return translate_ciphers(value, note);
    }
    if (strcmp(name, "log_level") == 0) {
        return strcmp(value, "0") == 0 ? "info" : "debug";
    }
    if (strcmp(name, "server_check_query") == 0 && strcmp(value, "<empty>") == 0) {
        return ";";
    }
    if (!import->is_hba &&
        (strcmp(name, "auth_hba_file") == 0 || strcmp(name, "auth_ident_file") == 0)) {
        *note = "auth_type is not hba";
        return NULL;
    }
    return setting->type == SETTING_BOOLEAN ? translate_boolean(value) : value;
}

static void import_setting(struct import *import, const struct ini_line *line)
{
    const char *key = text_cstr(&line->key), *value = text_cstr(&line->value), *note = NULL;
    const struct import_name *name = import_setting_name(key);
    const struct setting *setting = setting_find(name == NULL         ? key
                                                 : name->ours != NULL ? name->ours
                                                                      : "");
    struct error err = {0};
    char text[SETTING_TEXT_SIZE];

    if (setting == NULL) {
        append_note(&import->top, "", key, value, name != NULL ? name->note : NULL);
        return;
    }
    if (import->is_set[setting - settings_table]) {
        report_error(import->report, line->key_place, "PgBouncer takes the last one",
                     "%.60s stands there twice", key);
        return;
    }
    import->is_set[setting - settings_table] = true;
    const char *ours = translate(import, setting, value, &note);
    if (note != NULL) {
        append_note(&import->top, "", key, value, note);
    }
    if (ours == NULL) {
        return;
    }
    if (!setting_set(&import->settings, setting->name, ours, &err)) {
        report_error(import->report, line->value_place, err.hint, "%s", err.message);
        return;
    }
    append_pair(&import->top, "", setting->name, setting_show(&import->settings, setting, text));
}

/* ---- databases and users ---- */

static void import_host(struct import *import, const struct ini_pair *pair)
{
    const char *value = text_cstr(&pair->value);

    if (strchr(value, ',') != NULL) {
        report_error(import->report, pair->place, "choose one of them",
                     "a database has one host, not several");
        return;
    }
    if (value[0] == '@') {
        report_error(import->report, pair->place, NULL,
                     "sockets in the abstract namespace are not supported");
        return;
    }
    append_pair(&import->databases, "    ", "host", value);
}

static void import_member(struct import *import, const struct member_table *table, void *scratch,
                          const struct ini_pair *pair)
{
    bool is_database = table == &database_members;
    struct text *out = is_database ? &import->databases : &import->users;
    const char *key = text_cstr(&pair->key), *value = text_cstr(&pair->value);
    const struct import_name *name = is_database ? import_database_name(key) : NULL;
    const struct member *member =
        member_find(table, name != NULL && name->ours != NULL ? name->ours : key);
    struct error err = {0};

    if (member == NULL) {
        append_note(out, "    ", key, value, name != NULL ? name->note : NULL);
        return;
    }
    if (is_database && strcmp(member->name, "host") == 0) {
        import_host(import, pair);
        return;
    }
    if (member->setting != NULL && strcmp(value, "-1") == 0) {
        return; /* not set, as PgBouncer writes it */
    }
    if (!member_set(table, scratch, member->name, value, &err)) {
        report_error(import->report, pair->place, err.hint, "%s", err.message);
        return;
    }
    append_pair(out, "    ", member->name, value);
}

static void import_entry(struct import *import, const struct member_table *table,
                         const struct ini_line *line)
{
    bool is_database = table == &database_members, has_host = false;
    struct text *out = is_database ? &import->databases : &import->users;
    union {
        struct config_database database;
        struct config_user user;
    } scratch = {0};
    struct ini_pair pair = {0};
    size_t at = 0;

    if (!member_init(table, &scratch, text_cstr(&line->key))) {
        member_done(table, &scratch);
        report_error(import->report, line->key_place, NULL, "out of memory");
        return;
    }
    text_append(out, "  ");
    append_scalar(out, text_cstr(&line->key));
    text_append(out, ":\n");
    while (ini_next_pair(line, &at, &pair, import->report)) {
        has_host |= strcmp(text_cstr(&pair.key), "host") == 0;
        import_member(import, table, &scratch, &pair);
    }
    if (is_database && !has_host) {
        append_pair(out, "    ", "host", text_cstr(&import->socket_directory));
    }
    ini_pair_done(&pair);
    member_done(table, &scratch);
}

/* ---- the file ---- */

static struct text *section_text(struct import *import, enum ini_section section)
{
    switch (section) {
    case INI_DATABASES: return &import->databases;
    case INI_USERS: return &import->users;
    case INI_NONE:
    case INI_PGBOUNCER:
    case INI_PEERS: break;
    }
    return &import->top;
}

static void import_comment(struct import *import, const struct ini_line *line)
{
    bool is_inside = line->section == INI_DATABASES || line->section == INI_USERS;

    text_appendf(section_text(import, line->section), "%s# %s\n", is_inside ? "  " : "",
                 text_cstr(&line->value));
}

static void import_line(struct import *import, const struct ini_line *line)
{
    if (line->kind == INI_COMMENT) {
        import_comment(import, line);
    }
    if (line->kind != INI_PAIR) {
        return;
    }
    switch (line->section) {
    case INI_PGBOUNCER: import_setting(import, line); break;
    case INI_DATABASES: import_entry(import, &database_members, line); break;
    case INI_USERS: import_entry(import, &user_members, line); break;
    case INI_PEERS:
        append_note(&import->top, "", "peer", text_cstr(&line->key), "peers are not needed");
        break;
    case INI_NONE: break;
    }
}

/* What other lines depend on, wherever it stands. */
static void look_ahead(struct import *import, struct report *report)
{
    struct ini_reader reader = {.report = report};
    struct ini_line line = {0};

    text_append(&import->socket_directory, "/tmp");
    while (ini_next(&reader, &line)) {
        if (line.kind != INI_PAIR || line.section != INI_PGBOUNCER) {
            continue;
        }
        if (strcmp(text_cstr(&line.key), "auth_type") == 0) {
            import->is_hba = strcmp(text_cstr(&line.value), "hba") == 0;
        }
        if (strcmp(text_cstr(&line.key), "unix_socket_dir") == 0 && line.value.size > 0) {
            text_clear(&import->socket_directory);
            text_append(&import->socket_directory, text_cstr(&line.value));
        }
    }
    ini_line_done(&line);
}

static void append_defaults(struct import *import)
{
    text_append(&import->top, "\n# PgBouncer's defaults, where ours differ.\n");
    for (const struct import_default *at = import_defaults; at->name != NULL; at++) {
        const struct setting *setting = setting_find(at->name);
        if (!import->is_set[setting - settings_table]) {
            append_pair(&import->top, "", at->name, at->value);
        }
    }
}

static void import_all(struct import *import)
{
    struct report silent = *import->report; /* what is wrong is told once, by the second reading */
    struct ini_reader reader = {.report = import->report};
    struct ini_line line = {0};

    silent.problems = NULL;
    silent.count = 0;
    look_ahead(import, &silent);
    free(silent.problems);
    text_append(&import->databases, "\ndatabases:\n");
    text_append(&import->users, "\nusers:\n");
    while (ini_next(&reader, &line)) {
        import_line(import, &line);
    }
    ini_line_done(&line);
    append_defaults(import);
}

static void wipe(struct text *text)
{
    if (text->bytes != NULL) {
        explicit_bzero(text->bytes, text->capacity);
    }
    text_done(text);
}

bool config_import(const char *ini, size_t size, const char *path, struct text *yaml,
                   struct error *err)
{
    struct report report;
    struct import import = {.report = &report, .is_set = calloc(settings_count, sizeof(bool))};

    report_init(&report, path, ini, size);
    if (import.is_set == NULL || !settings_init(&import.settings, err)) {
        free(import.is_set);
        return error_is_set(err) ? false : error_set(err, "53200", "%s: out of memory", path);
    }
    if (size > YAML_SIZE_MAX) {
        report_error(&report, (struct report_place){0}, NULL, "has %zu bytes, more than %d", size,
                     YAML_SIZE_MAX);
    } else if (yaml_check_characters(&report)) {
        import_all(&import);
    }
    bool is_ok = report.error_count == 0 || report_first_error(&report, err);
    if (is_ok) {
        text_appendf(yaml, "# From %s, by reparto import-config.\n", path);
        text_append(yaml, text_cstr(&import.top));
        text_append(yaml, text_cstr(&import.databases));
        text_append(yaml, text_cstr(&import.users));
        is_ok = !yaml->has_failed || error_set(err, "53200", "%s: out of memory", path);
    }
    report_done(&report);
    settings_done(&import.settings);
    free(import.is_set);
    text_done(&import.socket_directory);
    text_done(&import.top);
    wipe(&import.databases);
    text_done(&import.users);
    return is_ok;
}
