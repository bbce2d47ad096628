/* Any bytes as requests: what is read is inside them, a refusal has a status, and more bytes never
 * change what was read of fewer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void check_prefixes(const char *bytes, const struct http_request *request)
{
    for (size_t size = 0; size < request->size; size += 1 + size / 8) {
        struct http_request part;
        unsigned status = 0;
        expect(http_read(bytes, size, &part, &status) == HTTP_NEED_MORE);
    }
    struct http_request alone;
    unsigned status = 0;
    expect(http_read(bytes, request->size, &alone, &status) == HTTP_OK);
    expect(memcmp(&alone, request, sizeof alone) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *at = (const char *)bytes;

    for (;;) {
        struct http_request request;
        unsigned status = 0;
        enum http_result result = http_read(at, size, &request, &status);
        if (result == HTTP_NEED_MORE) {
            expect(size < HTTP_HEAD_MAX);
            return 0;
        }
        if (result == HTTP_BAD) {
            expect(status >= 400 && status < 600);
            return 0;
        }
        expect(request.size > 0 && request.size <= size && request.size <= HTTP_HEAD_MAX);
        expect(request.path[0] == '/' && memchr(request.path, '\0', HTTP_PATH_SIZE) != NULL);
        check_prefixes(at, &request);
        at += request.size;
        size -= request.size;
    }
}
