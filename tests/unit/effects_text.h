/* tests/effects_text: effects as one line of text, for tables of cases.
 *
 * Test code only.  "0:SET timezone='UTC' 1:COMMIT+": statement, kind, setting or name, value; a +
 * is AND CHAIN. */
#pragma once

#include <stdio.h>

#include "sql/effects.h"

static const char *const effect_names[] = {
    [EFFECT_NONE] = "NONE",
    [EFFECT_BEGIN] = "BEGIN",
    [EFFECT_COMMIT] = "COMMIT",
    [EFFECT_ROLLBACK] = "ROLLBACK",
    [EFFECT_SAVEPOINT] = "SAVEPOINT",
    [EFFECT_RELEASE] = "RELEASE",
    [EFFECT_ROLLBACK_TO] = "ROLLBACK_TO",
    [EFFECT_SET] = "SET",
    [EFFECT_SET_LOCAL] = "LOCAL",
    [EFFECT_RESET] = "RESET",
    [EFFECT_RESET_ALL] = "RESET_ALL",
    [EFFECT_DISCARD_ALL] = "DISCARD_ALL",
    [EFFECT_DISCARD_PLANS] = "DISCARD_PLANS",
    [EFFECT_DISCARD_TEMP] = "DISCARD_TEMP",
    [EFFECT_SETTINGS_UNKNOWN] = "SETTINGS",
    [EFFECT_PREPARE] = "PREPARE",
    [EFFECT_EXECUTE] = "EXECUTE",
    [EFFECT_DEALLOCATE] = "DEALLOCATE",
    [EFFECT_DEALLOCATE_ALL] = "DEALLOCATE_ALL",
    [EFFECT_LISTEN] = "LISTEN",
    [EFFECT_UNLISTEN] = "UNLISTEN",
    [EFFECT_UNLISTEN_ALL] = "UNLISTEN_ALL",
    [EFFECT_TEMP] = "TEMP",
    [EFFECT_HOLD_CURSOR] = "HOLD",
    [EFFECT_CLOSE_CURSOR] = "CLOSE",
    [EFFECT_CLOSE_ALL] = "CLOSE_ALL",
    [EFFECT_ADVISORY_LOCK] = "LOCK",
    [EFFECT_ADVISORY_UNLOCK_ALL] = "UNLOCK_ALL",
    [EFFECT_LOAD] = "LOAD",
    [EFFECT_SEQUENCE_STATE] = "SEQUENCE",
    [EFFECT_UNKNOWN] = "UNKNOWN",
};

static inline const char *effects_text(const struct effects *effects, const char *sql, char *out,
                                       size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < effects->count && used < size; i++) {
        const struct effect *effect = &effects->list[i];
        used += (size_t)snprintf(out + used, size - used, "%s%u:%s%s", i == 0 ? "" : " ",
                                 effect->statement, effect_names[effect->kind],
                                 effect->is_chained ? "+" : "");
        if (used < size && (effect->name.size > 0 || effect->setting[0] != '\0')) {
            used += (size_t)snprintf(out + used, size - used, " %.*s%s", (int)effect->name.size,
                                     sql + effect->name.offset, effect->setting);
        }
        if (used < size && effect->literal != NULL) {
            used += (size_t)snprintf(out + used, size - used, "=<%s>", effect->literal);
        } else if (used < size && effect->value.size > 0) {
            static const char *const forms[] = {"=", "=zone ", "=call "};
            used += (size_t)snprintf(out + used, size - used, "%s%.*s", forms[effect->form],
                                     (int)effect->value.size, sql + effect->value.offset);
        }
    }
    return out;
}
