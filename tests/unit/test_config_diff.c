/* What a reload says that it changes; and the example that we ship. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"

static struct config *parse(const char *text)
{
    struct error err = {0};
    struct config *config = config_parse(text, strlen(text), "r.yaml", NULL, &err);

    assert_non_null(config);
    return config;
}

static void changes_are_listed(void **)
{
    static const struct {
        const char *old, *new, *changes;
        size_t count;
    } cases[] = {
        {"workers: 1\n", "workers: 1\n", "", 0},
        {"workers: 1\n", "", "", 0}, /* the default */
        {"default_pool_size: 20\n", "default_pool_size: 30\n", "default_pool_size: 20 -> 30\n", 1},
        {"query_timeout: 60s\n", "query_timeout: 1min\n", "", 0},
        {"query_timeout: 0\n", "query_timeout: 1500ms\n", "query_timeout: 0 -> 1500ms\n", 1},
        {"listen_port: 1\n", "listen_port: 2\n", "listen_port: 1 -> 2 (needs a restart)\n", 1},
        {"auth_file: ''\n", "auth_file: u\n", "auth_file: \"\" -> \"u\"\n", 1},
        {"databases: {a: , b: }\n", "databases: {b: , c: }\n",
         "database a: removed\ndatabase c: added\n", 2},
        {"databases: {a: {host: x, port: 1}}\n", "databases: {a: {host: y, pool_mode: session}}\n",
         "database a: host x -> y\ndatabase a: pool_mode unset -> session\n"
         "database a: port 1 -> 5432\n",
         3},
        {"databases: {a: {user: u, password: s3cret}}\n",
         "databases: {a: {user: u, password: s3cret2}}\n", "database a: password (changed)\n", 1},
        /* "*" answers for other names, but it is not them. */
        {"databases: {a: {host: x}, '*': {host: x}}\n", "databases: {'*': {host: x}}\n",
         "database a: removed\n", 1},
        {"users: {a: , b: {pool_size: 1}}\n", "users: {b: {pool_size: 2}, c: }\n",
         "user a: removed\nuser b: pool_size 1 -> 2\nuser c: added\n", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *old = parse(cases[i].old), *new = parse(cases[i].new);
        struct text changes = {0};
        assert_int_equal(config_diff(old, new, &changes), cases[i].count);
        assert_string_equal(text_cstr(&changes), cases[i].changes);
        text_done(&changes);
        config_release(old);
        config_release(new);
    }
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void the_example_has_no_errors_and_no_warnings(void **)
{
    struct error err = {0};
    struct text report = {0};
    char *text = read_file(REPARTO_EXAMPLE);
    struct config *config = config_parse(text, strlen(text), "reparto.yaml", &report, &err);

    assert_string_equal(text_cstr(&report), "");
    assert_non_null(config);
    assert_string_equal(config_database(config, "shop")->host, "db1.example.com");
    assert_int_equal(config->settings.log_format, 1);
    config_release(config);
    text_done(&report);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_listed),
        cmocka_unit_test(the_example_has_no_errors_and_no_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
