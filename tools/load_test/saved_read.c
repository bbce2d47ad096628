/* Reading a saved report back: from the DATA block of a text, or from a JSON report. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "load_test/saved.h"

struct reading {
    const char *at, *end; /* borrowed */
    size_t line;          /* number of the line that next_line() gave last */
    struct saved *saved;
};

struct word {
    const char *bytes;
    size_t size;
};

static bool bad_line(const struct reading *reading, const char *what, struct error *err)
{
    return error_set(err, "22000", "line %zu: %s", reading->line, what);
}

static bool next_line(struct reading *reading, struct word *line)
{
    if (reading->at == reading->end) {
        return false;
    }
    const char *stop = memchr(reading->at, '\n', (size_t)(reading->end - reading->at));
    *line =
        (struct word){reading->at, (size_t)((stop != NULL ? stop : reading->end) - reading->at)};
    reading->at = stop != NULL ? stop + 1 : reading->end;
    reading->line++;
    return true;
}

static bool is_text(struct word word, const char *text)
{
    return word.size == strlen(text) && memcmp(word.bytes, text, word.size) == 0;
}

static bool starts_with(struct word line, const char *text)
{
    return line.size >= strlen(text) && memcmp(line.bytes, text, strlen(text)) == 0;
}

/* Cuts the first word, up to a blank, off `rest`. */
static struct word take_word(struct word *rest)
{
    const char *blank = memchr(rest->bytes, ' ', rest->size);
    struct word word = {rest->bytes, blank != NULL ? (size_t)(blank - rest->bytes) : rest->size};
    size_t used = word.size + (blank != NULL);
    *rest = (struct word){rest->bytes + used, rest->size - used};
    return word;
}

static bool read_setting(struct reading *reading, struct word line, struct error *err)
{
    struct word set = take_word(&line), name = take_word(&line), equals = take_word(&line);
    char text[METRIC_NAME_SIZE];

    if (!is_text(set, "set") || !is_text(equals, "=") ||
        !metric_name_is_valid(name.bytes, name.size)) {
        return bad_line(reading, "expected \"set NAME = VALUE\"", err);
    }
    if (line.size >= SAVED_VALUE_SIZE || reading->saved->setting_count == SAVED_SETTINGS_MAX) {
        return bad_line(reading, "a setting that is too long, or one too many", err);
    }
    snprintf(text, sizeof text, "%.*s", (int)name.size, name.bytes);
    if (saved_setting(reading->saved, text) != NULL) {
        return bad_line(reading, "a setting that is there already", err);
    }
    saved_set(reading->saved, text, "%.*s", (int)line.size, line.bytes);
    return true;
}

static bool read_value(struct word word, double *value)
{
    if (is_text(word, "?")) {
        *value = NAN;
        return true;
    }
    if (is_text(word, "inf")) {
        *value = INFINITY;
        return true;
    }
    return metric_parse_number(word.bytes, word.size, value);
}

/* Adds the row; false with the line's error when it can't be one. */
static struct saved_metric *new_metric(struct reading *reading, struct word name, struct word unit,
                                       struct error *err)
{
    struct saved *saved = reading->saved;
    char text[METRIC_NAME_SIZE], unit_text[METRIC_UNIT_SIZE];

    if (!metric_name_is_valid(name.bytes, name.size) || unit.size >= METRIC_UNIT_SIZE) {
        bad_line(reading, "expected \"NAME UNIT VALUE …\"", err);
        return NULL;
    }
    snprintf(text, sizeof text, "%.*s", (int)name.size, name.bytes);
    snprintf(unit_text, sizeof unit_text, "%.*s", (int)unit.size, unit.bytes);
    if (!metric_unit_is_known(unit_text)) {
        bad_line(reading, "a unit that is none of ms, s, /s, %, B and -", err);
        return NULL;
    }
    if (saved->metric_count == METRICS_MAX || saved_find(saved, text) != NULL) {
        bad_line(reading, "a metric that is there already, or one too many", err);
        return NULL;
    }
    struct saved_metric *metric = &saved->metrics[saved->metric_count++];
    memcpy(metric->name, text, sizeof text);
    memcpy(metric->unit, unit_text, sizeof unit_text);
    for (size_t i = 0; i < SAVED_REPETITIONS_MAX; i++) {
        metric->values[i] = NAN;
    }
    return metric;
}

static bool read_metric(struct reading *reading, struct word line, struct error *err)
{
    struct word name = take_word(&line), unit = take_word(&line);
    struct saved_metric *metric = new_metric(reading, name, unit, err);
    size_t count = 0;

    if (metric == NULL) {
        return false;
    }
    while (line.size > 0) {
        struct word word = take_word(&line);
        if (count == SAVED_REPETITIONS_MAX || !read_value(word, &metric->values[count])) {
            return bad_line(reading, "a value that is no number, or one too many", err);
        }
        count++;
    }
    if (reading->saved->metric_count == 1) {
        reading->saved->repetitions = count;
    }
    if (count == 0 || count != reading->saved->repetitions) {
        return bad_line(reading, "not as many values as the lines before it have", err);
    }
    return true;
}

static bool check_end(struct reading *reading, struct word line, struct error *err)
{
    char expected[120];
    snprintf(expected, sizeof expected, "END %zu settings, %zu metrics, %zu repetitions",
             reading->saved->setting_count, reading->saved->metric_count,
             reading->saved->repetitions);
    if (!is_text(line, expected) || reading->saved->metric_count == 0) {
        return bad_line(reading, "the END line does not count what stands above it", err);
    }
    return true;
}

static bool read_block(struct reading *reading, struct error *err)
{
    struct word line;

    while (next_line(reading, &line)) {
        if (starts_with(line, "END ")) {
            return check_end(reading, line, err);
        }
        bool is_ok = starts_with(line, "set ") ? read_setting(reading, line, err)
                                               : read_metric(reading, line, err);
        if (!is_ok) {
            return false;
        }
    }
    reading->line++;
    return bad_line(reading, "the report was cut off: its END line is missing", err);
}

static bool check_rest(struct reading *reading, struct error *err)
{
    struct word line;
    while (next_line(reading, &line)) {
        if (line.size > 0) {
            return bad_line(reading, "something follows the END line", err);
        }
    }
    return true;
}

static bool read_text(struct reading *reading, struct error *err)
{
    struct word line;

    while (next_line(reading, &line)) {
        if (is_text(line, "DATA load_test 1")) {
            if (!read_block(reading, err)) {
                return false;
            }
            return check_rest(reading, err);
        }
    }
    error_set(err, "22000", "no report of load_test: the line \"DATA load_test 1\" is missing");
    return error_hint(err, "it stands near the end of what load_test prints");
}

static bool read_json_settings(struct saved *saved, json_t *settings, struct error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(settings, name, value)
    {
        if (!json_is_string(value) || !metric_name_is_valid(name, strlen(name)) ||
            saved->setting_count == SAVED_SETTINGS_MAX) {
            return error_set(err, "22000", "\"settings\" holds what is no setting");
        }
        saved_set(saved, name, "%s", json_string_value(value));
    }
    return true;
}

static bool read_json_values(struct saved_metric *metric, const json_t *values, size_t repetitions)
{
    if (json_array_size(values) != repetitions) {
        return false;
    }
    for (size_t i = 0; i < repetitions; i++) {
        const json_t *value = json_array_get(values, i);
        const char *text = json_string_value(value);
        if (json_is_number(value)) {
            metric->values[i] = json_number_value(value);
        } else if (text != NULL && strcmp(text, "inf") == 0) {
            metric->values[i] = INFINITY;
        } else if (!json_is_null(value)) {
            return false;
        }
    }
    return true;
}

static bool read_json(struct reading *reading, const json_t *document, struct error *err)
{
    struct saved *saved = reading->saved;
    const json_t *metrics = json_object_get(document, "metrics");
    json_int_t repetitions = json_integer_value(json_object_get(document, "repetitions"));

    if (!json_is_array(metrics) || repetitions < 1 || repetitions > SAVED_REPETITIONS_MAX) {
        return error_set(err, "22000",
                         "no JSON report of load_test: \"metrics\" or "
                         "\"repetitions\" is missing");
    }
    saved->repetitions = (size_t)repetitions;
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *row = json_array_get(metrics, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        const char *unit = json_string_value(json_object_get(row, "unit"));
        name = name != NULL ? name : "";
        unit = unit != NULL ? unit : "";
        struct saved_metric *metric = new_metric(reading, (struct word){name, strlen(name)},
                                                 (struct word){unit, strlen(unit)}, err);
        if (metric == NULL ||
            !read_json_values(metric, json_object_get(row, "values"), saved->repetitions)) {
            *err = (struct error){0};
            return error_set(err, "22000", "\"metrics\"[%zu] is no metric", i);
        }
    }
    return read_json_settings(saved, json_object_get(document, "settings"), err);
}

static bool read_document(struct reading *reading, struct error *err)
{
    json_error_t reason;
    json_t *document = json_loadb(reading->at, (size_t)(reading->end - reading->at),
                                  JSON_REJECT_DUPLICATES, &reason);
    if (document == NULL) {
        return error_set(err, "22000", "line %d: %s", reason.line, reason.text);
    }
    bool is_ok = read_json(reading, document, err);
    json_decref(document);
    return is_ok;
}

struct saved *saved_parse(const char *bytes, size_t size, struct error *err)
{
    struct reading reading = {.at = bytes, .end = bytes + size, .saved = saved_create()};

    if (reading.saved == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    bool is_json = size > 0 && bytes[0] == '{';
    bool is_ok = is_json ? read_document(&reading, err) : read_text(&reading, err);
    if (!is_ok) {
        free(reading.saved);
        return NULL;
    }
    return reading.saved;
}

/* The whole file, at most SAVED_FILE_MAX bytes; owned by the caller. */
static char *read_file(FILE *in, size_t *size, struct error *err)
{
    char *bytes = malloc(SAVED_FILE_MAX + 1);
    if (bytes == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    *size = fread(bytes, 1, SAVED_FILE_MAX + 1, in);
    if (ferror(in) || *size > SAVED_FILE_MAX) {
        error_set(err, "58030", "%s",
                  ferror(in) ? strerror(errno) : "larger than any report (8 MiB)");
        free(bytes);
        return NULL;
    }
    return bytes;
}

struct saved *saved_load(const char *path, struct error *err)
{
    FILE *in = fopen(path, "re");
    struct saved *saved = NULL;
    size_t size = 0;

    if (in == NULL) {
        error_set(err, "58P01", "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *bytes = read_file(in, &size, err);
    if (bytes != NULL) {
        saved = saved_parse(bytes, size, err);
    }
    if (saved == NULL) {
        error_wrap(err, "%s", path);
    }
    free(bytes);
    fclose(in);
    return saved;
}
