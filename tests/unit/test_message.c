/* Fields of messages, written and read. */
#include <string.h>

#include "check.h"
#include "wire/frame.h"
#include "wire/message.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void expect_bytes(struct buffer *out, const char *expected, size_t size)
{
    assert_int_equal(buffer_size(out), size);
    assert_memory_equal(buffer_bytes(out), expected, size);
    buffer_done(out);
}

#define EXPECT(out, text) expect_bytes(out, text, sizeof(text) - 1)

static void numbers_are_big_endian(void **)
{
    static const struct {
        const char bytes[4];
        uint32_t number;
    } cases[] = {{"\0\0\0\0", 0},
                 {"\0\0\0\1", 1},
                 {"\x01\x02\x03\x04", 0x01020304},
                 {"\x80\x81\x82\x83", 0x80818283},
                 {"\xff\xff\xff\xff", 0xffffffff}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char bytes[4];
        assert_int_equal(message_get_u32(cases[i].bytes), cases[i].number);
        message_set_u32(bytes, cases[i].number);
        assert_memory_equal(bytes, cases[i].bytes, 4);
    }
}

static void fields_are_written_in_order_behind_their_length(void **)
{
    struct buffer out = {0};
    struct message_writer writer = message_begin(&out, 'B');
    message_put_byte(&writer, 'b');
    message_put_u16(&writer, 0xfffe);
    message_put_u32(&writer, 0x80000001);
    message_put_bytes(&writer, "\0x", 2);
    message_put_bytes(&writer, NULL, 0);
    message_put_string(&writer, "text");
    assert_true(message_end(&writer));
    EXPECT(&out, "B\0\0\0\x12"
                 "b\xff\xfe\x80\0\0\1\0xtext\0");
}

static void a_message_without_a_type_begins_with_its_length(void **)
{
    struct buffer out = {0};
    struct message_writer writer = message_begin(&out, 0);
    message_put_u32(&writer, 7);
    assert_true(message_end(&writer));
    EXPECT(&out, "\0\0\0\x08\0\0\0\7");
}

static void whole_messages_are_as_the_protocol_says(void **)
{
    struct buffer out = {0};
    assert_true(message_write_empty(&out, 'S'));
    EXPECT(&out, "S\0\0\0\4");
    assert_true(message_write_string(&out, 'C', "SELECT 1"));
    EXPECT(&out, "C\0\0\0\x0dSELECT 1\0");
    assert_true(message_write_ready(&out, 'T'));
    EXPECT(&out, "Z\0\0\0\5T");
    assert_true(message_write_parameter(&out, "TimeZone", ""));
    EXPECT(&out, "S\0\0\0\x0eTimeZone\0\0");
}

/* The buffer moves while a message grows, and bytes before it are consumed in between. */
static void messages_follow_each_other_in_one_buffer(void **)
{
    struct buffer out = {0};
    static char large[3 * BUFFER_BLOCK_SIZE];
    assert_true(message_write_ready(&out, 'I'));
    struct message_writer writer = message_begin(&out, 'd');
    message_put_bytes(&writer, large, sizeof large);
    assert_true(message_end(&writer));
    assert_true(message_write_ready(&out, 'E'));

    static const struct frame expected[] = {{'Z', 1}, {'d', sizeof large}, {'Z', 1}};
    for (size_t i = 0; i < COUNT(expected); i++) {
        struct frame frame;
        struct error err = {0};
        assert_int_equal(frame_read(buffer_bytes(&out), buffer_size(&out), &frame, &err), FRAME_OK);
        assert_int_equal(frame.type, expected[i].type);
        assert_int_equal(frame.body_size, expected[i].body_size);
        buffer_consume(&out, FRAME_HEADER_SIZE + frame.body_size);
    }
    assert_int_equal(buffer_size(&out), 0);
}

static void a_message_that_failed_leaves_nothing(void **)
{
    struct buffer out = {0};
    assert_true(message_write_ready(&out, 'I'));
    struct message_writer writer = message_begin(&out, 'D');
    message_put_u32(&writer, 1);
    writer.has_failed = true;        /* as when memory runs out */
    message_put_string(&writer, ""); /* does nothing more */
    assert_false(message_end(&writer));
    EXPECT(&out, "Z\0\0\0\5I");
}

static void a_message_longer_than_any_may_be_leaves_nothing(void **)
{
    for (size_t excess = 0; excess < 2; excess++) {
        struct buffer out = {0};
        assert_true(message_write_ready(&out, 'I'));
        struct message_writer writer = message_begin(&out, 'D');
        out.end += FRAME_BODY_MAX + excess; /* a gigabyte that nobody will look at */
        assert_int_equal(message_end(&writer), excess == 0);
        buffer_truncate(&out, 6);
        EXPECT(&out, "Z\0\0\0\5I");
    }
}

static void what_is_written_is_read(void **)
{
    static const char body[] = "b\xff\xfe\x80\0\0\1\0xtext\0\0rest";
    struct message_reader reader;
    message_read_begin(&reader, body, sizeof body - 1);
    assert_int_equal(message_read_byte(&reader), 'b');
    assert_int_equal(message_read_u16(&reader), 0xfffe);
    assert_int_equal(message_read_u32(&reader), 0x80000001);
    assert_memory_equal(message_read_bytes(&reader, 2), "\0x", 2);
    assert_string_equal(message_read_string(&reader), "text");
    assert_string_equal(message_read_string(&reader), "");
    assert_int_equal(message_left(&reader), 4);
    assert_false(message_read_end(&reader));
    assert_memory_equal(message_read_bytes(&reader, 4), "rest", 4);
    assert_int_equal(message_left(&reader), 0);
    assert_true(message_read_end(&reader));
}

enum field { FIELD_BYTE, FIELD_U16, FIELD_U32, FIELD_BYTES, FIELD_STRING, FIELD_COUNT };

/* Whether what was read is what a failed read gives. */
static bool is_nothing(struct message_reader *reader, enum field field)
{
    switch (field) {
    case FIELD_BYTE: return message_read_byte(reader) == 0;
    case FIELD_U16: return message_read_u16(reader) == 0;
    case FIELD_U32: return message_read_u32(reader) == 0;
    case FIELD_BYTES: return message_read_bytes(reader, 3) == NULL;
    case FIELD_STRING: return message_read_string(reader)[0] == '\0';
    case FIELD_COUNT: break;
    }
    return false;
}

static void every_prefix_of_a_field_fails_and_stays_failed(void **)
{
    static const size_t sizes[FIELD_COUNT] = {1, 2, 4, 3, 4};
    static const char bytes[5] = "abc"; /* with its zero, and one more */
    for (enum field field = 0; field < FIELD_COUNT; field++) {
        for (size_t size = 0; size < sizes[field]; size++) {
            struct message_reader reader;
            message_read_begin(&reader, bytes, size);
            assert_true(is_nothing(&reader, field));
            assert_true(reader.has_failed);
            assert_int_equal(message_left(&reader), 0);
            assert_false(message_read_end(&reader));
            for (enum field next = 0; next < FIELD_COUNT; next++) {
                assert_true(is_nothing(&reader, next));
            }
        }
        struct message_reader reader;
        message_read_begin(&reader, bytes, sizes[field]);
        assert_false(is_nothing(&reader, field));
        assert_true(message_read_end(&reader));
    }
}

static void a_size_beyond_the_body_is_refused(void **)
{
    static const size_t sizes[] = {4, SIZE_MAX, SIZE_MAX / 2, SIZE_MAX - 2};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct message_reader reader;
        message_read_begin(&reader, "abc", 3);
        assert_null(message_read_bytes(&reader, sizes[i]));
        assert_true(reader.has_failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(fields_are_written_in_order_behind_their_length),
        cmocka_unit_test(a_message_without_a_type_begins_with_its_length),
        cmocka_unit_test(whole_messages_are_as_the_protocol_says),
        cmocka_unit_test(messages_follow_each_other_in_one_buffer),
        cmocka_unit_test(a_message_that_failed_leaves_nothing),
        cmocka_unit_test(a_message_longer_than_any_may_be_leaves_nothing),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_prefix_of_a_field_fails_and_stays_failed),
        cmocka_unit_test(a_size_beyond_the_body_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
