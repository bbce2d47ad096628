/* The first packet of a connection, and the options in it. */
#include <string.h>

#include "check.h"
#include "wire/message.h"
#include "wire/startup.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A packet: its length is put before the literal, whose own zero is left out. */
#define PACKET(out, text) packet(out, text, sizeof(text) - 1)

static void packet(struct buffer *out, const char *rest, size_t size)
{
    struct message_writer writer = message_begin(out, 0);
    message_put_bytes(&writer, rest, size);
    assert_true(message_end(&writer));
}

static enum startup_result read_all(const struct buffer *in, struct startup *startup,
                                    struct error *err)
{
    size_t consumed = 0;
    enum startup_result result =
        startup_read(buffer_bytes(in), buffer_size(in), startup, &consumed, err);
    assert_int_equal(consumed, result == STARTUP_OK ? buffer_size(in) : 0);
    return result;
}

static void a_login_is_taken_apart(void **)
{
    struct buffer in = {0};
    struct startup startup;
    struct error err = {0};
    PACKET(&in, "\0\3\0\2user\0ann\0database\0shop\0options\0-c a=b\0replication\0"
                "true\0TimeZone\0UTC\0_pq_.x\0"
                "1\0application_name\0\0\0");
    assert_int_equal(read_all(&in, &startup, &err), STARTUP_OK);
    assert_int_equal(startup.kind, STARTUP_LOGIN);
    assert_int_equal(startup.version, STARTUP_VERSION_3_2);
    assert_string_equal(startup.user, "ann");
    assert_string_equal(startup.database, "shop");
    assert_string_equal(startup.options, "-c a=b");
    assert_string_equal(startup.replication, "true");
    assert_int_equal(startup.parameter_count, 2);
    assert_string_equal(startup.parameters[0].name, "TimeZone");
    assert_string_equal(startup.parameters[0].value, "UTC");
    assert_string_equal(startup.parameters[1].name, "application_name");
    assert_string_equal(startup.parameters[1].value, "");
    assert_int_equal(startup.protocol_option_count, 1);
    assert_string_equal(startup.protocol_options[0], "_pq_.x");
    buffer_done(&in);
}

static void the_database_is_the_users_name_when_not_given(void **)
{
    static const char *packets[] = {"user", "database"};
    for (size_t i = 0; i < COUNT(packets); i++) {
        struct buffer in = {0};
        struct startup startup;
        struct error err = {0};
        if (i == 0) {
            PACKET(&in, "\0\3\0\0user\0ann\0\0");
        } else {
            PACKET(&in, "\0\3\0\0database\0\0user\0bob\0user\0ann\0\0"); /* the last one counts */
        }
        assert_int_equal(read_all(&in, &startup, &err), STARTUP_OK);
        assert_string_equal(startup.user, "ann");
        assert_string_equal(startup.database, "ann");
        assert_null(startup.options);
        assert_null(startup.replication);
        buffer_done(&in);
    }
}

static void what_is_written_is_read(void **)
{
    static const struct startup_parameter parameters[] = {{"user", "ann"}, {"DateStyle", "ISO"}};
    unsigned char key[STARTUP_KEY_MAX];
    memset(key, 0xfe, sizeof key);
    struct startup startup;
    struct error err = {0};
    struct buffer out = {0};

    assert_true(startup_write_login(&out, STARTUP_VERSION_3_0, parameters, COUNT(parameters)));
    assert_int_equal(read_all(&out, &startup, &err), STARTUP_OK);
    assert_int_equal(startup.version, STARTUP_VERSION_3_0);
    assert_string_equal(startup.parameters[0].value, "ISO");
    buffer_truncate(&out, 0);

    assert_true(startup_write_request(&out, STARTUP_TLS));
    assert_memory_equal(buffer_bytes(&out), "\0\0\0\x08\x04\xd2\x16\x2f", 8);
    assert_int_equal(read_all(&out, &startup, &err), STARTUP_OK);
    assert_int_equal(startup.kind, STARTUP_TLS);
    buffer_truncate(&out, 0);

    assert_true(startup_write_request(&out, STARTUP_GSS));
    assert_memory_equal(buffer_bytes(&out), "\0\0\0\x08\x04\xd2\x16\x30", 8);
    assert_int_equal(read_all(&out, &startup, &err), STARTUP_OK);
    assert_int_equal(startup.kind, STARTUP_GSS);
    buffer_truncate(&out, 0);

    for (size_t size = 4; size <= STARTUP_KEY_MAX; size += 36) {
        assert_true(startup_write_cancel(&out, 0xfedcba98, key, size));
        assert_memory_equal(buffer_bytes(&out) + 4, "\x04\xd2\x16\x2e\xfe\xdc\xba\x98", 8);
        assert_int_equal(read_all(&out, &startup, &err), STARTUP_OK);
        assert_int_equal(startup.kind, STARTUP_CANCEL);
        assert_int_equal(startup.cancel_pid, 0xfedcba98);
        assert_int_equal(startup.cancel_key_size, size);
        assert_memory_equal(startup.cancel_key, key, size);
        buffer_truncate(&out, 0);
    }
}

static void every_prefix_needs_more(void **)
{
    static const struct startup_parameter parameters[] = {{"user", "ann"}, {"a", "b"}};
    struct buffer out[4] = {0};
    assert_true(startup_write_login(&out[0], STARTUP_VERSION_3_0, parameters, COUNT(parameters)));
    assert_true(startup_write_request(&out[1], STARTUP_TLS));
    assert_true(startup_write_request(&out[2], STARTUP_GSS));
    assert_true(startup_write_cancel(&out[3], 1, (const unsigned char *)"12345678", 8));

    for (size_t i = 0; i < COUNT(out); i++) {
        struct startup startup = {.user = "as it was"};
        struct error err = {0};
        size_t consumed = 77;
        for (size_t size = 0; size < buffer_size(&out[i]); size++) {
            assert_int_equal(startup_read(buffer_bytes(&out[i]), size, &startup, &consumed, &err),
                             STARTUP_NEED_MORE);
        }
        assert_string_equal(startup.user, "as it was");
        assert_int_equal(consumed, 77);
        assert_false(error_is_set(&err));
        size_t size = buffer_size(&out[i]);
        assert_true(buffer_append(&out[i], "more", 4)); /* what follows is left alone */
        assert_int_equal(startup_read(buffer_bytes(&out[i]), size + 4, &startup, &consumed, &err),
                         STARTUP_OK);
        assert_int_equal(consumed, size);
        buffer_done(&out[i]);
    }
}

struct refusal {
    const char *sqlstate, *bytes;
    size_t size;
};

#define REFUSED(sqlstate, text)                                                                    \
    {                                                                                              \
        sqlstate, text, sizeof(text) - 1                                                           \
    }

static void malformed_packets_are_refused(void **)
{
    static const struct refusal cases[] = {
        REFUSED("08P01", ""), /* no version */
        REFUSED("08P01", "\0\3\0"),
        REFUSED("08P01", "\0\3\0\0"), /* no terminator */
        REFUSED("08P01", "\0\3\0\0user"),
        REFUSED("08P01", "\0\3\0\0user\0"),
        REFUSED("08P01", "\0\3\0\0user\0ann"),
        REFUSED("08P01", "\0\3\0\0user\0ann\0"),
        REFUSED("08P01", "\0\3\0\0user\0ann\0\0more"),
        REFUSED("08P01", "\0\3\0\0user\0\0"),
        REFUSED("28000", "\0\3\0\0\0"),
        REFUSED("28000", "\0\3\0\0user\0\0\0"),
        REFUSED("28000", "\0\3\0\0database\0shop\0\0"),
        REFUSED("0A000", "\0\2\0\0user\0ann\0\0"),
        REFUSED("0A000", "\0\4\0\0user\0ann\0\0"),
        REFUSED("0A000", "\x04\xd2\x16\x31"), /* a request that nobody knows */
        REFUSED("08P01", "\x04\xd2\x16\x2fmore"),
        REFUSED("08P01", "\x04\xd2\x16\x30."),
        REFUSED("08P01", "\x04\xd2\x16\x2e"),
        REFUSED("08P01", "\x04\xd2\x16\x2epid."),
        REFUSED("08P01", "\x04\xd2\x16\x2epid.key"), /* 3 bytes of key */
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buffer in = {0};
        struct startup startup = {.user = "as it was"};
        struct error err = {0};
        packet(&in, cases[i].bytes, cases[i].size);
        assert_int_equal(read_all(&in, &startup, &err), STARTUP_BAD);
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_string_equal(startup.user, "as it was");
        buffer_done(&in);
    }
}

static void impossible_lengths_are_refused_from_four_bytes(void **)
{
    static const struct refusal cases[] = {
        REFUSED("08P01", "\0\0\0\0"),           REFUSED("08P01", "\0\0\0\7"),
        REFUSED("08P01", "\0\0\x27\x15"), /* 10005 */
        REFUSED("08P01", "\xff\xff\xff\xff"),   REFUSED("08P01", "\x7f\xff\xff\xff"),
        REFUSED("08P01", "GET / HTTP/1.1\r\n"),
    };
    struct startup startup;
    size_t consumed;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error err = {0};
        assert_int_equal(startup_read(cases[i].bytes, cases[i].size, &startup, &consumed, &err),
                         STARTUP_BAD);
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
    }
    struct error err = {0};
    assert_int_equal(startup_read("\0\0\x27\x14", 4, &startup, &consumed, &err), STARTUP_NEED_MORE);
}

static void a_key_that_is_too_long_is_refused(void **)
{
    char bytes[8 + STARTUP_KEY_MAX + 1] = "\x04\xd2\x16\x2e";
    struct buffer in = {0};
    struct startup startup;
    struct error err = {0};
    packet(&in, bytes, sizeof bytes);
    assert_int_equal(read_all(&in, &startup, &err), STARTUP_BAD);
    assert_string_equal(err.sqlstate, "08P01");
    buffer_done(&in);
}

static void the_unsupported_version_is_named(void **)
{
    struct buffer in = {0};
    struct startup startup;
    struct error err = {0};
    PACKET(&in, "\0\4\0\0user\0ann\0\0");
    assert_int_equal(read_all(&in, &startup, &err), STARTUP_BAD);
    assert_string_equal(err.message,
                        "unsupported frontend protocol 4.0: server supports 3.0 to 3.2");
    buffer_done(&in);
}

static void parameters_have_a_limit(void **)
{
    static const char *names[] = {"a", "_pq_.a"};
    for (size_t i = 0; i < 2 * COUNT(names); i++) {
        struct startup_parameter parameters[STARTUP_PARAMETER_MAX + 2] = {{"user", "ann"}};
        size_t count = STARTUP_PARAMETER_MAX + 1 + i % 2;
        for (size_t k = 1; k < count; k++) {
            parameters[k] = (struct startup_parameter){names[i / 2], "b"};
        }
        struct buffer in = {0};
        struct startup startup;
        struct error err = {0};
        assert_true(startup_write_login(&in, STARTUP_VERSION_3_0, parameters, count));
        if (i % 2 == 0) {
            assert_int_equal(read_all(&in, &startup, &err), STARTUP_OK);
            assert_int_equal(startup.parameter_count + startup.protocol_option_count,
                             STARTUP_PARAMETER_MAX);
        } else {
            assert_int_equal(read_all(&in, &startup, &err), STARTUP_BAD);
            assert_string_equal(err.sqlstate, "54000");
        }
        buffer_done(&in);
    }
}

static void negotiation_names_the_version_and_the_options_refused(void **)
{
    static const char expected[] = "v\0\0\0\x1b\0\3\0\2\0\0\0\2_pq_.a\0_pq_.bb";
    struct startup startup = {.protocol_options = {"_pq_.a", "_pq_.bb"},
                              .protocol_option_count = 2};
    struct buffer out = {0};
    assert_true(startup_write_negotiate(&out, STARTUP_VERSION_3_2, &startup));
    assert_int_equal(buffer_size(&out), sizeof expected);
    assert_memory_equal(buffer_bytes(&out), expected, sizeof expected);
    buffer_done(&out);
}

enum { OPTIONS_MAX = 3 };

static void options_are_split_as_postgresql_does(void **)
{
    static const struct {
        const char *options;
        size_t count;
        struct startup_parameter expected[OPTIONS_MAX];
    } cases[] = {
        {"", 0, {{0}}},
        {" \t\r\n\v\f ", 0, {{0}}},
        {"-c a=b", 1, {{"a", "b"}}},
        {"-ca=b", 1, {{"a", "b"}}},
        {"--a=b", 1, {{"a", "b"}}},
        {"-c a=b --c-d=e -cf=g", 3, {{"a", "b"}, {"c_d", "e"}, {"f", "g"}}},
        {"-c work-mem=1-2", 1, {{"work_mem", "1-2"}}},
        {"-c a=b=c", 1, {{"a", "b=c"}}},
        {"-c a=", 1, {{"a", ""}}},
        {"-c\ta=b\n-c\vc=d ", 2, {{"a", "b"}, {"c", "d"}}},
        {"-c a=b\\ c", 1, {{"a", "b c"}}},
        {"-c a=\\\\b", 1, {{"a", "\\b"}}},
        {"-c a=b\\", 1, {{"a", "b"}}}, /* a backslash at the end is dropped */
        {"-c \\a\\=b", 1, {{"a", "b"}}},
        {"-c a=b -c a=c", 2, {{"a", "b"}, {"a", "c"}}},
        {"-c search_path=\\\"$user\\\",public", 1, {{"search_path", "\"$user\",public"}}},
        {"-c -c=d", 1, {{"_c", "d"}}}, /* as getopt: the word after -c, whatever it is */
    };
    struct buffer storage = {0};

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct startup_parameter parameters[OPTIONS_MAX];
        struct error err = {0};
        size_t count = 77;
        assert_true(
            startup_options(cases[i].options, &storage, parameters, &count, OPTIONS_MAX, &err));
        assert_int_equal(count, cases[i].count);
        for (size_t k = 0; k < count; k++) {
            assert_string_equal(parameters[k].name, cases[i].expected[k].name);
            assert_string_equal(parameters[k].value, cases[i].expected[k].value);
        }
    }
    buffer_done(&storage);
}

static void other_options_are_refused(void **)
{
    static const struct {
        const char *sqlstate, *options;
    } cases[] = {
        {"0A000", "-e"},          {"0A000", "-S 4096"},
        {"0A000", "-c a=b -d 5"}, {"0A000", "-B"},
        {"42601", "-c"},          {"42601", "-c a"},
        {"42601", "--a"},         {"42601", "-ca"},
        {"42601", "-c a=b x"},    {"42601", "x"},
        {"42601", "-"},           {"42601", "--"},
        {"42601", "\\"},          {"42704", "-c =b"},
        {"42704", "--=b"},        {"54000", "-ca=1 -cb=2 -cc=3 -cd=4"},
    };
    struct buffer storage = {0};

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct startup_parameter parameters[OPTIONS_MAX];
        struct error err = {0};
        size_t count = 77;
        assert_false(
            startup_options(cases[i].options, &storage, parameters, &count, OPTIONS_MAX, &err));
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_int_equal(count, 77);
    }
    buffer_done(&storage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_is_taken_apart),
        cmocka_unit_test(the_database_is_the_users_name_when_not_given),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_prefix_needs_more),
        cmocka_unit_test(malformed_packets_are_refused),
        cmocka_unit_test(impossible_lengths_are_refused_from_four_bytes),
        cmocka_unit_test(a_key_that_is_too_long_is_refused),
        cmocka_unit_test(the_unsupported_version_is_named),
        cmocka_unit_test(parameters_have_a_limit),
        cmocka_unit_test(negotiation_names_the_version_and_the_options_refused),
        cmocka_unit_test(options_are_split_as_postgresql_does),
        cmocka_unit_test(other_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
