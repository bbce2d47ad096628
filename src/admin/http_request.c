#include "admin/http_request.h"

#include <string.h>
#include <strings.h>

struct span {
    const char *text;
    size_t size;
};

struct facts {
    unsigned minor; /* of HTTP/1.x */
    unsigned host_count;
    bool says_close, says_keep_alive;
};

static bool is_token_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct span span)
{
    for (size_t i = 0; i < span.size; i++) {
        if (!is_token_character(span.text[i])) {
            return false;
        }
    }
    return span.size > 0;
}

/* No control characters but the tab: no bare CR or LF either. */
static bool is_text(struct span span)
{
    for (size_t i = 0; i < span.size; i++) {
        unsigned char c = (unsigned char)span.text[i];
        if ((c < ' ' && c != '\t') || c == 0x7F) {
            return false;
        }
    }
    return true;
}

static bool equals(struct span span, const char *text)
{
    return span.size == strlen(text) && strncasecmp(span.text, text, span.size) == 0;
}

static struct span trimmed(struct span span)
{
    while (span.size > 0 && (span.text[0] == ' ' || span.text[0] == '\t')) {
        span.text++;
        span.size--;
    }
    while (span.size > 0 && (span.text[span.size - 1] == ' ' || span.text[span.size - 1] == '\t')) {
        span.size--;
    }
    return span;
}

/* Cuts the next item off a list with commas; false when there is none left. */
static bool next_item(struct span *list, struct span *item)
{
    if (list->size == 0) {
        return false;
    }
    const char *comma = memchr(list->text, ',', list->size);
    size_t size = comma == NULL ? list->size : (size_t)(comma - list->text);
    size_t skip = comma == NULL ? size : size + 1;

    *item = trimmed((struct span){list->text, size});
    list->text += skip;
    list->size -= skip;
    return true;
}

/* ---- the first line ---- */

/* "/path?query" or "http://host/path". */
static unsigned read_target(struct span target, struct http_request *request)
{
    if (target.size > 7 && strncasecmp(target.text, "http://", 7) == 0) {
        const char *slash = memchr(target.text + 7, '/', target.size - 7);
        if (slash == NULL) {
            return 400;
        }
        target.size -= (size_t)(slash - target.text);
        target.text = slash;
    }
    if (target.size == 0 || target.text[0] != '/') {
        return 400;
    }
    const char *query = memchr(target.text, '?', target.size);
    size_t size = query == NULL ? target.size : (size_t)(query - target.text);
    if (size >= sizeof request->path) {
        return 414;
    }
    memcpy(request->path, target.text, size);
    request->path[size] = '\0';
    return 0;
}

static unsigned read_first_line(struct span line, struct http_request *request, struct facts *facts)
{
    const char *end = line.text + line.size;
    const char *first = memchr(line.text, ' ', line.size);
    const char *last = first == NULL ? NULL : memchr(first + 1, ' ', (size_t)(end - first - 1));

    if (last == NULL || !is_text(line) || memchr(last + 1, ' ', (size_t)(end - last - 1)) != NULL) {
        return 400;
    }
    struct span method = {line.text, (size_t)(first - line.text)};
    struct span version = {last + 1, (size_t)(end - last - 1)};
    if (!is_token(method) || version.size != 8 || memcmp(version.text, "HTTP/", 5) != 0 ||
        version.text[6] != '.') {
        return 400;
    }
    if (version.text[5] != '1' || version.text[7] < '0' || version.text[7] > '9') {
        return 505;
    }
    facts->minor = (unsigned)(version.text[7] - '0');
    request->is_get = method.size == 3 && memcmp(method.text, "GET", 3) == 0;
    request->is_head = method.size == 4 && memcmp(method.text, "HEAD", 4) == 0;
    return read_target((struct span){first + 1, (size_t)(last - first - 1)}, request);
}

/* ---- fields ---- */

static void read_connection(struct span value, struct facts *facts)
{
    struct span item;
    while (next_item(&value, &item)) {
        facts->says_close = facts->says_close || equals(item, "close");
        facts->says_keep_alive = facts->says_keep_alive || equals(item, "keep-alive");
    }
}

static void read_accept(struct span value, struct http_request *request)
{
    struct span item;
    while (next_item(&value, &item)) {
        const char *parameters = memchr(item.text, ';', item.size);
        struct span type = {item.text,
                            parameters == NULL ? item.size : (size_t)(parameters - item.text)};
        request->wants_openmetrics =
            request->wants_openmetrics || equals(trimmed(type), "application/openmetrics-text");
    }
}

static unsigned read_field(struct span line, struct http_request *request, struct facts *facts)
{
    const char *colon = memchr(line.text, ':', line.size);
    if (colon == NULL) {
        return 400;
    }
    struct span name = {line.text, (size_t)(colon - line.text)};
    struct span value = trimmed((struct span){colon + 1, line.size - name.size - 1});
    if (!is_token(name) || !is_text(value)) {
        return 400;
    }
    if (equals(name, "host")) {
        facts->host_count++;
    } else if (equals(name, "connection")) {
        read_connection(value, facts);
    } else if (equals(name, "accept")) {
        read_accept(value, request);
    } else if (equals(name, "transfer-encoding")) {
        return 413;
    } else if (equals(name, "content-length")) {
        return equals(value, "0") ? 0 : 413;
    }
    return 0;
}

/* ---- the whole ---- */

static bool next_line(const char **at, const char *end, struct span *line)
{
    const char *feed = memmem(*at, (size_t)(end - *at), "\r\n", 2);
    if (feed == NULL) {
        return false;
    }
    *line = (struct span){*at, (size_t)(feed - *at)};
    *at = feed + 2;
    return true;
}

static unsigned read_head(const char *bytes, const char *end, struct http_request *request)
{
    struct facts facts = {0};
    struct span line = {0};

    if (!next_line(&bytes, end, &line)) {
        return 400;
    }
    unsigned status = read_first_line(line, request, &facts);
    while (status == 0 && next_line(&bytes, end, &line) && line.size > 0) {
        status = read_field(line, request, &facts);
    }
    if (status == 0 && (facts.host_count > 1 || (facts.minor >= 1 && facts.host_count != 1))) {
        return 400;
    }
    request->keeps_alive = !facts.says_close && (facts.minor >= 1 || facts.says_keep_alive);
    return status;
}

enum http_result http_read(const char *bytes, size_t size, struct http_request *request,
                           unsigned *status)
{
    size_t looked_at = size < HTTP_HEAD_MAX ? size : HTTP_HEAD_MAX;
    const char *end = memmem(bytes, looked_at, "\r\n\r\n", 4);

    *request = (struct http_request){0};
    if (end == NULL) {
        *status = 431;
        return size >= HTTP_HEAD_MAX ? HTTP_BAD : HTTP_NEED_MORE;
    }
    request->size = (size_t)(end - bytes) + 4;
    *status = read_head(bytes, end + 4, request);
    return *status == 0 ? HTTP_OK : HTTP_BAD;
}
