/* Parse, Bind, Describe, Execute, Close and Flush on the console. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console_private.h"
#include "wire/message.h"

enum {
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_UNKNOWN = 705,
    OID_VARCHAR = 1043,
    NUMBER_SIZE = 24 /* of a whole number as text */
};

static bool fail(struct console *console, const char *sqlstate, const char *what)
{
    return error_set(&console->error, sqlstate, "%s", what);
}

static bool out_of_memory(struct console *console)
{
    return error_set(&console->error, "53200", "out of memory");
}

static bool malformed(struct console *console)
{
    return fail(console, "08P01", "malformed message");
}

/* ---- finding and forgetting ---- */

static struct console_statement *find_statement(struct console *console, const char *name)
{
    for (struct list_link *link = list_first(&console->statements); link != NULL;
         link = list_next(&console->statements, link)) {
        struct console_statement *statement = LIST_MEMBER(link, struct console_statement, link);
        if (strcmp(statement->name, name) == 0) {
            return statement;
        }
    }
    return NULL;
}

static struct console_portal *find_portal(struct console *console, const char *name)
{
    for (struct list_link *link = list_first(&console->portals); link != NULL;
         link = list_next(&console->portals, link)) {
        struct console_portal *portal = LIST_MEMBER(link, struct console_portal, link);
        if (strcmp(portal->name, name) == 0) {
            return portal;
        }
    }
    return NULL;
}

static void forget_statement(struct console *console, struct console_statement *statement)
{
    if (statement == NULL) {
        return;
    }
    if (list_contains_link(&statement->link)) {
        list_remove(&console->statements, &statement->link);
    }
    free(statement->name);
    free(statement->text);
    free(statement);
}

static void forget_portal(struct console *console, struct console_portal *portal)
{
    if (portal == NULL) {
        return;
    }
    if (list_contains_link(&portal->link)) {
        list_remove(&console->portals, &portal->link);
    }
    rows_done(&portal->rows);
    free(portal->name);
    free(portal->formats);
    free(portal);
}

void console_forget_statements(struct console *console)
{
    while (!list_is_empty(&console->statements)) {
        forget_statement(
            console, LIST_MEMBER(list_first(&console->statements), struct console_statement, link));
    }
}

void console_forget_portals(struct console *console)
{
    while (!list_is_empty(&console->portals)) {
        forget_portal(console,
                      LIST_MEMBER(list_first(&console->portals), struct console_portal, link));
    }
    console->portal = NULL;
}

/* ---- Parse ---- */

/* Bytes of a whole number's binary form; 0: it's no whole number. */
static size_t number_size(uint32_t oid)
{
    return oid == OID_INT2 ? 2 : oid == OID_INT4 ? 4 : oid == OID_INT8 ? 8 : 0;
}

/* Else neither form is one that we read. */
static bool is_usable_type(uint32_t oid)
{
    return oid == 0 || number_size(oid) > 0 || oid == OID_TEXT || oid == OID_VARCHAR ||
           oid == OID_UNKNOWN || oid == OID_NAME;
}

/* One statement, and of a kind that there is. */
static bool check_text(struct console *console, const char *text, unsigned *parameter_count)
{
    const struct query_parameters unbound = {0};
    struct console_shape shape;
    struct query query, more;
    size_t used = 0, rest = 0, size = strlen(text);

    if (!query_read(text, size, &unbound, &query, &used, &console->error)) {
        return false;
    }
    *parameter_count = query.parameter_count;
    if (!query_read(text + used, size - used, &unbound, &more, &rest, &console->error)) {
        return false;
    }
    if (more.kind != QUERY_EMPTY) {
        return fail(console, "42601", "cannot insert multiple commands into a prepared statement");
    }
    return console_find_shape(&query, &shape, &console->error);
}

static bool read_types(struct console *console, struct message_reader *reader,
                       uint32_t types[QUERY_PARAMETER_MAX])
{
    uint16_t count = message_read_u16(reader);

    for (uint16_t i = 0; i < count && !reader->has_failed; i++) {
        uint32_t type = message_read_u32(reader);
        if (i >= QUERY_PARAMETER_MAX || !is_usable_type(type)) {
            return fail(console, "0A000", "parameters on the console are texts or whole numbers");
        }
        types[i] = type;
    }
    return true;
}

static bool parse(struct console *console, const char *body, size_t size)
{
    struct message_reader reader;
    uint32_t types[QUERY_PARAMETER_MAX] = {0};
    unsigned parameter_count = 0;

    message_read_begin(&reader, body, size);
    const char *name = message_read_string(&reader);
    const char *text = message_read_string(&reader);
    if (!read_types(console, &reader, types)) {
        return false;
    }
    if (!message_read_end(&reader)) {
        return malformed(console);
    }
    struct console_statement *old = find_statement(console, name);
    if (old != NULL && name[0] != '\0') {
        return error_set(&console->error, "42P05", "prepared statement \"%.63s\" already exists",
                         name);
    }
    if (!check_text(console, text, &parameter_count)) {
        return false;
    }
    if (old == NULL && console->statements.count >= CONSOLE_STATEMENT_MAX) {
        return fail(console, "53000", "too many prepared statements on the console");
    }
    struct console_statement *statement = calloc(1, sizeof *statement);
    if (statement == NULL || (statement->name = strdup(name)) == NULL ||
        (statement->text = strdup(text)) == NULL) {
        forget_statement(console, statement);
        return out_of_memory(console);
    }
    statement->text_size = strlen(text);
    statement->parameter_count = parameter_count;
    memcpy(statement->types, types, sizeof types);
    forget_statement(console, old);
    list_push_last(&console->statements, &statement->link);
    return message_write_empty(stream_out(&console->session->stream), '1') ||
           out_of_memory(console);
}

/* ---- Bind ---- */

struct binding {
    uint16_t formats[QUERY_PARAMETER_MAX];
    size_t format_count;
    const char *values[QUERY_PARAMETER_MAX];
    char *texts; /* owned: zero-terminated copies */
    size_t count;
};

static bool read_formats(struct message_reader *reader, uint16_t *formats, size_t max,
                         size_t *count)
{
    *count = message_read_u16(reader);
    for (size_t i = 0; i < *count && !reader->has_failed; i++) {
        uint16_t format = message_read_u16(reader);
        if (i >= max || format > 1) {
            return false;
        }
        formats[i] = format;
    }
    return !reader->has_failed;
}

/* A text's binary form is its text; a whole number's is written out.  False: malformed. */
static bool copy_value(const char *bytes, size_t size, uint32_t type, bool is_binary, char *to)
{
    int64_t number = 0;

    if (!is_binary || number_size(type) == 0) {
        memcpy(to, bytes, size);
        to[size] = '\0';
        return memchr(bytes, '\0', size) == NULL;
    }
    if (size != number_size(type)) {
        return false;
    }
    number = (signed char)bytes[0] < 0 ? -1 : 0;
    for (size_t i = 0; i < size; i++) {
        number = (int64_t)((uint64_t)number << 8 | (unsigned char)bytes[i]);
    }
    snprintf(to, NUMBER_SIZE, "%lld", (long long)number);
    return true;
}

static bool read_values(struct message_reader *reader, const struct console_statement *statement,
                        struct binding *binding)
{
    binding->count = message_read_u16(reader);
    binding->texts = malloc(message_left(reader) + (size_t)QUERY_PARAMETER_MAX * NUMBER_SIZE);
    char *at = binding->texts;
    if (at == NULL || binding->count > QUERY_PARAMETER_MAX) {
        return false;
    }
    for (size_t i = 0; i < binding->count; i++) {
        uint32_t size = message_read_u32(reader);
        binding->values[i] = NULL;
        if (size == UINT32_MAX) {
            continue;
        }
        const char *bytes = message_read_bytes(reader, size);
        size_t format_at = binding->format_count == 1 ? 0 : i;
        bool is_binary = binding->format_count > format_at && binding->formats[format_at] == 1;
        if (reader->has_failed || !copy_value(bytes, size, statement->types[i], is_binary, at)) {
            return false;
        }
        binding->values[i] = at;
        at += strlen(at) + 1;
    }
    return !reader->has_failed;
}

static bool make_portal(struct console *console, const char *name,
                        const struct console_statement *statement, const struct binding *binding,
                        struct console_portal **made)
{
    const struct query_parameters values = {.values = binding->values, .count = binding->count};
    struct console_portal *portal = calloc(1, sizeof *portal);
    size_t used = 0;

    if (portal == NULL || (portal->name = strdup(name)) == NULL) {
        forget_portal(console, portal);
        return out_of_memory(console);
    }
    if (!query_read(statement->text, statement->text_size, &values, &portal->query, &used,
                    &console->error) ||
        !console_find_shape(&portal->query, &portal->shape, &console->error)) {
        forget_portal(console, portal);
        return false;
    }
    *made = portal;
    return true;
}

static bool take_result_formats(struct console *console, struct message_reader *reader,
                                struct console_portal *portal)
{
    uint16_t formats[ROWS_COLUMN_MAX];
    size_t columns = portal->shape.show != NULL ? portal->shape.show->column_count : 1;

    if (!read_formats(reader, formats, ROWS_COLUMN_MAX, &portal->format_count) ||
        !message_read_end(reader) ||
        (portal->format_count > 1 && portal->format_count != columns)) {
        return malformed(console);
    }
    portal->formats = calloc(ROWS_COLUMN_MAX, sizeof formats[0]);
    if (portal->formats == NULL) {
        return out_of_memory(console);
    }
    memcpy(portal->formats, formats, portal->format_count * sizeof formats[0]);
    return true;
}

static bool bind_values(struct console *console, struct message_reader *reader,
                        struct binding *binding, const char *portal_name,
                        const char *statement_name)
{
    const struct console_statement *statement = find_statement(console, statement_name);
    struct console_portal *portal = NULL, *old = find_portal(console, portal_name);

    if (statement == NULL) {
        return error_set(&console->error, "26000", "prepared statement \"%.63s\" does not exist",
                         statement_name);
    }
    if (old != NULL && portal_name[0] != '\0') {
        return error_set(&console->error, "42P03", "portal \"%.63s\" already exists", portal_name);
    }
    if (!read_formats(reader, binding->formats, QUERY_PARAMETER_MAX, &binding->format_count) ||
        !read_values(reader, statement, binding)) {
        return malformed(console);
    }
    if (binding->count < statement->parameter_count) {
        return fail(console, "08P01", "bind message supplies too few parameters");
    }
    if (old == NULL && console->portals.count >= CONSOLE_STATEMENT_MAX) {
        return fail(console, "53000", "too many portals on the console");
    }
    if (!make_portal(console, portal_name, statement, binding, &portal)) {
        return false;
    }
    assert(portal != NULL);
    if (!take_result_formats(console, reader, portal)) {
        forget_portal(console, portal);
        return false;
    }
    forget_portal(console, old);
    list_push_last(&console->portals, &portal->link);
    return message_write_empty(stream_out(&console->session->stream), '2') ||
           out_of_memory(console);
}

static bool bind_portal(struct console *console, const char *body, size_t size)
{
    struct message_reader reader;
    struct binding binding = {0};

    message_read_begin(&reader, body, size);
    const char *portal_name = message_read_string(&reader);
    const char *statement_name = message_read_string(&reader);
    bool is_ok = bind_values(console, &reader, &binding, portal_name, statement_name);
    free(binding.texts);
    return is_ok;
}

/* ---- Describe, Execute, Close ---- */

static bool describe_statement(struct console *console, const char *name)
{
    const struct console_statement *statement = find_statement(console, name);
    const struct query_parameters unbound = {0};
    struct buffer *out = stream_out(&console->session->stream);
    struct console_shape shape;
    struct query query;
    size_t used = 0;

    if (statement == NULL) {
        return error_set(&console->error, "26000", "prepared statement \"%.63s\" does not exist",
                         name);
    }
    if (!query_read(statement->text, statement->text_size, &unbound, &query, &used,
                    &console->error) ||
        !console_find_shape(&query, &shape, &console->error)) {
        return false;
    }
    struct message_writer writer = message_begin(out, 't');
    message_put_u16(&writer, (uint16_t)statement->parameter_count);
    for (unsigned i = 0; i < statement->parameter_count; i++) {
        message_put_u32(&writer, statement->types[i] == 0 ? OID_TEXT : statement->types[i]);
    }
    return (message_end(&writer) && console_write_description(out, &shape, NULL, 0)) ||
           out_of_memory(console);
}

static bool no_portal(struct console *console, const char *name)
{
    return error_set(&console->error, "34000", "portal \"%.63s\" does not exist", name);
}

static bool describe(struct console *console, const char *body, size_t size)
{
    struct message_reader reader;

    message_read_begin(&reader, body, size);
    char kind = message_read_byte(&reader);
    const char *name = message_read_string(&reader);
    if (!message_read_end(&reader) || (kind != 'S' && kind != 'P')) {
        return malformed(console);
    }
    if (kind == 'S') {
        return describe_statement(console, name);
    }
    const struct console_portal *portal = find_portal(console, name);
    if (portal == NULL) {
        return no_portal(console, name);
    }
    return console_write_description(stream_out(&console->session->stream), &portal->shape,
                                     portal->formats, portal->format_count) ||
           out_of_memory(console);
}

/* Rows of an answer that is there, as many as were asked for. */
static bool send_part(struct console *console, struct console_portal *portal, uint32_t max)
{
    struct buffer *out = stream_out(&console->session->stream);
    size_t count = rows_count(&portal->rows), end = count;

    if (max > 0 && max < count - portal->next) {
        end = portal->next + max;
    }
    if (!console_write_rows(out, &portal->rows, portal->next, end, portal->formats,
                            portal->format_count)) {
        return out_of_memory(console);
    }
    portal->next = end;
    bool is_sent = end < count ? message_write_empty(out, 's')
                               : console_write_complete(out, query_tag(portal->query.kind));
    return is_sent || out_of_memory(console);
}

bool console_portal_answer(struct console *console, bool is_ok)
{
    struct console_portal *portal = console->portal;

    console->portal = NULL;
    if (!is_ok) {
        rows_done(&console->rows);
        return false;
    }
    rows_done(&portal->rows);
    portal->rows = console->rows;
    console->rows = (struct rows){0};
    if (portal->shape.is_single) {
        portal->rows.columns = &portal->shape.single;
    }
    portal->next = 0;
    return send_part(console, portal, console->portal_max);
}

static bool execute(struct console *console, const char *body, size_t size)
{
    struct message_reader reader;

    message_read_begin(&reader, body, size);
    const char *name = message_read_string(&reader);
    console->portal_max = message_read_u32(&reader);
    if (!message_read_end(&reader)) {
        return malformed(console);
    }
    struct console_portal *portal = find_portal(console, name);
    if (portal == NULL) {
        return no_portal(console, name);
    }
    if (portal->query.kind == QUERY_EMPTY) {
        return message_write_empty(stream_out(&console->session->stream), 'I') ||
               out_of_memory(console);
    }
    if (portal->is_begun) {
        return send_part(console, portal, console->portal_max);
    }
    portal->is_begun = true;
    console->portal = portal;
    console->query = portal->query;
    console->session->queries++;
    switch (console_run(console)) {
    case CONSOLE_WAITS: console->session->state = SESSION_CONSOLE_BUSY; return true;
    case CONSOLE_FAILED: return console_portal_answer(console, false);
    case CONSOLE_DONE: return console_portal_answer(console, true);
    }
    return true;
}

static bool close_one(struct console *console, const char *body, size_t size)
{
    struct message_reader reader;

    message_read_begin(&reader, body, size);
    char kind = message_read_byte(&reader);
    const char *name = message_read_string(&reader);
    if (!message_read_end(&reader) || (kind != 'S' && kind != 'P')) {
        return malformed(console);
    }
    if (kind == 'S') {
        forget_statement(console, find_statement(console, name));
    } else {
        forget_portal(console, find_portal(console, name));
    }
    return message_write_empty(stream_out(&console->session->stream), '3') ||
           out_of_memory(console);
}

bool console_extended(struct console *console, char type, const char *body, size_t size)
{
    switch (type) {
    case 'P': return parse(console, body, size);
    case 'B': return bind_portal(console, body, size);
    case 'D': return describe(console, body, size);
    case 'E': return execute(console, body, size);
    case 'C': return close_one(console, body, size);
    case 'H': return true; /* what was written is flushed after each read */
    default:               /* lint: not an enum */
        return error_set(&console->error, "08P01", "unexpected message type 0x%02x on the console",
                         (unsigned char)type);
    }
}
