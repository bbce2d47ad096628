#include "sql/reader.h"

void reader_advance(struct reader *reader)
{
    if (token_is_punctuation(&reader->token, '(')) {
        reader->depth++;
    } else if (token_is_punctuation(&reader->token, ')') && reader->depth > 0) {
        reader->depth--;
    }
    reader->before = reader->previous;
    reader->previous = reader->token;
    reader->consumed = reader->token.text + reader->token.size;
    reader->token = reader->next;
    if (reader->next.kind != TOKEN_END) {
        reader->next = lexer_next(&reader->lexer);
    }
}

void reader_restart(struct reader *reader)
{
    reader->before = reader->previous = (struct token){.kind = TOKEN_END};
}

bool reader_is_at_end(const struct reader *reader)
{
    return reader->token.kind == TOKEN_END || reader->token.kind == TOKEN_BAD ||
           (reader->depth == 0 && token_is_punctuation(&reader->token, ';'));
}

bool reader_is(const struct reader *reader, const char *keyword)
{
    return token_is(&reader->token, keyword);
}

bool reader_next_is(const struct reader *reader, const char *keyword)
{
    return token_is(&reader->next, keyword);
}

bool reader_accept(struct reader *reader, const char *keyword)
{
    if (!reader_is(reader, keyword)) {
        return false;
    }
    reader_advance(reader);
    return true;
}

struct effect *reader_note(struct reader *reader, enum effect_kind kind)
{
    struct effects *effects = reader->effects;
    struct effect *effect = &reader->overflow;

    if (effects->count == EFFECT_MAX) {
        effects->list[EFFECT_MAX - 1] =
            (struct effect){.kind = EFFECT_UNKNOWN, .statement = effects->statement_count};
    } else {
        effect = &effects->list[effects->count++];
    }
    *effect = (struct effect){.kind = kind, .statement = effects->statement_count};
    return effect;
}

struct effect_span reader_span(const struct reader *reader, const char *from)
{
    const char *end = reader->consumed;
    if (end < from) {
        return (struct effect_span){0};
    }
    return (struct effect_span){(size_t)(from - reader->sql), (size_t)(end - from)};
}

void reader_note_named(struct reader *reader, enum effect_kind kind)
{
    char name[TOKEN_NAME_SIZE];
    const char *start = reader->token.text;

    if (reader->token.kind != TOKEN_WORD && reader->token.kind != TOKEN_QUOTED) {
        return;
    }
    bool is_readable = token_name(&reader->token, name);
    reader_advance(reader);
    if (!is_readable) {
        reader_note(reader, EFFECT_UNKNOWN);
        return;
    }
    reader_note(reader, kind)->name = reader_span(reader, start);
}
