#include "load_test/report_page.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Puts the language's separators into "-1234567.89". */
static void localize(char buffer[PAGE_NUMBER_SIZE], enum report_language language,
                     const char *plain)
{
    char group = language == REPORT_SPANISH ? '.' : ',';
    char point = language == REPORT_SPANISH ? ',' : '.';
    size_t digits = strspn(plain, "-0123456789"), written = 0;
    bool is_scientific = strchr(plain, 'e') != NULL;

    for (size_t i = 0; plain[i] != '\0' && written + 2 < PAGE_NUMBER_SIZE; i++) {
        size_t left = digits - i; /* digits from here to the point */
        bool follows_digit = i > 0 && plain[i - 1] != '-';
        if (i < digits && follows_digit && left % 3 == 0 && !is_scientific) {
            buffer[written++] = group;
        }
        buffer[written] = plain[i];
        if (plain[i] == '.') {
            buffer[written] = point;
        }
        written++;
    }
    buffer[written] = '\0';
}

const char *page_number(char buffer[PAGE_NUMBER_SIZE], enum report_language language, double value,
                        int decimals, size_t columns)
{
    char plain[PAGE_NUMBER_SIZE / 2];

    assert(columns >= 7);
    if (isnan(value)) {
        snprintf(buffer, PAGE_NUMBER_SIZE, "–");
        return buffer;
    }
    if (isinf(value)) {
        snprintf(buffer, PAGE_NUMBER_SIZE, "%s", catalogue_text(language, TEXT_NEVER));
        return buffer;
    }
    if (fabs(value) < 1e15) {
        for (; decimals >= 0; decimals--) {
            snprintf(plain, sizeof plain, "%.*f", decimals, value);
            /* What rounds to zero from below must not read "-0.00". */
            bool is_zero = strspn(plain, "-0.") == strlen(plain);
            localize(buffer, language, is_zero && plain[0] == '-' ? plain + 1 : plain);
            if (text_columns(buffer) <= columns) {
                return buffer;
            }
        }
    }
    snprintf(plain, sizeof plain, "%.1e", value);
    if (strlen(plain) > columns) {
        snprintf(plain, sizeof plain, "%.0e", value);
    }
    localize(buffer, language, plain);
    return buffer;
}

void page_cell(struct report_page *page, double value, int decimals, size_t columns)
{
    char buffer[PAGE_NUMBER_SIZE];
    text_append_right(page->out, page_number(buffer, page->language, value, decimals, columns - 1),
                      columns);
}

/* The bytes of the first `columns` columns. */
static size_t bytes_of_columns(const char *string, size_t columns)
{
    size_t size = 0;
    while (string[size] != '\0' && columns > 0) {
        do {
            size++;
        } while (((unsigned char)string[size] & 0xC0) == 0x80); /* inside a code point */
        columns--;
    }
    return size;
}

void page_label(struct report_page *page, const char *string, size_t columns)
{
    size_t wide = text_columns(string);
    assert(columns >= 2);
    if (wide < columns) {
        text_append_left(page->out, string, columns);
        return;
    }
    text_append_bytes(page->out, string, bytes_of_columns(string, columns - 2));
    text_append(page->out, "… ");
}

void page_heading(struct report_page *page, const char *string, size_t columns)
{
    text_append_right(page->out, string, columns);
}

void page_colored(struct report_page *page, enum terminal_color color, const char *string)
{
    text_append(page->out, terminal_color(color, page->use_color));
    text_append(page->out, string);
    text_append(page->out, terminal_color(TERMINAL_PLAIN, page->use_color));
}

void page_section(struct report_page *page, enum catalogue_text title, size_t columns)
{
    const char *string = catalogue_text(page->language, title);
    size_t wide = text_columns(string);
    page_end_line(page);
    page_colored(page, TERMINAL_BOLD, string);
    text_append_repeated(page->out, " ", columns > wide ? columns - wide : 0);
}

static size_t columns_of_bytes(const char *bytes, size_t size)
{
    size_t columns = 0;
    for (size_t i = 0; i < size; i++) {
        columns += ((unsigned char)bytes[i] & 0xC0) != 0x80;
    }
    return columns;
}

void page_wrap(struct report_page *page, const char *string, size_t at, size_t indent)
{
    static const char blanks[] = " \t\r\n";
    bool is_fresh = true; /* nothing on this line yet that needs a blank after it */

    assert(indent < PAGE_COLUMNS / 2);
    for (string += strspn(string, blanks); *string != '\0'; string += strspn(string, blanks)) {
        size_t size = strcspn(string, blanks);
        while (size > 0) {
            size_t room = at < PAGE_COLUMNS ? PAGE_COLUMNS - at - (is_fresh ? 0 : 1) : 0;
            size_t fits = bytes_of_columns(string, room);
            bool is_word_in = size <= fits;
            if (!is_word_in && !(is_fresh && at == indent)) { /* it may fit on a line of its own */
                page_end_line(page);
                text_append_repeated(page->out, " ", indent);
                at = indent;
                is_fresh = true;
                continue;
            }
            size_t taken = is_word_in ? size : fits;
            text_append(page->out, is_fresh ? "" : " ");
            text_append_bytes(page->out, string, taken);
            at = PAGE_COLUMNS - room + columns_of_bytes(string, taken);
            is_fresh = false;
            string += taken;
            size -= taken;
        }
    }
    page_end_line(page);
}

void page_wrap_text(struct report_page *page, struct text *text, size_t at, size_t indent)
{
    page_wrap(page, text_cstr(text), at, indent);
    page->out->has_failed = page->out->has_failed || text->has_failed;
    text_done(text);
}

void page_sentence(struct report_page *page, size_t indent, enum catalogue_text id,
                   const char *const *values, size_t count)
{
    struct text sentence = {0};
    catalogue_append(&sentence, page->language, id, values, count);
    text_append_repeated(page->out, " ", indent);
    page_wrap_text(page, &sentence, indent, indent + 2);
}

void page_end_line(struct report_page *page)
{
    struct text *out = page->out;
    while (out->size > 0 && out->bytes[out->size - 1] == ' ') { /* of a label with nothing after */
        out->bytes[--out->size] = '\0';
    }
    text_append(out, "\n");
}
