/* Where a message begins and how long it is. */
#include <string.h>

#include "check.h"
#include "wire/frame.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void a_header_tells_the_type_and_the_size(void **)
{
    static const struct {
        const char bytes[6];
        char type;
        size_t body_size;
    } cases[] = {
        {"Q\0\0\0\4", 'Q', 0},
        {"d\0\0\0\5x", 'd', 1},
        {"D\0\1\2\3", 'D', 0x10203 - 4},
        {"\0\0\0\0\4", 0, 0}, /* which types there are is not a frame's business */
        {"\xff\0\0\0\4", (char)0xff, 0},
        {"Q\x3f\xff\xff\xff", 'Q', FRAME_BODY_MAX}, /* the longest */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct frame frame;
        struct error err = {0};
        assert_int_equal(frame_read(cases[i].bytes, FRAME_HEADER_SIZE, &frame, &err), FRAME_OK);
        assert_int_equal(frame.type, cases[i].type);
        assert_int_equal(frame.body_size, cases[i].body_size);
        assert_false(error_is_set(&err));
    }
}

static void every_prefix_of_a_header_needs_more(void **)
{
    static const char *headers[] = {"Q\0\0\0\4", "Q\xff\xff\xff\xff", "Q\0\0\0\0"};
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct frame frame = {.type = '!'};
        struct error err = {0};
        for (size_t size = 0; size < FRAME_HEADER_SIZE; size++) {
            assert_int_equal(frame_read(headers[i], size, &frame, &err), FRAME_NEED_MORE);
            assert_int_equal(frame.type, '!');
            assert_false(error_is_set(&err));
        }
    }
}

static void impossible_lengths_are_refused(void **)
{
    static const char *headers[] = {
        "Q\0\0\0\0",   "Q\0\0\0\1",         "Q\0\0\0\3", /* less than the length itself */
        "Q\x40\0\0\0", "Q\x7f\xff\xff\xff",              /* more than PostgreSQL takes */
        "Q\x80\0\0\0", "Q\xff\xff\xff\xff",              /* negative, to who reads it signed */
    };
    for (size_t i = 0; i < COUNT(headers); i++) {
        struct frame frame = {.type = '!'};
        struct error err = {0};
        assert_int_equal(frame_read(headers[i], FRAME_HEADER_SIZE, &frame, &err), FRAME_BAD);
        assert_string_equal(err.sqlstate, "08P01");
        assert_non_null(strstr(err.message, "0x51"));
        assert_int_equal(frame.type, '!');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_tells_the_type_and_the_size),
        cmocka_unit_test(every_prefix_of_a_header_needs_more),
        cmocka_unit_test(impossible_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
