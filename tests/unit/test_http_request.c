/* Heads of HTTP requests: what is read, what is refused with which status, and that any prefix
 * needs more. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "admin/http_request.h"

/* "G /path keep om", or the status; "more". */
static const char *read_back(const char *bytes, size_t size, char *out, size_t out_size)
{
    struct http_request request;
    unsigned status = 0;

    switch (http_read(bytes, size, &request, &status)) {
    case HTTP_NEED_MORE: return "more";
    case HTTP_BAD: snprintf(out, out_size, "%u", status); return out;
    case HTTP_OK: break;
    }
    snprintf(out, out_size, "%s %s%s%s",
             request.is_get    ? "G"
             : request.is_head ? "H"
                               : "?",
             request.path, request.keeps_alive ? " keep" : "",
             request.wants_openmetrics ? " om" : "");
    return out;
}

static void heads_are_read_or_refused(void **)
{
    static const struct {
        const char *head, *read;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "G / keep"},
        {"GET /m?a=b&c HTTP/1.1\r\nhost:a\r\n\r\n", "G /m keep"},
        {"HEAD /m HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", "H /m"},
        {"GET /m HTTP/1.1\r\nHost: a\r\nConnection: foo , close\r\n\r\n", "G /m"},
        {"GET /m HTTP/1.0\r\n\r\n", "G /m"},
        {"GET /m HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "G /m keep"},
        {"POST /m HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "? /m keep"},
        {"get /m HTTP/1.1\r\nHost: a\r\n\r\n", "? /m keep"}, /* methods know case */
        {"GET http://a:1/m HTTP/1.1\r\nHost: a\r\n\r\n", "G /m keep"},
        {"GET /m HTTP/1.1\r\nHost: a\r\nAccept: text/plain;q=0.5, "
         "application/openmetrics-text; version=1.0.0\r\n\r\n",
         "G /m keep om"},
        {"GET /m HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text-not\r\n\r\n",
         "G /m keep"},
        {"GET /m HTTP/1.1\r\n\r\n", "400"}, /* no Host */
        {"GET /m HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        {"GET /m\r\n\r\n", "400"},
        {"GET  /m HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {" GET /m HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET /m HTTP/1.1 \r\nHost: a\r\n\r\n", "400"},
        {"G(T /m HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET m HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET /m http/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET /m HTTP/1,1\r\nHost: a\r\n\r\n", "400"},
        {"GET /m HTTP/2.0\r\nHost: a\r\n\r\n", "505"},
        {"GET /m HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
        {"GET /m HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "400"},
        {"GET /m HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", "400"},
        {"GET /m HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n", "400"},
        {"GET /m HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "400"},
        {"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
        {"GET /m HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", "413"},
        {"GET /m HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n", "413"},
        {"GET /m HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "413"},
        {"\r\n\r\n", "400"},
    };
    char out[400];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(read_back(cases[i].head, strlen(cases[i].head), out, sizeof out),
                            cases[i].read);
    }
}

static void every_prefix_needs_more(void **)
{
    static const char head[] = "GET /m HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    char out[400];

    for (size_t size = 0; size < sizeof head - 1; size++) {
        assert_string_equal(read_back(head, size, out, sizeof out), "more");
    }
}

static void what_is_too_long_is_refused(void **)
{
    static char bytes[HTTP_HEAD_MAX + 100];
    char out[400];

    memset(bytes, 'a', sizeof bytes);
    memcpy(bytes, "GET /", 5);
    assert_string_equal(read_back(bytes, HTTP_HEAD_MAX - 1, out, sizeof out), "more");
    assert_string_equal(read_back(bytes, HTTP_HEAD_MAX, out, sizeof out), "431");
    memcpy(bytes + 400, " HTTP/1.1\r\nHost: a\r\n\r\n", 23);
    assert_string_equal(read_back(bytes, sizeof bytes, out, sizeof out), "414");
    /* An end that lies behind the limit counts for nothing. */
    memset(bytes, 'a', sizeof bytes);
    memcpy(bytes, "GET / HTTP/1.1\r\nHost: a\r\nX:", 27);
    memcpy(bytes + HTTP_HEAD_MAX - 3, "\r\n\r\n", 4);
    assert_string_equal(read_back(bytes, sizeof bytes, out, sizeof out), "431");
    memcpy(bytes + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    assert_string_equal(read_back(bytes, sizeof bytes, out, sizeof out), "G / keep");
}

static void the_next_request_begins_behind_it(void **)
{
    static const char bytes[] =
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http_request request;
    unsigned status = 0;

    assert_int_equal(http_read(bytes, sizeof bytes - 1, &request, &status), HTTP_OK);
    assert_string_equal(request.path, "/a");
    size_t size = request.size;
    assert_int_equal(http_read(bytes + size, sizeof bytes - 1 - size, &request, &status), HTTP_OK);
    assert_string_equal(request.path, "/b");
    assert_int_equal(size + request.size, sizeof bytes - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read_or_refused),
        cmocka_unit_test(every_prefix_needs_more),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(the_next_request_begins_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
