/* The pass that every statement of a pooler takes: a look at the first word, then for words that
 * could do something to the session; whatever is out of the ordinary is answered by "maybe". */
#include <assert.h>
#include <string.h>

#include "sql/effects.h"
#include "sql/lexer.h"

enum effect_kind effects_lone_transaction(const char *sql, size_t size)
{
    static const struct {
        const char *word;
        enum effect_kind kind;
    } words[] = {{"begin", EFFECT_BEGIN},       {"commit", EFFECT_COMMIT},
                 {"end", EFFECT_COMMIT},        {"start", EFFECT_BEGIN},
                 {"rollback", EFFECT_ROLLBACK}, {"abort", EFFECT_ROLLBACK}};
    enum effect_kind kind = EFFECT_NONE;
    struct lexer lexer;

    lexer_begin(&lexer, sql, size, true);
    struct token token = lexer_next(&lexer);
    while (token_is_punctuation(&token, ';')) {
        token = lexer_next(&lexer);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0] && kind == EFFECT_NONE; i++) {
        kind = token_is(&token, words[i].word) ? words[i].kind : EFFECT_NONE;
    }
    bool is_start = token_is(&token, "start");
    token = lexer_next(&lexer);
    if (token_is(&token, "transaction") || (token_is(&token, "work") && !is_start)) {
        token = lexer_next(&lexer);
    } else if (is_start) {
        return EFFECT_NONE;
    }
    while (kind == EFFECT_BEGIN &&
           (token.kind == TOKEN_WORD || token_is_punctuation(&token, ','))) {
        token = lexer_next(&lexer); /* its modes */
    }
    while (token_is_punctuation(&token, ';')) {
        token = lexer_next(&lexer);
    }
    return token.kind == TOKEN_END ? kind : EFFECT_NONE;
}

enum {
    NAME_START = 1,
    NAME_PART = 2,
    DIGIT = 4,
    SPACE = 8,
    OPERATOR = 16,
    PLAIN = 32, /* punctuation that means nothing here */
    LETTER = NAME_START | NAME_PART,
    OPERATOR_SIZE_MAX = 63
};

static const unsigned char classes[256] = {
    ['a' ... 'z'] = LETTER,
    ['A' ... 'Z'] = LETTER,
    ['_'] = LETTER,
    [0x80 ... 0xff] = LETTER,
    ['0' ... '9'] = DIGIT | NAME_PART,
    ['$'] = NAME_PART,
    [' '] = SPACE,
    ['\t' ... '\n'] = SPACE,
    ['\f' ... '\r'] = SPACE,
    ['~'] = OPERATOR,
    ['!'] = OPERATOR,
    ['@'] = OPERATOR,
    ['#'] = OPERATOR,
    ['^'] = OPERATOR,
    ['&'] = OPERATOR,
    ['|'] = OPERATOR,
    ['`'] = OPERATOR,
    ['?'] = OPERATOR,
    ['+'] = OPERATOR,
    ['-'] = OPERATOR,
    ['*'] = OPERATOR,
    ['/'] = OPERATOR,
    ['%'] = OPERATOR,
    ['<' ... '>'] = OPERATOR,
    ['('] = PLAIN,
    [')'] = PLAIN,
    ['['] = PLAIN,
    [']'] = PLAIN,
    [','] = PLAIN,
    ['.'] = PLAIN,
    [':'] = PLAIN,
};

static inline bool is_a(char character, int class)
{
    return (classes[(unsigned char)character] & class) != 0;
}

static inline const char *skip_class(const char *at, const char *end, int class)
{
    while (at < end && is_a(*at, class)) {
        at++;
    }
    return at;
}

static bool equals(const char *at, size_t size, const char *word)
{
    for (size_t i = 0; i < size; i++) {
        if ((at[i] | 0x20) != (word[i] | 0x20)) { /* _ folds too; a miss more does no harm */
            return false;
        }
    }
    return word[size] == '\0';
}

/* Names that effects_of_function() knows, and INTO. */
static bool is_risky(const char *at, size_t size)
{
    static const char *const words[] = {
        "into",
        "currval",
        "lastval",
        "setseed",
        "set_config",
        "pg_advisory_lock",
        "pg_advisory_lock_shared",
        "pg_try_advisory_lock",
        "pg_try_advisory_lock_shared",
        "pg_advisory_unlock_all",
    };
    const uint64_t sizes = UINT64_C(1) << 4 | UINT64_C(1) << 7 | UINT64_C(1) << 10 |
                           UINT64_C(1) << 16 | UINT64_C(1) << 20 | UINT64_C(1) << 22 |
                           UINT64_C(1) << 23 | UINT64_C(1) << 27;

    if (size > 27 || (sizes >> size & 1) == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((at[0] | 0x20) == words[i][0] && strlen(words[i]) == size &&
            equals(at, size, words[i])) {
            return true;
        }
    }
    return false;
}

/* What follows is behind a piece that was looked at; NULL is "maybe". */

/* A string without escapes; quotes in pairs are taken for two strings. */
static const char *pass_string(const char *at, const char *end)
{
    if (is_a(at[-1], NAME_PART) || at[-1] == '&') {
        return NULL; /* E'', U&'', … */
    }
    for (at++; at < end && *at != '\''; at++) {
        if (*at == '\\') {
            return NULL;
        }
    }
    return at < end ? at + 1 : NULL;
}

static const char *pass_quoted(const char *at, const char *end)
{
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));

    if (at[-1] == '&' || close == NULL || close == at + 1 || (close + 1 < end && close[1] == '"') ||
        is_risky(at + 1, (size_t)(close - at - 1))) {
        return NULL;
    }
    return close + 1;
}

static const char *pass_operator(const char *at, const char *end)
{
    const char *start = at;

    for (; at < end && is_a(*at, OPERATOR); at++) {
        if (end - at >= 2 && ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*'))) {
            return NULL; /* a comment */
        }
    }
    return at - start > OPERATOR_SIZE_MAX ? NULL : at;
}

/* A number or a parameter, which no letter may follow. */
static const char *pass_digits(const char *at, const char *end)
{
    at = skip_class(at, end, DIGIT);
    if (at < end && *at == '.') {
        at = skip_class(at + 1, end, DIGIT);
    }
    return at < end && is_a(*at, NAME_START) ? NULL : at;
}

static const char *pass_other(const char *at, const char *end)
{
    if (is_a(*at, DIGIT)) {
        return pass_digits(at, end);
    }
    if (is_a(*at, OPERATOR)) {
        return pass_operator(at, end);
    }
    if (*at == '$' && end - at >= 2 && is_a(at[1], DIGIT)) {
        return pass_digits(at + 1, end);
    }
    if (*at == '\'') {
        return pass_string(at, end);
    }
    return *at == '"' ? pass_quoted(at, end) : NULL;
}

/* The rest of a query; the text begins before `at`. */
static bool may_be_query(const char *at, const char *end)
{
    while (at < end) {
        if (is_a(*at, NAME_START)) {
            const char *word = at;
            at = skip_class(at + 1, end, NAME_PART);
            if (is_risky(word, (size_t)(at - word))) {
                return true;
            }
        } else if (is_a(*at, SPACE | PLAIN)) {
            at++;
        } else if (*at == ';') {
            do { /* another statement? */
                at = skip_class(at + 1, end, SPACE);
            } while (at < end && *at == ';');
            return at < end;
        } else {
            at = pass_other(at, end);
            if (at == NULL) {
                return true;
            }
        }
    }
    return false;
}

bool effects_may_be(const char *sql, size_t size)
{
    static const struct {
        const char *word;
        bool is_query, has_into;
    } words[] = {{"select", true, false},  {"update", true, false},    {"insert", true, true},
                 {"begin", false, false},  {"end", false, false},      {"delete", true, false},
                 {"commit", false, false}, {"rollback", false, false}, {"with", true, false},
                 {"fetch", true, false},   {"show", true, false},      {"copy", true, false},
                 {"values", true, false},  {"merge", true, true},      {"abort", false, false}};

    assert(sql != NULL || size == 0);
    if (size == 0) {
        return false;
    }
    const char *end = sql + size, *word = skip_class(sql, end, SPACE);
    const char *at = skip_class(word, end, NAME_PART);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!equals(word, (size_t)(at - word), words[i].word)) {
            continue;
        }
        if (!words[i].is_query) {
            return effects_lone_transaction(sql, size) == EFFECT_NONE;
        }
        const char *next = skip_class(at, end, SPACE);
        if (words[i].has_into && next > at && end - next > 4 && equals(next, 4, "into") &&
            is_a(next[4], SPACE)) {
            at = next + 4;
        }
        return may_be_query(at, end);
    }
    return word < end; /* only blanks: nothing */
}
