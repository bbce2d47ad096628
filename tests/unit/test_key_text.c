/* One value has one key text, however it came; what cannot be read with certainty is refused. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "shard/date.h"
#include "shard/key_text.h"
#include "shard/pg_hash.h"

static struct key_type type_of(const char *name)
{
    struct key_type type = {0};
    struct error err = {0};
    if (!key_type_parse(name, &type, &err)) {
        fail_msg("%s", err.message);
    }
    return type;
}

static void equal_values_have_one_text(void **)
{
    static const struct {
        const char *column, *source; /* source: NULL for a quoted literal */
        const char *given, *text;
    } cases[] = {
        {"int8", NULL, "42", "42"},
        {"int8", NULL, " \t+042\n", "42"},
        {"int8", NULL, "-0", "0"},
        {"int8", "int4", "-007", "-7"},
        {"int8", NULL, "-9223372036854775808", "-9223372036854775808"},
        {"int8", NULL, "9223372036854775807", "9223372036854775807"},
        {"int2", "int8", "-32768", "-32768"},
        {"int4", NULL, "0000000000000000000000000000000001", "1"},
        {"uuid", NULL, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {"uuid", NULL, "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {"uuid", NULL, "a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {"text", NULL, " a\xc3\xb1o  ", " a\xc3\xb1o  "},
        {"text", NULL, "042", "042"},
        {"text", "int8", "042", "42"}, /* INSERT … VALUES (042) stores 42 */
        {"text", "bpchar", "ab  ", "ab"},
        {"text", "varchar(2)", "abcd", "ab"},
        {"text", NULL, "", ""},
        {"varchar(3)", NULL, "abc   ", "abc"}, /* as PostgreSQL stores it */
        {"varchar(4)", NULL, "abc   ", "abc "},
        {"varchar(2)", NULL, "\xc3\xb1\xc3\xb1", "\xc3\xb1\xc3\xb1"},
        {"char(5)", NULL, "ab", "ab"},
        {"char(5)", NULL, "ab                ", "ab"},
        {"char(5)", "text", "    ", ""},
        {"date", NULL, "2026-11-24", "2026-11-24"},
        {"date", NULL, " 2026-1-2 ", "2026-01-02"},
        {"date", NULL, "0044-03-15 bc", "0044-03-15 BC"},
        {"date", NULL, "4714-11-24 BC", "4714-11-24 BC"},
        {"date", NULL, "5874897-12-31", "5874897-12-31"},
        {"date", NULL, "-Infinity", "-infinity"},
        {"date", NULL, "2000-02-29", "2000-02-29"},
        {"text", "uuid", "A0EEBC999C0B4EF8BB6D6BB9BD380A11",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct key_type column = type_of(cases[i].column), source = {0};
        struct error err = {0};
        struct key_text key;
        if (cases[i].source != NULL) {
            source = type_of(cases[i].source);
        }
        if (!key_text_parse(&key, &column, cases[i].source != NULL ? &source : NULL, cases[i].given,
                            strlen(cases[i].given), &err)) {
            fail_msg("%s \"%s\": %s", cases[i].column, cases[i].given, err.message);
        }
        assert_int_equal(key.size, strlen(cases[i].text));
        assert_memory_equal(key_text_bytes(&key), cases[i].text, key.size);
    }
}

static void doubtful_values_are_refused(void **)
{
    static const struct {
        const char *column, *source, *given, *sqlstate;
    } cases[] = {
        {"int8", NULL, "", "22P02"},
        {"int8", NULL, "-", "22P02"},
        {"int8", NULL, "1 2", "22P02"},
        {"int8", NULL, "5.0", "22P02"},
        {"int8", NULL, "0x10", "22P02"}, /* a number only from PostgreSQL 16 on */
        {"int8", NULL, "1_000", "22P02"},
        {"int8", NULL, "9223372036854775808", "22003"},
        {"int8", NULL, "-9223372036854775809", "22003"},
        {"int8", NULL, "99999999999999999999999999", "22003"},
        {"int2", NULL, "32768", "22003"},
        {"int4", "int8", "2147483648", "22003"},
        {"int8", "text", "42", "42846"},
        {"date", "int4", "42", "42846"},
        {"text", "date", "2026-11-24", "42846"}, /* its text hangs on DateStyle */
        {"uuid", NULL, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "22P02"},
        {"uuid", NULL, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 ", "22P02"},
        {"uuid", NULL, "{a0eebc999c0b4ef8bb6d6bb9bd380a11", "22P02"},
        {"uuid", NULL, "{}", "22P02"},
        {"uuid", NULL, "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "22P02"},
        {"text", NULL, "\xc0\x80", "22021"},
        {"text", NULL, "\xed\xa0\x80", "22021"},
        {"text", NULL, "\xf4\x90\x80\x80", "22021"},
        {"text", NULL, "12345678\xff", "22021"},
        {"varchar(3)", NULL, "abcd", "22001"},
        {"char(2)", NULL, "abc", "22001"},
        {"date", NULL, "24/11/2026", "22P02"},
        {"date", NULL, "11-24-2026", "22P02"},
        {"date", NULL, "26-11-24", "22P02"},
        {"date", NULL, "2025-02-29", "22P02"},
        {"date", NULL, "0000-01-01", "22P02"},
        {"date", NULL, "2026-11-24 10:00", "22P02"},
        {"date", NULL, "today", "22P02"},
        {"date", NULL, "5874898-01-01", "22P02"},
        {"date", NULL, "4714-11-23 BC", "22P02"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct key_type column = type_of(cases[i].column), source = {0};
        struct error err = {0};
        struct key_text key = {.size = 77};
        if (cases[i].source != NULL) {
            source = type_of(cases[i].source);
        }
        if (key_text_parse(&key, &column, cases[i].source != NULL ? &source : NULL, cases[i].given,
                           strlen(cases[i].given), &err)) {
            fail_msg("%s \"%s\" was accepted", cases[i].column, cases[i].given);
        }
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_int_equal(key.size, 77); /* untouched */
    }
}

static void a_zero_byte_and_great_length_are_refused(void **)
{
    static char long_text[KEY_TEXT_SIZE_MAX + 1];
    struct key_type text = {.kind = KEY_TEXT};
    struct key_text key;
    struct error err = {0};

    memset(long_text, 'a', sizeof long_text);
    assert_false(key_text_parse(&key, &text, NULL, "a\0b", 3, &err));
    assert_string_equal(err.sqlstate, "22021");
    err = (struct error){0};
    assert_false(key_text_parse(&key, &text, NULL, "aaaaaaaa\0aaaaaaa", 16, &err));
    err = (struct error){0};
    assert_true(key_text_parse(&key, &text, NULL, long_text, KEY_TEXT_SIZE_MAX, &err));
    assert_false(key_text_parse(&key, &text, NULL, long_text, KEY_TEXT_SIZE_MAX + 1, &err));
    assert_string_equal(err.sqlstate, "54000");
}

static void other_types_are_refused(void **)
{
    static const char *const names[] = {"numeric",        "float8",    "timestamptz", "citext",
                                        "int8(4)",        "varchar()", "varchar(0)",  "varchar(5",
                                        "char(99999999)", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct key_type type;
        struct error err = {0};
        if (key_type_parse(names[i], &type, &err)) {
            fail_msg("%s was accepted", names[i]);
        }
    }
    struct key_type type;
    assert_false(key_type_from_oid(1700, &type)); /* numeric */
    assert_true(key_type_from_oid(2950, &type));
    assert_int_equal(type.kind, KEY_UUID);
    assert_int_equal(type_of("Character Varying(20)").length, 20);
    assert_int_equal(type_of("char").length, 1);
}

/* Text, binary and a cast literal of one value: the same bytes and the same hash. */
static void expect_same(const struct key_type *column, const struct key_type *source,
                        const char *text, const uint8_t *binary, size_t size)
{
    struct key_text a, b, c;
    struct error err = {0};
    bool is_ok = key_text_parse(&a, column, NULL, text, strlen(text), &err) &&
                 key_text_parse(&b, column, source, text, strlen(text), &err) &&
                 key_text_decode(&c, column, source, binary, size, &err);
    if (!is_ok) {
        fail_msg("%s \"%s\": %s", key_kind_name(column->kind), text, err.message);
    }
    assert_int_equal(a.size, b.size);
    assert_int_equal(a.size, c.size);
    assert_memory_equal(key_text_bytes(&a), key_text_bytes(&b), a.size);
    assert_memory_equal(key_text_bytes(&a), key_text_bytes(&c), a.size);
    assert_int_equal(pg_hash_of(&a), pg_hash_of(&b));
    assert_int_equal(pg_hash_of(&a), pg_hash_of(&c));
}

static void put(uint8_t *bytes, size_t size, uint64_t number)
{
    for (size_t i = size; i-- > 0; number >>= 8) {
        bytes[i] = (uint8_t)number;
    }
}

static void integers_are_the_same_in_every_format_and_width(void **)
{
    static const enum key_kind kinds[] = {KEY_INT2, KEY_INT4, KEY_INT8};
    struct random random;
    random_init(&random, 7, 0);
    for (int i = 0; i < 20000; i++) {
        size_t width = random_below(&random, 3), wider = width + random_below(&random, 3 - width);
        uint64_t raw = random_next(&random);
        int64_t number = width == 0 ? (int16_t)raw : width == 1 ? (int32_t)raw : (int64_t)raw;
        number >>= random_below(&random, 40);
        struct key_type narrow = {.kind = kinds[width]}, wide = {.kind = kinds[wider]};
        char text[48];
        uint8_t binary[8];
        snprintf(text, sizeof text, "%s%s%lld", i % 3 == 0 ? "  " : "",
                 i % 5 == 0 && number > 0 ? "+00" : "", (long long)number);
        put(binary, (size_t)2 << wider, (uint64_t)number);
        expect_same(&narrow, &wide, text, binary, (size_t)2 << wider);
        put(binary, (size_t)2 << width, (uint64_t)number);
        expect_same(&wide, &narrow, text, binary, (size_t)2 << width);
    }
}

static void uuids_dates_and_strings_are_the_same_in_every_format(void **)
{
    struct random random;
    struct key_type uuid = {.kind = KEY_UUID}, date = {.kind = KEY_DATE};
    struct key_type text = {.kind = KEY_TEXT}, varchar = {.kind = KEY_VARCHAR, .length = 30};
    struct key_type bpchar = {.kind = KEY_CHAR, .length = 30};
    random_init(&random, 8, 0);
    for (int i = 0; i < 20000; i++) {
        uint8_t binary[16];
        char written[48] = "";
        put(binary, 8, random_next(&random));
        put(binary + 8, 8, random_next(&random));
        for (size_t j = 0; j < 16; j++) {
            snprintf(written + 2 * j, 3, i % 2 == 0 ? "%02X" : "%02x", binary[j]);
        }
        expect_same(&uuid, &uuid, written, binary, 16);

        int32_t days = (int32_t)random_below(&random, 2145031949u + 2451545u) - 2451545;
        days = i % 2 == 0 ? days % 400000 : days;
        char iso[DATE_TEXT_SIZE + 1];
        iso[date_print(iso, days)] = '\0';
        put(binary, 4, (uint32_t)days);
        expect_same(&date, &date, iso, binary, 4);

        snprintf(written, sizeof written, "k\xc3\xb1%llu ",
                 (unsigned long long)random_next(&random));
        const uint8_t *bytes = (const uint8_t *)written;
        expect_same(&text, &text, written, bytes, strlen(written));
        expect_same(&varchar, &text, written, bytes, strlen(written));
        expect_same(&bpchar, &bpchar, written, bytes, strlen(written));
    }
}

static void binary_of_a_wrong_size_is_refused(void **)
{
    static const uint8_t bytes[17] = {0x7f, 0xff, 0xff, 0xfe};
    for (size_t kind = 0; kind < KEY_KIND_COUNT; kind++) {
        struct key_type type = {.kind = (enum key_kind)kind};
        for (size_t size = 0; size <= sizeof bytes; size++) {
            struct key_text key;
            struct error err = {0};
            size_t right = kind == KEY_INT2   ? 2
                           : kind == KEY_INT4 ? 4
                           : kind == KEY_INT8 ? 8
                           : kind == KEY_UUID ? 16
                                              : SIZE_MAX;
            if (key_kind_is_string(type.kind) || size == right) {
                continue;
            }
            assert_false(
                key_text_decode(&key, &type, NULL, bytes, size, &err)); /* date: too late */
            assert_string_equal(err.sqlstate,
                                type.kind == KEY_DATE && size == 4 ? "22003" : "22P03");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_have_one_text),
        cmocka_unit_test(doubtful_values_are_refused),
        cmocka_unit_test(a_zero_byte_and_great_length_are_refused),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test(integers_are_the_same_in_every_format_and_width),
        cmocka_unit_test(uuids_dates_and_strings_are_the_same_in_every_format),
        cmocka_unit_test(binary_of_a_wrong_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
