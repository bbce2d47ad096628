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

/* With the words of a choice as code. */
static void document_limits(const struct setting *setting, FILE *out)
{
    char limits[SETTING_TEXT_SIZE];

    if (setting->choices == NULL) {
        setting_limits(setting, limits);
        fputs(limits, out);
        return;
    }
    for (size_t i = 0; setting->choices[i] != NULL; i++) {
        fprintf(out, "%s`%s`", i > 0 ? ", " : "", setting->choices[i]);
    }
}

static void document_row(const struct setting *setting, FILE *out)
{
    bool has_unit = setting->unit[0] != '\0' && setting->choices == NULL;

    fprintf(out, "| `%s` | %s%s%s%s | ", setting->name, type_names[setting->type],
            has_unit ? " (" : "", has_unit ? setting->unit : "", has_unit ? ")" : "");
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
