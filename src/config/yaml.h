/* config/yaml: a YAML text as a tree whose every node knows its place.
 *
 * One document of mappings, sequences and scalars, read with libfyaml.  Scalars
 * are text, whatever they look like.  Refused, with a report: anchors, aliases
 * and tags (a configuration needs none, and aliases can grow without bound),
 * duplicate keys, keys that are not scalars, control characters and text that
 * isn't UTF-8, more than YAML_SIZE_MAX bytes, YAML_NODES_MAX nodes or
 * YAML_DEPTH_MAX levels.
 */
#pragma once

#include "base/arena.h"
#include "config/report.h"

enum { YAML_SIZE_MAX = 4 << 20, YAML_NODES_MAX = 500000, YAML_DEPTH_MAX = 16 };

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_MAPPING, YAML_SEQUENCE };

struct yaml_node {
    enum yaml_kind kind;
    char *key;  /* in a mapping; else NULL */
    char *text; /* of a scalar; else "" */
    struct report_place place, key_place;
    struct yaml_node *first, *last, *next; /* children; the next sibling */
    size_t count;                          /* of children */
};

struct yaml {
    struct arena arena;     /* holds the nodes and their texts */
    struct yaml_node *root; /* NULL: the document is empty */
    bool is_broken;         /* the syntax or a limit ended it early: `root` is a part */
};

/* False when something was reported as an error; the tree is then as complete as it could be, and
 * may be looked at for more errors unless it is broken or NULL.  yaml_done() in any case. */
[[nodiscard]] bool yaml_parse(struct yaml *yaml, const char *text, size_t size,
                              struct report *report);
void yaml_done(struct yaml *yaml); /* wipes the texts and frees */

/* Whether the report's text is UTF-8 without control characters; else reports the first. */
[[nodiscard]] bool yaml_check_characters(struct report *report);

/* "a single value", "a mapping", … for messages. */
[[nodiscard]] const char *yaml_kind_name(enum yaml_kind kind);
