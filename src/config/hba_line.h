/* config/hba_line: the fields of a line of an hba or identity map file.
 *
 * As PostgreSQL cuts them: blanks between fields, commas between the items of
 * one, double quotes (doubled inside), # comments, a backslash at the end of a
 * line joins the next.  Refused: control characters, and more than
 * HBA_FIELDS_MAX fields.
 */
#pragma once

#include "base/arena.h"
#include "config/report.h"

enum { HBA_FIELDS_MAX = 16, HBA_SIZE_MAX = 1 << 20 };

struct hba_item {
    const char *text; /* lives in the reader's arena */
    bool is_quoted;   /* from its first character on: it's no keyword */
    struct report_place place;
    struct hba_item *next; /* behind a comma */
};

struct hba_line {
    unsigned number;
    struct hba_item *fields[HBA_FIELDS_MAX];
    size_t count;
    struct report_place end; /* behind the last field */
};

struct hba_reader {
    struct arena *arena;   /* borrowed */
    struct report *report; /* borrowed; its text is read */
    size_t at;
    unsigned line, column;
};

/* False at the end.  Lines with nothing and lines that were reported as malformed are left out. */
[[nodiscard]] bool hba_line_next(struct hba_reader *reader, struct hba_line *line);
