/* docs/settings.md, from the table. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "config/settings_private.h"

static const char *const titles[GROUP_COUNT] = {
    [GROUP_CLIENTS] = "Clients",       [GROUP_POOLS] = "Pools", [GROUP_SERVERS] = "Servers",
    [GROUP_LOGIN] = "Who may come in", [GROUP_TLS] = "TLS",     [GROUP_OPERATION] = "Operation",
};

static const char *const type_names[] = {
    [SETTING_INTEGER] = "number", [SETTING_BOOLEAN] = "true or false",
    [SETTING_STRING] = "text",    [SETTING_TIME] = "time",
    [SETTING_SIZE] = "size",      [SETTING_CHOICE] = "choice",
};

static void document_choices(const struct setting *setting, FILE *out)
{
    for (size_t i = 0; setting->choices[i] != NULL; i++) {
        fprintf(out, "%s`%s`", i > 0 ? ", " : "", setting->choices[i]);
    }
}

static void document_limits(const struct setting *setting, FILE *out)
{
    if (setting->choices != NULL) {
        document_choices(setting, out);
        return;
    }
    switch (setting->type) {
    case SETTING_BOOLEAN:
    case SETTING_CHOICE: fputs("`true`, `false`", out); return;
    case SETTING_STRING:
        fprintf(out, "at most %" PRId64 " bytes%s", setting->max,
                setting->min > 0 ? ", not empty" : "");
        return;
    case SETTING_INTEGER:
    case SETTING_TIME:
    case SETTING_SIZE: break;
    }
    if (strcmp(setting->unit, "octal") == 0) {
        fprintf(out, "%04" PRIo64 "–%04" PRIo64 " (octal)", setting->min, setting->max);
        return;
    }
    fprintf(out, "%" PRId64 "–%" PRId64 "%s%s", setting->min, setting->max,
            setting->unit[0] != '\0' ? " " : "", setting->unit);
}

static void document_row(const struct setting *setting, FILE *out)
{
    fprintf(out, "| `%s` | %s | ", setting->name, type_names[setting->type]);
    fprintf(out, setting->fallback[0] != '\0' ? "`%s` | " : "empty%s | ", setting->fallback);
    document_limits(setting, out);
    fprintf(out, " | %s | %s |\n", setting->reload == RELOAD_LIVE ? "reload" : "restart",
            setting->help);
}

void settings_document(FILE *out)
{
    for (int group = 0; group < GROUP_COUNT; group++) {
        fprintf(out, "\n## %s\n\n", titles[group]);
        fputs("| Setting | Type | Default | Limits | Changes at | Meaning |\n"
              "|---|---|---|---|---|---|\n",
              out);
        for (size_t i = 0; i < settings_count; i++) {
            if ((int)settings_table[i].group == group) {
                document_row(&settings_table[i], out);
            }
        }
    }
}
