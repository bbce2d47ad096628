/* Errors and notices as they go over the wire. */
#include <string.h>

#include "check.h"
#include "wire/frame.h"
#include "wire/notice.h"

/* A body from a literal, whose own zero is the terminator. */
#define BODY(text) text, sizeof(text)

/* What was written: one whole message of `type`; returns its body. */
static const char *body_of(const struct buffer *out, char type, size_t *size)
{
    struct frame frame;
    struct error err = {0};
    assert_int_equal(frame_read(buffer_bytes(out), buffer_size(out), &frame, &err), FRAME_OK);
    assert_int_equal(frame.type, type);
    assert_int_equal(frame.body_size, buffer_size(out) - FRAME_HEADER_SIZE);
    *size = frame.body_size;
    return buffer_bytes(out) + FRAME_HEADER_SIZE;
}

static void an_error_is_read_as_it_was_written(void **)
{
    static const struct {
        const char *severity;
        char type;
    } cases[] = {{"ERROR", 'E'},  {"FATAL", 'E'}, {"PANIC", 'E'}, {"WARNING", 'N'},
                 {"NOTICE", 'N'}, {"LOG", 'N'},   {"INFO", 'N'},  {"DEBUG", 'N'}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer out = {0};
        struct notice notice;
        struct error err = {0};
        size_t size;
        error_set(&err, "57P03", "no server");
        error_hint(&err, "wait");
        assert_true(notice_write(&out, cases[i].severity, &err));
        const char *body = body_of(&out, cases[i].type, &size);
        assert_true(notice_read(body, size, &notice));
        assert_string_equal(notice.severity, cases[i].severity);
        assert_string_equal(notice.sqlstate, "57P03");
        assert_string_equal(notice.message, "no server");
        assert_string_equal(notice.hint, "wait");
        assert_null(notice.detail);
        buffer_done(&out);
    }
}

static void an_error_is_written_byte_for_byte_as_the_protocol_says(void **)
{
    static const char expected[] = "E\0\0\0\x24SERROR\0VERROR\0C22023\0Mtoo long\0";
    struct buffer out = {0};
    struct error err = {0};
    error_set(&err, "22023", "too long");
    assert_true(notice_write(&out, "ERROR", &err));
    assert_int_equal(buffer_size(&out), sizeof expected);
    assert_memory_equal(buffer_bytes(&out), expected, sizeof expected);
    buffer_done(&out);
}

static void the_unlocalized_severity_counts(void **)
{
    struct notice notice;
    assert_true(notice_read(BODY("SFEHLER\0VERROR\0C42601\0"), &notice));
    assert_string_equal(notice.severity, "ERROR");
    assert_true(notice_read(BODY("VERROR\0SFEHLER\0"), &notice));
    assert_string_equal(notice.severity, "ERROR");
    assert_true(notice_read(BODY("SFEHLER\0C42601\0"), &notice)); /* before 9.6 */
    assert_string_equal(notice.severity, "FEHLER");
    assert_null(notice.message);
}

static void unknown_fields_are_passed_over(void **)
{
    struct notice notice;
    assert_true(notice_read(BODY("?new\0\xff.\0Dmore\0"), &notice));
    assert_string_equal(notice.detail, "more");
    assert_true(notice_read(BODY(""), &notice));
    assert_null(notice.severity);
}

static void malformed_bodies_are_refused(void **)
{
    static const char whole[] = "SERROR\0C42601\0Mbad\0";
    struct notice notice = {.message = "as it was"};
    for (size_t size = 0; size < sizeof whole; size++) {
        assert_false(notice_read(whole, size, &notice));
    }
    assert_true(notice_read(whole, sizeof whole, &(struct notice){0}));
    assert_false(notice_read(BODY("SERROR\0\0"), &notice)); /* more behind the end */
    assert_false(notice_read(BODY("\0Mx\0"), &notice));
    assert_string_equal(notice.message, "as it was");
}

static void our_names_are_replaced_where_they_stand_whole(void **)
{
    static const struct {
        const char *message, *from, *to, *expected;
    } cases[] = {
        {"statement \"x_1\" does not exist", "x_1", "S", "statement \"S\" does not exist"},
        {"x_1", "x_1", "longer_than_before", "longer_than_before"},
        {"x_1 x_1,x_1", "x_1", "", " ,"},
        {"x_12 ax_1 x_1_ \xc3\xa9x_1 $x_1 x_1", "x_1", "y", "x_12 ax_1 x_1_ \xc3\xa9x_1 $x_1 y"},
        {"\"x_1\"2", "\"x_1\"", "unnamed", "unnamed2"}, /* quotes are an end of their own */
        {"nothing", "x_1", "S", "nothing"},
        {"aa aaa aa", "aa", "b", "b aaa b"},
        {"", "x_1", "S", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer in = {0};
        struct buffer out = {0};
        struct notice notice;
        struct error err = {0};
        size_t size;
        error_set(&err, "26000", "%s", cases[i].message);
        error_hint(&err, "%s", cases[i].message);
        assert_true(notice_write(&in, "ERROR", &err));
        const char *body = body_of(&in, 'E', &size);
        assert_true(notice_write_replaced(&out, 'E', body, size, cases[i].from, cases[i].to));
        body = body_of(&out, 'E', &size);
        assert_true(notice_read(body, size, &notice));
        assert_string_equal(notice.message, cases[i].expected);
        assert_string_equal(notice.hint == NULL ? "" : notice.hint, cases[i].expected);
        assert_string_equal(notice.sqlstate, "26000");
        buffer_done(&in);
        buffer_done(&out);
    }
}

static void only_texts_are_replaced_and_all_fields_kept(void **)
{
    static const char body[] = "SERROR\0C26000\0Mn n\0Dn\0Hn\0Fn\0L7\0Rn\0nn\0";
    static const char expected[] = "N\0\0\0\x2eSERROR\0C26000\0Mto to\0Dto\0Hto\0Fn\0L7\0Rn\0nn\0";
    struct buffer out = {0};
    assert_true(notice_write_replaced(&out, 'N', body, sizeof body, "n", "to"));
    assert_int_equal(buffer_size(&out), sizeof expected);
    assert_memory_equal(buffer_bytes(&out), expected, sizeof expected);
    assert_false(notice_write_replaced(&out, 'N', body, sizeof body - 1, "n", "to"));
    assert_int_equal(buffer_size(&out), sizeof expected); /* nothing appended */
    buffer_done(&out);
}

static void the_front_of_a_long_one_says_what_it_is(void **)
{
    static const char body[] = "SERROR\0VERROR\0C42601\0Mhow lon";
    struct notice notice;
    assert_true(notice_read_front(body, sizeof body - 1, &notice));
    assert_string_equal(notice.severity, "ERROR");
    assert_string_equal(notice.sqlstate, "42601");
    assert_null(notice.message); /* it isn't whole */
    assert_false(notice_read_front(body, 18, &notice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_read_as_it_was_written),
        cmocka_unit_test(an_error_is_written_byte_for_byte_as_the_protocol_says),
        cmocka_unit_test(the_unlocalized_severity_counts),
        cmocka_unit_test(unknown_fields_are_passed_over),
        cmocka_unit_test(malformed_bodies_are_refused),
        cmocka_unit_test(the_front_of_a_long_one_says_what_it_is),
        cmocka_unit_test(our_names_are_replaced_where_they_stand_whole),
        cmocka_unit_test(only_texts_are_replaced_and_all_fields_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
