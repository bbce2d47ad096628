#include "sql/lexer.h"

#include <assert.h>
#include <string.h>

/* Follows scan.l of PostgreSQL 15; the names in brackets are its rules. */

enum {
    NAME_START = 1, /* [ident_start] */
    NAME_PART = 2,  /* [ident_cont] */
    DIGIT = 4,
    SPACE = 8,
    OPERATOR = 16, /* [op_chars] */
    TAG_PART = 32, /* [dolq_cont] */
    UNUSUAL = 64,  /* of an operator that may end in + or - */
    LETTER = NAME_START | NAME_PART | TAG_PART,
    OPERATOR_SIZE_MAX = 63 /* NAMEDATALEN - 1 */
};

static const unsigned char classes[256] = {['a' ... 'z'] = LETTER,
                                           ['A' ... 'Z'] = LETTER,
                                           ['_'] = LETTER,
                                           [0x80 ... 0xff] = LETTER,
                                           ['0' ... '9'] = DIGIT | NAME_PART | TAG_PART,
                                           ['$'] = NAME_PART,
                                           [' '] = SPACE,
                                           ['\t'] = SPACE,
                                           ['\n'] = SPACE,
                                           ['\r'] = SPACE,
                                           ['\f'] = SPACE,
                                           ['~'] = OPERATOR | UNUSUAL,
                                           ['!'] = OPERATOR | UNUSUAL,
                                           ['@'] = OPERATOR | UNUSUAL,
                                           ['#'] = OPERATOR | UNUSUAL,
                                           ['^'] = OPERATOR | UNUSUAL,
                                           ['&'] = OPERATOR | UNUSUAL,
                                           ['|'] = OPERATOR | UNUSUAL,
                                           ['`'] = OPERATOR | UNUSUAL,
                                           ['?'] = OPERATOR | UNUSUAL,
                                           ['+'] = OPERATOR,
                                           ['-'] = OPERATOR,
                                           ['*'] = OPERATOR,
                                           ['/'] = OPERATOR,
                                           ['%'] = OPERATOR | UNUSUAL,
                                           ['<'] = OPERATOR,
                                           ['>'] = OPERATOR,
                                           ['='] = OPERATOR};

static inline bool is_a(char character, int class)
{
    return (classes[(unsigned char)character] & class) != 0;
}

static inline char fold(char letter)
{
    if (letter >= 'A' && letter <= 'Z') {
        return (char)(letter | 0x20);
    }
    return letter;
}

static const char *skip_class(const char *at, const char *end, int class)
{
    while (at < end && is_a(*at, class)) {
        at++;
    }
    return at;
}

static bool starts_comment(const char *at, const char *end)
{
    return end - at >= 2 && ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*'));
}

static const char *skip_line(const char *at, const char *end)
{
    while (at < end && *at != '\n' && *at != '\r') {
        at++;
    }
    return at;
}

/* Behind a comment that may hold others; NULL when it does not end. */
static const char *skip_block(const char *at, const char *end)
{
    size_t depth = 0;

    while (end - at >= 2) {
        bool opens = at[0] == '/' && at[1] == '*', closes = at[0] == '*' && at[1] == '/';
        depth += opens;
        depth -= closes;
        at += opens || closes ? 2 : 1;
        if (depth == 0) {
            return at;
        }
    }
    return NULL;
}

/* To the next token; false when `at` is left at a comment that does not end. */
static bool skip_blanks(struct lexer *lexer)
{
    for (;;) {
        lexer->at = skip_class(lexer->at, lexer->end, SPACE);
        if (!starts_comment(lexer->at, lexer->end)) {
            return true;
        }
        const char *next = lexer->at[0] == '-' ? skip_line(lexer->at, lexer->end)
                                               : skip_block(lexer->at, lexer->end);
        if (next == NULL) {
            return false;
        }
        lexer->at = next;
    }
}

static struct token take(struct lexer *lexer, enum token_kind kind, const char *end)
{
    struct token token = {kind, lexer->at, (size_t)(end - lexer->at)};
    lexer->at = end;
    return token;
}

static struct token take_bad(struct lexer *lexer)
{
    return take(lexer, TOKEN_BAD, lexer->end);
}

/* What a backslash in a string means [xeescape xeoctesc xehexesc xeunicode]. */
struct escape {
    const char *next;  /* behind it */
    uint32_t code;     /* a byte, or a code point */
    bool is_codepoint; /* \u, \U */
};

static int hex_value(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    int letter = character | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Exactly `digits` hexadecimal digits. */
static bool read_hex(const char *at, const char *end, int digits, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < digits; i++, at++) {
        int value = at < end ? hex_value(*at) : -1;
        if (value < 0) {
            return false;
        }
        *code = *code << 4 | (uint32_t)value;
    }
    return true;
}

static bool read_unicode(const char *at, const char *end, struct escape *escape)
{
    int digits = at[1] == 'u' ? 4 : 8;

    if (!read_hex(at + 2, end, digits, &escape->code)) {
        return false;
    }
    escape->next = at + 2 + digits;
    escape->is_codepoint = true;
    return true;
}

/* \u and \U, where two may stand for one character [xeu]. */
static bool read_codepoint(const char *at, const char *end, struct escape *escape)
{
    if (!read_unicode(at, end, escape)) {
        return false;
    }
    uint32_t first = escape->code;
    if (first >= 0xd800 && first <= 0xdbff) {
        at = escape->next;
        if (end - at < 2 || at[0] != '\\' || (at[1] | 0x20) != 'u' ||
            !read_unicode(at, end, escape) || escape->code < 0xdc00 || escape->code > 0xdfff) {
            return false;
        }
        escape->code = 0x10000 + ((first & 0x3ff) << 10) + (escape->code & 0x3ff);
        return true;
    }
    return first > 0 && first <= 0x10ffff && !(first >= 0xdc00 && first <= 0xdfff);
}

static void read_octal(const char *at, const char *end, struct escape *escape)
{
    escape->code = 0;
    for (int i = 0; i < 3 && at < end && *at >= '0' && *at <= '7'; i++, at++) {
        escape->code = escape->code << 3 | (uint32_t)(*at - '0');
    }
    escape->code &= 0xff;
    escape->next = at;
}

static void read_byte(const char *at, const char *end, struct escape *escape)
{
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    const char *letter = memchr(letters, at[1], sizeof letters - 1);

    escape->next = at + 2;
    if (at[1] == 'x' && end - at >= 3 && hex_value(at[2]) >= 0) {
        int digits = end - at >= 4 && hex_value(at[3]) >= 0 ? 2 : 1;
        escape->next = read_hex(at + 2, end, digits, &escape->code) ? at + 2 + digits : at + 2;
        return;
    }
    escape->code = letter != NULL ? (unsigned char)bytes[letter - letters] : (unsigned char)at[1];
}

/* Reads the escape at a backslash; false when PostgreSQL refuses it or the text ends. */
static bool read_escape(const char *at, const char *end, struct escape *escape)
{
    *escape = (struct escape){0};
    if (end - at < 2) {
        return false;
    }
    if (at[1] == 'u' || at[1] == 'U') {
        return read_codepoint(at, end, escape);
    }
    if (at[1] >= '0' && at[1] <= '7') {
        read_octal(at + 1, end, escape);
        return true;
    }
    read_byte(at, end, escape);
    return true;
}

/* How the inside of a string constant is read. */
enum string_style { STRING_BITS, STRING_PLAIN, STRING_ESCAPED };

/* The quote that ends this piece of a string; NULL when there is none or an escape is refused.
 * `at` is behind the opening quote. */
static const char *find_quote(const char *at, const char *end, enum string_style style)
{
    for (; at < end; at++) {
        if (*at == '\'' && (style == STRING_BITS || end - at < 2 || at[1] != '\'')) {
            return at;
        }
        if (*at == '\'') {
            at++; /* doubled */
        } else if (*at == '\\' && style == STRING_ESCAPED) {
            struct escape escape;
            if (!read_escape(at, end, &escape)) {
                return NULL;
            }
            at = escape.next - 1;
        }
    }
    return NULL;
}

/* The quote that goes on with a string after blanks with a newline [quotecontinue]; NULL: none. */
static const char *find_continuation(const char *at, const char *end)
{
    bool has_newline = false;

    for (; at < end; at++) {
        if (*at == '\n' || *at == '\r') {
            has_newline = true;
        } else if (end - at >= 2 && at[0] == '-' && at[1] == '-') {
            at = skip_line(at, end) - 1;
        } else if (!is_a(*at, SPACE)) {
            return *at == '\'' && has_newline ? at : NULL;
        }
    }
    return NULL;
}

/* `prefix` bytes stand before the quote. */
static struct token take_string(struct lexer *lexer, size_t prefix, enum string_style style)
{
    const char *at = lexer->at + prefix, *quote = NULL;

    while (at != NULL) {
        quote = find_quote(at + 1, lexer->end, style);
        if (quote == NULL) {
            return take_bad(lexer);
        }
        at = find_continuation(quote + 1, lexer->end);
    }
    return take(lexer, TOKEN_STRING, quote + 1);
}

static struct token take_quoted(struct lexer *lexer, size_t prefix)
{
    const char *first = lexer->at + prefix + 1, *at = first;

    while (at < lexer->end) {
        at = memchr(at, '"', (size_t)(lexer->end - at));
        if (at == NULL || (at == first && (lexer->end - at < 2 || at[1] != '"'))) {
            break; /* unterminated, or empty */
        }
        if (lexer->end - at < 2 || at[1] != '"') {
            return take(lexer, TOKEN_QUOTED, at + 1);
        }
        at += 2;
    }
    return take_bad(lexer);
}

/* The size of the $tag$ at `at`, 0 if there is none [dolqdelim]. */
static size_t tag_size(const char *at, const char *end)
{
    const char *last = at + 1;

    if (last < end && is_a(*last, NAME_START)) {
        last = skip_class(last, end, TAG_PART);
    }
    return last < end && *last == '$' ? (size_t)(last + 1 - at) : 0;
}

static struct token take_dollar(struct lexer *lexer)
{
    const char *at = lexer->at;
    size_t tag = tag_size(at, lexer->end);

    if (lexer->end - at >= 2 && is_a(at[1], DIGIT)) {
        const char *last = skip_class(at + 1, lexer->end, DIGIT);
        if (last < lexer->end && is_a(*last, NAME_START)) {
            return take_bad(lexer); /* [param_junk] */
        }
        return take(lexer, TOKEN_PARAMETER, last);
    }
    if (tag == 0) {
        return take_bad(lexer);
    }
    const char *close = memmem(at + tag, (size_t)(lexer->end - at) - tag, at, tag);
    return close == NULL ? take_bad(lexer) : take(lexer, TOKEN_STRING, close + tag);
}

static struct token take_number(struct lexer *lexer)
{
    const char *end = lexer->end, *at = skip_class(lexer->at, end, DIGIT);
    bool is_range = end - at >= 2 && at[0] == '.' && at[1] == '.'; /* [decimalfail] */

    if (at < end && *at == '.' && !is_range) {
        at = skip_class(at + 1, end, DIGIT);
    }
    if (at < end && (*at | 0x20) == 'e') {
        bool is_signed = end - at >= 2 && (at[1] == '+' || at[1] == '-');
        const char *exponent = at + 1 + is_signed;
        if (exponent == end || !is_a(*exponent, DIGIT)) {
            return take_bad(lexer); /* [realfail integer_junk] */
        }
        at = skip_class(exponent, end, DIGIT);
    }
    if (at < end && is_a(*at, NAME_START)) {
        return take_bad(lexer); /* [integer_junk decimal_junk real_junk] */
    }
    return take(lexer, TOKEN_NUMBER, at);
}

/* A longer operator may end in + or - only if it has a character that no standard one has. */
static const char *operator_end(const char *at, const char *end)
{
    const char *last = at;
    bool is_unusual = false;

    while (last < end && is_a(*last, OPERATOR) && !starts_comment(last, end)) {
        is_unusual |= is_a(*last, UNUSUAL);
        last++;
    }
    while (!is_unusual && last - at > 1 && (last[-1] == '+' || last[-1] == '-')) {
        last--;
    }
    return last;
}

static struct token take_operator(struct lexer *lexer)
{
    const char *end = operator_end(lexer->at, lexer->end);

    if (end - lexer->at > OPERATOR_SIZE_MAX) {
        return take_bad(lexer);
    }
    return take(lexer, TOKEN_OPERATOR, end);
}

static struct token take_word(struct lexer *lexer)
{
    const char *at = lexer->at;
    size_t left = (size_t)(lexer->end - at);
    char letter = fold(at[0]);
    int second = left >= 2 ? at[1] : '\0';

    if (second == '\'' && (letter == 'b' || letter == 'x')) {
        return take_string(lexer, 1, STRING_BITS);
    }
    if (second == '\'' && letter == 'e') {
        return take_string(lexer, 1, STRING_ESCAPED);
    }
    if (second == '&' && letter == 'u' && left >= 3 && at[2] == '"') {
        return take_quoted(lexer, 2);
    }
    if (second == '&' && letter == 'u' && left >= 3 && at[2] == '\'') {
        return lexer->is_standard ? take_string(lexer, 2, STRING_PLAIN) : take_bad(lexer);
    }
    return take(lexer, TOKEN_WORD, skip_class(at + 1, lexer->end, NAME_PART));
}

static struct token take_point(struct lexer *lexer)
{
    const char *at = lexer->at;
    size_t left = (size_t)(lexer->end - at);

    if (at[0] == '.' && left >= 2 && is_a(at[1], DIGIT)) {
        return take_number(lexer);
    }
    bool is_double = left >= 2 && (at[0] == '.' || at[0] == ':') &&
                     (at[1] == at[0] || (at[0] == ':' && at[1] == '='));
    return take(lexer, TOKEN_PUNCTUATION, at + 1 + is_double);
}

bool lexer_can_read(const char *client_encoding)
{
    /* As PostgreSQL compares them: letters and digits only, in lower case, with all aliases. */
    static const char *const unsafe[] = {
        "big5",         "gb18030",    "gbk",        "johab",      "mskanji",   "shiftjis",
        "shiftjis2004", "sjis",       "uhc",        "win932",     "win936",    "win949",
        "win950",       "windows932", "windows936", "windows949", "windows950"};
    char name[16] = "";
    size_t size = 0;

    for (const char *at = client_encoding; *at != '\0'; at++) {
        if ((*at & 0x80) == 0 && is_a(*at, NAME_PART) && *at != '_' && *at != '$') {
            if (size + 1 == sizeof name) {
                return true; /* longer than any of them */
            }
            name[size++] = fold(*at);
        }
    }
    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++) {
        if (strcmp(name, unsafe[i]) == 0) {
            return false;
        }
    }
    return true;
}

void lexer_begin(struct lexer *lexer, const char *sql, size_t size,
                 bool standard_conforming_strings)
{
    assert(sql != NULL || size == 0);
    *lexer = (struct lexer){
        .at = sql, .end = size == 0 ? sql : sql + size, .is_standard = standard_conforming_strings};
}

struct token lexer_next(struct lexer *lexer)
{
    if (!skip_blanks(lexer)) {
        return take_bad(lexer);
    }
    if (lexer->at == lexer->end) {
        return take(lexer, TOKEN_END, lexer->end);
    }
    char first = *lexer->at;
    if (is_a(first, NAME_START)) {
        return take_word(lexer);
    }
    if (is_a(first, DIGIT)) {
        return take_number(lexer);
    }
    if (is_a(first, OPERATOR)) {
        return take_operator(lexer);
    }
    switch (first) {
    case '\'': return take_string(lexer, 0, lexer->is_standard ? STRING_PLAIN : STRING_ESCAPED);
    case '"': return take_quoted(lexer, 0);
    case '$': return take_dollar(lexer);
    case '(':
    case ')':
    case '[':
    case ']':
    case ',':
    case ';':
    case '.':
    case ':': return take_point(lexer);
    default: /* lint: not an enum */ return take_bad(lexer);
    }
}

bool token_is(const struct token *token, const char *keyword)
{
    size_t i = 0;

    if (token->kind != TOKEN_WORD) {
        return false;
    }
    for (; i < token->size && keyword[i] != '\0'; i++) {
        if (fold(token->text[i]) != keyword[i]) {
            return false;
        }
    }
    return i == token->size && keyword[i] == '\0';
}

bool token_is_punctuation(const struct token *token, char character)
{
    return token->kind == TOKEN_PUNCTUATION && token->size == 1 && token->text[0] == character;
}

/* How many of the first `size` bytes PostgreSQL keeps of a name: whole UTF-8 characters. */
static size_t clip_name(const char *name, size_t size)
{
    size_t kept = 0;

    while (kept < size) {
        unsigned char lead = (unsigned char)name[kept];
        size_t step = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 1;
        if (kept + step > TOKEN_NAME_SIZE - 1 || kept + step > size) {
            break;
        }
        kept += step;
    }
    return kept;
}

static size_t fold_word(const struct token *token, char folded[TOKEN_NAME_SIZE + 4])
{
    size_t size = token->size < TOKEN_NAME_SIZE + 4 ? token->size : TOKEN_NAME_SIZE + 4;

    for (size_t i = 0; i < size; i++) {
        folded[i] = fold(token->text[i]);
    }
    return size;
}

/* Undoubles the quotes; stops when there is more than clip_name() can need. */
static size_t unquote_name(const struct token *token, char name[TOKEN_NAME_SIZE + 4])
{
    size_t size = 0;

    for (size_t i = 1; i + 1 < token->size && size < TOKEN_NAME_SIZE + 4; i++) {
        name[size++] = token->text[i];
        i += token->text[i] == '"';
    }
    return size;
}

bool token_name(const struct token *token, char name[TOKEN_NAME_SIZE])
{
    char whole[TOKEN_NAME_SIZE + 4]; /* one character more than is kept */
    size_t size;

    if (token->kind == TOKEN_WORD) {
        size = fold_word(token, whole);
    } else if (token->kind == TOKEN_QUOTED && token->text[0] == '"') {
        size = unquote_name(token, whole);
    } else {
        return false;
    }
    size = clip_name(whole, size);
    memcpy(name, whole, size);
    name[size] = '\0';
    return true;
}

/* Where token_string() writes. */
struct output {
    char *bytes;
    size_t size, capacity;
    bool has_failed; /* it did not fit, or had a zero byte */
};

static void put(struct output *output, char byte)
{
    if (byte == '\0' || output->size + 1 >= output->capacity) {
        output->has_failed = true;
        return;
    }
    output->bytes[output->size++] = byte;
}

static void put_codepoint(struct output *output, uint32_t code)
{
    if (code < 0x80) {
        put(output, (char)code);
        return;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
    put(output, (char)(leads[more] | code >> (6 * more)));
    while (more-- > 0) {
        put(output, (char)(0x80 | (code >> (6 * more) & 0x3f)));
    }
}

/* One piece of a string, between its quotes. */
static void put_piece(struct output *output, const char *at, const char *end, bool is_escaped)
{
    while (at < end) {
        struct escape escape;
        if (*at != '\\' || !is_escaped) {
            put(output, *at);
            at += *at == '\'' ? 2 : 1;
            continue;
        }
        if (!read_escape(at, end, &escape)) {
            output->has_failed = true;
            return;
        }
        at = escape.next;
        if (escape.is_codepoint) {
            put_codepoint(output, escape.code);
        } else {
            put(output, (char)escape.code);
        }
    }
}

static void put_dollar(struct output *output, const struct token *token)
{
    size_t tag = tag_size(token->text, token->text + token->size);

    for (size_t i = tag; i + tag < token->size; i++) {
        put(output, token->text[i]);
    }
}

bool token_string(const struct token *token, bool standard_conforming_strings, char *value,
                  size_t size)
{
    struct output output = {.bytes = value, .capacity = size};

    if (token->kind != TOKEN_STRING || size == 0) {
        return false;
    }
    char first = fold(token->text[0]);
    const char *end = token->text + token->size;
    bool is_escaped = first == 'e' || !standard_conforming_strings;
    if (token->text[0] == '$') {
        put_dollar(&output, token);
    } else if (token->text[0] == '\'' || first == 'e') {
        const char *at = token->text + (first == 'e');
        while (at != NULL) {
            const char *quote = find_quote(at + 1, end, is_escaped ? STRING_ESCAPED : STRING_PLAIN);
            if (quote == NULL) {
                return false;
            }
            put_piece(&output, at + 1, quote, is_escaped);
            at = find_continuation(quote + 1, end);
        }
    } else {
        return false;
    }
    value[output.size] = '\0';
    return !output.has_failed;
}
