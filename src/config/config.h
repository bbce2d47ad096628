/* config/config: the whole configuration: settings, databases, users.
 *
 * Read from one YAML text (libfyaml); errors name file, line and column, show
 * the line with a caret, and guess what was meant.  A config is immutable once
 * parsed, and shared by count: workers keep the one that they work with.
 * Files that it names are read by the caller.
 *
 *     listen_port: 6432
 *     pool_mode: transaction
 *     databases:
 *       shop: {host: 10.0.0.5, port: 5432, dbname: shop, pool_size: 16}
 *       "*":  {host: /run/postgresql}
 *     users:
 *       report: {pool_mode: session, max_user_connections: 4}
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "config/credential.h"
#include "config/report.h"
#include "config/settings.h"

struct config_database {
    char *name; /* clients ask for it; "*": any other */
    char *host; /* name, address, or a directory with a Unix socket */
    int64_t port;
    char *dbname;                                 /* on the server; "": as the client called it */
    char *user, *password;                        /* "": as the client */
    char *auth_user, *auth_query, *auth_dbname;   /* "": the settings' */
    char *connect_query;                          /* run on each new server connection; "": none */
    char *client_encoding, *datestyle, *timezone; /* forced; "": as the server has it */
    int64_t pool_mode;                            /* -1: the settings' */
    int64_t pool_size, min_pool_size, reserve_pool_size, max_db_connections; /* -1: the settings' */
    int64_t sslmode;                                                         /* -1: the settings' */
    unsigned line;
};

struct config_user {
    char *name;
    int64_t pool_mode;                                                    /* -1: the database's */
    int64_t pool_size, max_user_connections, max_user_client_connections; /* -1: the settings' */
    unsigned line;
};

struct config {
    struct settings settings;
    struct config_database *databases; /* owned; in the order of the file */
    size_t database_count;
    struct config_user *users; /* owned */
    size_t user_count;
    size_t *database_order, *user_order; /* owned; by name */
    uint64_t version;                    /* 1, 2, … for each one that was taken on */
    int share_count;                     /* atomic: config_share(), config_release() */
};

/* `path` is for messages.  The caller owns the result.  NULL and `err` (F0000; message
 * "path:line:column: what", hint) when something is wrong; `report` (may be NULL) then gets all
 * errors and warnings, each with its line and caret. */
[[nodiscard]] struct config *config_parse(const char *text, size_t size, const char *path,
                                          struct text *report, struct error *err);

/* The same, with each problem in `report` (initialized with path, text and size). */
[[nodiscard]] struct config *config_parse_reported(const char *text, size_t size,
                                                   struct report *report, struct error *err);

/* Warns of users in admin_users and stats_users who can't log in: not in the auth file (NULL: there
 * is none), and no auth_user looks elsewhere. */
void config_check_users(const struct config *config, const struct auth_file *file,
                        struct report *report);

/* A copy in which that setting has that value; version 0.  NULL and `err`: 42704, 22023, 55P02 for
 * one that needs a restart, F0000 when it can't be meant together with the others. */
[[nodiscard]] struct config *config_with(const struct config *config, const char *name,
                                         const char *value, struct error *err);

struct config *config_share(struct config *config);
void config_release(struct config *config); /* frees with the last; NULL is allowed */

/* By name, else "*", else NULL. */
[[nodiscard]] const struct config_database *config_database(const struct config *config,
                                                            const char *name);
[[nodiscard]] const struct config_user *config_user(const struct config *config, const char *name);

/* What changes from `old` to `new`, one line each ("default_pool_size: 20 -> 30", "database shop:
 * host …", "listen_port: … (needs a restart)"); passwords as "(changed)".  Returns how many. */
size_t config_diff(const struct config *old, const struct config *new, struct text *out);

/* The file that a setting names: relative names are seen from the directory of the configuration
 * file.  "" (none) and "system" (a CA) stay.  Returns `path`; F0000 and NULL when it's too long. */
enum { CONFIG_PATH_SIZE = 4096 };
[[nodiscard]] const char *config_place(const char *config_path, const char *name,
                                       char path[CONFIG_PATH_SIZE], struct error *err);

/* Markdown of all settings and fields, docs/settings.md. */
void config_document(FILE *out);

/* pgbouncer.ini (sections databases, users, pgbouncer, with %include refused) → our YAML with
 * comments for what has no counterpart.  F0000 as above. */
[[nodiscard]] bool config_import(const char *ini, size_t size, const char *path, struct text *yaml,
                                 struct error *err);
