/* Passwords as they are stored: the kind is told by the text, and no error holds one. */
#include "check.h"

#include <string.h>

#include "config/config.h"
#include "config/credential.h"

#define SCRAM_TEXT                                                                                 \
    "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$"                                                 \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void the_kind_is_told_by_the_text(void **)
{
    static const struct {
        const char *text;
        enum credential_kind kind;
    } cases[] = {
        {"", CREDENTIAL_NONE},
        {"x", CREDENTIAL_PLAIN},
        {"md5", CREDENTIAL_PLAIN},
        {"md545f2603610af569b6155c45067268c6b", CREDENTIAL_MD5},
        {"md545f2603610af569b6155c45067268c6", CREDENTIAL_PLAIN},
        {"md545f2603610af569b6155c45067268c6b0", CREDENTIAL_PLAIN},
        {"md545F2603610AF569B6155C45067268C6B", CREDENTIAL_PLAIN}, /* as PostgreSQL sees it */
        {"SCRAM-SHA-256", CREDENTIAL_PLAIN},
        {SCRAM_TEXT, CREDENTIAL_SCRAM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct credential credential;
        struct error err = {0};
        assert_true(credential_parse(cases[i].text, &credential, &err));
        assert_int_equal(credential.kind, cases[i].kind);
        bool is_scram = cases[i].kind == CREDENTIAL_SCRAM;
        assert_string_equal(credential.text, is_scram ? "" : cases[i].text);
        assert_int_equal(credential.has_scram, is_scram);
        credential_wipe(&credential);
        assert_string_equal(credential.text, "");
    }
}

static void bad_ones_are_refused_without_their_text(void **)
{
    struct credential credential = {.kind = CREDENTIAL_MD5};
    struct error err = {0};
    char text[1025];

    memset(text, 'x', sizeof text);
    text[1024] = '\0';
    assert_false(credential_parse(text, &credential, &err));
    assert_string_equal(err.sqlstate, "22023");
    assert_string_equal(err.message, "a password of 1024 bytes, more than 1023");
    text[1023] = '\0';
    err = (struct error){0};
    assert_true(credential_parse(text, &credential, &err));

    assert_false(credential_parse("SCRAM-SHA-256$4096:s3cret", &credential, &err));
    assert_string_equal(err.sqlstate, "22023");
    assert_null(strstr(err.message, "s3cret"));
    assert_null(strstr(err.hint, "s3cret"));
    assert_int_equal(credential.kind, CREDENTIAL_PLAIN); /* untouched */
}

static void a_plain_password_gets_the_salt_of_an_unknown_user(void **)
{
    static const unsigned char seed[32] = {7};
    struct credential credential;
    struct scram_secret mock;
    struct error err = {0};

    assert_true(credential_parse("pencil", &credential, &err));
    assert_true(credential_scram(&credential, "ann", seed, &err));
    assert_true(credential.has_scram);
    assert_int_equal(credential.kind, CREDENTIAL_PLAIN);
    scram_secret_mock("ann", seed, &mock);
    assert_int_equal(credential.scram.salt_size, mock.salt_size);
    assert_memory_equal(credential.scram.salt, mock.salt, mock.salt_size);
    assert_int_equal(credential.scram.iterations, mock.iterations);
    assert_memory_not_equal(credential.scram.stored_key, mock.stored_key, SCRAM_KEY_SIZE);

    struct credential before = credential;
    assert_true(credential_scram(&credential, "bob", seed, &err)); /* made once */
    assert_memory_equal(&before, &credential, sizeof before);

    assert_true(credential_parse("md545f2603610af569b6155c45067268c6b", &credential, &err));
    assert_true(credential_scram(&credential, "ann", seed, &err));
    assert_false(credential.has_scram);
}

static void a_file_is_read(void **)
{
    static const char text[] = "; made by hand\n"
                               "\"zoe\" \"plain \"\"quoted\"\"\" and the rest\r\n"
                               "\n"
                               "# more\n"
                               "  \"ann\"\t\"md545f2603610af569b6155c45067268c6b\"\n"
                               "\"b\"\"ob\" \"" SCRAM_TEXT "\"\n"
                               "\"none\" \"\"";
    struct auth_file file;
    struct error err = {0};

    assert_true(auth_file_parse(text, sizeof text - 1, "u.txt", &file, &err));
    assert_int_equal(file.count, 4);
    for (size_t i = 1; i < file.count; i++) {
        assert_true(strcmp(file.users[i - 1].name, file.users[i].name) < 0);
    }
    assert_string_equal(auth_file_find(&file, "zoe")->credential.text, "plain \"quoted\"");
    assert_int_equal(auth_file_find(&file, "ann")->credential.kind, CREDENTIAL_MD5);
    assert_int_equal(auth_file_find(&file, "b\"ob")->credential.kind, CREDENTIAL_SCRAM);
    assert_int_equal(auth_file_find(&file, "none")->credential.kind, CREDENTIAL_NONE);
    assert_null(auth_file_find(&file, "an"));
    assert_null(auth_file_find(&file, ""));
    auth_file_done(&file);
    assert_null(auth_file_find(&file, "ann"));
    auth_file_done(&file);
}

static void an_empty_file_has_no_users(void **)
{
    struct auth_file file;
    struct error err = {0};

    assert_true(auth_file_parse("", 0, "u.txt", &file, &err));
    assert_int_equal(file.count, 0);
    auth_file_done(&file);
}

static void errors_name_the_place_and_no_password(void **)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"ann s3cret\n", "u.txt:1:1: expected a text in double quotes"},
        {"\"ann\"\n", "u.txt:1:6: expected a text in double quotes"},
        {"\n \"ann\" s3cret\n", "u.txt:2:8: expected a text in double quotes"},
        {"\"ann\" \"s3cret\n\"bob\" \"x\"\n", "u.txt:1:7: the quote is not closed on its line"},
        {"\"\xc3\xa9\" \"s3cret", "u.txt:1:5: the quote is not closed on its line"},
        {"\"ann\" \"s3cret\"\"", "u.txt:1:7: the quote is not closed on its line"},
        {"\"\" \"s3cret\"\n", "u.txt:1:1: the user's name is empty"},
        {"\"ann\" \"SCRAM-SHA-256$s3cret\"\n", "u.txt:1:7: "},
        {"\"b\" \"s3cret\"\n\"a\" \"\"\n\"b\" \"s3cret\"\n",
         "u.txt:3:1: user \"b\" stands at line 1 already"},
        {"\"0123456789012345678901234567890123456789012345678901234567890123\" \"s3cret\"",
         "u.txt:1:1: the text is too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct auth_file file;
        struct error err = {0};
        assert_false(auth_file_parse(cases[i].text, strlen(cases[i].text), "u.txt", &file, &err));
        assert_string_equal(err.sqlstate, "F0000");
        assert_ptr_equal(strstr(err.message, cases[i].message), err.message);
        assert_null(strstr(err.message, "s3cret"));
        assert_null(strstr(err.hint, "s3cret"));
    }
    static const char zero[] = "\"a\0b\" \"x\"\n";
    struct auth_file file;
    struct error err = {0};
    assert_false(auth_file_parse(zero, sizeof zero - 1, "u.txt", &file, &err));
    assert_string_equal(err.message, "u.txt:1:3: a zero byte");
}

static void console_users_without_a_password_are_told(void **)
{
    static const char text[] = "admin_users: ann, bob\nstats_users: zoe\nauth_file: u\n"
                               "databases: {a: }\n";
    struct auth_file file;
    struct error err = {0};
    struct report report;
    struct text out = {0};

    report_init(&report, "r.yaml", text, sizeof text - 1);
    struct config *config = config_parse_reported(text, sizeof text - 1, &report, &err);
    assert_non_null(config);
    assert_true(auth_file_parse("\"bob\" \"x\"", 9, "u.txt", &file, &err));
    config_check_users(config, &file, &report);
    report_print(&report, &out);
    assert_string_equal(text_cstr(&out),
                        "r.yaml: warning: admin_users: \"ann\" is not in auth_file\n"
                        "r.yaml: warning: stats_users: \"zoe\" is not in auth_file\n");
    text_done(&out);
    report_done(&report);
    auth_file_done(&file);
    config_release(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kind_is_told_by_the_text),
        cmocka_unit_test(bad_ones_are_refused_without_their_text),
        cmocka_unit_test(a_plain_password_gets_the_salt_of_an_unknown_user),
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(an_empty_file_has_no_users),
        cmocka_unit_test(errors_name_the_place_and_no_password),
        cmocka_unit_test(console_users_without_a_password_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
