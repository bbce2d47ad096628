/* WHERE, ORDER BY and LIMIT over rows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin/rows.h"
#include "base/text.h"

struct term {
    size_t column;
    const struct query_term *query;
    int64_t number; /* of its value, when the column holds numbers */
};

struct selection {
    struct term terms[QUERY_TERM_MAX];
    size_t term_count;
    struct {
        size_t column;
        bool is_descending;
    } orders[QUERY_ORDER_MAX];
    size_t order_count;
};

/* ---- names ---- */

static bool find_column(const struct column *columns, size_t count, const char *name,
                        size_t *column, struct error *err)
{
    size_t best = 0, best_distance = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        size_t distance = text_distance(columns[i].name, name);
        if (distance == 0) {
            *column = i;
            return true;
        }
        if (distance < best_distance) {
            best_distance = distance;
            best = i;
        }
    }
    error_set(err, "42703", "column \"%s\" does not exist", name);
    return error_hint(err, "did you mean \"%s\"?", columns[best].name);
}

static bool read_number(const char *text, int64_t *number)
{
    char *end = NULL;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0;
}

static bool prepare(const struct column *columns, size_t count, const struct query *query,
                    struct selection *selection, struct error *err)
{
    *selection = (struct selection){0};
    for (size_t i = 0; i < query->term_count; i++) {
        struct term *term = &selection->terms[selection->term_count++];
        term->query = &query->terms[i];
        if (!find_column(columns, count, term->query->column, &term->column, err)) {
            return false;
        }
        bool is_like = term->query->operator== QUERY_LIKE || term->query->operator== QUERY_NOT_LIKE;
        if (columns[term->column].type == COLUMN_TEXT || is_like || term->query->is_null) {
            continue;
        }
        if (!read_number(term->query->value, &term->number)) {
            return error_set(err, "22P02", "column \"%s\" holds numbers, not \"%.100s\"",
                             term->query->column, term->query->value);
        }
    }
    for (size_t i = 0; i < query->order_count; i++) {
        size_t at = selection->order_count++;
        selection->orders[at].is_descending = query->orders[i].is_descending;
        if (!find_column(columns, count, query->orders[i].column, &selection->orders[at].column,
                         err)) {
            return false;
        }
    }
    return true;
}

bool rows_check(const struct column *columns, size_t column_count, const struct query *query,
                struct error *err)
{
    struct selection selection;
    return prepare(columns, column_count, query, &selection, err);
}

/* ---- WHERE ---- */

static size_t character_size(const char *text)
{
    size_t size = 1;
    while (((unsigned char)text[size] & 0xC0) == 0x80) {
        size++;
    }
    return size;
}

/* LIKE with % and _ and a backslash before either; iterative, so that no pattern costs more than
 * its length times the text's. */
static bool is_like(const char *text, const char *pattern)
{
    const char *retry_text = NULL, *retry_pattern = NULL;

    while (*text != '\0') {
        if (*pattern == '%') {
            retry_pattern = ++pattern;
            retry_text = text;
            continue;
        }
        if (*pattern == '_') {
            text += character_size(text);
            pattern++;
            continue;
        }
        const char *literal = *pattern == '\\' && pattern[1] != '\0' ? pattern + 1 : pattern;
        if (*literal == *text) {
            pattern = literal + 1;
            text++;
            continue;
        }
        if (retry_pattern == NULL) {
            return false;
        }
        pattern = retry_pattern;
        retry_text += character_size(retry_text);
        text = retry_text;
    }
    while (*pattern == '%') {
        pattern++;
    }
    return *pattern == '\0';
}

static bool is_true(const struct term *term, const struct cell *cell)
{
    char buffer[ROWS_NUMBER_SIZE];
    const char *text = rows_cell_text(cell, buffer);

    if (text == NULL || term->query->is_null) {
        return false;
    }
    int order = cell->text != NULL ? strcmp(text, term->query->value)
                                   : (cell->number > term->number) - (cell->number < term->number);
    switch (term->query->operator) {
    case QUERY_EQUAL: return order == 0;
    case QUERY_NOT_EQUAL: return order != 0;
    case QUERY_LESS: return order < 0;
    case QUERY_AT_MOST: return order <= 0;
    case QUERY_MORE: return order > 0;
    case QUERY_AT_LEAST: return order >= 0;
    case QUERY_LIKE: return is_like(text, term->query->value);
    case QUERY_NOT_LIKE: return !is_like(text, term->query->value);
    }
    return false;
}

static bool is_wanted(const struct rows *rows, size_t row, const struct selection *selection)
{
    for (size_t i = 0; i < selection->term_count; i++) {
        const struct term *term = &selection->terms[i];
        if (!is_true(term, rows_at(rows, row, term->column))) {
            return false;
        }
    }
    return true;
}

static void filter(struct rows *rows, const struct selection *selection)
{
    size_t kept = 0, count = rows_count(rows);

    for (size_t row = 0; row < count; row++) {
        if (is_wanted(rows, row, selection)) {
            memmove(&rows->cells[kept * rows->column_count], &rows->cells[row * rows->column_count],
                    rows->column_count * sizeof(struct cell));
            kept++;
        }
    }
    rows->cell_count = kept * rows->column_count;
}

/* ---- ORDER BY ---- */

/* NULLs are the largest, as in PostgreSQL. */
static int compare_cells(const struct cell *a, const struct cell *b)
{
    if (a->is_null || b->is_null) {
        return (a->is_null ? 1 : 0) - (b->is_null ? 1 : 0);
    }
    if (a->text != NULL && b->text != NULL) {
        return strcmp(a->text, b->text);
    }
    return (a->number > b->number) - (a->number < b->number);
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct selection *selection = context;
    const struct cell *const *left = a, *const *right = b;

    for (size_t i = 0; i < selection->order_count; i++) {
        size_t column = selection->orders[i].column;
        int order = compare_cells(*left + column, *right + column);
        if (order != 0) {
            return selection->orders[i].is_descending ? -order : order;
        }
    }
    return (*left > *right) - (*left < *right); /* as they came */
}

static bool sort(struct rows *rows, struct selection *selection)
{
    size_t count = rows_count(rows), width = rows->column_count;
    const struct cell **order = calloc(count + 1, sizeof(struct cell *));
    struct cell *cells = calloc(count * width + 1, sizeof(struct cell));

    if (order == NULL || cells == NULL) {
        free(order);
        free(cells);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        order[i] = &rows->cells[i * width];
    }
    qsort_r(order, count, sizeof(struct cell *), compare_rows, selection);
    for (size_t i = 0; i < count; i++) {
        memcpy(&cells[i * width], order[i], width * sizeof(struct cell));
    }
    free(order);
    free(rows->cells);
    rows->cells = cells;
    rows->cell_count = count * width;
    rows->cell_capacity = count * width + 1;
    return true;
}

bool rows_select(struct rows *rows, const struct query *query, struct error *err)
{
    struct selection selection;

    if (rows->has_failed) {
        return error_set(err, "53200", "out of memory");
    }
    if (!prepare(rows->columns, rows->column_count, query, &selection, err)) {
        return false;
    }
    filter(rows, &selection);
    if (selection.order_count > 0 && !sort(rows, &selection)) {
        return error_set(err, "53200", "out of memory");
    }
    if (query->limit >= 0 && (uint64_t)query->limit < rows_count(rows)) {
        rows->cell_count = (size_t)query->limit * rows->column_count;
    }
    return true;
}
