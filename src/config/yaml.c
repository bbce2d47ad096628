#include "config/yaml.h"

#include <assert.h>
#include <libfyaml.h>
#include <string.h>

#include "base/hashmap.h"

/* One that is being filled. */
struct level {
    struct yaml_node *node;
    char *key; /* read, its value is next; NULL: a key is next */
    struct report_place key_place;
};

struct reader {
    struct yaml *yaml;
    struct report *report;
    struct level levels[YAML_DEPTH_MAX];
    size_t depth, node_count, document_count;
    bool is_ended; /* a limit was reached: read no further */
};

const char *yaml_kind_name(enum yaml_kind kind)
{
    static const char *const names[] = {[YAML_NULL] = "nothing",
                                        [YAML_SCALAR] = "a single value",
                                        [YAML_MAPPING] = "a mapping",
                                        [YAML_SEQUENCE] = "a list"};
    return names[kind];
}

/* ---- the text before YAML sees it ---- */

/* Bytes of the valid UTF-8 character at `bytes`; 0 when it is none. */
static size_t valid_character(const unsigned char *bytes, size_t size)
{
    size_t count = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;

    if (count == 1) {
        return 1;
    }
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || count > size) {
        return 0;
    }
    for (size_t i = 1; i < count; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool is_overlong =
        (bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xf0 && bytes[1] < 0x90);
    bool is_outside =
        (bytes[0] == 0xed && bytes[1] > 0x9f) || (bytes[0] == 0xf4 && bytes[1] > 0x8f);
    return is_overlong || is_outside ? 0 : count;
}

/* libfyaml ends silently at a zero and drops what isn't UTF-8. */
bool yaml_check_characters(struct report *report)
{
    struct report_place place = {1, 1, 1};

    for (size_t at = 0; at < report->size;) {
        const unsigned char *bytes = (const unsigned char *)report->text + at;
        size_t count = valid_character(bytes, report->size - at);
        bool is_return = bytes[0] == '\r' && at + 1 < report->size && bytes[1] == '\n';

        if (count == 0) {
            return report_error(report, place, "save the file as UTF-8", "not UTF-8");
        }
        if ((bytes[0] < ' ' && bytes[0] != '\t' && bytes[0] != '\n' && !is_return) ||
            bytes[0] == 0x7f) {
            return report_error(report, place, NULL, "control character 0x%02x", bytes[0]);
        }
        at += count;
        place.column++;
        if (bytes[0] == '\n') {
            place = (struct report_place){place.line + 1, 1, 1};
        }
    }
    return true;
}

/* ---- events to nodes ---- */

static struct report_place place_of(const struct fy_mark *start, const struct fy_mark *end)
{
    struct report_place place = {0};

    if (start == NULL || start->line < 0 || start->column < 0) {
        return place;
    }
    place = (struct report_place){(unsigned)start->line + 1, (unsigned)start->column + 1, 1};
    if (end != NULL && end->line == start->line && end->column > start->column) {
        place.width = (unsigned)(end->column - start->column);
    }
    return place;
}

static struct report_place token_place(struct fy_token *token)
{
    return token == NULL ? (struct report_place){0}
                         : place_of(fy_token_start_mark(token), fy_token_end_mark(token));
}

static bool end(struct reader *reader, struct report_place place, const char *what)
{
    reader->is_ended = true;
    return report_error(reader->report, place, NULL, "%s", what);
}

/* A node below the current level; NULL when there is no room or no key for it. */
static struct yaml_node *add_node(struct reader *reader, enum yaml_kind kind,
                                  struct report_place place)
{
    struct yaml_node *node = arena_alloc(&reader->yaml->arena, sizeof *node);

    if (node == NULL || ++reader->node_count > YAML_NODES_MAX) {
        end(reader, place, node == NULL ? "out of memory" : "has too many values");
        return NULL;
    }
    *node = (struct yaml_node){.kind = kind, .place = place};
    if (reader->depth == 0) {
        reader->yaml->root = reader->yaml->root == NULL ? node : reader->yaml->root;
        return node;
    }
    struct level *level = &reader->levels[reader->depth - 1];
    if (level->node->kind == YAML_MAPPING) {
        assert(level->key != NULL);
        node->key = level->key;
        node->key_place = level->key_place;
        level->key = NULL;
    }
    if (node->place.line == 0) {
        node->place = node->key_place.line > 0 ? node->key_place : level->node->place;
    }
    if (level->node->last == NULL) {
        level->node->first = node;
    } else {
        level->node->last->next = node;
    }
    level->node->last = node;
    level->node->count++;
    return node;
}

static bool is_key_next(const struct reader *reader)
{
    const struct level *level = reader->depth > 0 ? &reader->levels[reader->depth - 1] : NULL;

    return level != NULL && level->node->kind == YAML_MAPPING && level->key == NULL;
}

/* Anchors and tags change what a text means; none is needed here. */
static void check_plainness(struct reader *reader, struct fy_event *event)
{
    struct fy_token *anchor = fy_event_get_anchor_token(event);
    struct fy_token *tag = fy_event_get_tag_token(event);

    if (anchor != NULL) {
        report_error(reader->report, token_place(anchor),
                     "write the value again where it is needed", "anchors (&) are not supported");
    }
    if (tag != NULL) {
        report_error(reader->report, token_place(tag), "quote a text that begins with !",
                     "tags (!) are not supported");
    }
}

static void on_scalar(struct reader *reader, struct fy_event *event)
{
    struct fy_token *token = fy_event_get_token(event);
    struct report_place place = token_place(token);
    size_t size = 0;
    const char *text = token != NULL ? fy_token_get_text(token, &size) : NULL;
    bool is_plain = token == NULL || fy_token_scalar_style(token) == FYSS_PLAIN;
    bool is_null = text == NULL || (is_plain && ((size == 1 && text[0] == '~') ||
                                                 (size == 4 && memcmp(text, "null", 4) == 0)));
    bool is_key = is_key_next(reader);

    if (text != NULL && memchr(text, '\0', size) != NULL) {
        report_error(reader->report, place, NULL, "a zero byte in a text");
        size = strnlen(text, size);
    }
    char *copy = arena_copy(&reader->yaml->arena, text != NULL ? text : "", size);
    if (copy == NULL) {
        end(reader, place, "out of memory");
        return;
    }
    if (is_key) {
        struct level *level = &reader->levels[reader->depth - 1];
        assert(level->node != NULL);
        level->key = copy;
        level->key_place = place.line > 0 ? place : level->node->place;
        return;
    }
    struct yaml_node *node = add_node(reader, is_null ? YAML_NULL : YAML_SCALAR, place);
    if (node != NULL) {
        node->text = copy;
    }
}

static void on_begin(struct reader *reader, enum yaml_kind kind, struct fy_event *event)
{
    struct report_place place = place_of(fy_event_start_mark(event), fy_event_end_mark(event));

    if (is_key_next(reader)) {
        end(reader, place, "a key must be a single value");
        return;
    }
    if (reader->depth == YAML_DEPTH_MAX) {
        end(reader, place, "is nested too deeply");
        return;
    }
    struct yaml_node *node = add_node(reader, kind, place);
    if (node != NULL) {
        node->text = arena_copy(&reader->yaml->arena, "", 0);
        reader->levels[reader->depth++] = (struct level){.node = node};
        reader->is_ended = node->text == NULL;
    }
}

static void on_alias(struct reader *reader, struct fy_event *event)
{
    report_error(reader->report, token_place(fy_event_get_token(event)),
                 "write the value again where it is needed", "aliases (*) are not supported");
    reader->is_ended = true;
}

static void on_event(struct reader *reader, struct fy_event *event)
{
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (++reader->document_count > 1) {
            end(reader, place_of(fy_event_start_mark(event), NULL), "a second document");
        }
        break;
    case FYET_MAPPING_START:
        check_plainness(reader, event);
        on_begin(reader, YAML_MAPPING, event);
        break;
    case FYET_SEQUENCE_START:
        check_plainness(reader, event);
        on_begin(reader, YAML_SEQUENCE, event);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        assert(reader->depth > 0);
        reader->depth--;
        break;
    case FYET_SCALAR:
        check_plainness(reader, event);
        on_scalar(reader, event);
        break;
    case FYET_ALIAS: on_alias(reader, event); break;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END: break;
    }
}

/* ---- the whole text ---- */

/* Where the innermost bracket that is still open stands helps to find the missing one. */
static void report_syntax(const struct reader *reader, struct fy_diag *diag)
{
    void *at = NULL;
    char hint[80] = "";
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &at);

    if (reader->depth > 0) {
        const struct yaml_node *open = reader->levels[reader->depth - 1].node;
        snprintf(hint, sizeof hint, "in %s that begins at line %u, column %u",
                 yaml_kind_name(open->kind), open->place.line, open->place.column);
    }
    if (error == NULL) {
        report_error(reader->report, (struct report_place){0}, hint, "is no YAML");
        return;
    }
    struct report_place place = {0};
    if (error->line > 0 && error->column > 0) {
        place = (struct report_place){(unsigned)error->line, (unsigned)error->column, 1};
    }
    report_error(reader->report, place, hint, "%s", error->msg);
}

static bool read_events(struct reader *reader, struct fy_parser *parser, struct fy_diag *diag)
{
    struct fy_event *event;

    while (!reader->is_ended && (event = fy_parser_parse(parser)) != NULL) {
        on_event(reader, event);
        fy_parser_event_free(parser, event);
    }
    if (!reader->is_ended && fy_parser_get_stream_error(parser)) {
        report_syntax(reader, diag);
    }
    return !reader->is_ended && !fy_parser_get_stream_error(parser);
}

static bool read_all(struct reader *reader, const char *text, size_t size)
{
    struct fy_diag_cfg diag_options;
    fy_diag_cfg_default(&diag_options);
    diag_options.fp = NULL;
    diag_options.level = FYET_ERROR;
    struct fy_diag *diag = fy_diag_create(&diag_options);
    if (diag == NULL) {
        return report_error(reader->report, (struct report_place){0}, NULL, "out of memory");
    }
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg options = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG |
                                                  FYPCF_JSON_NONE | FYPCF_DEFAULT_VERSION_1_2,
                                         .diag = diag};
    struct fy_parser *parser = fy_parser_create(&options);
    bool is_ok = false;
    if (parser == NULL || fy_parser_set_string(parser, text, size) != 0) {
        report_error(reader->report, (struct report_place){0}, NULL, "out of memory");
    } else {
        is_ok = read_events(reader, parser, diag);
    }
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return is_ok;
}

static void report_duplicates(const struct yaml_node *node, struct report *report)
{
    static const uint64_t seed[2] = {1, 2}; /* the file's author is the operator */
    struct hashmap keys;

    hashmap_init(&keys, seed);
    for (struct yaml_node *child = node->first; child != NULL; child = child->next) {
        size_t size = child->key != NULL ? strlen(child->key) : 0;
        if (child->key != NULL) {
            const struct yaml_node *other = hashmap_get(&keys, child->key, size);
            char hint[80];
            snprintf(hint, sizeof hint, "it stands at line %u already",
                     other != NULL ? other->key_place.line : 0);
            if (other != NULL) {
                report_error(report, child->key_place, hint, "duplicate key \"%.60s\"", child->key);
            } else if (!hashmap_put(&keys, child->key, size, child)) {
                report_error(report, child->key_place, NULL, "out of memory");
            }
        }
        report_duplicates(child, report); /* at most YAML_DEPTH_MAX deep */
    }
    hashmap_done(&keys);
}

bool yaml_parse(struct yaml *yaml, const char *text, size_t size, struct report *report)
{
    enum { CHUNK = 16 << 10, LIMIT = 256 << 20 };
    struct reader reader = {.yaml = yaml, .report = report};

    *yaml = (struct yaml){0};
    arena_init(&yaml->arena, CHUNK, LIMIT);
    if (size > YAML_SIZE_MAX) {
        return report_error(report, (struct report_place){0}, NULL, "has %zu bytes, more than %d",
                            size, YAML_SIZE_MAX);
    }
    if (size == 0) {
        return true;
    }
    if (!yaml_check_characters(report)) {
        return false;
    }
    yaml->is_broken = !read_all(&reader, text, size);
    if (yaml->root != NULL) {
        report_duplicates(yaml->root, report);
    }
    return report->error_count == 0;
}

static void wipe(struct yaml_node *node)
{
    if (node->text != NULL) {
        explicit_bzero(node->text, strlen(node->text));
    }
    for (struct yaml_node *child = node->first; child != NULL; child = child->next) {
        wipe(child);
    }
}

void yaml_done(struct yaml *yaml)
{
    if (yaml->root != NULL) {
        wipe(yaml->root);
    }
    arena_done(&yaml->arena);
    *yaml = (struct yaml){0};
}
