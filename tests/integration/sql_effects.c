/* Prints what effects_read() finds in the SQL on standard input, for test_sql.py, as JSON:
 * {"effects": [{"kind", "setting", "replay"}], "strings": [the values of its string constants]}.
 *
 * usage: sql_effects on|off    (standard_conforming_strings) */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "../unit/effects_text.h"
#include "sql/effects.h"
#include "sql/lexer.h"

enum { TEXT_SIZE = 65536, VALUE_SIZE = 4096 };

static json_t *effects_json(const char *sql, size_t size, bool is_standard)
{
    json_t *list = json_array();
    struct effects effects;

    effects_read(sql, size, is_standard, &effects);
    for (unsigned i = 0; i < effects.count; i++) {
        const struct effect *effect = &effects.list[i];
        json_t *item =
            json_pack("{s:s, s:s}", "kind", effect_names[effect->kind], "setting", effect->setting);
        char replay[VALUE_SIZE];
        if ((effect->kind == EFFECT_SET || effect->kind == EFFECT_RESET) &&
            effect_replay(effect, sql, replay, sizeof replay)) {
            json_object_set_new(item, "replay", json_string(replay));
        }
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *strings_json(const char *sql, size_t size, bool is_standard)
{
    json_t *list = json_array();
    struct lexer lexer;
    struct token token;

    lexer_begin(&lexer, sql, size, is_standard);
    while ((token = lexer_next(&lexer)).kind != TOKEN_END) {
        char value[VALUE_SIZE];
        if (token.kind == TOKEN_STRING && token_string(&token, is_standard, value, sizeof value)) {
            json_array_append_new(list, json_string(value));
        }
    }
    return list;
}

int main(int argc, char **argv)
{
    static char sql[TEXT_SIZE];
    size_t size = fread(sql, 1, sizeof sql, stdin);

    if (argc != 2 || size == sizeof sql) {
        fprintf(stderr, "usage: sql_effects on|off\n");
        return 2;
    }
    bool is_standard = strcmp(argv[1], "on") == 0;
    json_t *answer = json_pack("{s:o, s:o}", "effects", effects_json(sql, size, is_standard),
                               "strings", strings_json(sql, size, is_standard));
    bool is_written = answer != NULL && json_dumpf(answer, stdout, JSON_COMPACT) == 0;
    json_decref(answer);
    return is_written ? 0 : 1;
}
