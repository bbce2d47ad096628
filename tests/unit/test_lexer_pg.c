/* Our tokens end where those of PostgreSQL's own scanner (libpg_query) do, over a corpus and texts
 * made from it; the seed is printed.  What differs is known:
 * - PostgreSQL's scanner hands characters that begin no token (a lone $, \, {, …) to its grammar,
 * which refuses them: TOKEN_BAD here;
 * - it refuses strings with bytes that are not of the database's encoding, which we do not know;
 * - libpg_query makes tokens of comments, so a string does not go on behind one, as it does in
 *   PostgreSQL (test_sql.py asks a server); such a text is compared up to there;
 * - it gives no right end for U&'' and U&"": the start of the next token tells. */
#include "check.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "sql/lexer.h"

/* Of libpg_query, whose header does not have it. */
extern __thread bool standard_conforming_strings;

enum { TEXT_SIZE = 2048, MUTATIONS = 60000, SEED = 20261124 };

static const char *const corpus[] = {
    "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;",
    "UPDATE t SET a = a + -1.5e3, b = 'it''s' WHERE c = $1 AND d->>'k' @> '{}'::jsonb;",
    "INSERT INTO t (\"A b\", c) VALUES (1e5, .5), (1., 1..10), (1.e5, 2.5E-3) -- done\n;",
    "/* a /* nested */ comment */ SELECT 1 /**/ + /*/ */ */ 2 -- end",
    "SELECT 'a'\n 'b' -- c 'd'\n\t'e' 'f'",
    "SELECT 'a'\n 'b' 'c'\f\r\n'd', E'a\\'b\\\\' 'x', "
    "e'\\u00f1\\U0001F600\\ud83d\\ude00\\x41\\101'",
    "SELECT B'01''1', x'1f' 'a'\n'b', N'abc', U&'d\\0061t' UESCAPE '!', U&\"d!0061\" UESCAPE '!', "
    "u&1",
    "DO $$BEGIN a := $x$ $y$ $x$; END$$; SELECT $tag$ $tag $ $$ $tag$, a$b$c, $1$$x$$",
    "SELECT a<-b, a*-1, @-1, a!=-1, a<>b, a=>b, a>=b, a<=b, a|/b, ||/c, a~*b, !!c, a-- x\n+b, "
    "a+/*x*/b",
    "SELECT a[1:2], a::int, b:=c, d.e, f..g, h...i, :j, ::: , :=:, (k).*",
    "SELECT \"a\"\"b\", \"\", a\xc3\xb1o$1, \xff\xfe, _x, \"\xc3\xb1\"",
    "SELECT 1a, 1.5e, 1e+, $1a, 0x1f, 1_000, 12$1, 1.5.5, 1e5.5, 99999999999999999999",
    "SELECT 'open",
    "SELECT \"open",
    "SELECT E'\\u12', E'\\U0011ffff', E'\\ud83d', E'\\ud83dx', E'\\udc00', E'\\u0000'",
    "SELECT $a$ open $b$ $a",
    "SELECT 1 /* open /* */",
    "SELECT \\d {x} $ $a `b` ? ?| ?& #> ~ !~ ^ % & |",
    "SET search_path TO a, \"B\"; SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE; RESET ALL",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; END",
    "PREPARE p (int, text) AS SELECT $1, $2; EXECUTE p (1, 'x'); DEALLOCATE ALL",
    "SELECT ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++1",
    "SELECT @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@1",
    "SELECT @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1",
    "\t\f\r\n SELECT\r1\f;",
    "",
};

/* What mutations put in. */
static const char *const pieces[] = {
    "'",       "''",   "\"",          "\\",   "\\'",        "\n", " ",     "--",      "/*",
    "*/",      "E'",   "e'",          "U&'",  "u&\"",       "B'", "X'",    "N'",      "$$",
    "$a$",     "$1",   "$",           "+",    "-",          "*",  "/",     "@",       "<",
    ">",       "=",    ".",           "..",   ":",          "::", "=",     "1",       "1.",
    ".5",      "e5",   "E+",          "e",    "a",          "_",  "\xc3",  "\\u00e9", "\\ud83d",
    "\\ude00", "\\x4", "\\12",        ";",    "(",          ")",  "[",     ",",       "?",
    "#",       "\r",   "\t",          "\f",   "\v",         "{",  "' \n'", "'--\n'",  "~-",
    "!+",      "1e",   "\\U0010ffff", "'\\'", "uescape '!'"};

struct scan {
    PgQueryScanResult raw;
    PgQuery__ScanResult *result; /* NULL if refused */
};

static struct scan scan_with_postgresql(const char *sql, bool is_standard)
{
    struct scan scan = {0};

    standard_conforming_strings = is_standard;
    scan.raw = pg_query_scan(sql);
    standard_conforming_strings = true;
    if (scan.raw.error == NULL) {
        scan.result = pg_query__scan_result__unpack(NULL, scan.raw.pbuf.len,
                                                    (const uint8_t *)scan.raw.pbuf.data);
        assert_non_null(scan.result);
    }
    return scan;
}

static void scan_done(struct scan *scan)
{
    if (scan->result != NULL) {
        pg_query__scan_result__free_unpacked(scan->result, NULL);
    }
    pg_query_free_scan_result(scan->raw);
}

static bool is_comment(const PgQuery__ScanToken *token)
{
    return token->token == PG_QUERY__TOKEN__SQL_COMMENT ||
           token->token == PG_QUERY__TOKEN__C_COMMENT;
}

/* A character that is a token of its own for the scanner, and of none for the grammar. */
static bool is_stray(const char *sql, const PgQuery__ScanToken *token)
{
    unsigned char character = (unsigned char)sql[token->start];
    return token->end - token->start == 1 &&
           (strchr("$\\{}", character) != NULL || character < ' ' || character == 0x7f);
}

static bool is_about_encoding(const char *message)
{
    return strstr(message, "invalid byte sequence") != NULL;
}

/* 'a' -- comment, newline, 'b': one string for PostgreSQL, not for libpg_query. */
static bool goes_on_behind_comment(const char *at)
{
    bool has_comment = false;

    for (;;) {
        at += strspn(at, " \t\n\r\f");
        if (strncmp(at, "--", 2) != 0) {
            return *at == '\'' && has_comment;
        }
        has_comment = true;
        at += strcspn(at, "\n\r");
    }
}

/* Whether some piece of this string of ours, or what would be one if it ended, does so. */
static bool has_comment_between(const struct token *token)
{
    for (size_t i = 1; i < token->size; i++) {
        if (token->text[i] == '\'' && goes_on_behind_comment(token->text + i + 1)) {
            return true;
        }
    }
    return false;
}

static bool has_no_end(const PgQuery__ScanToken *token)
{
    return token->token == PG_QUERY__TOKEN__UIDENT || token->token == PG_QUERY__TOKEN__USCONST;
}

static bool same_ends(const struct token *token, const char *sql, const PgQuery__ScanToken *theirs)
{
    return token->text == sql + theirs->start &&
           (has_no_end(theirs) || token->size == (size_t)(theirs->end - theirs->start));
}

/* Where the texts differ, as a message; NULL if nowhere. */
static const char *difference(const char *sql, size_t size, bool is_standard, struct scan *scan)
{
    struct lexer lexer;
    size_t at = 0;

    lexer_begin(&lexer, sql, size, is_standard);
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (scan->result == NULL && token.kind == TOKEN_STRING && has_comment_between(&token)) {
            return NULL;
        }
        if (scan->result == NULL) {
            if (token.kind == TOKEN_BAD) {
                return NULL;
            }
            if (token.kind == TOKEN_END) {
                return is_about_encoding(scan->raw.error->message) ? NULL
                                                                   : "only PostgreSQL refuses";
            }
            continue;
        }
        while (at < scan->result->n_tokens && is_comment(scan->result->tokens[at])) {
            at++;
        }
        if (token.kind == TOKEN_END) {
            return at == scan->result->n_tokens ? NULL : "PostgreSQL has more tokens";
        }
        if (at == scan->result->n_tokens) {
            return "PostgreSQL has fewer tokens";
        }
        const PgQuery__ScanToken *theirs = scan->result->tokens[at++];
        if (token.kind == TOKEN_BAD) {
            return is_stray(sql, theirs) || has_comment_between(&token) ? NULL : "only we refuse";
        }
        if (token.kind == TOKEN_STRING &&
            (has_no_end(theirs) ? has_comment_between(&token)
                                : goes_on_behind_comment(sql + theirs->end))) {
            return NULL;
        }
        if (!same_ends(&token, sql, theirs)) {
            return "a token has other ends";
        }
    }
}

static void compare(const char *sql)
{
    for (int is_standard = 0; is_standard < 2; is_standard++) {
        struct scan scan = scan_with_postgresql(sql, is_standard);
        const char *what = difference(sql, strlen(sql), is_standard, &scan);
        if (what != NULL) {
            print_error("%s%s, standard_conforming_strings %d: <<%s>>\n", what,
                        scan.raw.error != NULL ? scan.raw.error->message : "", is_standard, sql);
        }
        scan_done(&scan);
        assert_null(what);
    }
}

static void corpus_has_the_same_tokens(void **)
{
    for (size_t i = 0; i < sizeof corpus / sizeof corpus[0]; i++) {
        compare(corpus[i]);
    }
}

/* Each suffix begins in the middle of something. */
static void every_suffix_and_prefix_has_the_same_tokens(void **)
{
    char prefix[TEXT_SIZE];

    for (size_t i = 0; i < sizeof corpus / sizeof corpus[0]; i++) {
        for (size_t cut = 0; cut < strlen(corpus[i]); cut++) {
            compare(corpus[i] + cut);
            snprintf(prefix, sizeof prefix, "%.*s", (int)cut, corpus[i]);
            compare(prefix);
        }
    }
}

/* Puts a piece, or one of another text of the corpus, over `removed` bytes. */
static void mutate(char text[TEXT_SIZE], struct random *random)
{
    char rest[TEXT_SIZE];
    size_t size = strlen(text), at = random_below(random, size + 1);
    size_t removed = random_below(random, 4) == 0 ? random_below(random, size - at + 1) % 8 : 0;
    const char *piece = pieces[random_below(random, sizeof pieces / sizeof pieces[0])];

    if (random_below(random, 8) == 0) {
        piece = corpus[random_below(random, sizeof corpus / sizeof corpus[0])];
    }
    snprintf(rest, sizeof rest, "%s", text + at + removed);
    snprintf(text + at, TEXT_SIZE - at, "%s%s", piece, rest);
}

static void mutations_have_the_same_tokens(void **)
{
    struct random random;

    print_message("seed %d\n", SEED);
    random_init(&random, SEED, 0);
    for (int i = 0; i < MUTATIONS; i++) {
        char text[TEXT_SIZE];
        snprintf(text, sizeof text, "%.300s",
                 corpus[random_below(&random, sizeof corpus / sizeof corpus[0])]);
        for (uint64_t left = 1 + random_below(&random, 5); left > 0; left--) {
            mutate(text, &random);
        }
        compare(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus_has_the_same_tokens),
        cmocka_unit_test(every_suffix_and_prefix_has_the_same_tokens),
        cmocka_unit_test(mutations_have_the_same_tokens),
    };
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    pg_query_exit();
    return status;
}
