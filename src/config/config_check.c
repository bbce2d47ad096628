/* What is well-formed but can't be meant: one function a rule, and the table that runs them. */
#include <inttypes.h>
#include <string.h>

#include "config/config_private.h"
#include "config/hba.h"
#include "config/name_list.h"
#include "config/settings_private.h"

struct check {
    const struct config *config;
    const struct settings *settings;
    const struct config_places *places;
    struct report *report;
};

static struct report_place at(const struct check *check, const char *setting)
{
    return config_setting_place(check->places, setting);
}

static bool is_set(const char *text)
{
    return text[0] != '\0';
}

/* Of the two, the one that is written in the file. */
static struct report_place at_either(const struct check *check, const char *one, const char *other)
{
    return at(check, one).line > 0 ? at(check, one) : at(check, other);
}

/* ---- addresses ---- */

static bool is_loopback(const char *address, size_t size)
{
    return (size >= 4 && memcmp(address, "127.", 4) == 0) ||
           (size == 3 && memcmp(address, "::1", 3) == 0) ||
           (size == 9 && memcmp(address, "localhost", 9) == 0);
}

static bool is_all_loopback(const char *list)
{
    const char *item;
    size_t size;

    while (name_list_next(&list, &item, &size)) {
        if (!is_loopback(item, size)) {
            return false;
        }
    }
    return true;
}

static void check_listening(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (!is_set(settings->listen_addr) && !is_set(settings->unix_socket_dir)) {
        report_warning(check->report, at(check, "listen_addr"),
                       "only sockets that systemd passes are listened on",
                       "neither listen_addr nor unix_socket_dir is set");
    }
    if (settings->http_port == settings->listen_port && is_set(settings->listen_addr)) {
        report_error(check->report, at(check, "http_port"), NULL,
                     "http_port and listen_port are both %" PRId64, settings->http_port);
    }
    if (settings->http_port != 0 && !is_all_loopback(settings->http_addr)) {
        report_warning(check->report, at(check, "http_addr"), NULL,
                       "everyone who reaches %.60s can read the metrics", settings->http_addr);
    }
}

/* "a,,b" or "a," is more likely a name lost than meant. */
static void check_lists(const struct check *check)
{
    static const char *const names[] = {"admin_users", "ignore_startup_parameters", "listen_addr",
                                        "stats_users", "track_extra_parameters"};
    char text[SETTING_TEXT_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *list = setting_show(check->settings, setting_find(names[i]), text);
        const char *item;
        size_t size;
        while (name_list_next(&list, &item, &size)) {
            if (size == 0) {
                report_error(check->report, at(check, names[i]), NULL, "%s has an empty item",
                             names[i]);
                break;
            }
        }
    }
}

/* ---- login ---- */

static bool needs_password(const struct settings *settings)
{
    return settings->auth_type == HBA_SCRAM || settings->auth_type == HBA_MD5 ||
           settings->auth_type == HBA_PASSWORD;
}

static bool has_auth_user(const struct check *check)
{
    bool is_found = is_set(check->settings->auth_user);

    for (size_t i = 0; i < check->config->database_count; i++) {
        is_found |= is_set(check->config->databases[i].auth_user);
    }
    return is_found;
}

static void check_users_source(const struct check *check)
{
    const struct settings *settings = check->settings;

    if (at(check, "auth_query").line > 0 && !has_auth_user(check)) {
        report_error(check->report, at(check, "auth_query"), "set auth_user, who runs it",
                     "auth_query without auth_user is never run");
    }
    if (at(check, "auth_ident_file").line > 0 && is_set(settings->auth_ident_file) &&
        !is_set(settings->auth_hba_file)) {
        report_error(check->report, at(check, "auth_ident_file"), "rules name its maps with map=",
                     "auth_ident_file without auth_hba_file is never used");
    }
    if (needs_password(settings) && !is_set(settings->auth_hba_file) &&
        !is_set(settings->auth_file) && !has_auth_user(check)) {
        report_warning(check->report, at(check, "auth_type"), "set auth_file or auth_user",
                       "nobody can log in: no passwords are known");
    }
}

static void check_auth_type(const struct check *check)
{
    const struct settings *settings = check->settings;
    struct report_place place = at(check, "auth_type");

    if (is_set(settings->auth_hba_file)) {
        if (place.line > 0) {
            report_warning(check->report, place, NULL,
                           "auth_type has no effect: the rules of auth_hba_file decide");
        }
        return;
    }
    if (settings->auth_type == HBA_CERT && settings->client_tls_sslmode < TLS_VERIFY_CA) {
        report_error(check->report, place, "client_tls_sslmode: verify-full",
                     "auth_type cert needs the clients' certificates");
    }
    if (settings->auth_type == HBA_PEER && !is_set(settings->unix_socket_dir)) {
        report_error(check->report, place, "set unix_socket_dir",
                     "auth_type peer works only on a Unix socket");
    }
    if (settings->auth_type == HBA_TRUST && !is_all_loopback(settings->listen_addr)) {
        report_warning(check->report, place, NULL,
                       "everyone who reaches %.60s is let in as whoever they say they are",
                       settings->listen_addr);
    }
    if (settings->auth_type == HBA_PASSWORD && settings->client_tls_sslmode < TLS_REQUIRE &&
        !is_all_loopback(settings->listen_addr)) {
        report_warning(check->report, place, "client_tls_sslmode: require",
                       "passwords cross the network in clear text");
    }
}

/* ---- TLS ---- */

static void check_pair(const struct check *check, const char *cert_name, const char *cert,
                       const char *key_name, const char *key)
{
    if (is_set(cert) != is_set(key)) {
        report_error(check->report, at_either(check, cert_name, key_name), NULL, "%s without %s",
                     is_set(cert) ? cert_name : key_name, is_set(cert) ? key_name : cert_name);
    }
}

static void check_tls(const struct check *check)
{
    const struct settings *settings = check->settings;

    check_pair(check, "client_tls_cert_file", settings->client_tls_cert_file, "client_tls_key_file",
               settings->client_tls_key_file);
    check_pair(check, "server_tls_cert_file", settings->server_tls_cert_file, "server_tls_key_file",
               settings->server_tls_key_file);
    if (settings->client_tls_sslmode != TLS_DISABLE && !is_set(settings->client_tls_cert_file) &&
        !is_set(settings->client_tls_key_file)) {
        report_error(check->report, at(check, "client_tls_sslmode"),
                     "set client_tls_cert_file and client_tls_key_file",
                     "TLS for clients needs a certificate");
    }
    if (settings->client_tls_sslmode >= TLS_VERIFY_CA && !is_set(settings->client_tls_ca_file)) {
        report_error(check->report, at(check, "client_tls_sslmode"), "set client_tls_ca_file",
                     "the clients' certificates can't be verified without a CA");
    }
    if (settings->server_tls_sslmode >= TLS_VERIFY_CA && !is_set(settings->server_tls_ca_file)) {
        report_error(check->report, at(check, "server_tls_sslmode"), "set server_tls_ca_file",
                     "the servers' certificates can't be verified without a CA");
    }
}

/* ---- pools ---- */

/* The sizes that a pool gets: the database's own, else the settings'. */
struct sizes {
    int64_t pool, least, reserve, database;
    struct report_place pool_place, least_place, reserve_place, database_place;
};

/* A limit that another one overrides is no mistake that stops us, but hardly meant. */
static void check_sizes(const struct check *check, const char *whose, const struct sizes *sizes)
{
    if (sizes->least > sizes->pool) {
        report_warning(check->report, sizes->least_place, NULL,
                       "%smin_pool_size %" PRId64 " is more than the pool's %" PRId64
                       " connections: these are kept open",
                       whose, sizes->least, sizes->pool);
    }
    if (sizes->reserve > sizes->pool) {
        report_warning(check->report, sizes->reserve_place, NULL,
                       "%sreserve_pool_size %" PRId64 " is more than the pool's %" PRId64
                       " connections",
                       whose, sizes->reserve, sizes->pool);
    }
    if (sizes->database > 0 && sizes->database < sizes->pool) {
        report_warning(
            check->report,
            sizes->database_place.line > 0 ? sizes->database_place : sizes->pool_place, NULL,
            "%smax_db_connections %" PRId64 " keeps the pool below its %" PRId64 " connections",
            whose, sizes->database, sizes->pool);
    }
}

static void check_pools(const struct check *check)
{
    const struct settings *settings = check->settings;
    const struct sizes sizes = {
        settings->default_pool_size,
        settings->min_pool_size,
        settings->reserve_pool_size,
        settings->max_db_connections,
        at(check, "default_pool_size"),
        at_either(check, "min_pool_size", "default_pool_size"),
        at_either(check, "reserve_pool_size", "default_pool_size"),
        at_either(check, "max_db_connections", "default_pool_size"),
    };

    check_sizes(check, "", &sizes);
    if (settings->reserve_pool_size > 0 && settings->reserve_pool_timeout == 0) {
        report_warning(check->report, at(check, "reserve_pool_timeout"), NULL,
                       "the reserve is never used: reserve_pool_timeout is 0");
    }
    if (check->config->database_count == 0) {
        report_warning(check->report, (struct report_place){0}, "databases: {\"*\": {host: …}}",
                       "no databases: clients reach only the console");
    }
}

/* ---- databases ---- */

static struct report_place field_at(const struct check *check, size_t database, const char *field,
                                    const char *setting)
{
    struct report_place place = config_field_place(check->places, database, field);
    struct report_place whole = {check->config->databases[database].line, 1, 1};

    if (place.line == 0 && setting != NULL) {
        place = at(check, setting);
    }
    return place.line > 0 ? place : whole;
}

/* Only when it sets a size itself: else the settings' check told it. */
static void check_database_sizes(const struct check *check, size_t index)
{
    const struct config_database *database = &check->config->databases[index];
    const struct settings *settings = check->settings;
    char whose[80];
    const struct sizes sizes = {
        database->pool_size >= 0 ? database->pool_size : settings->default_pool_size,
        database->min_pool_size >= 0 ? database->min_pool_size : settings->min_pool_size,
        database->reserve_pool_size >= 0 ? database->reserve_pool_size
                                         : settings->reserve_pool_size,
        database->max_db_connections >= 0 ? database->max_db_connections
                                          : settings->max_db_connections,
        field_at(check, index, "pool_size", "default_pool_size"),
        field_at(check, index, "min_pool_size", NULL),
        field_at(check, index, "reserve_pool_size", NULL),
        field_at(check, index, "max_db_connections", NULL),
    };

    if (database->pool_size >= 0 || database->min_pool_size >= 0 ||
        database->reserve_pool_size >= 0 || database->max_db_connections >= 0) {
        snprintf(whose, sizeof whose, "database %.63s: ", database->name);
        check_sizes(check, whose, &sizes);
    }
}

static void check_auth_dbname(const struct check *check, const char *name,
                              struct report_place place)
{
    if (is_set(name) && config_database(check->config, name) == NULL) {
        report_error(check->report, place, "name one of `databases`",
                     "auth_dbname: there is no database \"%.63s\"", name);
    }
}

static void check_databases(const struct check *check)
{
    check_auth_dbname(check, check->settings->auth_dbname, at(check, "auth_dbname"));
    for (size_t i = 0; i < check->config->database_count; i++) {
        const struct config_database *database = &check->config->databases[i];
        if (!is_set(database->host)) {
            report_error(check->report, field_at(check, i, "host", NULL),
                         "leave it out for the Unix socket in /run/postgresql",
                         "database %.63s: host is empty", database->name);
        }
        if (is_set(database->password) && !is_set(database->user)) {
            report_error(check->report, field_at(check, i, "password", NULL),
                         "set user, or use auth_file",
                         "database %.63s: password without user is never used", database->name);
        }
        if (database->sslmode >= TLS_VERIFY_CA && !is_set(check->settings->server_tls_ca_file)) {
            report_error(check->report, field_at(check, i, "sslmode", NULL),
                         "set server_tls_ca_file",
                         "the server's certificate can't be verified without a CA");
        }
        if (is_set(database->auth_query) && !is_set(database->auth_user) &&
            !is_set(check->settings->auth_user)) {
            report_error(
                check->report, field_at(check, i, "auth_query", NULL), "set auth_user, who runs it",
                "database %.63s: auth_query without auth_user is never run", database->name);
        }
        check_auth_dbname(check, database->auth_dbname, field_at(check, i, "auth_dbname", NULL));
        check_database_sizes(check, i);
    }
}

/* ---- all of them ---- */

void config_check(const struct config *config, const struct config_places *places,
                  struct report *report)
{
    static void (*const rules[])(const struct check *) = {
        check_listening, check_lists, check_users_source, check_auth_type,
        check_tls,       check_pools, check_databases,
    };
    const struct check check = {config, &config->settings, places, report};

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        rules[i](&check);
    }
}
