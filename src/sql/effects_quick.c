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

bool effects_may_be(const char *sql, size_t size)
{
    return effects_lone_transaction(sql, size) == EFFECT_NONE;
}
