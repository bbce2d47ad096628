/* config/settings: every setting is one row of one table.
 *
 * The parser, the limits, SHOW CONFIG, the reload's diff, --check-config and
 * docs/settings.md read this table; nothing about a setting is written
 * anywhere else.  Names are PgBouncer's where the meaning is PgBouncer's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "wire/tls_mode.h"

enum pool_mode { POOL_SESSION, POOL_TRANSACTION, POOL_STATEMENT };

/* All durations in ns (0: no limit, unless its row says other), sizes in bytes, strings owned and
 * never NULL. */
struct settings {
    /* Where clients come from. */
    char *listen_addr; /* "127.0.0.1"; "*": all; several with commas */
    int64_t listen_port, listen_backlog;
    char *unix_socket_dir; /* "": none */
    int64_t unix_socket_mode;
    int64_t workers;         /* threads that relay; 0: as many as CPUs */
    int64_t max_client_conn; /* for the process */
    int64_t client_login_timeout, client_idle_timeout;
    /* Pools. */
    int64_t pool_mode; /* enum pool_mode */
    int64_t default_pool_size, min_pool_size, reserve_pool_size, max_db_connections,
        max_user_connections;
    int64_t reserve_pool_timeout;
    int64_t query_wait_timeout, query_timeout, idle_transaction_timeout, transaction_timeout;
    int64_t cancel_wait_timeout;
    int64_t server_lifetime, server_idle_timeout, server_connect_timeout, server_login_retry,
        server_check_delay;
    char *server_check_query, *server_reset_query;
    bool server_round_robin;
    int64_t max_prepared_statements; /* on each server connection */
    int64_t max_inspected_size;      /* bytes of a statement that are looked at; larger: pinned */
    int64_t max_packet_size;         /* bytes of one message that are let through */
    int64_t buffer_limit; /* bytes kept for a slow reader before its source is not read */
    char *track_extra_parameters;
    char *ignore_startup_parameters; /* list with commas: accepted and dropped */
    bool replication_connections;    /* pass replication=… through (else refused) */
    /* Who may come in. */
    char *auth_file, *auth_hba_file, *auth_ident_file, *auth_user, *auth_query, *auth_dbname;
    int64_t auth_query_ttl;
    int64_t auth_type;               /* enum hba_method, when there is no auth_hba_file */
    char *admin_users, *stats_users; /* lists with commas */
    /* TLS. */
    int64_t client_tls_sslmode, server_tls_sslmode; /* enum tls_mode */
    char *client_tls_key_file, *client_tls_cert_file, *client_tls_ca_file, *client_tls_ciphers,
        *client_tls_min_protocol;
    char *server_tls_key_file, *server_tls_cert_file, *server_tls_ca_file, *server_tls_ciphers,
        *server_tls_min_protocol;
    /* Operation. */
    char *log_file; /* "": stderr */
    int64_t log_format, log_level;
    bool log_connections, log_disconnections, log_pooler_errors;
    int64_t stats_period; /* how often a line of totals is logged */
    char *pid_file;
    char *http_addr;       /* loopback by default */
    int64_t http_port;     /* 0: no HTTP */
    int64_t drain_timeout; /* after TERM: how long clients may take to finish; 0: for ever */
    int64_t dns_max_ttl;
    int64_t tcp_keepidle, tcp_keepintvl, tcp_keepcnt, tcp_user_timeout;
};

enum setting_type {
    SETTING_INTEGER, /* int64_t */
    SETTING_BOOLEAN, /* bool */
    SETTING_STRING,  /* char *, owned */
    SETTING_TIME,    /* int64_t ns; "5s", "100ms", "2min", or a number in the row's unit */
    SETTING_SIZE,    /* int64_t bytes; "64kB", "1MB" */
    SETTING_CHOICE   /* int64_t: index in `choices` */
};

enum setting_reload { RELOAD_LIVE, RELOAD_RESTART };

/* Chapters of docs/settings.md. */
enum setting_group {
    GROUP_CLIENTS,
    GROUP_POOLS,
    GROUP_SERVERS,
    GROUP_LOGIN,
    GROUP_TLS,
    GROUP_OPERATION,
    GROUP_COUNT
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;        /* in struct settings */
    const char *fallback; /* as one would write it */
    int64_t min, max;     /* of numbers, in `unit`s; a string: longest length */
    const char *unit;     /* "s", "ms", "connections", ""; a bare number's unit for SETTING_TIME;
                             "octal": written so */
    const char *const *choices; /* ends with NULL; a string may have them too */
    enum setting_group group;
    enum setting_reload reload;
    const char *help; /* one or two sentences; also docs/settings.md */
};

/* Sorted by name. */
[[nodiscard]] const struct setting *setting_at(size_t index); /* NULL behind the last */
[[nodiscard]] const struct setting *setting_find(const char *name);
[[nodiscard]] const char *setting_nearest(const char *name); /* "did you mean"; NULL */

/* All defaults; false when out of memory.  settings_done() frees. */
[[nodiscard]] bool settings_init(struct settings *settings, struct error *err);
void settings_done(struct settings *settings);
[[nodiscard]] bool settings_copy(struct settings *to, const struct settings *from,
                                 struct error *err);

/* From text: 42704 unknown name (with hint), 22023 bad value. */
[[nodiscard]] bool setting_set(struct settings *settings, const char *name, const char *value,
                               struct error *err);

/* As one would write it: "5s", "transaction".  Returns `text`. */
enum { SETTING_TEXT_SIZE = 1100 };
const char *setting_show(const struct settings *settings, const struct setting *setting,
                         char text[SETTING_TEXT_SIZE]);

/* Markdown: one row for each setting. */
void settings_document(FILE *out);
