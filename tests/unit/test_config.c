/* The configuration file: what it says is what we get, and what is wrong is shown with its place.
 */
#include "check.h"

#include <pthread.h>
#include <string.h>

#include "config/config.h"

static const char some[] = "# the shop\n"
                           "listen_port: 7000\n"
                           "pool_mode: session   # as before\n"
                           "server_lifetime: 90\n"
                           "auth_file: \"users.txt\"\n"
                           "databases:\n"
                           "  shop: {host: 10.0.0.5, port: 5433, dbname: shop1, pool_size: 16}\n"
                           "  \"*\": {host: /tmp, pool_mode: statement, sslmode: require}\n"
                           "  plain:\n"
                           "  long:\n"
                           "    host: db.example.com\n"
                           "    user: app\n"
                           "    password: 'it''s: #1'\n"
                           "    connect_query: |\n"
                           "      SET a = 1;\n"
                           "users:\n"
                           "  report: {pool_mode: session, max_user_connections: 4}\n";

static struct config *parse(const char *text, struct text *report, struct error *err)
{
    return config_parse(text, strlen(text), "r.yaml", report, err);
}

static void a_file_is_read(void **)
{
    struct error err = {0};
    struct text report = {0};
    struct config *config = parse(some, &report, &err);

    assert_non_null(config);
    assert_string_equal(text_cstr(&report), "");
    assert_int_equal(config->settings.listen_port, 7000);
    assert_int_equal(config->settings.pool_mode, POOL_SESSION);
    assert_true(config->settings.server_lifetime == 90LL * 1000000000);
    assert_string_equal(config->settings.auth_file, "users.txt");
    assert_int_equal(config->settings.default_pool_size, 20);
    assert_int_equal(config->database_count, 4);

    const struct config_database *shop = config_database(config, "shop");
    assert_string_equal(shop->name, "shop");
    assert_string_equal(shop->host, "10.0.0.5");
    assert_int_equal(shop->port, 5433);
    assert_string_equal(shop->dbname, "shop1");
    assert_int_equal(shop->pool_size, 16);
    assert_int_equal(shop->pool_mode, -1);
    assert_int_equal(shop->sslmode, -1);
    assert_int_equal(shop->line, 7);

    const struct config_database *any = config_database(config, "other");
    assert_string_equal(any->name, "*");
    assert_int_equal(any->pool_mode, POOL_STATEMENT);
    assert_int_equal(any->sslmode, TLS_REQUIRE);

    const struct config_database *plain = config_database(config, "plain");
    assert_string_equal(plain->host, "/run/postgresql");
    assert_int_equal(plain->port, 5432);
    assert_string_equal(plain->dbname, "");

    const struct config_database *long_one = config_database(config, "long");
    assert_string_equal(long_one->password, "it's: #1");
    assert_string_equal(long_one->connect_query, "SET a = 1;\n");

    const struct config_user *user = config_user(config, "report");
    assert_int_equal(user->max_user_connections, 4);
    assert_int_equal(user->max_user_client_connections, -1);
    assert_null(config_user(config, "nobody"));
    config_release(config);
    text_done(&report);
}

static void what_is_not_there_is_not_found(void **)
{
    struct error err = {0};
    struct config *config = parse("databases: {b: , a: , c: }\nauth_file: u\n", NULL, &err);

    assert_non_null(config);
    assert_string_equal(config_database(config, "a")->name, "a");
    assert_string_equal(config_database(config, "b")->name, "b");
    assert_string_equal(config_database(config, "c")->name, "c");
    assert_string_equal(config->databases[0].name, "b"); /* in the order of the file */
    assert_null(config_database(config, "d"));
    assert_null(config_database(config, ""));
    config_release(config);
}

static void a_config_lives_until_the_last_release(void **)
{
    struct error err = {0};
    struct config *config = parse(some, NULL, &err);

    assert_non_null(config);
    assert_ptr_equal(config_share(config), config);
    config_release(config);
    assert_int_equal(config->settings.listen_port, 7000); /* else the sanitizer complains */
    config_release(config);
    config_release(NULL);
}

static void *share_often(void *config)
{
    for (int i = 0; i < 20000; i++) {
        config_release(config_share(config));
    }
    return NULL;
}

static void threads_may_share_a_config(void **)
{
    struct error err = {0};
    struct config *config = parse(some, NULL, &err);
    pthread_t threads[4];

    assert_non_null(config);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, share_often, config), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(config->share_count, 1);
    config_release(config);
}

/* Whole reports, word by word: this is what an operator reads. */
static void problems_are_shown_with_their_place(void **)
{
    static const struct {
        const char *text, *report;
    } cases[] = {
        {"auth_file: u\ndatabases: {a: }\nlisten_prot: 6432\n",
         "r.yaml:3:1: error: unknown setting \"listen_prot\"\n"
         "    3 | listen_prot: 6432\n"
         "      | ^~~~~~~~~~~\n"
         "      hint: did you mean listen_port?\n"},
        {"pool_mode: transactional\nquery_timeout: 5 sec\nlisten_port: 0x10\n",
         "r.yaml:1:12: error: pool_mode: \"transactional\" is not one of its values\n"
         "    1 | pool_mode: transactional\n"
         "      |            ^~~~~~~~~~~~~\n"
         "      hint: it may be session, transaction, statement\n"
         "r.yaml:2:16: error: query_timeout: \"5 sec\" is no time\n"
         "    2 | query_timeout: 5 sec\n"
         "      |                ^~~~~\n"
         "      hint: units: us, ms, s, min, h, d; a number alone is in s\n"
         "r.yaml:3:14: error: listen_port: \"0x10\" is not a whole number\n"
         "    3 | listen_port: 0x10\n"
         "      |              ^~~~\n"},
        {"databases:\n  shop: {hots: a, pool_size: 0, default_pool_size: 3}\n",
         "r.yaml:2:10: error: unknown database option \"hots\"\n"
         "    2 |   shop: {hots: a, pool_size: 0, default_pool_size: 3}\n"
         "      |          ^~~~\n"
         "      hint: did you mean host?\n"
         "r.yaml:2:30: error: pool_size: 0 is outside 1..100000\n"
         "    2 |   shop: {hots: a, pool_size: 0, default_pool_size: 3}\n"
         "      |                              ^\n"
         "r.yaml:2:33: error: unknown database option \"default_pool_size\"\n"
         "    2 |   shop: {hots: a, pool_size: 0, default_pool_size: 3}\n"
         "      |                                 ^~~~~~~~~~~~~~~~~\n"
         "      hint: default_pool_size is a setting: it belongs to the top of the file\n"},
        {"workers: 1\nworkers: 2\n", "r.yaml:2:1: error: duplicate key \"workers\"\n"
                                     "    2 | workers: 2\n"
                                     "      | ^~~~~~~\n"
                                     "      hint: it stands at line 1 already\n"},
        {"workers:\nauth_file: ~\nlisten_addr: [a, b]\nhttp_addr: {a: b}\n",
         "r.yaml:1:1: error: workers has no value\n"
         "    1 | workers:\n"
         "      | ^~~~~~~\n"
         "      hint: \"\" is an empty text\n"
         "r.yaml:2:1: error: auth_file has no value\n"
         "    2 | auth_file: ~\n"
         "      | ^~~~~~~~~\n"
         "      hint: \"\" is an empty text\n"
         "r.yaml:3:14: error: listen_addr must be a single value, not a list\n"
         "    3 | listen_addr: [a, b]\n"
         "      |              ^\n"
         "r.yaml:4:12: error: http_addr must be a single value, not a mapping\n"
         "    4 | http_addr: {a: b}\n"
         "      |            ^\n"},
        {"- a\n", "r.yaml:1:1: error: must be a mapping, not a list\n"
                  "    1 | - a\n"
                  "      | ^\n"
                  "      hint: a line is \"setting: value\"\n"},
        {"host: a\n", "r.yaml:1:1: error: unknown setting \"host\"\n"
                      "    1 | host: a\n"
                      "      | ^~~~\n"
                      "      hint: host belongs to a database, below `databases`\n"},
        {"databases: [shop]\nusers: all\n",
         "r.yaml:1:12: error: databases must be a mapping, not a list\n"
         "    1 | databases: [shop]\n"
         "      |            ^\n"
         "      hint: name: {…}\n"
         "r.yaml:2:8: error: users must be a mapping, not a single value\n"
         "    2 | users: all\n"
         "      |        ^~~\n"
         "      hint: name: {…}\n"},
        {"databases:\n  shop: host=a port=1\n",
         "r.yaml:2:9: error: database shop must be a mapping, not a single value\n"
         "    2 |   shop: host=a port=1\n"
         "      |         ^~~~~~~~~~~~~\n"
         "      hint: {name: value, …}\n"},
        {"databases:\n  pgbouncer: {}\n",
         "r.yaml:2:3: error: \"pgbouncer\" is the name of the console\n"
         "    2 |   pgbouncer: {}\n"
         "      |   ^~~~~~~~~\n"},
        {"a: &x 1\nb: *x\n", "r.yaml:1:5: error: anchors (&) are not supported\n"
                             "    1 | a: &x 1\n"
                             "      |     ^\n"
                             "      hint: write the value again where it is needed\n"
                             "r.yaml:2:5: error: aliases (*) are not supported\n"
                             "    2 | b: *x\n"
                             "      |     ^\n"
                             "      hint: write the value again where it is needed\n"},
        {"workers: 1\n---\nworkers: 2\n", "r.yaml:2:1: error: a second document\n"
                                          "    2 | ---\n"
                                          "      | ^\n"},
        {"databases:\n  shop: {host: a\nworkers: 1\n",
         "r.yaml:3:8: error: missing comma in flow mapping\n"
         "    3 | workers: 1\n"
         "      |        ^\n"
         "      hint: in a mapping that begins at line 2, column 9\n"},
        {"workers: 1\n\tx: 1\n", "r.yaml:1:10: error: invalid multiline plain key\n"
                                 "    1 | workers: 1\n"
                                 "      |          ^\n"
                                 "      hint: in a mapping that begins at line 1, column 1\n"},
        {"auth_file: caf\xc3\xa9, \xff\n", "r.yaml:1:18: error: not UTF-8\n"
                                           "    1 | auth_file: café, \xff\n"
                                           "      |                  ^\n"
                                           "      hint: save the file as UTF-8\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        struct text report = {0};
        assert_null(parse(cases[i].text, &report, &err));
        if (strcmp(text_cstr(&report), cases[i].report) != 0) {
            print_message("%s---\n%s---\n%s", cases[i].text, text_cstr(&report), cases[i].report);
        }
        assert_string_equal(text_cstr(&report), cases[i].report);
        assert_string_equal(err.sqlstate, "F0000");
        text_done(&report);
    }
}

static void the_first_error_is_returned(void **)
{
    struct error err = {0};

    assert_null(parse("workers: 1\nhttp_prot: 1\nx: y\n", NULL, &err));
    assert_string_equal(err.message, "r.yaml:2:1: unknown setting \"http_prot\"");
    assert_string_equal(err.hint, "did you mean http_port?");
}

static void passwords_are_never_shown(void **)
{
    static const char *const texts[] = {
        "databases: {a: {password: s3cret, pool_size: x}}\n",
        "databases: {a: {pool_size: x, 'password': s3cret}}\n",
        "databases:\n  a:\n    password:\n      s3cret\n     pool_size: x\n",
        "databases:\n  a:\n    password: |\n      s3cret\n      more \x01\n",
        "databases: {a: {password: \"s3cret\n more s3cret \x01\n",
        "databases: {a: {PASSWORD: s3cret}}\n",
        "databases: {a: {password: [s3cret]}}\n",
        "databases: {a: {password: s3cret\n",
        "databases: {a: {password : \"s3cret}}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error err = {0};
        struct text report = {0};
        assert_null(parse(texts[i], &report, &err));
        assert_true(report.size > 0);
        if (strstr(text_cstr(&report), "s3cret") != NULL) {
            print_message("%s---\n%s", texts[i], text_cstr(&report));
        }
        assert_null(strstr(text_cstr(&report), "s3cret"));
        assert_null(strstr(err.message, "s3cret"));
        text_done(&report);
    }
}

/* Each is one file that must be refused (or warned of) with this message. */
static void what_cannot_be_meant_is_told(void **)
{
    static const struct {
        const char *text;
        const char *message; /* the part behind the path */
    } cases[] = {
        {"auth_query: SELECT 1\nauth_file: u\n",
         "1:13: error: auth_query without auth_user is never run"},
        {"auth_ident_file: i\nauth_file: u\n",
         "1:18: error: auth_ident_file without auth_hba_file is never used"},
        {"", ": warning: nobody can log in: no passwords are known"},
        {"auth_file: u\n", ": warning: no databases: clients reach only the console"},
        {"auth_hba_file: h\nauth_type: md5\n",
         "2:12: warning: auth_type has no effect: the rules of auth_hba_file decide"},
        {"auth_type: cert\n", "1:12: error: auth_type cert needs the clients' certificates"},
        {"auth_type: peer\n", "1:12: error: auth_type peer works only on a Unix socket"},
        {"auth_type: trust\nlisten_addr: '*'\n",
         "1:12: warning: everyone who reaches * is let in as whoever they say they are"},
        {"auth_type: password\nlisten_addr: 10.0.0.1\nauth_file: u\n",
         "1:12: warning: passwords cross the network in clear text"},
        {"client_tls_sslmode: require\n", "1:21: error: TLS for clients needs a certificate"},
        {"client_tls_cert_file: c\n",
         "1:23: error: client_tls_cert_file without client_tls_key_file"},
        {"server_tls_key_file: c\n",
         "1:22: error: server_tls_key_file without server_tls_cert_file"},
        {"client_tls_sslmode: verify-full\nclient_tls_cert_file: c\nclient_tls_key_file: k\n",
         "1:21: error: the clients' certificates can't be verified without a CA"},
        {"server_tls_sslmode: verify-ca\n",
         "1:21: error: the servers' certificates can't be verified without a CA"},
        {"databases: {a: {sslmode: verify-full}}\n",
         "1:26: error: the server's certificate can't be verified without a CA"},
        {"min_pool_size: 21\n", "1:16: warning: min_pool_size 21 is more than the pool's 20"},
        {"reserve_pool_size: 21\n",
         "1:20: warning: reserve_pool_size 21 is more than the pool's 20"},
        {"default_pool_size: 5\nmax_db_connections: 4\n",
         "2:21: warning: max_db_connections 4 keeps the pool below its 5"},
        {"databases: {a: {pool_size: 5, reserve_pool_size: 6}}\n",
         "1:50: warning: database a: reserve_pool_size 6 is more than the pool's 5"},
        {"reserve_pool_size: 1\nreserve_pool_timeout: 0\n",
         "2:23: warning: the reserve is never used: reserve_pool_timeout is 0"},
        {"databases: {a: {host: ''}}\n", "1:24: error: database a: host is empty"},
        {"databases: {a: {password: x}}\n",
         "1:27: error: database a: password without user is never used"},
        {"databases: {a: {auth_query: x}}\n",
         "1:29: error: database a: auth_query without auth_user is never run"},
        {"auth_dbname: b\ndatabases: {a: }\n",
         "1:14: error: auth_dbname: there is no database \"b\""},
        {"databases: {a: {auth_dbname: b}}\n",
         "1:30: error: auth_dbname: there is no database \"b\""},
        {"admin_users: a,,b\n", "1:14: error: admin_users has an empty item"},
        {"http_port: 6432\n", "1:12: error: http_port and listen_port are both 6432"},
        {"http_port: 1\nhttp_addr: 0.0.0.0\n",
         "2:12: warning: everyone who reaches 0.0.0.0 can read the metrics"},
        {"listen_addr: ''\n", "1:15: warning: neither listen_addr nor unix_socket_dir is set"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        struct text report = {0};
        struct config *config = parse(cases[i].text, &report, &err);
        if (strstr(text_cstr(&report), cases[i].message) == NULL) {
            print_message("%s---\n%s", cases[i].text, text_cstr(&report));
        }
        assert_non_null(strstr(text_cstr(&report), cases[i].message));
        assert_int_equal(config == NULL, strstr(text_cstr(&report), ": error: ") != NULL);
        assert_int_equal(config == NULL, error_is_set(&err));
        config_release(config);
        text_done(&report);
    }
}

static void limits_are_kept(void **)
{
    struct text text = {0}, report = {0};
    struct error err = {0};

    text_append_repeated(&text, "[", 2000);
    assert_null(parse(text_cstr(&text), NULL, &err));
    assert_string_equal(err.message, "r.yaml:1:17: is nested too deeply");

    text_clear(&text);
    text_append_repeated(&text, "# comment\n", (4 << 20) / 10 + 1);
    err = (struct error){0};
    assert_null(parse(text_cstr(&text), NULL, &err));
    assert_string_equal(err.message, "r.yaml: has 4194310 bytes, more than 4194304");

    text_clear(&text);
    text_append(&text, "workers: [");
    text_append_repeated(&text, "1,", 500001);
    text_append(&text, "]");
    err = (struct error){0};
    assert_null(parse(text_cstr(&text), NULL, &err));
    assert_string_equal(err.message, "r.yaml:1:1000007: has too many values");

    text_clear(&text);
    for (int i = 0; i < 200; i++) {
        text_appendf(&text, "x%d: 1\n", i);
    }
    err = (struct error){0};
    assert_null(parse(text_cstr(&text), &report, &err));
    assert_non_null(strstr(text_cstr(&report), "r.yaml: and 100 more\n"));
    text_done(&text);
    text_done(&report);
}

static void a_zero_byte_does_not_end_the_file(void **)
{
    static const char text[] = "workers: 1\0\nlisten_prot: 3\n";
    struct error err = {0};

    assert_null(config_parse(text, sizeof text - 1, "r.yaml", NULL, &err));
    assert_string_equal(err.message, "r.yaml:1:11: control character 0x00");
    err = (struct error){0};
    assert_null(parse("auth_file: \"a\\0b\"\n", NULL, &err));
    assert_string_equal(err.message, "r.yaml:1:13: a zero byte in a text");
}

static void names_of_files_are_seen_from_the_configuration(void **)
{
    static const struct {
        const char *config, *name, *path;
    } cases[] = {
        {"/etc/reparto/r.yaml", "users.txt", "/etc/reparto/users.txt"},
        {"/etc/reparto/r.yaml", "/users.txt", "/users.txt"},
        {"/etc/reparto/r.yaml", "", ""},
        {"/etc/reparto/r.yaml", "system", "system"},
        {"r.yaml", "users.txt", "users.txt"},
        {"a/r.yaml", "b/users.txt", "a/b/users.txt"},
    };
    char path[CONFIG_PATH_SIZE], long_name[CONFIG_PATH_SIZE];
    struct error err = {0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(config_place(cases[i].config, cases[i].name, path, &err),
                            cases[i].path);
    }
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    assert_null(config_place("/r.yaml", long_name, path, &err));
    assert_string_equal(err.sqlstate, "F0000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(a_config_lives_until_the_last_release),
        cmocka_unit_test(threads_may_share_a_config),
        cmocka_unit_test(problems_are_shown_with_their_place),
        cmocka_unit_test(the_first_error_is_returned),
        cmocka_unit_test(passwords_are_never_shown),
        cmocka_unit_test(what_cannot_be_meant_is_told),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(a_zero_byte_does_not_end_the_file),
        cmocka_unit_test(names_of_files_are_seen_from_the_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
