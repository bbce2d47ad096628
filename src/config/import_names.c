#include "config/import_names.h"

#include <stddef.h>
#include <string.h>

static const struct import_name setting_names[] = {
    {"application_name_add_host", NULL, "the server sees the client's application_name as it is"},
    {"auth_ldap_options", NULL, "LDAP is not supported"},
    {"autodb_idle_timeout", NULL, "pools that nobody uses are given up by themselves"},
    {"client_tls13_ciphers", NULL, "OpenSSL's default is used"},
    {"client_tls_dheparams", NULL, "OpenSSL chooses"},
    {"client_tls_ecdhcurve", NULL, "OpenSSL chooses"},
    {"client_tls_protocols", "client_tls_min_protocol", NULL},
    {"conffile", NULL, "named on the command line"},
    {"disable_pqexec", NULL, "the simple protocol can't be forbidden"},
    {"dns_nxdomain_ttl", NULL, "failed look-ups are not kept"},
    {"dns_zone_check_period", NULL, "zones are not watched; see dns_max_ttl"},
    {"job_name", NULL, "only Windows has it"},
    {"log_stats", NULL, "stats_period: 0 logs no totals"},
    {"logfile", "log_file", NULL},
    {"max_db_client_connections", NULL, "client connections are not limited by database"},
    {"max_user_client_connections", NULL, "set it for each user, below `users`"},
    {"peer_id", NULL, "not needed: one process has as many workers as you like"},
    {"pidfile", "pid_file", NULL},
    {"pkt_buf", NULL, "buffers are sized by themselves; see buffer_limit"},
    {"pool_idle_timeout", NULL, "pools that nobody uses are given up by themselves"},
    {"query_wait_notify", NULL, "waiting clients get no notice"},
    {"resolv_conf", NULL, "the system's is used"},
    {"sbuf_loopcnt", NULL, "work is shared out by itself"},
    {"scram_iterations", NULL, "as the stored secret says"},
    {"server_fast_close", NULL, "servers are closed at the end of the session"},
    {"server_reset_query_always", NULL,
     "what clients change is restored after each transaction, one by one"},
    {"server_tls13_ciphers", NULL, "OpenSSL's default is used"},
    {"server_tls_protocols", "server_tls_min_protocol", NULL},
    {"service_name", NULL, "only Windows has it"},
    {"so_reuseport", NULL, "not needed: set workers"},
    {"syslog", NULL, "log to stderr: systemd's journal takes it"},
    {"syslog_facility", NULL, "log to stderr: systemd's journal takes it"},
    {"syslog_ident", NULL, "log to stderr: systemd's journal takes it"},
    {"tcp_defer_accept", NULL, "not used"},
    {"tcp_keepalive", NULL, "always on"},
    {"tcp_socket_buffer", NULL, "the system's is used"},
    {"unix_socket_group", NULL, "give the directory that group"},
    {"user", NULL, "start it as that user, as systemd does"},
    {"verbose", "log_level", NULL},
};

static const struct import_name database_names[] = {
    {"load_balance_hosts", NULL, "a database has one host"},
    {"max_db_client_connections", NULL, "client connections are not limited by database"},
    {"query_wait_timeout", NULL, "it is one for all databases"},
    {"reserve_pool", "reserve_pool_size", NULL},
    {"server_lifetime", NULL, "it is one for all databases"},
    {"target_session_attrs", NULL, "the server's role is not asked for"},
};

const struct import_default import_defaults[] = {
    {"auth_type", "md5"},        {"listen_addr", ""},
    {"listen_backlog", "128"},   {"max_client_conn", "100"},
    {"pool_mode", "session"},    {"server_login_retry", "15s"},
    {"unix_socket_dir", "/tmp"}, {NULL, NULL},
};

static const struct import_name *find(const struct import_name *names, size_t count,
                                      const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

const struct import_name *import_setting_name(const char *name)
{
    return find(setting_names, sizeof setting_names / sizeof setting_names[0], name);
}

const struct import_name *import_database_name(const char *name)
{
    return find(database_names, sizeof database_names / sizeof database_names[0], name);
}
