#include "admin/rows.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 8192, TEXT_MAX = 1200 };

struct rows_block {
    struct rows_block *next;
    size_t size, capacity;
    char bytes[];
};

void rows_init(struct rows *rows, const struct column *columns, size_t column_count)
{
    assert(column_count > 0 && column_count <= ROWS_COLUMN_MAX);
    *rows = (struct rows){.columns = columns, .column_count = column_count};
}

void rows_done(struct rows *rows)
{
    while (rows->blocks != NULL) {
        struct rows_block *block = rows->blocks;
        rows->blocks = block->next;
        free(block);
    }
    free(rows->cells);
    *rows = (struct rows){0};
}

static const char *keep(struct rows *rows, const char *text)
{
    size_t size = strlen(text) + 1;
    struct rows_block *block = rows->blocks;

    if (block == NULL || block->capacity - block->size < size) {
        size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block = malloc(sizeof *block + capacity);
        if (block == NULL) {
            rows->has_failed = true;
            return NULL;
        }
        *block = (struct rows_block){.next = rows->blocks, .capacity = capacity};
        rows->blocks = block;
    }
    char *copy = block->bytes + block->size;
    memcpy(copy, text, size);
    block->size += size;
    return copy;
}

static void push(struct rows *rows, struct cell cell)
{
    if (rows->cell_count == rows->cell_capacity) {
        size_t capacity = rows->cell_capacity == 0 ? 64 : rows->cell_capacity * 2;
        struct cell *cells = reallocarray(rows->cells, capacity, sizeof *cells);
        if (cells == NULL) {
            rows->has_failed = true;
            return;
        }
        rows->cells = cells;
        rows->cell_capacity = capacity;
    }
    rows->cells[rows->cell_count++] = cell;
}

void rows_text(struct rows *rows, const char *text)
{
    const char *copy = text == NULL ? NULL : keep(rows, text);
    push(rows, (struct cell){.text = copy, .is_null = copy == NULL});
}

void rows_textf(struct rows *rows, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rows_text(rows, text);
}

void rows_number(struct rows *rows, int64_t number)
{
    push(rows, (struct cell){.number = number});
}

void rows_null(struct rows *rows)
{
    push(rows, (struct cell){.is_null = true});
}

size_t rows_count(const struct rows *rows)
{
    return rows->column_count == 0 ? 0 : rows->cell_count / rows->column_count;
}

const struct cell *rows_at(const struct rows *rows, size_t row, size_t column)
{
    assert(column < rows->column_count && row < rows_count(rows));
    return &rows->cells[row * rows->column_count + column];
}

const char *rows_cell_text(const struct cell *cell, char buffer[ROWS_NUMBER_SIZE])
{
    if (cell->is_null) {
        return NULL;
    }
    if (cell->text != NULL) {
        return cell->text;
    }
    snprintf(buffer, ROWS_NUMBER_SIZE, "%lld", (long long)cell->number);
    return buffer;
}

void rows_append(struct rows *rows, const struct rows *from)
{
    assert(from->columns == rows->columns && from->column_count == rows->column_count);
    for (size_t i = 0; i < rows_count(from) * from->column_count; i++) {
        const struct cell *cell = &from->cells[i];
        if (cell->text != NULL) {
            rows_text(rows, cell->text);
        } else {
            push(rows, *cell);
        }
    }
    rows->has_failed = rows->has_failed || from->has_failed;
}

/* ---- merging ---- */

static int compare_cells(const struct cell *a, const struct cell *b)
{
    if (a->is_null || b->is_null) {
        return (a->is_null ? 1 : 0) - (b->is_null ? 1 : 0); /* NULLs last */
    }
    if (a->text != NULL && b->text != NULL) {
        return strcmp(a->text, b->text);
    }
    if (a->text != NULL || b->text != NULL) {
        return a->text != NULL ? 1 : -1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

static bool has_same_key(const struct rows *rows, size_t a, size_t b)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        if (rows->columns[i].merge == MERGE_KEY &&
            compare_cells(rows_at(rows, a, i), rows_at(rows, b, i)) != 0) {
            return false;
        }
    }
    return true;
}

static void add_row(struct rows *rows, size_t to, size_t from)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        struct cell *cell = &rows->cells[to * rows->column_count + i];
        const struct cell *other = rows_at(rows, from, i);
        switch (rows->columns[i].merge) {
        case MERGE_KEY:
        case MERGE_FIRST: break;
        case MERGE_SUM: cell->number += other->number; break;
        case MERGE_MAX:
            cell->number = other->number > cell->number ? other->number : cell->number;
            break;
        }
    }
}

void rows_merge(struct rows *rows)
{
    size_t kept = 0, count = rows_count(rows);

    for (size_t row = 0; row < count; row++) {
        size_t same = 0;
        while (same < kept && !has_same_key(rows, same, row)) {
            same++;
        }
        if (same < kept) {
            add_row(rows, same, row);
            continue;
        }
        memmove(&rows->cells[kept * rows->column_count], &rows->cells[row * rows->column_count],
                rows->column_count * sizeof(struct cell));
        kept++;
    }
    rows->cell_count = kept * rows->column_count;
}
