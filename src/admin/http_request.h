/* admin/http_request: reads the head of an HTTP/1.1 request (RFC 9112), as much of it as we need.
 *
 * Pure.  Strict where leniency has hurt others: CRLF only, no folded lines, no
 * blanks before a colon, one Host, no body.  The request borrows nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_HEAD_MAX = 8192, HTTP_PATH_SIZE = 256 };

enum http_result { HTTP_OK, HTTP_NEED_MORE, HTTP_BAD };

struct http_request {
    bool is_get, is_head;      /* neither: another method */
    char path[HTTP_PATH_SIZE]; /* "/metrics": without the query, not decoded */
    bool keeps_alive;
    bool wants_openmetrics; /* Accept names application/openmetrics-text */
    size_t size;            /* bytes of the head; the next request begins there */
};

/* HTTP_BAD: `*status` is what to answer before closing: 400, 413 for a body, 414, 431, 505. */
[[nodiscard]] enum http_result http_read(const char *bytes, size_t size,
                                         struct http_request *request, unsigned *status);
