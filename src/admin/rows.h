/* admin/rows: a table of cells, made in one thread and read in another.
 *
 * What a SHOW answers: columns from a table of the tree, rows of numbers and
 * texts.  Texts are copied; all memory is the rows' own, so that they can be
 * given from thread to thread as a whole.  Out of memory is remembered.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/query.h"
#include "base/error.h"

enum column_type { COLUMN_TEXT, COLUMN_INT4, COLUMN_INT8 };

/* How rows of several workers become one, by `rows_merge`. */
enum column_merge { MERGE_KEY, MERGE_SUM, MERGE_MAX, MERGE_FIRST };

struct column {
    const char *name;
    enum column_type type;
    enum column_merge merge;
    const char *help; /* docs/admin.md */
};

enum { ROWS_COLUMN_MAX = 70 };

struct cell {
    const char *text; /* owned by the rows; NULL: `number` counts */
    int64_t number;
    bool is_null;
};

struct rows_block;

struct rows {
    const struct column *columns; /* static */
    size_t column_count;
    struct cell *cells; /* owned: row by row */
    size_t cell_count, cell_capacity;
    struct rows_block *blocks; /* owned: texts */
    bool has_failed;           /* memory ran out */
};

void rows_init(struct rows *rows, const struct column *columns, size_t column_count);
void rows_done(struct rows *rows); /* zeroed is allowed */

/* The next cell, left to right.  NULL text: NULL. */
void rows_text(struct rows *rows, const char *text);
[[gnu::format(printf, 2, 3)]] void rows_textf(struct rows *rows, const char *format, ...);
void rows_number(struct rows *rows, int64_t number);
void rows_null(struct rows *rows);

[[nodiscard]] size_t rows_count(const struct rows *rows); /* of whole rows */
[[nodiscard]] const struct cell *rows_at(const struct rows *rows, size_t row, size_t column);

/* Appends the rows of `from`, which has the same columns. */
void rows_append(struct rows *rows, const struct rows *from);

/* Makes one of all rows that have the same MERGE_KEY columns. */
void rows_merge(struct rows *rows);

/* Keeps what WHERE says, in the order of ORDER BY, up to LIMIT.  42703 for columns that there are
 * not, 22P02 when a column of numbers is compared with what is none. */
[[nodiscard]] bool rows_select(struct rows *rows, const struct query *query, struct error *err);

/* The same check without rows: whether the query fits the columns. */
[[nodiscard]] bool rows_check(const struct column *columns, size_t column_count,
                              const struct query *query, struct error *err);

enum { ROWS_NUMBER_SIZE = 24 };

/* A cell as text; NULL for NULL.  `buffer` may hold it. */
[[nodiscard]] const char *rows_cell_text(const struct cell *cell, char buffer[ROWS_NUMBER_SIZE]);
