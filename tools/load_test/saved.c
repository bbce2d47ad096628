#include "load_test/saved.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct saved *saved_create(void)
{
    return calloc(1, sizeof(struct saved));
}

/* A value is one line: what would end it becomes a blank. */
static void make_one_line(char *value)
{
    for (; *value != '\0'; value++) {
        if ((unsigned char)*value < 0x20) {
            *value = ' ';
        }
    }
}

void saved_set(struct saved *saved, const char *name, const char *value_format, ...)
{
    va_list args;
    size_t at = 0;

    while (at < saved->setting_count && strcmp(saved->settings[at].name, name) != 0) {
        at++;
    }
    if (at == SAVED_SETTINGS_MAX) {
        return;
    }
    struct saved_setting *setting = &saved->settings[at];
    if (at == saved->setting_count) {
        saved->setting_count++;
        snprintf(setting->name, sizeof setting->name, "%s", name);
    }
    va_start(args, value_format);
    vsnprintf(setting->value, sizeof setting->value, value_format, args);
    va_end(args);
    make_one_line(setting->value);
}

static struct saved_metric *find(struct saved *saved, const char *name)
{
    for (size_t i = 0; i < saved->metric_count; i++) {
        if (strcmp(saved->metrics[i].name, name) == 0) {
            return &saved->metrics[i];
        }
    }
    return NULL;
}

/* The row of that name, made if need be; NULL when the table is full. */
static struct saved_metric *find_or_add(struct saved *saved, const char *name, const char *unit)
{
    struct saved_metric *metric = find(saved, name);
    if (metric != NULL || saved->metric_count == METRICS_MAX) {
        return metric;
    }
    metric = &saved->metrics[saved->metric_count++];
    snprintf(metric->name, sizeof metric->name, "%s", name);
    snprintf(metric->unit, sizeof metric->unit, "%s", unit);
    for (size_t i = 0; i < SAVED_REPETITIONS_MAX; i++) {
        metric->values[i] = NAN;
    }
    return metric;
}

void saved_add(struct saved *saved, const struct metrics *metrics)
{
    if (saved->repetitions == SAVED_REPETITIONS_MAX) {
        return;
    }
    for (size_t i = 0; i < metrics->count; i++) {
        const struct metric *row = &metrics->rows[i];
        struct saved_metric *metric = find_or_add(saved, row->name, row->unit);
        if (metric != NULL) {
            metric->values[saved->repetitions] = row->value;
        }
    }
    saved->repetitions++;
}

const struct saved_metric *saved_find(const struct saved *saved, const char *name)
{
    for (size_t i = 0; i < saved->metric_count; i++) {
        if (strcmp(saved->metrics[i].name, name) == 0) {
            return &saved->metrics[i];
        }
    }
    return NULL;
}

const char *saved_setting(const struct saved *saved, const char *name)
{
    for (size_t i = 0; i < saved->setting_count; i++) {
        if (strcmp(saved->settings[i].name, name) == 0) {
            return saved->settings[i].value;
        }
    }
    return NULL;
}

static void write_value(double value, struct text *text)
{
    if (isnan(value)) {
        text_append(text, " ?");
    } else if (isinf(value)) {
        text_append(text, " inf");
    } else {
        text_appendf(text, " %.10g", value);
    }
}

void saved_write(const struct saved *saved, struct text *text)
{
    text_append(text, "DATA load_test 1\n");
    for (size_t i = 0; i < saved->setting_count; i++) {
        text_appendf(text, "set %s = %s\n", saved->settings[i].name, saved->settings[i].value);
    }
    for (size_t i = 0; i < saved->metric_count; i++) {
        const struct saved_metric *metric = &saved->metrics[i];
        text_appendf(text, "%s %s", metric->name, metric->unit);
        for (size_t j = 0; j < saved->repetitions; j++) {
            write_value(metric->values[j], text);
        }
        text_append(text, "\n");
    }
    text_appendf(text, "END %zu settings, %zu metrics, %zu repetitions\n", saved->setting_count,
                 saved->metric_count, saved->repetitions);
}

/* JSON knows neither NaN nor infinity: null, and the text "inf". */
static json_t *json_value(double value)
{
    return isnan(value) ? json_null() : isinf(value) ? json_string("inf") : json_real(value);
}

static json_t *json_metric(const struct saved_metric *metric, size_t repetitions)
{
    json_t *values = json_array();
    for (size_t i = 0; i < repetitions; i++) {
        json_array_append_new(values, json_value(metric->values[i]));
    }
    return json_pack("{s:s, s:s, s:o}", "name", metric->name, "unit", metric->unit, "values",
                     values);
}

bool saved_write_json(const struct saved *saved, json_t *object)
{
    json_t *settings = json_object(), *metrics = json_array();
    bool is_ok = settings != NULL && metrics != NULL;

    for (size_t i = 0; is_ok && i < saved->setting_count; i++) {
        /* A setting may hold bytes that are not UTF-8; JSON can't. */
        json_t *value = json_string(saved->settings[i].value);
        is_ok = json_object_set_new(settings, saved->settings[i].name,
                                    value != NULL ? value : json_string("?")) == 0;
    }
    for (size_t i = 0; is_ok && i < saved->metric_count; i++) {
        is_ok = json_array_append_new(metrics,
                                      json_metric(&saved->metrics[i], saved->repetitions)) == 0;
    }
    is_ok = json_object_set_new(object, "settings", settings) == 0 && is_ok;
    is_ok = json_object_set_new(object, "metrics", metrics) == 0 && is_ok;
    return json_object_set_new(object, "repetitions",
                               json_integer((json_int_t)saved->repetitions)) == 0 &&
           is_ok;
}
