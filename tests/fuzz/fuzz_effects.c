/* Any text: spans lie inside it, counts and statements are in order, and where effects_may_be()
 * says no, effects_read() finds nothing but a lone BEGIN, COMMIT or ROLLBACK. */
#include <stdlib.h>
#include <string.h>

#include "sql/effects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void check_effect(const struct effect *effect, const char *sql, size_t size)
{
    char replay[256];

    expect(effect->name.offset + effect->name.size <= size);
    expect(effect->value.offset + effect->value.size <= size);
    expect(memchr(effect->setting, '\0', sizeof effect->setting) != NULL);
    if (effect->kind == EFFECT_SET || effect->kind == EFFECT_RESET) {
        expect(effect->setting[0] != '\0' || effect->kind == EFFECT_RESET ||
               effect->value.size > 0);
        if (effect_replay(effect, sql, replay, sizeof replay)) {
            expect(strlen(replay) < sizeof replay);
        }
    }
}

static void check(const char *sql, size_t size, bool is_standard)
{
    struct effects effects;

    effects_read(sql, size, is_standard, &effects);
    expect(effects.count <= EFFECT_MAX);
    for (unsigned i = 0; i < effects.count; i++) {
        check_effect(&effects.list[i], sql, size);
        expect(effects.list[i].statement < effects.statement_count);
        expect(i == 0 || effects.list[i - 1].statement <= effects.list[i].statement);
    }
    enum effect_kind lone = effects_lone_transaction(sql, size);
    if (lone != EFFECT_NONE) {
        expect(effects.count == 1 && effects.statement_count == 1);
        expect(effects.list[0].kind == lone && !effects.list[0].is_chained);
        return;
    }
    expect(effects_may_be(sql, size) || (effects.count == 0 && !effects.is_ddl));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    check((const char *)bytes, size, true);
    check((const char *)bytes, size, false);
    return 0;
}
