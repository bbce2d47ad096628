/* sql/lexer: cuts SQL text into PostgreSQL's tokens ("Lexical Structure").
 *
 * Pure, allocates nothing, never fails: what PostgreSQL's scanner would refuse
 * becomes a TOKEN_BAD that reaches to the end.  Strings (E'', U&'', B'', X'', dollar quotes,
 * doubled quotes, continuation over newlines), quoted identifiers, nested comments, numbers,
 * parameters, operators and casts, all as PostgreSQL 15's scan.l does; so N'x' is the word N and
 * a string.  Comments and blanks are skipped.
 *
 * The bytes are those of a server encoding, where all bytes of a longer character are above 127.
 * In SJIS, BIG5, GBK, UHC, GB18030, JOHAB and SHIFT_JIS_2004, which only clients may use,
 * a backslash can be half a character: lexer_can_read() says so, and the caller must
 * then take every statement for unknown.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,        /* identifier or keyword, as written */
    TOKEN_QUOTED,      /* "identifier", with its quotes; U&"…" too */
    TOKEN_STRING,      /* any string constant, with prefix and quotes */
    TOKEN_NUMBER,      /* digits, fraction, exponent; no sign */
    TOKEN_PARAMETER,   /* $1 */
    TOKEN_OPERATOR,    /* +, <=, ->>, …: as long as PostgreSQL's rule makes it */
    TOKEN_PUNCTUATION, /* ( ) [ ] , ; . : and :: := .. as one token each */
    TOKEN_BAD          /* unterminated string, comment or quoted name, a number with letters, a
                          character of no token: the rest of the text */
};

struct token {
    enum token_kind kind;
    const char *text; /* borrowed from the SQL */
    size_t size;      /* bytes */
};

struct lexer {
    const char *at, *end; /* borrowed */
    bool is_standard; /* standard_conforming_strings: a backslash in '…' is only a backslash */
};

/* Whether text of that client_encoding (any spelling) is read right. */
[[nodiscard]] bool lexer_can_read(const char *client_encoding);

void lexer_begin(struct lexer *lexer, const char *sql, size_t size,
                 bool standard_conforming_strings);
[[nodiscard]] struct token lexer_next(struct lexer *lexer);

/* Whether the token is that keyword (given in lower case); a quoted name never is. */
[[nodiscard]] bool token_is(const struct token *token, const char *keyword);
[[nodiscard]] bool token_is_punctuation(const struct token *token, char character);

/* The name that a TOKEN_WORD or TOKEN_QUOTED means: folded to lower case, or unquoted; cut to 63
 * bytes as PostgreSQL does in UTF-8.  False for other kinds, and for U&"…". */
enum { TOKEN_NAME_SIZE = 64 };
[[nodiscard]] bool token_name(const struct token *token, char name[TOKEN_NAME_SIZE]);

/* The value of a TOKEN_STRING of the plain, E or dollar kind, unescaped and zero-terminated; \u
 * becomes UTF-8; bytes from \x and octal escapes are not checked against an encoding.  False for
 * other kinds, when it does not fit, and for escapes that PostgreSQL refuses. */
[[nodiscard]] bool token_string(const struct token *token, bool standard_conforming_strings,
                                char *value, size_t size);
