/* The settings: one row each.  A new one is a field of struct settings and a row here, in its
 * place by name. */
#include "config/hba.h"
#include "config/settings_private.h"

enum { TEXT_MAX = 1024 };
#define HOURS_MAX (365LL * 24 * 3600) /* a year, in s */

/* Name, type and offset of a field, and a compile error when the field is of another type. */
#define NUMBER_AT(field)                                                                           \
    _Generic(((struct settings *)0)->field, int64_t : offsetof(struct settings, field))
#define BOOLEAN_AT(field)                                                                          \
    _Generic(((struct settings *)0)->field, bool : offsetof(struct settings, field))
#define STRING_AT(field)                                                                           \
    _Generic(((struct settings *)0)->field, char * : offsetof(struct settings, field))
#define INTEGER(field) #field, SETTING_INTEGER, NUMBER_AT(field)
#define TIME(field) #field, SETTING_TIME, NUMBER_AT(field)
#define SIZE(field) #field, SETTING_SIZE, NUMBER_AT(field)
#define CHOICE(field) #field, SETTING_CHOICE, NUMBER_AT(field)
#define BOOLEAN(field) #field, SETTING_BOOLEAN, BOOLEAN_AT(field)
#define STRING(field) #field, SETTING_STRING, STRING_AT(field)

static const char *const pool_modes[] = {
    [POOL_SESSION] = "session",
    [POOL_TRANSACTION] = "transaction",
    [POOL_STATEMENT] = "statement",
    NULL,
};
static const char *const tls_modes[] = {
    [TLS_DISABLE] = "disable",
    [TLS_ALLOW] = "allow",
    [TLS_PREFER] = "prefer",
    [TLS_REQUIRE] = "require",
    [TLS_VERIFY_CA] = "verify-ca",
    [TLS_VERIFY_FULL] = "verify-full",
    NULL,
};
static const char *const auth_types[] = {
    [HBA_REJECT] = "reject",       [HBA_TRUST] = "trust",
    [HBA_SCRAM] = "scram-sha-256", [HBA_MD5] = "md5",
    [HBA_PASSWORD] = "password",   [HBA_CERT] = "cert",
    [HBA_PEER] = "peer",           NULL,
};
static const char *const tls_protocols[] = {"TLSv1.2", "TLSv1.3", NULL};
static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const log_formats[] = {"text", "json", "pgbouncer", NULL};

/* clang-format off */
const struct setting settings_table[] = {
    {STRING(admin_users), "", 0, TEXT_MAX, "", NULL, GROUP_LOGIN, RELOAD_LIVE,
     "Users, with commas between, who may give every command on the console."},
    {STRING(auth_dbname), "", 0, TEXT_MAX, "", NULL, GROUP_LOGIN, RELOAD_LIVE,
     "The database of `databases` where `auth_query` runs; empty: the one that the client asked "
     "for."},
    {STRING(auth_file), "", 0, TEXT_MAX, "", NULL, GROUP_LOGIN, RELOAD_LIVE,
     "File with lines `\"user\" \"password\"` (PgBouncer's userlist.txt): plain, md5 or SCRAM "
     "secrets."},
    {STRING(auth_hba_file), "", 0, TEXT_MAX, "", NULL, GROUP_LOGIN, RELOAD_LIVE,
     "File with rules as in pg_hba.conf; empty: everyone logs in as `auth_type` says."},
    {STRING(auth_ident_file), "", 0, TEXT_MAX, "", NULL, GROUP_LOGIN, RELOAD_LIVE,
     "File with identity maps as in pg_ident.conf, for `map=` in the rules."},
    {STRING(auth_query),
     "SELECT rolname, CASE WHEN rolvaliduntil < pg_catalog.now() THEN NULL ELSE rolpassword END "
     "FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin",
     1, TEXT_MAX, "", NULL, GROUP_LOGIN, RELOAD_LIVE,
     "Returns name and password of the user `$1`, who isn't in `auth_file`; runs as `auth_user`. "
     "Better than the default: a SECURITY DEFINER function, and no superuser."},
    {TIME(auth_query_ttl), "10s", 0, HOURS_MAX, "s", NULL, GROUP_LOGIN, RELOAD_LIVE,
     "How long an answer of `auth_query` serves further logins: a user who was dropped may come in "
     "for as long. A login that fails asks anew at the next try. 0: each login asks."},
    {CHOICE(auth_type), "scram-sha-256", 0, 0, "", auth_types, GROUP_LOGIN, RELOAD_LIVE,
     "How clients log in when there is no `auth_hba_file`."},
    {STRING(auth_user), "", 0, TEXT_MAX, "", NULL, GROUP_LOGIN, RELOAD_LIVE,
     "The user who runs `auth_query`; empty: only the users of `auth_file` may come in."},
    {SIZE(buffer_limit), "64kB", 4096, 64LL << 20, "B", NULL, GROUP_CLIENTS, RELOAD_LIVE,
     "What is kept for one slow reader before its other side is no longer read."},
    {TIME(cancel_wait_timeout), "10s", 0, HOURS_MAX, "s", NULL, GROUP_CLIENTS, RELOAD_LIVE,
     "How long a cancel request may wait to be delivered; 0: for ever."},
    {TIME(client_idle_timeout), "0", 0, HOURS_MAX, "s", NULL, GROUP_CLIENTS, RELOAD_LIVE,
     "A client that does nothing for longer, outside of a transaction, is disconnected; 0: "
     "never."},
    {TIME(client_login_timeout), "60s", 0, HOURS_MAX, "s", NULL, GROUP_CLIENTS, RELOAD_LIVE,
     "A client that has not logged in after this time is disconnected; 0: never."},
    {STRING(client_tls_ca_file), "", 0, TEXT_MAX, "", NULL, GROUP_TLS, RELOAD_LIVE,
     "Certificates of who may sign the clients' certificates (PEM)."},
    {STRING(client_tls_cert_file), "", 0, TEXT_MAX, "", NULL, GROUP_TLS, RELOAD_LIVE,
     "Our certificate, and those between it and its root (PEM). Read again at each reload."},
    {STRING(client_tls_ciphers), "", 0, TEXT_MAX, "", NULL, GROUP_TLS, RELOAD_LIVE,
     "Ciphers up to TLS 1.2, as OpenSSL writes them; empty: OpenSSL's default."},
    {STRING(client_tls_key_file), "", 0, TEXT_MAX, "", NULL, GROUP_TLS, RELOAD_LIVE,
     "The key of `client_tls_cert_file` (PEM). Read again at each reload."},
    {STRING(client_tls_min_protocol), "TLSv1.2", 0, 16, "", tls_protocols, GROUP_TLS, RELOAD_LIVE,
     "The oldest TLS that clients may use."},
    {CHOICE(client_tls_sslmode), "disable", 0, 0, "", tls_modes, GROUP_TLS, RELOAD_LIVE,
     "`disable`: no TLS; `allow` and `prefer`: the client chooses; `require`: others are refused; "
     "`verify-ca` and `verify-full`: it needs a certificate, too."},
    {INTEGER(default_pool_size), "20", 1, 100000, "connections", NULL, GROUP_POOLS, RELOAD_LIVE,
     "Server connections for each pair of database and user, in the whole process."},
    {TIME(dns_max_ttl), "15s", 0, HOURS_MAX, "s", NULL, GROUP_SERVERS, RELOAD_LIVE,
     "How long the addresses of a host name are believed; 0: looked up for each connection."},
    {TIME(drain_timeout), "0", 0, HOURS_MAX, "s", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "After TERM: how long clients may take to finish before they are disconnected; 0: for ever."},
    {STRING(http_addr), "127.0.0.1", 1, TEXT_MAX, "", NULL, GROUP_OPERATION, RELOAD_RESTART,
     "Address of `/metrics`, `/healthz` and `/readyz`. They ask for no password: keep it local."},
    {INTEGER(http_port), "0", 0, 65535, "", NULL, GROUP_OPERATION, RELOAD_RESTART,
     "Their port; 0: no HTTP."},
    {TIME(idle_transaction_timeout), "0", 0, HOURS_MAX, "s", NULL, GROUP_POOLS, RELOAD_LIVE,
     "A client that is idle in a transaction for longer is disconnected; 0: never."},
    {STRING(ignore_startup_parameters), "", 0, TEXT_MAX, "", NULL, GROUP_CLIENTS, RELOAD_LIVE,
     "Startup parameters, with commas between, that are accepted and dropped."},
    {STRING(listen_addr), "127.0.0.1", 0, TEXT_MAX, "", NULL, GROUP_CLIENTS, RELOAD_RESTART,
     "Addresses to listen on, with commas between; `*`: all; empty: only the Unix socket."},
    {INTEGER(listen_backlog), "1024", 1, 65535, "connections", NULL, GROUP_CLIENTS, RELOAD_RESTART,
     "Connections that may wait to be accepted."},
    {INTEGER(listen_port), "6432", 1, 65535, "", NULL, GROUP_CLIENTS, RELOAD_RESTART,
     "Port to listen on; also part of the Unix socket's name."},
    {BOOLEAN(log_connections), "true", 0, 0, "", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "Log each login."},
    {BOOLEAN(log_disconnections), "true", 0, 0, "", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "Log each end of a connection, and why."},
    {STRING(log_file), "", 0, TEXT_MAX, "", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "File to log to, opened again at each reload; empty: stderr."},
    {CHOICE(log_format), "text", 0, 0, "", log_formats, GROUP_OPERATION, RELOAD_LIVE,
     "`text`: one event a line; `json`: one object a line; `pgbouncer`: as pgBadger reads it."},
    {CHOICE(log_level), "info", 0, 0, "", log_levels, GROUP_OPERATION, RELOAD_LIVE,
     "The least important events that are logged."},
    {BOOLEAN(log_pooler_errors), "true", 0, 0, "", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "Log the errors that we send to clients (not those of the servers)."},
    {INTEGER(max_client_conn), "1000", 1, 1000000, "connections", NULL, GROUP_CLIENTS,
     RELOAD_LIVE,
     "Client connections in the whole process; the next one gets 53300. Each needs a file "
     "descriptor."},
    {INTEGER(max_db_connections), "0", 0, 100000, "connections", NULL, GROUP_POOLS, RELOAD_LIVE,
     "Server connections for each database, whoever the users are; 0: no limit."},
    {SIZE(max_inspected_size), "1MB", 1024, 64LL << 20, "B", NULL, GROUP_POOLS, RELOAD_LIVE,
     "How long a statement may be to be looked at. A client that sends a longer one keeps its "
     "server connection, as nothing is known about what it did there."},
    {SIZE(max_packet_size), "1GB", 1024, 2147483647, "B", NULL, GROUP_CLIENTS, RELOAD_LIVE,
     "The longest message that is let through, in either direction (a row, a statement)."},
    {INTEGER(max_prepared_statements), "200", 0, 100000, "statements", NULL, GROUP_POOLS,
     RELOAD_LIVE,
     "Prepared statements kept on each server connection; the one not used for longest goes. 0: "
     "in the modes transaction and statement clients may not prepare by name."},
    {INTEGER(max_user_connections), "0", 0, 100000, "connections", NULL, GROUP_POOLS, RELOAD_LIVE,
     "Server connections for each user, over all databases; 0: no limit."},
    {INTEGER(min_pool_size), "0", 0, 100000, "connections", NULL, GROUP_POOLS, RELOAD_LIVE,
     "Server connections that are kept open in a pool that is in use."},
    {STRING(pid_file), "", 0, TEXT_MAX, "", NULL, GROUP_OPERATION, RELOAD_RESTART,
     "File that holds our process id while we run; empty: none."},
    {CHOICE(pool_mode), "transaction", 0, 0, "", pool_modes, GROUP_POOLS, RELOAD_LIVE,
     "When a server connection goes back to its pool: at the end of the client's `session`, of "
     "each `transaction`, or of each `statement`, which forbids transactions of several."},
    {TIME(query_timeout), "0", 0, HOURS_MAX, "s", NULL, GROUP_POOLS, RELOAD_LIVE,
     "A query that runs for longer is cancelled and its client disconnected; 0: never. "
     "Set PostgreSQL's statement_timeout lower."},
    {TIME(query_wait_timeout), "120s", 0, HOURS_MAX, "s", NULL, GROUP_POOLS, RELOAD_LIVE,
     "A client that waits for a server connection for longer is disconnected; 0: never."},
    {BOOLEAN(replication_connections), "false", 0, 0, "", NULL, GROUP_CLIENTS, RELOAD_LIVE,
     "Pass connections with `replication=` through to the server; else they are refused."},
    {INTEGER(reserve_pool_size), "0", 0, 100000, "connections", NULL, GROUP_POOLS, RELOAD_LIVE,
     "Server connections more for a pool whose clients wait longer than `reserve_pool_timeout`."},
    {TIME(reserve_pool_timeout), "5s", 0, HOURS_MAX, "s", NULL, GROUP_POOLS, RELOAD_LIVE,
     "How long a client waits before the reserve is used; 0: the reserve is never used."},
    {TIME(server_check_delay), "30s", 0, HOURS_MAX, "s", NULL, GROUP_SERVERS, RELOAD_LIVE,
     "A server connection that was idle for longer is checked before a client gets it; 0: always."},
    {STRING(server_check_query), ";", 0, TEXT_MAX, "", NULL, GROUP_SERVERS, RELOAD_LIVE,
     "The check; empty: none is made. `;` is the empty query."},
    {TIME(server_connect_timeout), "15s", 0, HOURS_MAX, "s", NULL, GROUP_SERVERS, RELOAD_LIVE,
     "How long connecting and logging in to a server may take; 0: for ever."},
    {TIME(server_idle_timeout), "600s", 0, HOURS_MAX, "s", NULL, GROUP_SERVERS, RELOAD_LIVE,
     "A server connection that nobody used for longer is closed; 0: never."},
    {TIME(server_lifetime), "3600s", 0, HOURS_MAX, "s", NULL, GROUP_SERVERS, RELOAD_LIVE,
     "A server connection older than this is closed when it is free; 0: after one use."},
    {TIME(server_login_retry), "1s", 0, HOURS_MAX, "s", NULL, GROUP_SERVERS, RELOAD_LIVE,
     "How long to wait after a failed connection to a server before the next."},
    {STRING(server_reset_query), "DISCARD ALL", 0, TEXT_MAX, "", NULL, GROUP_SERVERS, RELOAD_LIVE,
     "Run when a session gives its server connection back, in session mode; empty: nothing is. In "
     "the other modes what a client changed is restored one by one."},
    {BOOLEAN(server_round_robin), "false", 0, 0, "", NULL, GROUP_SERVERS, RELOAD_LIVE,
     "Take the server connection that was idle for longest, not the one used last."},
    {STRING(server_tls_ca_file), "", 0, TEXT_MAX, "", NULL, GROUP_TLS, RELOAD_LIVE,
     "Certificates of who may sign the servers' certificates (PEM); `system`: those of this machine, "
     "with `verify-full` only."},
    {STRING(server_tls_cert_file), "", 0, TEXT_MAX, "", NULL, GROUP_TLS, RELOAD_LIVE,
     "Our certificate for servers that ask for one (PEM)."},
    {STRING(server_tls_ciphers), "", 0, TEXT_MAX, "", NULL, GROUP_TLS, RELOAD_LIVE,
     "Ciphers up to TLS 1.2, as OpenSSL writes them; empty: OpenSSL's default."},
    {STRING(server_tls_key_file), "", 0, TEXT_MAX, "", NULL, GROUP_TLS, RELOAD_LIVE,
     "The key of `server_tls_cert_file` (PEM)."},
    {STRING(server_tls_min_protocol), "TLSv1.2", 0, 16, "", tls_protocols, GROUP_TLS, RELOAD_LIVE,
     "The oldest TLS that servers may use."},
    {CHOICE(server_tls_sslmode), "prefer", 0, 0, "", tls_modes, GROUP_TLS, RELOAD_LIVE,
     "TLS to the servers, as libpq's sslmode. Only `verify-full` keeps out who sits between."},
    {TIME(stats_period), "60s", 0, 86400, "s", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "How often the totals are logged and the averages of SHOW STATS made; 0: never logged."},
    {STRING(stats_users), "", 0, TEXT_MAX, "", NULL, GROUP_LOGIN, RELOAD_LIVE,
     "Users, with commas between, who may only look at the console (SHOW)."},
    {INTEGER(tcp_keepcnt), "0", 0, 127, "probes", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "Keep-alive probes without an answer before a connection is given up; 0: the system's."},
    {TIME(tcp_keepidle), "0", 0, 32767, "s", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "How long a connection is silent before the first probe, rounded up to whole seconds; 0: the system's."},
    {TIME(tcp_keepintvl), "0", 0, 32767, "s", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "Time between two probes, rounded up to whole seconds; 0: the system's."},
    {TIME(tcp_user_timeout), "0", 0, 2147483647, "ms", NULL, GROUP_OPERATION, RELOAD_LIVE,
     "How long sent data may stay without an answer before the connection is given up; 0: the "
     "system's."},
    {STRING(track_extra_parameters), "IntervalStyle", 0, TEXT_MAX, "", NULL, GROUP_POOLS,
     RELOAD_LIVE,
     "Parameters, with commas between, that the server reports and that are kept for each client, "
     "besides client_encoding, DateStyle, TimeZone, standard_conforming_strings and "
     "application_name."},
    {TIME(transaction_timeout), "0", 0, HOURS_MAX, "s", NULL, GROUP_POOLS, RELOAD_LIVE,
     "A client whose transaction lasts longer is disconnected; 0: never."},
    {STRING(unix_socket_dir), "", 0, 92, "", NULL, GROUP_CLIENTS, RELOAD_RESTART,
     "Directory of the Unix socket `.s.PGSQL.PORT`; empty: none."},
    {INTEGER(unix_socket_mode), "0777", 0, 0777, "octal", NULL, GROUP_CLIENTS, RELOAD_RESTART,
     "Permissions of the Unix socket."},
    {INTEGER(workers), "1", 0, 64, "threads", NULL, GROUP_OPERATION, RELOAD_RESTART,
     "Threads that relay; 0: as many as CPUs."},
};
/* clang-format on */

const size_t settings_count = sizeof settings_table / sizeof settings_table[0];
