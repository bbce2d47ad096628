/* Any bytes as the body of an ErrorResponse: what is accepted has its texts inside the body, and is
 * accepted again after names in it were replaced. */
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"
#include "wire/notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_text(const char *text, const char *body, size_t size)
{
    if (text != NULL) {
        check(text >= body && text < body + size);
        check(memchr(text, '\0', size - (size_t)(text - body)) != NULL);
    }
}

static bool is_same(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void check_replaced(const char *body, size_t size, const struct notice *notice,
                           const char *from, const char *to)
{
    struct buffer out = {0};
    struct frame frame;
    struct notice again;

    check(notice_write_replaced(&out, 'E', body, size, from, to));
    check(frame_read(buffer_bytes(&out), buffer_size(&out), &frame, &(struct error){0}) ==
          FRAME_OK);
    check(frame.body_size + FRAME_HEADER_SIZE == buffer_size(&out));
    check(notice_read(buffer_bytes(&out) + FRAME_HEADER_SIZE, frame.body_size, &again));
    check(is_same(again.severity, notice->severity));
    check(is_same(again.sqlstate, notice->sqlstate));
    check((again.message == NULL) == (notice->message == NULL));
    if (strcmp(from, to) == 0) {
        check(frame.body_size == size);
        check(memcmp(buffer_bytes(&out) + FRAME_HEADER_SIZE, body, size) == 0);
    }
    buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *names[] = {"x_1", "a", "\"x_1\"", "\xc3\xa9", "::"};
    const char *body = (const char *)bytes;
    struct notice notice;
    struct buffer out = {0};

    if (!notice_read(body, size, &notice)) {
        check(!notice_write_replaced(&out, 'E', body, size, "x", "y"));
        check(buffer_size(&out) == 0);
        return 0;
    }
    check_text(notice.severity, body, size);
    check_text(notice.sqlstate, body, size);
    check_text(notice.message, body, size);
    check_text(notice.detail, body, size);
    check_text(notice.hint, body, size);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check_replaced(body, size, &notice, names[i], names[i]);
        check_replaced(body, size, &notice, names[i], "");
        check_replaced(body, size, &notice, names[i], "x_1 is longer, and holds x_1 itself");
    }
    for (size_t prefix = 0; prefix < size; prefix += 1 + prefix / 8) {
        check(!notice_read(body, prefix, &notice));
    }
    return 0;
}
