/* DO: the words of its body, as text; no PL/pgSQL parser. */
#include <string.h>

#include "sql/reader.h"

static const struct {
    const char *word;
    enum effect_kind kind;
} words[] = {
    {"deallocate", EFFECT_UNKNOWN},   {"discard", EFFECT_UNKNOWN},
    {"execute", EFFECT_UNKNOWN}, /* of a text that may be put together */
    {"listen", EFFECT_UNKNOWN},       {"load", EFFECT_LOAD},
    {"prepare", EFFECT_UNKNOWN},      {"reset", EFFECT_SETTINGS_UNKNOWN},
    {"set", EFFECT_SETTINGS_UNKNOWN}, {"temp", EFFECT_TEMP},
    {"temporary", EFFECT_TEMP},       {"unlisten", EFFECT_UNKNOWN},
};

static enum effect_kind effect_of_word(const char *word)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i].word) == 0) {
            return words[i].kind;
        }
    }
    if (strncmp(word, "pg_temp", 7) == 0) {
        return EFFECT_TEMP;
    }
    return effects_of_function(word);
}

static bool is_ddl_word(const char *word)
{
    return strcmp(word, "alter") == 0 || strcmp(word, "create") == 0 || strcmp(word, "drop") == 0 ||
           strcmp(word, "truncate") == 0 || strcmp(word, "into") == 0;
}

static bool is_word(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '_' || letter == '$' ||
           (letter & 0x80) != 0;
}

/* The word at `at` in lower case, cut; its whole size.  Dollars part words here: $tag$set. */
static size_t copy_word(const char *at, const char *end, char word[TOKEN_NAME_SIZE])
{
    size_t size = 0, kept = 0;

    for (; at + size < end && is_word(at[size]) && at[size] != '$'; size++) {
        char letter = at[size];
        if (kept + 1 < TOKEN_NAME_SIZE) {
            word[kept++] = (char)(letter >= 'A' && letter <= 'Z' ? letter | 0x20 : letter);
        }
    }
    word[kept] = '\0';
    return size;
}

static void note_once(struct reader *reader, enum effect_kind kind, uint64_t *noted)
{
    if (kind != EFFECT_NONE && (*noted & UINT64_C(1) << kind) == 0) {
        *noted |= UINT64_C(1) << kind;
        reader_note(reader, kind);
    }
}

/* Whether a body in quotes may not be what it looks like: escapes, or pieces over lines. */
static bool may_hide_words(const struct token *body, bool is_standard)
{
    const char *at = body->text + 1, *last = body->text + body->size - 1;

    if (body->text[0] == '$') {
        return false;
    }
    if (body->text[0] != '\'') {
        return true; /* E'', U&'', … */
    }
    for (; at < last; at++) {
        if ((*at == '\\' && !is_standard) || (*at == '\'' && at[1] != '\'')) {
            return true;
        }
        at += *at == '\'';
    }
    return false;
}

static void read_body(struct reader *reader, const struct token *body, uint64_t *noted)
{
    const char *at = body->text, *end = at + body->size;

    if (may_hide_words(body, reader->lexer.is_standard)) {
        note_once(reader, EFFECT_UNKNOWN, noted);
    }
    while (at < end) {
        char word[TOKEN_NAME_SIZE];
        size_t size = copy_word(at, end, word);
        if (strcmp(word, "u") == 0 && end - at >= 3 && at[1] == '&' && at[2] == '"') {
            note_once(reader, EFFECT_UNKNOWN, noted); /* a name with escapes */
        }
        if (size > 0) {
            note_once(reader, effect_of_word(word), noted);
            reader->effects->is_ddl |= is_ddl_word(word);
        }
        at += size > 0 ? size : 1;
    }
}

void effects_do(struct reader *reader)
{
    char language[TOKEN_NAME_SIZE];
    uint64_t noted = 0;

    while (!reader_is_at_end(reader)) {
        if (reader_accept(reader, "language")) {
            bool is_known =
                token_name(&reader->token, language) ||
                token_string(&reader->token, reader->lexer.is_standard, language, sizeof language);
            if (!is_known || strcmp(language, "plpgsql") != 0) {
                note_once(reader, EFFECT_UNKNOWN, &noted);
            }
        } else if (reader->token.kind == TOKEN_STRING) {
            read_body(reader, &reader->token, &noted);
        }
        if (!reader_is_at_end(reader)) {
            reader_advance(reader);
        }
    }
}
