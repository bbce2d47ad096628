#include "load_test/metric.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static bool is_name_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '.' || byte == '_' || byte == '-';
}

void metrics_add(struct metrics *metrics, double value, const char *unit, const char *name_format,
                 ...)
{
    if (metrics->count == METRICS_MAX) {
        return;
    }
    struct metric *row = &metrics->rows[metrics->count++];
    va_list args;

    va_start(args, name_format);
    vsnprintf(row->name, sizeof row->name, name_format, args);
    va_end(args);
    for (char *at = row->name; *at != '\0'; at++) {
        if (!is_name_byte(*at)) {
            *at = '_';
        }
    }
    snprintf(row->unit, sizeof row->unit, "%s", unit);
    row->value = value;
}

const struct metric *metrics_find(const struct metrics *metrics, const char *name)
{
    for (size_t i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->rows[i].name, name) == 0) {
            return &metrics->rows[i];
        }
    }
    return NULL;
}

const char *metrics_nearest(const struct metrics *metrics, const char *name)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 2; /* further away is no typing mistake */
    for (size_t i = 0; i < metrics->count; i++) {
        size_t distance = text_distance(name, metrics->rows[i].name);
        if (distance < best_distance) {
            best = metrics->rows[i].name;
            best_distance = distance;
        }
    }
    return best;
}

bool metric_unit_is_known(const char *unit)
{
    static const char *const units[] = {"ms", "s", "/s", "%", "B", "-"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool metric_name_is_valid(const char *name, size_t size)
{
    if (size == 0 || size >= METRIC_NAME_SIZE || !isalpha((unsigned char)name[0])) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!is_name_byte(name[i])) {
            return false;
        }
    }
    return true;
}

bool metric_parse_number(const char *bytes, size_t size, double *number)
{
    char copy[64];
    char *end;

    /* strtod also reads "inf", "nan" and hexadecimal: none of them is ours. */
    if (size == 0 || size >= sizeof copy || strspn(bytes, "0123456789+-.eE") < size) {
        return false;
    }
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    double value = strtod(copy, &end);
    if (end != copy + size || !isfinite(value)) {
        return false;
    }
    *number = value;
    return true;
}

const char *metric_format(char buffer[METRIC_VALUE_SIZE], double value)
{
    char grouped[TEXT_NUMBER_SIZE];
    double size = fabs(value);

    if (!isfinite(value)) {
        snprintf(buffer, METRIC_VALUE_SIZE, "?");
    } else if (size >= 1000 && size < 1e15) {
        snprintf(buffer, METRIC_VALUE_SIZE, "%s", text_grouped(grouped, llround(value), ','));
    } else if (size >= 1e15) {
        snprintf(buffer, METRIC_VALUE_SIZE, "%.3g", value);
    } else if (value == floor(value)) {
        snprintf(buffer, METRIC_VALUE_SIZE, "%.0f", value);
    } else {
        snprintf(buffer, METRIC_VALUE_SIZE, size < 20 ? "%.2f" : "%.1f", value);
    }
    return buffer;
}
