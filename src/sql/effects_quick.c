/* The pass that every statement of a pooler takes: a look at the first word, then for words that
 * could do something to the session; whatever is out of the ordinary is answered by "maybe". */
#include <assert.h>
#include <endian.h>
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

enum { KEY_SIZE = sizeof(uint64_t) };

static inline uint64_t fold_key(uint64_t bytes, size_t size)
{
    uint64_t key = le64toh(bytes) | UINT64_C(0x2020202020202020);
    return size < KEY_SIZE ? key & ((UINT64_C(1) << size * 8) - 1) : key;
}

/* The first bytes of a word in lower case, as a number that one comparison tells apart.  Folding
 * makes @ and ` the same, and _ another byte, the same for all: no word is missed. */
static inline uint64_t key_of_text(const char *at, size_t size, const char *end)
{
    uint64_t bytes = 0;

    if (end - at >= KEY_SIZE) {
        memcpy(&bytes, at, KEY_SIZE);
    } else {
        for (size_t i = 0; i < size; i++) { /* near the text's end */
            bytes |= (uint64_t)(unsigned char)at[i] << i * 8;
        }
        bytes = htole64(bytes);
    }
    return fold_key(bytes, size);
}

/* The same for a word of at least that many bytes, zeros included: a constant to the compiler. */
static inline uint64_t key_of(const char word[KEY_SIZE])
{
    uint64_t bytes;

    memcpy(&bytes, word, KEY_SIZE);
    return fold_key(bytes, strnlen(word, KEY_SIZE));
}

/* Whether it may be INTO or one of the names that effects_of_function() knows: by its size and how
 * it begins. */
static inline bool is_risky(const char *at, size_t size, const char *end)
{
    const uint32_t sizes =
        1U << 4 | 1U << 7 | 1U << 10 | 1U << 16 | 1U << 20 | 1U << 22 | 1U << 23 | 1U << 27;

    if (size > 27 || (sizes >> size & 1) == 0) {
        return false;
    }
    uint64_t key = key_of_text(at, size, end);
    return key == key_of("into\0\0\0\0") || key == key_of("currval\0") ||
           key == key_of("lastval\0") || key == key_of("setseed\0") || key == key_of("set_conf") ||
           key == key_of("pg_advis") || key == key_of("pg_try_a");
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
        is_risky(at + 1, (size_t)(close - at - 1), end)) {
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

/* Only blanks and semicolons? */
static bool is_rest_empty(const char *at, const char *end)
{
    while (at < end && (is_a(*at, SPACE) || *at == ';')) {
        at++;
    }
    return at == end;
}

/* The rest of a query; the text begins before `at`. */
static bool may_be_query(const char *at, const char *end)
{
    while (at < end) {
        if (is_a(*at, NAME_START)) {
            const char *word = at;
            at = skip_class(at + 1, end, NAME_PART);
            if (is_risky(word, (size_t)(at - word), end)) {
                return true;
            }
        } else if (is_a(*at, SPACE | PLAIN)) {
            at++;
        } else if (*at == ';') {
            return !is_rest_empty(at, end);
        } else {
            at = pass_other(at, end);
            if (at == NULL) {
                return true;
            }
        }
    }
    return false;
}

/* Behind the INTO of INSERT INTO, or `at` if there is none. */
static const char *pass_into(const char *at, const char *end)
{
    const char *into = skip_class(at, end, SPACE);
    const char *next = skip_class(into, end, NAME_PART);

    return into > at && next - into == 4 && is_risky(into, 4, end) ? next : at;
}

bool effects_may_be(const char *sql, size_t size)
{
    assert(sql != NULL || size == 0);
    if (size == 0) {
        return false;
    }
    const char *end = sql + size, *word = skip_class(sql, end, SPACE);
    const char *at = skip_class(word, end, NAME_PART);
    if (at - word == 0 || at - word > KEY_SIZE) {
        return word < end; /* only blanks: nothing */
    }
    uint64_t key = key_of_text(word, (size_t)(at - word), end);
    if (key == key_of("select\0\0") || key == key_of("update\0\0") || key == key_of("delete\0\0") ||
        key == key_of("with\0\0\0\0") || key == key_of("values\0\0") ||
        key == key_of("show\0\0\0\0") || key == key_of("fetch\0\0\0") ||
        key == key_of("copy\0\0\0\0")) {
        return may_be_query(at, end);
    }
    if (key == key_of("insert\0\0") || key == key_of("merge\0\0\0")) {
        return may_be_query(pass_into(at, end), end);
    }
    return !is_rest_empty(at, end) ||
           (key != key_of("begin\0\0\0") && key != key_of("commit\0\0") &&
            key != key_of("end\0\0\0\0\0") && key != key_of("rollback") &&
            key != key_of("abort\0\0\0"));
}
