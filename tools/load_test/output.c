#include "load_test/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/terminal.h"

bool output_error(const char *what, int code, struct error *err)
{
    error_set(err, code == ENOSPC ? "53100" : "58030", "cannot write %s: %s", what, strerror(code));
    return code == ENOSPC ? error_hint(err, "make room on the disk, or choose another place")
                          : false;
}

static bool write_all(FILE *out, const struct text *text, const char *what, struct error *err)
{
    if (text->has_failed) {
        return error_set(err, "53200", "out of memory for the report");
    }
    errno = 0;
    fputs(text_cstr(text), out);
    if (fflush(out) != 0 || ferror(out)) {
        return output_error(what, errno, err);
    }
    return true;
}

bool output_text(const struct text *text, struct error *err)
{
    return write_all(stdout, text, "the report to stdout", err);
}

bool output_file(const char *path, const struct text *text, struct error *err)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        return output_error(path, errno, err);
    }
    bool is_ok = write_all(out, text, path, err);
    if (fclose(out) != 0 && is_ok) {
        return output_error(path, errno, err);
    }
    return is_ok;
}

bool output_report(const struct run_report *report, const char *json, struct error *err)
{
    struct text text = {0}, document = {0};

    report_write_text(report, terminal_has_color(stdout), &text);
    bool is_ok = output_text(&text, err);
    if (is_ok && json != NULL) {
        report_write_json(report, &document);
        is_ok = output_file(json, &document, err);
    }
    text_done(&text);
    text_done(&document);
    return is_ok;
}
