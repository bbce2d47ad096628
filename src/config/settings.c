#include "config/settings.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/quantity.h"
#include "config/settings_private.h"

/* ---- numbers ---- */

static enum quantity_kind kind_of(const struct setting *setting)
{
    return setting->type == SETTING_TIME ? QUANTITY_TIME : QUANTITY_SIZE;
}

/* A whole number without sign or leading zeros, which some read as octal. */
static bool read_integer(const char *text, const char *unit, int64_t *number)
{
    bool is_octal = strcmp(unit, "octal") == 0;
    size_t digits = strspn(text, is_octal ? "01234567" : "0123456789");

    if (digits == 0 || digits > 18 || text[digits] != '\0' ||
        (!is_octal && text[0] == '0' && digits > 1)) {
        return false;
    }
    *number = strtoll(text, NULL, is_octal ? 8 : 10);
    return true;
}

static void show_integer(int64_t number, const char *unit, char *text, size_t size)
{
    snprintf(text, size, strcmp(unit, "octal") == 0 ? "%04" PRIo64 : "%" PRId64, number);
}

/* ---- the fields ---- */

static int64_t *number_at(struct settings *settings, const struct setting *setting)
{
    return (int64_t *)(void *)((char *)settings + setting->offset);
}

static bool *boolean_at(struct settings *settings, const struct setting *setting)
{
    return (bool *)(void *)((char *)settings + setting->offset);
}

static char **string_at(struct settings *settings, const struct setting *setting)
{
    return (char **)(void *)((char *)settings + setting->offset);
}

static const void *field_at(const struct settings *settings, const struct setting *setting)
{
    return (const char *)settings + setting->offset;
}

/* ---- the table ---- */

const struct setting *setting_at(size_t index)
{
    return index < settings_count ? &settings_table[index] : NULL;
}

const struct setting *setting_find(const char *name)
{
    size_t low = 0, high = settings_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, settings_table[middle].name);
        if (order == 0) {
            return &settings_table[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const char *setting_nearest(const char *name)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 2; /* further away is no typing mistake */

    for (size_t i = 0; i < settings_count; i++) {
        size_t distance = text_distance(name, settings_table[i].name);
        if (distance < best_distance) {
            best = settings_table[i].name;
            best_distance = distance;
        }
    }
    return best;
}

/* ---- values from text ---- */

static void append_choices(const struct setting *setting, char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; setting->choices[i] != NULL; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 setting->choices[i]);
        assert(used < size);
    }
}

void setting_limits(const struct setting *setting, char text[SETTING_TEXT_SIZE])
{
    int64_t factor = 1;
    char least[64], most[64];

    if (setting->choices != NULL) {
        append_choices(setting, text, SETTING_TEXT_SIZE);
        return;
    }
    switch (setting->type) {
    case SETTING_INTEGER:
        show_integer(setting->min, setting->unit, least, sizeof least);
        show_integer(setting->max, setting->unit, most, sizeof most);
        snprintf(text, SETTING_TEXT_SIZE, "%s..%s", least, most);
        break;
    case SETTING_TIME:
    case SETTING_SIZE:
        factor = quantity_factor(kind_of(setting), setting->unit);
        quantity_show(setting->min * factor, kind_of(setting), least, sizeof least);
        quantity_show(setting->max * factor, kind_of(setting), most, sizeof most);
        snprintf(text, SETTING_TEXT_SIZE, "%s..%s", least, most);
        break;
    case SETTING_BOOLEAN:
    case SETTING_CHOICE: snprintf(text, SETTING_TEXT_SIZE, "true, false"); break;
    case SETTING_STRING:
        snprintf(text, SETTING_TEXT_SIZE, "at most %" PRId64 " bytes", setting->max);
        break;
    }
}

/* The place of `value` among the choices; -1 with `err` when it is none. */
static int64_t find_choice(const struct setting *setting, const char *name, const char *value,
                           struct error *err)
{
    char all[200];

    for (size_t i = 0; setting->choices[i] != NULL; i++) {
        if (strcmp(value, setting->choices[i]) == 0) {
            return (int64_t)i;
        }
    }
    append_choices(setting, all, sizeof all);
    error_set(err, "22023", "%s: \"%.60s\" is not one of its values", name, value);
    error_hint(err, "it may be %s", all);
    return -1;
}

static bool not_a_number(const struct setting *setting, const char *name, const char *value,
                         struct error *err)
{
    if (setting->type == SETTING_INTEGER) {
        return error_set(err, "22023", "%s: \"%.60s\" is not a whole number%s", name, value,
                         strcmp(setting->unit, "octal") == 0 ? " in octal" : "");
    }
    bool is_time = setting->type == SETTING_TIME;
    error_set(err, "22023", "%s: \"%.60s\" is no %s", name, value, is_time ? "time" : "size");
    return error_hint(err, "%s; a number alone is in %s",
                      is_time ? "units: us, ms, s, min, h, d" : "units: B, kB, MB, GB",
                      setting->unit);
}

bool setting_read_number(const struct setting *setting, const char *name, const char *value,
                         int64_t *number, struct error *err)
{
    char limits[SETTING_TEXT_SIZE];
    int64_t read = 0, factor = 1;
    bool is_read = false;

    if (setting->type == SETTING_CHOICE) {
        read = find_choice(setting, name, value, err);
        *number = read < 0 ? *number : read;
        return read >= 0;
    }
    if (setting->type == SETTING_INTEGER) {
        is_read = read_integer(value, setting->unit, &read);
    } else {
        is_read = quantity_read(value, kind_of(setting), setting->unit, &read);
        factor = quantity_factor(kind_of(setting), setting->unit);
    }
    if (!is_read) {
        return not_a_number(setting, name, value, err);
    }
    if (read < setting->min * factor || read > setting->max * factor) {
        setting_limits(setting, limits);
        return error_set(err, "22023", "%s: %.60s is outside %.120s", name, value, limits);
    }
    *number = read;
    return true;
}

static bool set_boolean(struct settings *settings, const struct setting *setting, const char *value,
                        struct error *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(value, words[i]) == 0) {
            *boolean_at(settings, setting) = i % 2 == 1;
            return true;
        }
    }
    return error_set(err, "22023", "%s: \"%.60s\" is neither true nor false", setting->name, value);
}

static bool set_string(struct settings *settings, const struct setting *setting, const char *value,
                       struct error *err)
{
    size_t size = strlen(value);

    if (setting->choices != NULL && find_choice(setting, setting->name, value, err) < 0) {
        return false;
    }
    if (size < (size_t)setting->min) {
        return error_set(err, "22023", "%s: must not be empty", setting->name);
    }
    if (size > (size_t)setting->max) {
        return error_set(err, "22023", "%s: has %zu bytes, more than %" PRId64, setting->name, size,
                         setting->max);
    }
    char *copy = strdup(value);
    if (copy == NULL) {
        return error_set(err, "53200", "%s: out of memory", setting->name);
    }
    free(*string_at(settings, setting));
    *string_at(settings, setting) = copy;
    return true;
}

static bool set_value(struct settings *settings, const struct setting *setting, const char *value,
                      struct error *err)
{
    switch (setting->type) {
    case SETTING_INTEGER:
    case SETTING_TIME:
    case SETTING_SIZE:
    case SETTING_CHOICE:
        return setting_read_number(setting, setting->name, value, number_at(settings, setting),
                                   err);
    case SETTING_BOOLEAN: return set_boolean(settings, setting, value, err);
    case SETTING_STRING: return set_string(settings, setting, value, err);
    }
    assert(false);
    return false;
}

bool setting_set(struct settings *settings, const char *name, const char *value, struct error *err)
{
    const struct setting *setting = setting_find(name);

    if (setting != NULL) {
        return set_value(settings, setting, value, err);
    }
    error_set(err, "42704", "unknown setting \"%.80s\"", name);
    const char *nearest = setting_nearest(name);
    return nearest == NULL ? false : error_hint(err, "did you mean %s?", nearest);
}

void setting_show_number(const struct setting *setting, int64_t number,
                         char text[SETTING_TEXT_SIZE])
{
    switch (setting->type) {
    case SETTING_INTEGER: show_integer(number, setting->unit, text, SETTING_TEXT_SIZE); break;
    case SETTING_TIME:
    case SETTING_SIZE: quantity_show(number, kind_of(setting), text, SETTING_TEXT_SIZE); break;
    case SETTING_CHOICE: snprintf(text, SETTING_TEXT_SIZE, "%s", setting->choices[number]); break;
    case SETTING_BOOLEAN:
    case SETTING_STRING:
        assert(false); /* they are no numbers */
        break;
    }
}

const char *setting_show(const struct settings *settings, const struct setting *setting,
                         char text[SETTING_TEXT_SIZE])
{
    const int64_t *number = field_at(settings, setting);
    const bool *boolean = field_at(settings, setting);
    char *const *string = field_at(settings, setting);

    if (setting->type == SETTING_STRING) {
        snprintf(text, SETTING_TEXT_SIZE, "%s", *string);
    } else if (setting->type == SETTING_BOOLEAN) {
        snprintf(text, SETTING_TEXT_SIZE, "%s", *boolean ? "true" : "false");
    } else {
        setting_show_number(setting, *number, text);
    }
    return text;
}

/* ---- all of them ---- */

bool settings_init(struct settings *settings, struct error *err)
{
    *settings = (struct settings){0};
    for (size_t i = 0; i < settings_count; i++) {
        if (!set_value(settings, &settings_table[i], settings_table[i].fallback, err)) {
            settings_done(settings);
            return false;
        }
    }
    return true;
}

void settings_done(struct settings *settings)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (settings_table[i].type == SETTING_STRING) {
            free(*string_at(settings, &settings_table[i]));
            *string_at(settings, &settings_table[i]) = NULL;
        }
    }
}

bool settings_copy(struct settings *to, const struct settings *from, struct error *err)
{
    *to = *from;
    /* First take over none of the strings, so that settings_done() is right at each point. */
    for (size_t i = 0; i < settings_count; i++) {
        if (settings_table[i].type == SETTING_STRING) {
            *string_at(to, &settings_table[i]) = NULL;
        }
    }
    for (size_t i = 0; i < settings_count; i++) {
        char *const *string = field_at(from, &settings_table[i]);
        if (settings_table[i].type != SETTING_STRING) {
            continue;
        }
        *string_at(to, &settings_table[i]) = strdup(*string);
        if (*string_at(to, &settings_table[i]) == NULL) {
            settings_done(to);
            return error_set(err, "53200", "out of memory");
        }
    }
    return true;
}
