#include "load_test/expect.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    enum expect_operator operator;
} operators[] = {/* the longer ones first */
                 {"<=", EXPECT_AT_MOST}, {">=", EXPECT_AT_LEAST}, {"!=", EXPECT_NOT},
                 {"==", EXPECT_EQUAL},   {"<", EXPECT_LESS},      {">", EXPECT_MORE},
                 {"=", EXPECT_EQUAL}};

static const struct {
    const char *text;
    enum expect_unit unit;
    double factor; /* to the unit in which the limit is kept */
} units[] = {{"", EXPECT_UNIT_NONE, 1},       {"us", EXPECT_UNIT_MS, 0.001},
             {"ms", EXPECT_UNIT_MS, 1},       {"s", EXPECT_UNIT_MS, 1000},
             {"min", EXPECT_UNIT_MS, 60000},  {"/s", EXPECT_UNIT_RATE, 1},
             {"%", EXPECT_UNIT_PERCENT, 1},   {"B", EXPECT_UNIT_BYTES, 1},
             {"kB", EXPECT_UNIT_BYTES, 1000}, {"MB", EXPECT_UNIT_BYTES, 1e6}};

static bool bad(const char *text, const char *what, struct error *err)
{
    error_set(err, "42601", "\"%s\": %s", text, what);
    return error_hint(err, "write it like 'visible.p99<50ms' or 'writes.rate > 500'");
}

static const char *skip_blanks(const char *at)
{
    while (isblank((unsigned char)*at)) {
        at++;
    }
    return at;
}

/* Takes the metric's name; NULL when there is none. */
static const char *take_name(const char *at, char name[METRIC_NAME_SIZE])
{
    size_t size = strcspn(at, "<>=! \t");
    if (!metric_name_is_valid(at, size)) {
        return NULL;
    }
    snprintf(name, METRIC_NAME_SIZE, "%.*s", (int)size, at);
    return skip_blanks(at + size);
}

static const char *take_operator(const char *at, enum expect_operator *operator)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        size_t size = strlen(operators[i].text);
        if (strncmp(at, operators[i].text, size) == 0) {
            *operator= operators[i].operator;
            return skip_blanks(at + size);
        }
    }
    return NULL;
}

static bool take_limit(const char *at, struct expect *expect)
{
    size_t size = strspn(at, "+-.0123456789");
    double number;

    if (!metric_parse_number(at + (*at == '+'), size - (*at == '+'), &number)) {
        return false;
    }
    at = skip_blanks(at + size);
    size_t unit_size = strcspn(at, " \t");
    if (*skip_blanks(at + unit_size) != '\0') {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].text) == unit_size && memcmp(units[i].text, at, unit_size) == 0) {
            expect->limit = number * units[i].factor;
            expect->unit = units[i].unit;
            return true;
        }
    }
    return false;
}

bool expect_parse(const char *text, struct expect *expect, struct error *err)
{
    struct expect parsed = {0};

    if (strlen(text) >= sizeof parsed.text) {
        return bad("…", "an expectation that is too long", err);
    }
    const char *at = take_name(skip_blanks(text), parsed.metric);
    if (at == NULL) {
        return bad(text, "it begins with no metric's name", err);
    }
    at = take_operator(at, &parsed.operator);
    if (at == NULL) {
        return bad(text, "none of < <= > >= = != stands after the name", err);
    }
    if (!take_limit(at, &parsed)) {
        return bad(text, "the limit is no number with one of us ms s min /s % B kB MB", err);
    }
    snprintf(parsed.text, sizeof parsed.text, "%s", text);
    *expect = parsed;
    return true;
}

/* The unit of a limit that goes with a metric's unit; times are in ms on both sides. */
static bool units_agree(enum expect_unit unit, const char *metric_unit)
{
    switch (unit) {
    case EXPECT_UNIT_NONE: return true;
    case EXPECT_UNIT_MS: return strcmp(metric_unit, "ms") == 0 || strcmp(metric_unit, "s") == 0;
    case EXPECT_UNIT_RATE: return strcmp(metric_unit, "/s") == 0;
    case EXPECT_UNIT_PERCENT: return strcmp(metric_unit, "%") == 0;
    case EXPECT_UNIT_BYTES: return strcmp(metric_unit, "B") == 0;
    }
    return false;
}

bool expect_fits(const struct expect *expect, const struct metrics *metrics, struct error *err)
{
    const struct metric *metric = metrics_find(metrics, expect->metric);

    if (metric == NULL) {
        const char *nearest = metrics_nearest(metrics, expect->metric);
        error_set(err, "42704", "\"%s\": no metric is called \"%s\"", expect->text, expect->metric);
        return nearest != NULL
                   ? error_hint(err, "did you mean %s? A report's DATA block names them all",
                                nearest)
                   : error_hint(err, "a report's DATA block names them all, such as write.p99, "
                                     "visible.p99, writes.rate, check.lost");
    }
    if (!units_agree(expect->unit, metric->unit)) {
        return error_set(err, "42804", "\"%s\": %s is in %s", expect->text, expect->metric,
                         strcmp(metric->unit, "-") == 0 ? "no unit" : metric->unit);
    }
    return true;
}

bool expect_holds(const struct expect *expect, double value)
{
    const double tolerance = 1e-9 * fmax(1, fabs(expect->limit)); /* 0.1 + 0.2 is 0.3 here */

    if (isnan(value)) {
        return false;
    }
    switch (expect->operator) {
    case EXPECT_LESS: return value < expect->limit;
    case EXPECT_AT_MOST: return value <= expect->limit;
    case EXPECT_MORE: return value > expect->limit;
    case EXPECT_AT_LEAST: return value >= expect->limit;
    case EXPECT_EQUAL: return fabs(value - expect->limit) <= tolerance;
    case EXPECT_NOT: return !(fabs(value - expect->limit) <= tolerance);
    }
    return false;
}

bool expect_judge(const struct expect *expect, const struct metrics *metrics,
                  char line[EXPECT_LINE_SIZE])
{
    static const char *const signs[] = {
        [EXPECT_LESS] = "<",      [EXPECT_AT_MOST] = "<=", [EXPECT_MORE] = ">",
        [EXPECT_AT_LEAST] = ">=", [EXPECT_EQUAL] = "=",    [EXPECT_NOT] = "!="};
    const struct metric *metric = metrics_find(metrics, expect->metric);
    double value = metric != NULL ? metric->value : NAN;
    const char *unit = metric != NULL && strcmp(metric->unit, "-") != 0 ? metric->unit : "";
    char number[METRIC_VALUE_SIZE], limit[METRIC_VALUE_SIZE];
    struct expect same_unit = *expect;

    if (expect->unit == EXPECT_UNIT_MS && strcmp(unit, "s") == 0) {
        same_unit.limit /= 1000; /* the metric is in seconds */
    }
    if (expect_holds(&same_unit, value)) {
        return true;
    }
    const char *blank = unit[0] != '\0' ? " " : "";
    const char *told = isnan(value)   ? "was not measured"
                       : isinf(value) ? "never came"
                                      : metric_format(number, value);
    bool has_number = isfinite(value);
    snprintf(line, EXPECT_LINE_SIZE, "%s %s%s%s, expected %s %s%s%s", expect->metric, told,
             has_number ? blank : "", has_number ? unit : "", signs[expect->operator],
             metric_format(limit, same_unit.limit), blank, unit);
    return false;
}
