#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_private.h"
#include "config/member.h"
#include "config/settings_private.h"
#include "config/yaml.h"

/* ---- one value ---- */

struct parse {
    struct config *config;
    struct config_places places;
    struct report *report;
};

static bool out_of_memory(struct parse *parse)
{
    return report_error(parse->report, (struct report_place){0}, NULL, "out of memory");
}

/* Unknown names are blamed on the key, bad values on the value. */
static void report_value(struct parse *parse, const struct yaml_node *node, const struct error *err)
{
    bool is_unknown = strcmp(err->sqlstate, "42704") == 0;

    report_error(parse->report, is_unknown ? node->key_place : node->place, err->hint, "%s",
                 err->message);
}

static bool is_value(struct parse *parse, const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR) {
        return true;
    }
    if (node->kind == YAML_NULL) {
        return report_error(parse->report, node->key_place, "\"\" is an empty text",
                            "%.60s has no value", node->key);
    }
    return report_error(parse->report, node->place, NULL, "%.60s must be a single value, not %s",
                        node->key, yaml_kind_name(node->kind));
}

static void report_unknown(struct parse *parse, const struct yaml_node *node)
{
    struct error err = {0};

    if (strcmp(node->key, "<<") == 0) {
        report_error(parse->report, node->key_place, NULL, "merge keys (<<) are not supported");
        return;
    }
    (void)setting_set(&parse->config->settings, node->key, "", &err);
    if (member_find(&database_members, node->key) != NULL) {
        snprintf(err.hint, sizeof err.hint, "%s belongs to a database, below `databases`",
                 node->key);
    }
    report_value(parse, node, &err);
}

static void parse_setting(struct parse *parse, const struct yaml_node *node)
{
    const struct setting *setting = setting_find(node->key);
    struct error err = {0};

    if (setting == NULL) {
        report_unknown(parse, node);
        return;
    }
    if (!is_value(parse, node)) {
        return;
    }
    if (!setting_set(&parse->config->settings, node->key, node->text, &err)) {
        report_value(parse, node, &err);
        return;
    }
    parse->places.settings[setting - settings_table] = node->place;
}

/* ---- databases and users ---- */

static bool check_name(struct parse *parse, const struct member_table *table,
                       const struct yaml_node *node)
{
    size_t size = strlen(node->key);

    if (size == 0 || size > table->name_max) {
        return report_error(parse->report, node->key_place, NULL,
                            "a %s name has 1..%zu bytes, not %zu", table->what, table->name_max,
                            size);
    }
    if (table == &database_members &&
        (strcmp(node->key, "reparto") == 0 || strcmp(node->key, "pgbouncer") == 0)) {
        return report_error(parse->report, node->key_place, NULL,
                            "\"%s\" is the name of the console", node->key);
    }
    if (node->kind == YAML_MAPPING || node->kind == YAML_NULL) {
        return true;
    }
    return report_error(parse->report, node->place, "{name: value, …}",
                        "%s %.60s must be a mapping, not %s", table->what, node->key,
                        yaml_kind_name(node->kind));
}

/* `places`: one for each row of the table; NULL: not needed. */
static void parse_members(struct parse *parse, const struct member_table *table, void *entry,
                          const struct yaml_node *node, struct report_place *places)
{
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        const struct member *member = member_find(table, child->key);
        struct error err = {0};

        if (member != NULL && !is_value(parse, child)) {
            continue;
        }
        if (!member_set(table, entry, child->key, child->text, &err)) {
            report_value(parse, child, &err);
            continue;
        }
        if (places != NULL) {
            places[member - table->rows] = child->place;
        }
    }
}

static const struct yaml_node *section(struct parse *parse, const struct yaml_node *node)
{
    if (node->kind != YAML_MAPPING && node->kind != YAML_NULL) {
        report_error(parse->report, node->place, "name: {…}", "%s must be a mapping, not %s",
                     node->key, yaml_kind_name(node->kind));
        return NULL;
    }
    return node->first;
}

static void parse_databases(struct parse *parse, const struct yaml_node *node)
{
    struct config *config = parse->config;
    size_t fields = database_members.count;

    config->databases = calloc(node->count + 1, sizeof config->databases[0]);
    parse->places.database_fields = calloc((node->count + 1) * fields, sizeof(struct report_place));
    if (config->databases == NULL || parse->places.database_fields == NULL) {
        out_of_memory(parse);
        return;
    }
    for (node = section(parse, node); node != NULL; node = node->next) {
        struct config_database *database = &config->databases[config->database_count];
        if (!check_name(parse, &database_members, node)) {
            continue;
        }
        config->database_count++;
        if (!member_init(&database_members, database, node->key)) {
            out_of_memory(parse);
            return;
        }
        database->line = node->key_place.line;
        parse_members(parse, &database_members, database, node,
                      &parse->places.database_fields[(config->database_count - 1) * fields]);
    }
}

static void parse_users(struct parse *parse, const struct yaml_node *node)
{
    struct config *config = parse->config;

    config->users = calloc(node->count + 1, sizeof config->users[0]);
    if (config->users == NULL) {
        out_of_memory(parse);
        return;
    }
    for (node = section(parse, node); node != NULL; node = node->next) {
        struct config_user *user = &config->users[config->user_count];
        if (!check_name(parse, &user_members, node)) {
            continue;
        }
        config->user_count++;
        if (!member_init(&user_members, user, node->key)) {
            out_of_memory(parse);
            return;
        }
        user->line = node->key_place.line;
        parse_members(parse, &user_members, user, node, NULL);
    }
}

/* ---- the whole file ---- */

static void parse_root(struct parse *parse, const struct yaml_node *root)
{
    bool has_databases = false, has_users = false; /* a duplicate was reported; take the first */

    if (root->kind != YAML_MAPPING) {
        report_error(parse->report, root->place, "a line is \"setting: value\"",
                     "must be a mapping, not %s", yaml_kind_name(root->kind));
        return;
    }
    for (const struct yaml_node *node = root->first; node != NULL; node = node->next) {
        if (strcmp(node->key, "databases") == 0) {
            if (!has_databases) {
                parse_databases(parse, node);
            }
            has_databases = true;
        } else if (strcmp(node->key, "users") == 0) {
            if (!has_users) {
                parse_users(parse, node);
            }
            has_users = true;
        } else {
            parse_setting(parse, node);
        }
    }
}

struct report_place config_setting_place(const struct config_places *places, const char *name)
{
    const struct setting *setting = setting_find(name);

    assert(setting != NULL);
    return places->settings[setting - settings_table];
}

struct report_place config_field_place(const struct config_places *places, size_t database,
                                       const char *field)
{
    const struct member *member = member_find(&database_members, field);

    assert(member != NULL);
    return places->database_fields[database * database_members.count +
                                   (size_t)(member - database_members.rows)];
}

/* ---- by name ---- */

static int compare_databases(const void *a, const void *b, void *context)
{
    const struct config *config = context;
    const size_t *left = a, *right = b;

    return strcmp(config->databases[*left].name, config->databases[*right].name);
}

static int compare_users(const void *a, const void *b, void *context)
{
    const struct config *config = context;
    const size_t *left = a, *right = b;

    return strcmp(config->users[*left].name, config->users[*right].name);
}

/* NULL when out of memory. */
static size_t *make_order(struct config *config, size_t count,
                          int (*compare)(const void *, const void *, void *))
{
    size_t *order = calloc(count + 1, sizeof *order);

    for (size_t i = 0; order != NULL && i < count; i++) {
        order[i] = i;
    }
    if (order != NULL && count > 0) {
        qsort_r(order, count, sizeof *order, compare, config);
    }
    return order;
}

static const struct config_database *find_database(const struct config *config, const char *name)
{
    size_t low = 0, high = config->database_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct config_database *database = &config->databases[config->database_order[middle]];
        int order = strcmp(name, database->name);
        if (order == 0) {
            return database;
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return NULL;
}

const struct config_database *config_database(const struct config *config, const char *name)
{
    const struct config_database *database = find_database(config, name);

    return database != NULL ? database : find_database(config, "*");
}

const struct config_user *config_user(const struct config *config, const char *name)
{
    size_t low = 0, high = config->user_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct config_user *user = &config->users[config->user_order[middle]];
        int order = strcmp(name, user->name);
        if (order == 0) {
            return user;
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return NULL;
}

/* ---- life ---- */

static void destroy(struct config *config)
{
    settings_done(&config->settings);
    for (size_t i = 0; i < config->database_count; i++) {
        member_done(&database_members, &config->databases[i]);
    }
    for (size_t i = 0; i < config->user_count; i++) {
        member_done(&user_members, &config->users[i]);
    }
    free(config->databases);
    free(config->users);
    free(config->database_order);
    free(config->user_order);
    free(config);
}

struct config *config_share(struct config *config)
{
    int count = __atomic_add_fetch(&config->share_count, 1, __ATOMIC_RELAXED);

    assert(count > 1);
    return config;
}

void config_release(struct config *config)
{
    if (config == NULL) {
        return;
    }
    /* What the other holders did must be done before the last one frees. */
    int count = __atomic_sub_fetch(&config->share_count, 1, __ATOMIC_ACQ_REL);
    assert(count >= 0);
    if (count == 0) {
        destroy(config);
    }
}

/* Fills parse->config; problems go to the report. */
static void parse_text(struct parse *parse, const char *text, size_t size)
{
    struct config *config = parse->config;
    struct yaml yaml;
    struct error err = {0};

    parse->places.settings = calloc(settings_count, sizeof(struct report_place));
    if (parse->places.settings == NULL || !settings_init(&config->settings, &err)) {
        out_of_memory(parse);
        return;
    }
    bool is_yaml = yaml_parse(&yaml, text, size, parse->report);
    if (yaml.root != NULL && !yaml.is_broken) {
        parse_root(parse, yaml.root);
    }
    yaml_done(&yaml);
    config->database_order = make_order(config, config->database_count, compare_databases);
    config->user_order = make_order(config, config->user_count, compare_users);
    if (config->database_order == NULL || config->user_order == NULL) {
        out_of_memory(parse);
        return;
    }
    if (is_yaml && parse->report->error_count == 0) {
        config_check(config, &parse->places, parse->report);
    }
}

struct config *config_parse_reported(const char *text, size_t size, struct report *report,
                                     struct error *err)
{
    struct parse parse = {.config = calloc(1, sizeof *parse.config), .report = report};

    if (parse.config == NULL) {
        error_set(err, "53200", "%s: out of memory", report->path);
        return NULL;
    }
    parse.config->share_count = 1;
    parse_text(&parse, text, size);
    free(parse.places.settings);
    free(parse.places.database_fields);
    if (report->error_count == 0) {
        return parse.config;
    }
    config_release(parse.config);
    report_first_error(report, err);
    return NULL;
}

struct config *config_parse(const char *text, size_t size, const char *path, struct text *report,
                            struct error *err)
{
    struct report problems;

    report_init(&problems, path, text, size);
    struct config *config = config_parse_reported(text, size, &problems, err);
    if (report != NULL) {
        report_print(&problems, report);
    }
    report_done(&problems);
    return config;
}
