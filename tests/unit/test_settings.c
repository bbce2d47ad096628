/* The table of settings: complete, sorted, and strict about values. */
#include "check.h"

#include <string.h>

#include "config/config.h"
#include "config/settings.h"

static void rows_are_sorted_and_their_defaults_survive_a_round_trip(void **)
{
    struct settings settings;
    struct error err = {0};
    char text[SETTING_TEXT_SIZE], again[SETTING_TEXT_SIZE];

    assert_true(settings_init(&settings, &err));
    for (size_t i = 0; setting_at(i) != NULL; i++) {
        const struct setting *setting = setting_at(i);
        assert_true(i == 0 || strcmp(setting_at(i - 1)->name, setting->name) < 0);
        assert_ptr_equal(setting_find(setting->name), setting);
        assert_true(strlen(setting->help) > 5);
        setting_show(&settings, setting, text);
        assert_true(setting_set(&settings, setting->name, text, &err));
        assert_string_equal(setting_show(&settings, setting, again), text);
    }
    settings_done(&settings);
}

/* Else a field would neither be parsed, shown, copied nor documented. */
static void every_field_has_a_row(void **)
{
    unsigned char seen[sizeof(struct settings)] = {0};
    size_t gap = 0;

    for (size_t i = 0; setting_at(i) != NULL; i++) {
        size_t size = setting_at(i)->type == SETTING_BOOLEAN ? sizeof(bool) : 8;
        assert_true(setting_at(i)->offset + size <= sizeof seen);
        for (size_t byte = 0; byte < size; byte++) {
            assert_int_equal(seen[setting_at(i)->offset + byte]++, 0); /* no two at one place */
        }
    }
    for (size_t byte = 0; byte < sizeof seen; byte++) {
        gap = seen[byte] != 0 ? 0 : gap + 1;
        assert_true(gap < 8); /* padding behind a bool at most */
    }
}

static void values_are_read_and_shown(void **)
{
    static const struct {
        const char *name, *value, *shown;
    } cases[] = {
        {"listen_port", "5432", "5432"},
        {"unix_socket_mode", "0700", "0700"},
        {"unix_socket_mode", "700", "0700"},
        {"query_wait_timeout", "0", "0"},
        {"query_wait_timeout", "90", "90s"},
        {"query_wait_timeout", "120", "2min"},
        {"query_wait_timeout", "120.0", "2min"},
        {"query_wait_timeout", "0.25", "250ms"},
        {"query_wait_timeout", "1.5 s", "1500ms"},
        {"query_wait_timeout", "250us", "250us"},
        {"query_wait_timeout", "1.000000000000", "1s"},
        {"query_wait_timeout", "2h", "2h"},
        {"query_wait_timeout", "365d", "365d"},
        {"tcp_user_timeout", "1500", "1500ms"},
        {"buffer_limit", "64kB", "64kB"},
        {"buffer_limit", "65536", "64kB"},
        {"buffer_limit", "5000", "5000B"},
        {"buffer_limit", "1.5MB", "1536kB"},
        {"max_packet_size", "2147483647", "2147483647B"},
        {"pool_mode", "statement", "statement"},
        {"server_tls_sslmode", "verify-full", "verify-full"},
        {"auth_type", "peer", "peer"},
        {"client_tls_min_protocol", "TLSv1.3", "TLSv1.3"},
        {"log_connections", "off", "false"},
        {"log_connections", "yes", "true"},
        {"log_connections", "1", "true"},
        {"listen_addr", "*", "*"},
        {"listen_addr", "", ""},
    };
    struct settings settings;
    struct error err = {0};
    char text[SETTING_TEXT_SIZE];

    assert_true(settings_init(&settings, &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(setting_set(&settings, cases[i].name, cases[i].value, &err));
        setting_show(&settings, setting_find(cases[i].name), text);
        assert_string_equal(text, cases[i].shown);
    }
    settings_done(&settings);
}

static void durations_are_in_ns_and_sizes_in_bytes(void **)
{
    struct settings settings;
    struct error err = {0};

    assert_true(settings_init(&settings, &err));
    assert_true(settings.server_lifetime == 3600LL * 1000000000);
    assert_int_equal(settings.buffer_limit, 65536);
    assert_int_equal(settings.unix_socket_mode, 0777);
    assert_int_equal(settings.pool_mode, POOL_TRANSACTION);
    assert_int_equal(settings.server_tls_sslmode, TLS_PREFER);
    assert_true(setting_set(&settings, "tcp_user_timeout", "7", &err));
    assert_int_equal(settings.tcp_user_timeout, 7000000);
    settings_done(&settings);
}

static void bad_values_are_refused_and_change_nothing(void **)
{
    static const struct {
        const char *name, *value, *sqlstate, *message, *hint;
    } cases[] = {
        {"listen_prot", "1", "42704", "unknown setting \"listen_prot\"",
         "did you mean listen_port?"},
        {"zzzzzzzz", "1", "42704", "unknown setting \"zzzzzzzz\"", ""},
        {"listen_port", "", "22023", "listen_port: \"\" is not a whole number", ""},
        {"listen_port", "2200o", "22023", "listen_port: \"2200o\" is not a whole number", ""},
        {"listen_port", "022000", "22023", "listen_port: \"022000\" is not a whole number", ""},
        {"listen_port", "+1", "22023", "listen_port: \"+1\" is not a whole number", ""},
        {"listen_port", "-1", "22023", "listen_port: \"-1\" is not a whole number", ""},
        {"listen_port", " 1", "22023", "listen_port: \" 1\" is not a whole number", ""},
        {"listen_port", "5s", "22023", "listen_port: \"5s\" is not a whole number", ""},
        {"listen_port", "0", "22023", "listen_port: 0 is outside 1..65535", ""},
        {"listen_port", "65536", "22023", "listen_port: 65536 is outside 1..65535", ""},
        {"listen_port", "99999999999999999999", "22023",
         "listen_port: \"99999999999999999999\" is not a whole number", ""},
        {"unix_socket_mode", "0888", "22023",
         "unix_socket_mode: \"0888\" is not a whole number in octal", ""},
        {"unix_socket_mode", "1777", "22023", "unix_socket_mode: 1777 is outside 0000..0777", ""},
        {"query_timeout", "5x", "22023", "query_timeout: \"5x\" is no time",
         "units: us, ms, s, min, h, d; a number alone is in s"},
        {"query_timeout", "s", "22023", "query_timeout: \"s\" is no time",
         "units: us, ms, s, min, h, d; a number alone is in s"},
        {"query_timeout", "-5s", "22023", "query_timeout: \"-5s\" is no time",
         "units: us, ms, s, min, h, d; a number alone is in s"},
        {"query_timeout", "5.s", "22023", "query_timeout: \"5.s\" is no time",
         "units: us, ms, s, min, h, d; a number alone is in s"},
        {"query_timeout", "1.0000000001", "22023", "query_timeout: \"1.0000000001\" is no time",
         "units: us, ms, s, min, h, d; a number alone is in s"},
        {"query_timeout", "9223372036854775807d", "22023",
         "query_timeout: \"9223372036854775807d\" is no time",
         "units: us, ms, s, min, h, d; a number alone is in s"},
        {"query_timeout", "366d", "22023", "query_timeout: 366d is outside 0..365d", ""},
        {"buffer_limit", "64KB", "22023", "buffer_limit: \"64KB\" is no size",
         "units: B, kB, MB, GB; a number alone is in B"},
        {"buffer_limit", "1kB", "22023", "buffer_limit: 1kB is outside 4kB..64MB", ""},
        {"pool_mode", "Session", "22023", "pool_mode: \"Session\" is not one of its values",
         "it may be session, transaction, statement"},
        {"client_tls_min_protocol", "SSLv3", "22023",
         "client_tls_min_protocol: \"SSLv3\" is not one of its values",
         "it may be TLSv1.2, TLSv1.3"},
        {"log_connections", "2", "22023", "log_connections: \"2\" is neither true nor false", ""},
        {"http_addr", "", "22023", "http_addr: must not be empty", ""},
    };
    struct settings settings;
    char before[SETTING_TEXT_SIZE], after[SETTING_TEXT_SIZE];
    struct error none = {0};

    assert_true(settings_init(&settings, &none));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        const struct setting *setting = setting_find(cases[i].name);
        if (setting != NULL) {
            setting_show(&settings, setting, before);
        }
        assert_false(setting_set(&settings, cases[i].name, cases[i].value, &err));
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.hint, cases[i].hint);
        if (setting != NULL) {
            assert_string_equal(setting_show(&settings, setting, after), before);
        }
    }
    settings_done(&settings);
}

static void a_string_has_a_longest_length(void **)
{
    struct settings settings;
    struct error err = {0};
    char long_text[1026];

    memset(long_text, 'x', sizeof long_text);
    long_text[1025] = '\0';
    assert_true(settings_init(&settings, &err));
    assert_false(setting_set(&settings, "auth_file", long_text, &err));
    assert_string_equal(err.message, "auth_file: has 1025 bytes, more than 1024");
    err = (struct error){0};
    assert_true(setting_set(&settings, "auth_file", long_text + 1, &err));
    settings_done(&settings);
}

static void a_copy_is_independent(void **)
{
    struct settings one, two;
    struct error err = {0};

    assert_true(settings_init(&one, &err));
    assert_true(setting_set(&one, "auth_file", "users.txt", &err));
    assert_true(settings_copy(&two, &one, &err));
    assert_true(setting_set(&one, "auth_file", "other.txt", &err));
    assert_string_equal(two.auth_file, "users.txt");
    settings_done(&one);
    settings_done(&two);
    settings_done(&two); /* twice does no harm */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_their_defaults_survive_a_round_trip),
        cmocka_unit_test(every_field_has_a_row),
        cmocka_unit_test(values_are_read_and_shown),
        cmocka_unit_test(durations_are_in_ns_and_sizes_in_bytes),
        cmocka_unit_test(bad_values_are_refused_and_change_nothing),
        cmocka_unit_test(a_string_has_a_longest_length),
        cmocka_unit_test(a_copy_is_independent),
    };
    if (argc == 2 && strcmp(argv[1], "--document") == 0) {
        config_document(stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
