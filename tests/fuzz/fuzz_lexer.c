/* Any text: tokens are not empty, in order and inside it; only blanks and comments lie between
 * them; TOKEN_BAD is the rest; a token alone is the same token; names and strings have their
 * limits. */
#include <stdlib.h>
#include <string.h>

#include "sql/lexer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

/* Cut out of its text, which may end anywhere, the token must be read without looking behind it. */
static void check_alone(const struct token *token, bool is_standard)
{
    char *copy = malloc(token->size);
    struct lexer lexer;

    expect(copy != NULL);
    memcpy(copy, token->text, token->size);
    lexer_begin(&lexer, copy, token->size, is_standard);
    struct token again = lexer_next(&lexer);
    /* "1" of 1..2 and "+" of +-- stay whole; nothing may grow or split. */
    expect(again.kind == token->kind && again.size == token->size);
    expect(lexer_next(&lexer).kind == TOKEN_END);
    free(copy);
}

static void check_values(const struct token *token, bool is_standard)
{
    char name[TOKEN_NAME_SIZE], value[64];

    if (token_name(token, name)) {
        expect(token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED);
        expect(memchr(name, '\0', sizeof name) != NULL);
    }
    if (token_string(token, is_standard, value, sizeof value)) {
        expect(token->kind == TOKEN_STRING && memchr(value, '\0', sizeof value) != NULL);
    }
}

static void check(const char *sql, size_t size, bool is_standard)
{
    const char *at = sql;
    struct lexer lexer;

    lexer_begin(&lexer, sql, size, is_standard);
    for (;;) {
        struct token token = lexer_next(&lexer);
        expect(token.text >= at && token.text + token.size <= sql + size);
        struct lexer between;
        lexer_begin(&between, at, (size_t)(token.text - at), is_standard);
        expect(lexer_next(&between).kind == TOKEN_END);
        if (token.kind == TOKEN_END) {
            return;
        }
        expect(token.size > 0);
        expect(token.kind != TOKEN_BAD || token.text + token.size == sql + size);
        check_alone(&token, is_standard);
        check_values(&token, is_standard);
        at = token.text + token.size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    check((const char *)bytes, size, true);
    check((const char *)bytes, size, false);
    return 0;
}
