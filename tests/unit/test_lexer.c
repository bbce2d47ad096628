/* Tokens, names and values of strings; test_lexer_pg compares the boundaries with PostgreSQL's. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "sql/lexer.h"

/* The tokens as "kind:text" joined by blanks. */
static const char *tokens_of(const char *sql, bool is_standard, char *out, size_t size)
{
    static const char kinds[] = {
        [TOKEN_END] = '.',      [TOKEN_WORD] = 'w',        [TOKEN_QUOTED] = 'q',
        [TOKEN_STRING] = 's',   [TOKEN_NUMBER] = 'n',      [TOKEN_PARAMETER] = '$',
        [TOKEN_OPERATOR] = 'o', [TOKEN_PUNCTUATION] = 'p', [TOKEN_BAD] = '!'};
    struct lexer lexer;
    size_t used = 0;

    out[0] = '\0';
    lexer_begin(&lexer, sql, strlen(sql), is_standard);
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (token.kind == TOKEN_END) {
            return out;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%c:%.*s", used == 0 ? "" : " ",
                                 kinds[token.kind], (int)token.size, token.text);
    }
}

static void text_is_cut_as_postgresql_cuts_it(void **)
{
    static const struct {
        const char *sql, *tokens;
    } cases[] = {
        {"", ""},
        {" \t\r\n\f-- only\n/* a /* b */ c */", ""},
        {"SELECT a.b, $1::int;", "w:SELECT w:a p:. w:b p:, $:$1 p::: w:int p:;"},
        {"a:=1 a=>2", "w:a p::= n:1 w:a o:=> n:2"},
        {"1..10 1.e5 .5 1.5e-3 1.", "n:1 p:.. n:10 n:1.e5 n:.5 n:1.5e-3 n:1."},
        {"12ab", "!:12ab"},
        {"1 2e x", "n:1 !:2e x"},
        {"$1a", "!:$1a"},
        {"1 - -2", "n:1 o:- o:- n:2"},
        {"1*-2", "n:1 o:* o:- n:2"},
        {"1@-2 a<-b", "n:1 o:@- n:2 w:a o:< o:- w:b"},
        {"a->>'b' ?| @> !=-1", "w:a o:->> s:'b' o:?| o:@> o:!=- n:1"},
        {"a*/* c */b +--x\n c", "w:a o:* w:b o:+ w:c"},
        {"'it''s' 'a'\n 'b' 'c' 'd'", "s:'it''s' s:'a'\n 'b' s:'c' s:'d'"},
        {"'a' -- it's\n 'b'", "s:'a' -- it's\n 'b'"},
        {"E'\\'' e'a''b' B'01''1' X'1f' N'x'",
         "s:E'\\'' s:e'a''b' s:B'01' s:'1' s:X'1f' w:N s:'x'"},
        {"U&'d\\0061' U&\"x\" u & 'a'", "s:U&'d\\0061' q:U&\"x\" w:u o:& s:'a'"},
        {"$$a'b$$ $t$ $x$ $t$ a$b$", "s:$$a'b$$ s:$t$ $x$ $t$ w:a$b$"},
        {"$1$$x$$", "$:$1 s:$$x$$"},
        {"\"a\"\"b\" \"c\"", "q:\"a\"\"b\" q:\"c\""},
        {"a\xc3\xb1$1 \xff", "w:a\xc3\xb1$1 w:\xff"},
        {"'\\'", "s:'\\'"},
        {"'abc", "!:'abc"},
        {"a \"b", "w:a !:\"b"},
        {"\"\"", "!:\"\""},
        {"a /* b /* c */", "w:a !:/* b /* c */"},
        {"$a$ $b$", "!:$a$ $b$"},
        {"E'\\u00'", "!:E'\\u00'"},
        {"E'\\ud83d\\ude00' E'\\ud83d'", "s:E'\\ud83d\\ude00' !:E'\\ud83d'"},
        {"a {b}", "w:a !:{b}"},
    };
    char out[512];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(tokens_of(cases[i].sql, true, out, sizeof out), cases[i].tokens);
    }
}

static void old_strings_have_escapes(void **)
{
    char out[512];

    assert_string_equal(tokens_of("'a\\'z' 'c'", false, out, sizeof out), "s:'a\\'z' s:'c'");
    assert_string_equal(tokens_of("'a\\'z' 'c'", true, out, sizeof out),
                        "s:'a\\' w:z s:' ' w:c !:'");
    assert_string_equal(tokens_of("U&'a'", false, out, sizeof out), "!:U&'a'");
    assert_string_equal(tokens_of("U&\"a\"", false, out, sizeof out), "q:U&\"a\"");
}

static void operators_end_at_63_bytes(void **)
{
    char sql[80] = "";
    struct lexer lexer;

    memset(sql, '+', sizeof sql);
    sql[0] = '@';
    lexer_begin(&lexer, sql, 63, true);
    assert_int_equal(lexer_next(&lexer).kind, TOKEN_OPERATOR);
    lexer_begin(&lexer, sql, 64, true);
    assert_int_equal(lexer_next(&lexer).kind, TOKEN_BAD);
    sql[0] = '+';
    lexer_begin(&lexer, sql, 64, true);
    assert_int_equal(lexer_next(&lexer).size, 1);
}

static struct token first_of(const char *sql)
{
    struct lexer lexer;
    lexer_begin(&lexer, sql, strlen(sql), true);
    return lexer_next(&lexer);
}

static void names_are_folded_unquoted_and_cut(void **)
{
    static const char long_name[] =
        "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc";
    static const struct {
        const char *sql, *name; /* name NULL: it has none */
    } cases[] = {
        {"Abc_1", "abc_1"},
        {"\"Abc\"", "Abc"},
        {"\"a\"\"b\"\"\"", "a\"b\""},
        {"\xc3\x91", "\xc3\x91"},
        {"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijABCD", long_name},
        {"\"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij\"", long_name},
        {"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijab\xc3\xb1",
         "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijab"},
        {"U&\"a\"", NULL},
        {"'a'", NULL},
        {"1", NULL},
        {"\"a", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[TOKEN_NAME_SIZE] = "untouched";
        struct token token = first_of(cases[i].sql);
        assert_int_equal(token_name(&token, name), cases[i].name != NULL);
        assert_string_equal(name, cases[i].name != NULL ? cases[i].name : "untouched");
    }
}

static void strings_are_unescaped(void **)
{
    static const struct {
        const char *sql, *value;
        bool is_old; /* standard_conforming_strings off */
    } cases[] = {
        {"'it''s'", "it's", false},
        {"'a'\n'b' -- it's\n\t'c'", "abc", false},
        {"'a\\n'", "a\\n", false},
        {"'a\\n'", "a\n", true},
        {"E'\\b\\f\\n\\r\\t\\v\\q\\'\\\\'", "\b\f\n\r\tvq'\\", false},
        {"e'\\101\\x4a\\x4Zz\\18'",
         "AJ\x04Zz\x01"
         "8",
         false},
        {"E'\\u00f1\\U0001F600\\ud83d\\ude00'", "\xc3\xb1\xf0\x9f\x98\x80\xf0\x9f\x98\x80", false},
        {"E'a'\n'\\x62'", "ab", false},
        {"$$it's$$", "it's", false},
        {"$a$ $$ \\n $a$", " $$ \\n ", true},
        {"''", "", false},
        {"'12345678901234567890123456789012345678901234567890123456789012345678'", NULL, false},
        {"E'\\0'", NULL, false},
        {"E'\\x00'", NULL, false},
        {"E'\\400'", NULL, false},
        {"U&'a'", NULL, false},
        {"B'1'", NULL, false},
        {"a", NULL, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char value[64];
        struct token token = first_of(cases[i].sql);
        bool is_read = token_string(&token, !cases[i].is_old, value, sizeof value);
        assert_int_equal(is_read, cases[i].value != NULL);
        if (is_read) {
            assert_string_equal(value, cases[i].value);
        }
    }
}

static void only_words_are_keywords(void **)
{
    struct token upper = first_of("SELECT"), longer = first_of("selects");
    struct token shorter = first_of("sel"), quoted = first_of("\"select\"");
    struct token point = first_of(";"), assign = first_of(":=");

    assert_true(token_is(&upper, "select"));
    assert_false(token_is(&longer, "select"));
    assert_false(token_is(&shorter, "select"));
    assert_false(token_is(&quoted, "select"));
    assert_true(token_is_punctuation(&point, ';'));
    assert_false(token_is_punctuation(&assign, ':'));
}

static void encodings_that_only_clients_use_are_told(void **)
{
    static const char *const unsafe[] = {"SJIS", "big5", "GB18030", "Shift_JIS_2004", "win-949"};
    static const char *const safe[] = {"UTF8",      "LATIN1", "EUC_JP",
                                       "sql_ascii", "",       "a very long name that is none"};

    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++) {
        assert_false(lexer_can_read(unsafe[i]));
    }
    for (size_t i = 0; i < sizeof safe / sizeof safe[0]; i++) {
        assert_true(lexer_can_read(safe[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_as_postgresql_cuts_it),
        cmocka_unit_test(old_strings_have_escapes),
        cmocka_unit_test(operators_end_at_63_bytes),
        cmocka_unit_test(names_are_folded_unquoted_and_cut),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(only_words_are_keywords),
        cmocka_unit_test(encodings_that_only_clients_use_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
