#include "config/settings.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/settings_private.h"

/* ---- numbers with units ---- */

struct unit {
    const char *name;
    int64_t factor;
};

/* Ascending, each a multiple of those before it; as PostgreSQL names them. */
static const struct unit time_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"min", 60LL * 1000000000},
    {"h", 3600LL * 1000000000},
    {"d", 24LL * 3600 * 1000000000},
    {NULL, 0},
};
static const struct unit size_units[] = {
    {"B", 1}, {"kB", 1LL << 10}, {"MB", 1LL << 20}, {"GB", 1LL << 30}, {NULL, 0},
};

static const struct unit *units_of(const struct setting *setting)
{
    return setting->type == SETTING_TIME ? time_units : size_units;
}

/* 0 when there is none of that name. */
static int64_t unit_factor(const struct unit *units, const char *name)
{
    for (; units->name != NULL; units++) {
        if (strcmp(units->name, name) == 0) {
            return units->factor;
        }
    }
    return 0;
}

/* What follows the point, times `factor`: "25" of "s" is 250000000.  Digits beyond the precision
 * are an error, so that nothing is rounded unseen. */
static bool read_fraction(const char *digits, size_t count, int64_t factor, int64_t *number)
{
    int64_t numerator = 0, denominator = 1;

    while (count > 0 && digits[count - 1] == '0') {
        count--;
    }
    for (size_t i = 0; i < count; i++) {
        if (__builtin_mul_overflow(denominator, 10, &denominator)) {
            return false;
        }
        numerator = numerator * 10 + (digits[i] - '0');
    }
    if (__builtin_mul_overflow(numerator, factor, &numerator) || numerator % denominator != 0) {
        return false;
    }
    *number = numerator / denominator;
    return true;
}

/* "5", "2.5s", "100 ms"; a bare number is in `unit`s. */
static bool read_quantity(const char *text, const struct unit *units, const char *unit,
                          int64_t *number)
{
    size_t digits = strspn(text, "0123456789"), decimals = 0;
    const char *suffix = text + digits, *fraction = suffix + 1;
    int64_t whole = 0, part = 0;

    if (digits == 0) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, text[i] - '0', &whole)) {
            return false;
        }
    }
    if (*suffix == '.') {
        decimals = strspn(fraction, "0123456789");
        suffix = fraction + decimals;
        if (decimals == 0) {
            return false;
        }
    }
    suffix += strspn(suffix, " ");
    int64_t factor = unit_factor(units, *suffix != '\0' ? suffix : unit);
    return factor != 0 && !__builtin_mul_overflow(whole, factor, &whole) &&
           read_fraction(fraction, decimals, factor, &part) &&
           !__builtin_add_overflow(whole, part, number);
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

/* With the largest unit that divides it. */
static void show_quantity(int64_t number, const struct unit *units, char *text, size_t size)
{
    const struct unit *best = units;

    for (; units->name != NULL; units++) {
        if (number % units->factor == 0) {
            best = units;
        }
    }
    if (number == 0) {
        snprintf(text, size, "0");
        return;
    }
    snprintf(text, size, "%" PRId64 "%s", number / best->factor, best->name);
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

static bool out_of_range(const struct setting *setting, const char *value, struct error *err)
{
    char least[SETTING_TEXT_SIZE], most[SETTING_TEXT_SIZE];

    if (setting->type == SETTING_INTEGER) {
        show_integer(setting->min, setting->unit, least, sizeof least);
        show_integer(setting->max, setting->unit, most, sizeof most);
    } else {
        const struct unit *units = units_of(setting);
        int64_t factor = unit_factor(units, setting->unit);
        show_quantity(setting->min * factor, units, least, sizeof least);
        show_quantity(setting->max * factor, units, most, sizeof most);
    }
    return error_set(err, "22023", "%s: %.60s is outside %.60s..%.60s", setting->name, value, least,
                     most);
}

static bool set_number(struct settings *settings, const struct setting *setting, const char *value,
                       struct error *err)
{
    int64_t number = 0, factor = 1;
    bool is_integer = setting->type == SETTING_INTEGER;

    if (is_integer) {
        if (!read_integer(value, setting->unit, &number)) {
            return error_set(err, "22023", "%s: \"%.60s\" is not a whole number%s", setting->name,
                             value, strcmp(setting->unit, "octal") == 0 ? " in octal" : "");
        }
    } else {
        const struct unit *units = units_of(setting);
        if (!read_quantity(value, units, setting->unit, &number)) {
            bool is_time = setting->type == SETTING_TIME;
            error_set(err, "22023", "%s: \"%.60s\" is no %s", setting->name, value,
                      is_time ? "time" : "size");
            return error_hint(err, "%s; a number alone is in %s",
                              is_time ? "units: us, ms, s, min, h, d" : "units: B, kB, MB, GB",
                              setting->unit);
        }
        factor = unit_factor(units, setting->unit);
    }
    if (number < setting->min * factor || number > setting->max * factor) {
        return out_of_range(setting, value, err);
    }
    *number_at(settings, setting) = number;
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

/* The place of `value` among the choices; -1 with `err` when it is none. */
static int64_t find_choice(const struct setting *setting, const char *value, struct error *err)
{
    char all[200] = "";
    size_t size = 0;

    for (size_t i = 0; setting->choices[i] != NULL; i++) {
        if (strcmp(value, setting->choices[i]) == 0) {
            return (int64_t)i;
        }
        size += (size_t)snprintf(all + size, sizeof all - size, "%s%s", i > 0 ? ", " : "",
                                 setting->choices[i]);
        assert(size < sizeof all);
    }
    error_set(err, "22023", "%s: \"%.60s\" is not one of its values", setting->name, value);
    error_hint(err, "it may be %s", all);
    return -1;
}

static bool set_choice(struct settings *settings, const struct setting *setting, const char *value,
                       struct error *err)
{
    int64_t choice = find_choice(setting, value, err);

    if (choice < 0) {
        return false;
    }
    *number_at(settings, setting) = choice;
    return true;
}

static bool set_string(struct settings *settings, const struct setting *setting, const char *value,
                       struct error *err)
{
    size_t size = strlen(value);

    if (setting->choices != NULL && find_choice(setting, value, err) < 0) {
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
    case SETTING_SIZE: return set_number(settings, setting, value, err);
    case SETTING_BOOLEAN: return set_boolean(settings, setting, value, err);
    case SETTING_STRING: return set_string(settings, setting, value, err);
    case SETTING_CHOICE: return set_choice(settings, setting, value, err);
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

const char *setting_show(const struct settings *settings, const struct setting *setting,
                         char text[SETTING_TEXT_SIZE])
{
    const int64_t *number = field_at(settings, setting);
    const bool *boolean = field_at(settings, setting);
    char *const *string = field_at(settings, setting);

    switch (setting->type) {
    case SETTING_INTEGER: show_integer(*number, setting->unit, text, SETTING_TEXT_SIZE); break;
    case SETTING_TIME:
    case SETTING_SIZE: show_quantity(*number, units_of(setting), text, SETTING_TEXT_SIZE); break;
    case SETTING_BOOLEAN:
        snprintf(text, SETTING_TEXT_SIZE, "%s", *boolean ? "true" : "false");
        break;
    case SETTING_STRING: snprintf(text, SETTING_TEXT_SIZE, "%s", *string); break;
    case SETTING_CHOICE: snprintf(text, SETTING_TEXT_SIZE, "%s", setting->choices[*number]); break;
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
