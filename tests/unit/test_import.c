/* pgbouncer.ini becomes our YAML: what has the same meaning is kept, and the rest is told. */
#include "check.h"

#include <string.h>

#include "config/config.h"
#include "config/hba.h"

static const char ini[] =
    ";; my pooler\n"
    "[databases]\n"
    "; the shop\n"
    "shop = host=10.0.0.5 port=5433 user=app password='it''s \"x\"' connect_query='SET a = 1'\n"
    "foo =\n"
    "\"my \"\"db\" = dbname=other reserve_pool=3 server_lifetime=60 pool_mode = statement\n"
    "* = host=/var/run/postgresql pool_size=-1\n"
    "[users]\n"
    "ann = pool_mode=session max_user_connections=4 query_timeout=5\n"
    "[pgbouncer]\n"
    "listen_addr = *\n"
    "listen_port = 6433\n"
    "auth_type = hba\n"
    "auth_hba_file = /etc/hba.conf\n"
    "logfile = /var/log/pgbouncer/pgbouncer.log\n"
    "server_lifetime = 1200.0\n"
    "server_check_query = <empty>\n"
    "unix_socket_dir = /run/pg\n"
    "client_tls_protocols = secure\n"
    "client_tls_ciphers = fast\n"
    "log_connections = 0\n"
    "max_packet_size = 2147483647\n"
    "pkt_buf = 8192\n"
    "made_up = 1\n"
    "verbose = 2\n"
    "[peers]\n"
    "1 = host=/tmp\n";

static const char yaml[] = "# From p.ini, by reparto import-config.\n"
                           "# ; my pooler\n"
                           "listen_addr: \"*\"\n"
                           "listen_port: 6433\n"
                           "# auth_type = hba  (the rules of auth_hba_file decide)\n"
                           "auth_hba_file: /etc/hba.conf\n"
                           "log_file: /var/log/pgbouncer/pgbouncer.log\n"
                           "server_lifetime: 20min\n"
                           "server_check_query: \";\"\n"
                           "unix_socket_dir: /run/pg\n"
                           "client_tls_min_protocol: TLSv1.2\n"
                           "client_tls_ciphers: \"\"\n"
                           "log_connections: false\n"
                           "max_packet_size: 2147483647B\n"
                           "# pkt_buf = 8192  (buffers are sized by themselves; see buffer_limit)\n"
                           "# made_up = 1  (has no counterpart here)\n"
                           "log_level: debug\n"
                           "# peer = 1  (peers are not needed)\n"
                           "\n"
                           "# PgBouncer's defaults, where ours differ.\n"
                           "listen_backlog: 128\n"
                           "max_client_conn: 100\n"
                           "pool_mode: session\n"
                           "server_login_retry: 15s\n"
                           "\n"
                           "databases:\n"
                           "  # the shop\n"
                           "  shop:\n"
                           "    host: 10.0.0.5\n"
                           "    port: 5433\n"
                           "    user: app\n"
                           "    password: \"it's \\\"x\\\"\"\n"
                           "    connect_query: \"SET a = 1\"\n"
                           "  foo:\n"
                           "    host: /run/pg\n"
                           "  \"my \\\"db\":\n"
                           "    dbname: other\n"
                           "    reserve_pool_size: 3\n"
                           "    # server_lifetime = 60  (it is one for all databases)\n"
                           "    pool_mode: statement\n"
                           "    host: /run/pg\n"
                           "  \"*\":\n"
                           "    host: /var/run/postgresql\n"
                           "\n"
                           "users:\n"
                           "  ann:\n"
                           "    pool_mode: session\n"
                           "    max_user_connections: 4\n"
                           "    # query_timeout = 5  (has no counterpart here)\n";

static void a_whole_file_is_translated(void **)
{
    struct text out = {0}, report = {0};
    struct error err = {0};

    assert_true(config_import(ini, sizeof ini - 1, "p.ini", &out, &err));
    assert_string_equal(text_cstr(&out), yaml);

    struct config *config = config_parse(text_cstr(&out), out.size, "r.yaml", &report, &err);
    assert_non_null(config);
    assert_string_equal(text_cstr(&report), "");
    assert_string_equal(config_database(config, "shop")->password, "it's \"x\"");
    assert_int_equal(config_database(config, "my \"db")->reserve_pool_size, 3);
    assert_int_equal(config_database(config, "x")->pool_size, -1);
    config_release(config);
    text_done(&report);
    text_done(&out);
}

/* One line of [pgbouncer], and the lines that become of it. */
static void settings_are_translated(void **)
{
    static const struct {
        const char *line, *result;
    } cases[] = {
        {"auth_type = plain", "auth_type: password\n"},
        {"auth_type = md5", "auth_type: md5\n"},
        {"auth_type = pam", "# auth_type = pam  (not supported: scram-sha-256 is used)\n"},
        {"auth_hba_file = x", "# auth_hba_file = x  (auth_type is not hba)\n"},
        {"server_tls_protocols = all", "# server_tls_protocols = all  (TLS before 1.2 is not "
                                       "supported)\nserver_tls_min_protocol: TLSv1.2\n"},
        {"server_tls_protocols = tlsv1.3", "server_tls_min_protocol: TLSv1.3\n"},
        {"server_tls_ciphers = HIGH:!aNULL", "server_tls_ciphers: \"HIGH:!aNULL\"\n"},
        {"verbose = 0", "log_level: info\n"},
        {"server_round_robin = YES", "server_round_robin: true\n"},
        {"query_wait_timeout = 0.5", "query_wait_timeout: 500ms\n"},
        {"tcp_user_timeout = 1500", "tcp_user_timeout: 1500ms\n"},
        {"unix_socket_mode = 0700", "unix_socket_mode: 0700\n"},
        {"server_reset_query = DISCARD ALL", "server_reset_query: \"DISCARD ALL\"\n"},
        {"admin_users = a, b", "admin_users: \"a, b\"\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text file = {0}, out = {0};
        struct error err = {0};
        text_appendf(&file, "[pgbouncer]\n%s\n", cases[i].line);
        assert_true(config_import(file.bytes, file.size, "p.ini", &out, &err));
        const char *result = strchr(text_cstr(&out), '\n') + 1;
        if (strncmp(result, cases[i].result, strlen(cases[i].result)) != 0) {
            print_message("%s", text_cstr(&out));
        }
        assert_memory_equal(result, cases[i].result, strlen(cases[i].result));
        assert_int_equal(result[strlen(cases[i].result)], '\n');
        text_done(&file);
        text_done(&out);
    }
}

/* Else an imported file would behave differently where the old one was silent. */
static void defaults_of_pgbouncer_are_written_down(void **)
{
    struct text out = {0};
    struct error err = {0};

    assert_true(config_import("", 0, "p.ini", &out, &err));
    struct config *config = config_parse(text_cstr(&out), out.size, "r.yaml", NULL, &err);
    assert_non_null(config);
    const struct settings *settings = &config->settings;
    assert_int_equal(settings->pool_mode, POOL_SESSION);
    assert_int_equal(settings->max_client_conn, 100);
    assert_int_equal(settings->auth_type, HBA_MD5);
    assert_string_equal(settings->listen_addr, "");
    assert_string_equal(settings->unix_socket_dir, "/tmp");
    assert_int_equal(settings->default_pool_size, 20);
    assert_true(settings->server_login_retry == 15LL * 1000000000);
    assert_true(settings->query_wait_timeout == 120LL * 1000000000);
    assert_true(settings->server_lifetime == 3600LL * 1000000000);
    assert_true(settings->server_idle_timeout == 600LL * 1000000000);
    assert_true(settings->server_connect_timeout == 15LL * 1000000000);
    assert_true(settings->server_check_delay == 30LL * 1000000000);
    assert_true(settings->client_login_timeout == 60LL * 1000000000);
    assert_true(settings->cancel_wait_timeout == 10LL * 1000000000);
    assert_true(settings->reserve_pool_timeout == 5LL * 1000000000);
    assert_true(settings->dns_max_ttl == 15LL * 1000000000);
    assert_string_equal(settings->server_reset_query, "DISCARD ALL");
    config_release(config);
    text_done(&out);
}

static void what_cannot_be_translated_is_refused(void **)
{
    static const struct {
        const char *text, *message, *hint;
    } cases[] = {
        {"[databases]\n%include other.ini\n", "p.ini:2:1: %include is not followed",
         "put the file's lines here and import the whole"},
        {"[pgbuoncer]\n", "p.ini:1:1: an unknown section", "databases, users, peers or pgbouncer"},
        {"listen_port = 1\n", "p.ini:1:1: no section has begun",
         "[databases] or [pgbouncer] first"},
        {"[pgbouncer]\nlisten_port\n", "p.ini:2:1: expected \"key = value\"", ""},
        {"[pgbouncer]\n= 3\n", "p.ini:2:1: expected \"key = value\"", ""},
        {"[pgbouncer]\nlisten_port = x\n", "p.ini:2:15: listen_port: \"x\" is not a whole number",
         ""},
        {"[pgbouncer]\nlisten_port = 1\nlisten_port = 2\n",
         "p.ini:3:1: listen_port stands there twice", "PgBouncer takes the last one"},
        {"[pgbouncer]\nlogfile = a\nlog_file = b\n", "p.ini:3:1: log_file stands there twice",
         "PgBouncer takes the last one"},
        {"[databases]\na = host=x,y\n", "p.ini:2:5: a database has one host, not several",
         "choose one of them"},
        {"[databases]\na = host=@x\n",
         "p.ini:2:5: sockets in the abstract namespace are not supported", ""},
        {"[databases]\na = hello\n", "p.ini:2:5: expected \"key=value\"", "host=… port=… dbname=…"},
        {"[databases]\na = host=b password='s3cret\n", "p.ini:2:21: the quote is not closed",
         "host=… port=… dbname=…"},
        {"[databases]\n\"a = host=b\n", "p.ini:2:1: the quote is not closed", ""},
        {"[databases]\na = port=70000\n", "p.ini:2:5: port: 70000 is outside 1..65535", ""},
        {"[databases]\na = dbname=\xff\n", "p.ini:2:12: not UTF-8", "save the file as UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text out = {0};
        struct error err = {0};
        assert_false(config_import(cases[i].text, strlen(cases[i].text), "p.ini", &out, &err));
        assert_string_equal(err.sqlstate, "F0000");
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.hint, cases[i].hint);
        assert_int_equal(out.size, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_translated),
        cmocka_unit_test(settings_are_translated),
        cmocka_unit_test(defaults_of_pgbouncer_are_written_down),
        cmocka_unit_test(what_cannot_be_translated_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
