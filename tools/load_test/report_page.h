/* load_test/report_page: numbers, columns and wrapped lines of the text report.
 *
 * What is not measured is "–", what never came "never": no raw nan or inf.  A
 * line is at most PAGE_COLUMNS wide, whatever names and numbers come.
 */
#pragma once

#include "common/terminal.h"
#include "load_test/catalogue.h"

enum { PAGE_COLUMNS = 80, PAGE_NUMBER_SIZE = 64, PAGE_VALUES_MAX = 9 };

struct report_page {
    struct text *out; /* borrowed */
    enum report_language language;
    bool use_color;
};

/* "7,970", "0.73", Spanish "7.970", "0,73".  Numbers wider than `columns` lose decimals, then are
 * written as 1.2e+34.  columns >= 7.  Returns `buffer`. */
const char *page_number(char buffer[PAGE_NUMBER_SIZE], enum report_language language, double value,
                        int decimals, size_t columns);

/* Appends the number right-aligned in `columns`, at least one of them blank. */
void page_cell(struct report_page *page, double value, int decimals, size_t columns);

/* Appends `string` cut to columns - 1 with "…", and blanks up to `columns`. */
void page_label(struct report_page *page, const char *string, size_t columns);

/* Appends the heading of a column of page_cell(). */
void page_heading(struct report_page *page, const char *string, size_t columns);

/* Appends a string in a colour. */
void page_colored(struct report_page *page, enum terminal_color color, const char *string);

/* Appends a blank line and the title of a section, in bold; columns as page_label(). */
void page_section(struct report_page *page, enum catalogue_text title, size_t columns);

/* Appends `string` from column `at` on (the line so far is that wide), wrapped at blanks to lines
 * indented by `indent`, and a line break.  Words that are too long are broken; line breaks count
 * as blanks. */
void page_wrap(struct report_page *page, const char *string, size_t at, size_t indent);

/* page_wrap() of a text that was made for it, which is freed; its lack of memory is the page's. */
void page_wrap_text(struct report_page *page, struct text *text, size_t at, size_t indent);

/* A sentence of the catalogue as a paragraph of its own, indented. */
void page_sentence(struct report_page *page, size_t indent, enum catalogue_text id,
                   const char *const *values, size_t count);

/* Without blanks at the end of the line. */
void page_end_line(struct report_page *page);
