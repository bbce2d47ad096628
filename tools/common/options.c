#include "common/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct option_row *find_row(const struct option_table *table, const char *name,
                                         size_t size)
{
    for (size_t i = 0; i < table->row_count; i++) {
        const char *candidate = table->rows[i].name;
        if (strlen(candidate) == size && memcmp(candidate, name, size) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

const char *options_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2; /* further away is no typing mistake */
    for (; *names != NULL; names++) {
        size_t distance = text_distance(word, *names);
        if (distance < best_distance) {
            best = *names;
            best_distance = distance;
        }
    }
    return best;
}

static bool unknown_option(const struct option_table *table, const char *name, struct error *err)
{
    const char *names[OPTION_LIST_MAX + 1];
    size_t count = 0;
    for (; count < table->row_count && count < OPTION_LIST_MAX; count++) {
        names[count] = table->rows[count].name;
    }
    names[count] = NULL;
    error_set(err, "42601", "unknown option --%s", name);
    const char *nearest = options_nearest(name, names);
    if (nearest != NULL) {
        error_hint(err, "did you mean --%s? '%s --help' lists all options", nearest,
                   table->program);
    }
    return false;
}

int options_unknown_word(const char *program, const char *kind, const char *word,
                         const char *const *names)
{
    struct error err = {0};
    const char *nearest = options_nearest(word, names);

    error_set(&err, "42601", "unknown %s \"%s\"", kind, word);
    if (nearest != NULL) {
        error_hint(&err, "did you mean %s? '%s --help' lists all", nearest, program);
    } else {
        error_hint(&err, "'%s --help' lists all", program);
    }
    error_print(&err, program, stderr);
    return 2;
}

bool options_integer(const char *text, long min, long max, long *number)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < min || value > max) {
        return false;
    }
    *number = value;
    return true;
}

bool options_duration(const char *text, int64_t *nanoseconds)
{
    static const struct {
        const char *suffix;
        double seconds;
    } units[] = {{"", 1}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}};
    char *end;
    double value = strtod(text, &end);

    if (end == text || !isfinite(value) || value < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].suffix) == 0) {
            double result = value * units[i].seconds * 1e9;
            if (result > 9e18) {
                return false;
            }
            *nanoseconds = (int64_t)(result + 0.5);
            return true;
        }
    }
    return false;
}

static bool set_integer(const struct option_row *row, const char *value, long *target,
                        struct error *err)
{
    if (!options_integer(value, (long)row->min, (long)row->max, target)) {
        return error_set(err, "22023", "--%s: \"%s\" is not a whole number in %.0f..%.0f",
                         row->name, value, row->min, row->max);
    }
    return true;
}

static bool set_decimal(const struct option_row *row, const char *value, double *target,
                        struct error *err)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end != '\0' || !(number >= row->min && number <= row->max)) {
        return error_set(err, "22023", "--%s: \"%s\" is not a number in %g..%g", row->name, value,
                         row->min, row->max);
    }
    *target = number;
    return true;
}

static bool set_duration(const struct option_row *row, const char *value, int64_t *target,
                         struct error *err)
{
    int64_t duration;
    if (!options_duration(value, &duration)) {
        return error_set(err, "22023", "--%s: \"%s\" is not a time such as 250ms, 10s or 2min",
                         row->name, value);
    }
    double seconds = (double)duration / 1e9;
    if (seconds < row->min || seconds > row->max) {
        return error_set(err, "22023", "--%s: %s is outside %g..%g seconds", row->name, value,
                         row->min, row->max);
    }
    *target = duration;
    return true;
}

static bool add_item(struct option_list *list, const char *what, const char *value,
                     struct error *err)
{
    if (list->count == OPTION_LIST_MAX) {
        return error_set(err, "54000", "%s: more than %d of them", what, OPTION_LIST_MAX);
    }
    list->items[list->count++] = value;
    return true;
}

static bool set_value(const struct option_row *row, const char *value, void *target,
                      struct error *err)
{
    void *field = (char *)target + row->offset;
    switch (row->kind) {
    case OPTION_FLAG: *(bool *)field = true; return true;
    case OPTION_TEXT: *(const char **)field = value; return true;
    case OPTION_LIST: return add_item(field, row->name, value, err);
    case OPTION_INTEGER: return set_integer(row, value, field, err);
    case OPTION_DECIMAL: return set_decimal(row, value, field, err);
    case OPTION_DURATION: return set_duration(row, value, field, err);
    }
    return false;
}

/* Reads argv[*at], an option, and its value; leaves *at on the last word used. */
static bool parse_option(const struct option_table *table, int argc, char **argv, int *at,
                         void *target, struct error *err)
{
    const char *name = argv[*at] + 2;
    const char *equals = strchr(name, '=');
    size_t size = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option_row *row = find_row(table, name, size);

    if (row == NULL) {
        return unknown_option(table, name, err);
    }
    if (row->kind == OPTION_FLAG) {
        if (equals != NULL) {
            return error_set(err, "42601", "--%s takes no value", row->name);
        }
        return set_value(row, NULL, target, err);
    }
    if (equals != NULL) {
        return set_value(row, equals + 1, target, err);
    }
    if (*at + 1 >= argc) {
        return error_set(err, "42601", "--%s needs a value: --%s %s", row->name, row->name,
                         row->value);
    }
    return set_value(row, argv[++*at], target, err);
}

enum options_result options_parse(const struct option_table *table, int argc, char **argv,
                                  void *target, struct option_list *words, struct error *err)
{
    bool is_ended = false;
    words->count = 0;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        bool is_ok;
        if (is_ended || word[0] != '-' || word[1] == '\0') {
            is_ok = add_item(words, "arguments", word, err);
        } else if (strcmp(word, "--") == 0) {
            is_ended = is_ok = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            return OPTIONS_HELP;
        } else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
            return OPTIONS_VERSION;
        } else if (word[1] != '-') {
            is_ok = error_set(err, "42601", "unknown option %s", word);
        } else {
            is_ok = parse_option(table, argc, argv, &at, target, err);
        }
        if (!is_ok) {
            error_hint(err, "'%s --help' lists all options", table->program);
            return OPTIONS_BAD;
        }
    }
    return OPTIONS_OK;
}

void options_help(const struct option_table *table, FILE *out)
{
    fprintf(out, "usage: %s\n\n%s\n\noptions:\n", table->usage, table->description);
    for (size_t i = 0; i < table->row_count; i++) {
        const struct option_row *row = &table->rows[i];
        char left[48];
        if (row->help == NULL) {
            continue;
        }
        snprintf(left, sizeof left, "--%s%s%s", row->name, row->value != NULL ? " " : "",
                 row->value != NULL ? row->value : "");
        fprintf(out, "  %-26s %s\n", left, row->help);
    }
    fprintf(out, "  %-26s %s\n  %-26s %s\n", "--help", "print this and exit", "--version",
            "print the version and exit");
    if (table->epilogue != NULL) {
        fprintf(out, "\n%s\n", table->epilogue);
    }
}
