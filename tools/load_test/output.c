#include "load_test/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/terminal.h"

static bool cannot_write(const char *what, int code, struct error *err)
{
    error_set(err, code == ENOSPC ? "53100" : "58030", "cannot write %s: %s", what, strerror(code));
    return code == ENOSPC ? error_hint(err, "make room on the disk, or choose another place")
                          : false;
}

/* Returns 0, or the errno of the first failure. */
static int fill(FILE *out, output_body *body, const void *context)
{
    errno = 0;
    body(out, context);
    bool has_failed = ferror(out) != 0;
    has_failed = fflush(out) != 0 || has_failed;
    if (!has_failed) {
        return 0;
    }
    return errno != 0 ? errno : EIO; /* nothing that worked has reset it */
}

bool output_stream(const char *path, output_body *body, const void *context, struct error *err)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        return cannot_write(path, errno, err);
    }
    int code = fill(out, body, context);
    if (fclose(out) != 0 && code == 0) {
        code = errno;
    }
    return code == 0 ? true : cannot_write(path, code, err);
}

static void text_body(FILE *out, const void *context)
{
    const struct text *text = context;
    fputs(text_cstr(text), out);
}

static bool check_memory(const struct text *text, struct error *err)
{
    return text->has_failed ? error_set(err, "53200", "out of memory for the report") : true;
}

bool output_text(const struct text *text, struct error *err)
{
    if (!check_memory(text, err)) {
        return false;
    }
    int code = fill(stdout, text_body, text);
    return code == 0 ? true : cannot_write("the report to stdout", code, err);
}

bool output_file(const char *path, const struct text *text, struct error *err)
{
    return check_memory(text, err) && output_stream(path, text_body, text, err);
}

bool output_json(json_t *document, unsigned digits, struct text *text)
{
    char *bytes = document != NULL
                      ? json_dumps(document, JSON_INDENT(1) | JSON_REAL_PRECISION(digits))
                      : NULL;
    json_decref(document);
    if (bytes == NULL) {
        text->has_failed = true;
        return false;
    }
    text_append(text, bytes);
    text_append(text, "\n");
    free(bytes);
    return !text->has_failed;
}

bool output_report(const struct run_report *report, const struct saved *all, bool is_page_only,
                   const char *json, struct error *err)
{
    struct text text = {0}, document = {0};

    report_write_text(report, all, is_page_only, terminal_has_color(stdout), &text);
    bool is_ok = output_text(&text, err);
    if (is_ok && json != NULL) {
        report_write_json(report, all, &document);
        is_ok = output_file(json, &document, err);
    }
    text_done(&text);
    text_done(&document);
    return is_ok;
}
