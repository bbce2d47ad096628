#include "load_test/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/statistics.h"

enum { LABEL_COLUMNS = 24, VALUE_COLUMNS = 16, CHANGE_COLUMNS = 14 };

static const double significant_p = 0.05;

struct page {
    const struct saved *before, *after;
    bool is_spanish;
    bool has_single; /* a report with one run only: no p is possible */
    struct text *out;
};

/* A macro, so that the compiler can check both formats. */
#define SAY(english, spanish) (page->is_spanish ? (spanish) : (english))

/* Copies what was measured.  Returns how many values there are. */
static size_t measured(const struct saved *saved, const char *name,
                       double values[SAVED_REPETITIONS_MAX])
{
    const struct saved_metric *metric = saved_find(saved, name);
    size_t count = 0;

    for (size_t i = 0; metric != NULL && i < saved->repetitions; i++) {
        if (!isnan(metric->values[i])) {
            values[count++] = metric->values[i];
        }
    }
    return count;
}

static void summarize(double *values, size_t count, double *median, double *spread)
{
    *median = *spread = NAN;
    if (count == 0) {
        return;
    }
    *median = statistics_median(values, count); /* leaves them sorted */
    if (count > 1 && *median > 0 && isfinite(*median)) {
        *spread = (values[count - 1] - values[0]) / 2 / *median;
    }
}

bool compare_metric(const struct saved *before, const struct saved *after, const char *name,
                    struct compare_change *change)
{
    double a[SAVED_REPETITIONS_MAX], b[SAVED_REPETITIONS_MAX];
    size_t count_a = measured(before, name, a), count_b = measured(after, name, b);

    *change = (struct compare_change){.p = NAN};
    if (count_a > 1 && count_b > 1 && !statistics_rank_test(a, count_a, b, count_b, &change->p)) {
        return false;
    }
    change->is_significant = change->p < significant_p;
    summarize(a, count_a, &change->before, &change->spread_before);
    summarize(b, count_b, &change->after, &change->spread_after);
    return true;
}

/* Thousands grouped, decimals by size: 13,248  90.6  6.19 (Spanish: 13.248  90,6  6,19). */
static const char *number(const struct page *page, char buffer[TEXT_NUMBER_SIZE], double value)
{
    if (isnan(value)) {
        snprintf(buffer, TEXT_NUMBER_SIZE, "–");
    } else if (!isfinite(value)) {
        snprintf(buffer, TEXT_NUMBER_SIZE, "%s", SAY("never", "nunca"));
    } else if (fabs(value) >= 1000 && fabs(value) < 1e15) {
        text_grouped(buffer, (int64_t)llround(value), page->is_spanish ? '.' : ',');
    } else {
        snprintf(buffer, TEXT_NUMBER_SIZE, "%.*f",
                 fabs(value - round(value)) < 1e-9 ? 0
                 : fabs(value) >= 100              ? 1
                                                   : 2,
                 value);
        char *point = strchr(buffer, '.');
        if (point != NULL && page->is_spanish) {
            *point = ',';
        }
    }
    return buffer;
}

static void print_value(const struct page *page, double value, double spread, const char *unit)
{
    char digits[TEXT_NUMBER_SIZE];
    struct text cell = {0};

    text_append(&cell, number(page, digits, value));
    text_append(&cell, unit);
    if (!isnan(spread)) {
        text_appendf(&cell, " ±%3.0f %%", 100 * spread);
    }
    text_append_right(page->out, text_cstr(&cell), VALUE_COLUMNS);
    page->out->has_failed |= cell.has_failed;
    text_done(&cell);
}

static void change_text(const struct page *page, enum compare_kind kind,
                        const struct compare_change *change, struct text *cell)
{
    char digits[TEXT_NUMBER_SIZE];
    double difference = change->after - change->before;

    if (isnan(difference)) {
        text_append(cell, "?");
    } else if (!isnan(change->p) && !change->is_significant) {
        text_append(cell, "~");
    } else if (kind == COMPARE_SHARE) {
        text_appendf(cell, "%s%s %s", difference > 0 ? "+" : "", number(page, digits, difference),
                     SAY("points", "puntos"));
    } else if (kind == COMPARE_COUNT || change->before <= 0) {
        text_appendf(cell, "%s%s", difference > 0 ? "+" : "", number(page, digits, difference));
    } else if (kind == COMPARE_LATENCY && change->after >= 2 * change->before) {
        text_appendf(cell, "x %s", number(page, digits, change->after / change->before));
    } else {
        text_appendf(cell, "%+.1f %%", 100 * difference / change->before);
    }
}

/* One lost write in one repetition counts: neither a median nor a test may hide it. */
static double most(const struct saved *saved, const char *name)
{
    double values[SAVED_REPETITIONS_MAX], worst = NAN;
    size_t count = measured(saved, name, values);
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, values[i]); /* fmax() takes the number beside a NaN */
    }
    return worst;
}

static bool print_row(const struct page *page, const char *label, const char *name,
                      enum compare_kind kind)
{
    struct compare_change change;
    struct text cell = {0};

    if (!compare_metric(page->before, page->after, name, &change)) {
        return false;
    }
    if (isnan(change.before) && isnan(change.after)) {
        return true;
    }
    if (kind == COMPARE_COUNT) {
        change = (struct compare_change){.before = most(page->before, name),
                                         .after = most(page->after, name),
                                         .spread_before = NAN,
                                         .spread_after = NAN,
                                         .p = NAN};
    }
    const char *unit = kind == COMPARE_SHARE ? " %" : "";
    text_append_left(page->out, label, LABEL_COLUMNS);
    print_value(page, change.before, kind == COMPARE_SHARE ? NAN : change.spread_before, unit);
    print_value(page, change.after, kind == COMPARE_SHARE ? NAN : change.spread_after, unit);
    change_text(page, kind, &change, &cell);
    text_append_right(page->out, text_cstr(&cell), CHANGE_COLUMNS);
    if (change.p < 0.001) {
        text_append(page->out, "  p<0.001");
    } else if (!isnan(change.p)) {
        text_appendf(page->out, "  p=%.3f", change.p);
    }
    text_append(page->out, "\n");
    page->out->has_failed |= cell.has_failed;
    text_done(&cell);
    return true;
}

static const struct {
    const char *english, *spanish, *metric;
    enum compare_kind kind;
} rows[] = {
    {"writes/s", "escrituras/s", "writes.rate", COMPARE_RATE},
    {"write p50, ms", "escritura p50, ms", "write.p50", COMPARE_LATENCY},
    {"write p99, ms", "escritura p99, ms", "write.p99", COMPARE_LATENCY},
    {"reads/s", "lecturas/s", "reads.rate", COMPARE_RATE},
    {"read p99, ms", "lectura p99, ms", "read.p99", COMPARE_LATENCY},
    {"visible p50, ms", "visible p50, ms", "visible.p50", COMPARE_LATENCY},
    {"visible p99, ms", "visible p99, ms", "visible.p99", COMPARE_LATENCY},
    {"first read misses", "primera lectura falla", "missed", COMPARE_SHARE},
    {"proven stale after ack", "demostrado atrasado", "stale", COMPARE_SHARE},
    {"failed writes", "escrituras fallidas", "writes.failed", COMPARE_COUNT},
    {"lost writes", "escrituras perdidas", "check.lost", COMPARE_COUNT},
};

/* What says where and when a run was made, not what was measured. */
static bool is_about_the_run(const char *name)
{
    static const char *const names[] = {"started", "host",       "load_test",   "machine",
                                        "seed",    "postgresql", "interrupted", NULL};
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* On a line of its own when it is long, and cut when it is longer than that. */
static void print_side(const struct page *page, const char *before, const char *value)
{
    enum { SHORT = 20, LONG = 66 };
    const char *text = value != NULL ? value : "?";
    size_t size = strlen(text), kept = size;

    if (size > LONG) {
        for (kept = LONG; kept > 0 && ((unsigned char)text[kept] & 0xC0) == 0x80; kept--) {
        }
    }
    text_appendf(page->out, "%s%s'%.*s%s'", size > SHORT ? "\n     " : "", before, (int)kept, text,
                 kept < size ? "…" : "");
}

static void print_difference(const struct page *page, const char *name, bool *is_first)
{
    const char *before = saved_setting(page->before, name),
               *after = saved_setting(page->after, name);

    if (before != NULL && after != NULL && strcmp(before, after) == 0) {
        return;
    }
    if (*is_first) {
        text_append(page->out, SAY("settings that differ\n", "ajustes que difieren\n"));
        *is_first = false;
    }
    text_appendf(page->out, "  %s", name);
    print_side(page, " ", before);
    print_side(page, " -> ", after);
    text_append(page->out, "\n");
}

static void print_settings(const struct page *page)
{
    bool is_first = true;

    for (size_t i = 0; i < page->before->setting_count; i++) {
        if (!is_about_the_run(page->before->settings[i].name)) {
            print_difference(page, page->before->settings[i].name, &is_first);
        }
    }
    for (size_t i = 0; i < page->after->setting_count; i++) {
        const char *name = page->after->settings[i].name;
        if (!is_about_the_run(name) && saved_setting(page->before, name) == NULL) {
            print_difference(page, name, &is_first);
        }
    }
    if (is_first) {
        text_append(page->out, SAY("no setting differs\n", "ningún ajuste difiere\n"));
    }
}

static void print_sameness(const struct page *page)
{
    static const struct {
        const char *setting, *same, *igual, *other, *otro, *unknown, *ignoto;
    } facts[] = {{"machine", "same machine", "la misma máquina", "another machine", "otra máquina",
                  "machine not told", "máquina no dicha"},
                 {"seed", "same seed", "la misma semilla", "another seed", "otra semilla",
                  "seed not told", "semilla no dicha"},
                 {"postgresql", "same PostgreSQL", "el mismo PostgreSQL", "another PostgreSQL",
                  "otro PostgreSQL", "PostgreSQL not told", "PostgreSQL no dicho"}};

    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        const char *before = saved_setting(page->before, facts[i].setting);
        const char *after = saved_setting(page->after, facts[i].setting);
        const char *told = SAY(facts[i].unknown, facts[i].ignoto);
        if (before != NULL && after != NULL) {
            told = strcmp(before, after) == 0 ? SAY(facts[i].same, facts[i].igual)
                                              : SAY(facts[i].other, facts[i].otro);
        }
        text_appendf(page->out, "%s%s", i > 0 ? ", " : "", told);
    }
    text_append(page->out, "\n");
}

static void print_head(const struct page *page, const char *const names[2])
{
    char cell[VALUE_COLUMNS + 1];

    text_append_left(page->out, "", LABEL_COLUMNS);
    for (int i = 0; i < 2; i++) {
        /* The end of a long name tells more than its beginning. */
        size_t size = strlen(names[i]);
        size_t skip = size >= sizeof cell ? size - sizeof cell + 2 : 0;
        snprintf(cell, sizeof cell, "%s", names[i] + skip);
        text_append_right(page->out, cell, VALUE_COLUMNS);
    }
    text_append_right(page->out, SAY("change", "cambio"), CHANGE_COLUMNS);
    text_append(page->out, "\n");
}

/* The smallest p that so many repetitions can give: 2 in all ways to mix them. */
static double smallest_p(size_t a, size_t b)
{
    double ways = lgamma((double)(a + b) + 1) - lgamma((double)a + 1) - lgamma((double)b + 1);
    return 2 / exp(ways);
}

static void print_limits(const struct page *page)
{
    size_t a = page->before->repetitions, b = page->after->repetitions;

    if (saved_setting(page->before, "interrupted") != NULL ||
        saved_setting(page->after, "interrupted") != NULL) {
        text_append(page->out,
                    SAY("one of them was interrupted: its figures are of a shorter time\n",
                        "una fue interrumpida: sus cifras son de menos tiempo\n"));
    }
    if (!page->has_single && smallest_p(a, b) >= significant_p) {
        text_append(page->out, SAY("too few repetitions for any p < 0.05: use --repeat 4 or more\n",
                                   "muy pocas repeticiones para p < 0,05: use --repeat 4 o más\n"));
    }
}

bool compare_print(const struct saved *before, const struct saved *after,
                   const char *const names[2], enum report_language language, struct text *out)
{
    const struct page here = {.before = before,
                              .after = after,
                              .is_spanish = language == REPORT_SPANISH,
                              .has_single = before->repetitions < 2 || after->repetitions < 2,
                              .out = out};
    const struct page *page = &here;

    print_head(page, names);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!print_row(page, SAY(rows[i].english, rows[i].spanish), rows[i].metric, rows[i].kind)) {
            return false;
        }
    }
    text_append(out, "\n");
    print_settings(page);
    print_sameness(page);
    print_limits(page);
    if (page->has_single) {
        text_append(
            out, SAY("one run on a side: no p, so the change may be chance; --repeat 5 tells\n",
                     "una sola corrida de un lado: sin p, puede ser azar; --repeat 5 lo dice\n"));
    } else {
        text_appendf(
            out,
            SAY("%zu and %zu repetitions; ~: no more than chance (rank test, p >= 0.05)\n",
                "%zu y %zu repeticiones; ~: no más que azar (prueba de rangos, p >= 0,05)\n"),
            before->repetitions, after->repetitions);
    }
    return !out->has_failed;
}
