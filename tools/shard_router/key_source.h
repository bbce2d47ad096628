/* shard_router/key_source: keys, one at a time, from lines or generated.
 *
 * Lines end in LF; the last may lack it.  An error names the line, never the
 * key.  A key borrows the source's buffer until the next call.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "shard/key_text.h"

enum { KEY_SOURCE_BUFFER = 1 << 16, KEY_SOURCE_LINE_MAX = 4096 };

struct key_source {
    struct key_type type;
    FILE *in;           /* borrowed; NULL: generated */
    uint64_t generated; /* how many to generate */
    uint64_t number;    /* of the key given last, from 1: its line */
    size_t at, end;     /* what is left in the buffer */
    bool is_at_end;     /* `in` has no more */
    char generated_text[32];
    char buffer[KEY_SOURCE_BUFFER];
};

enum key_source_result { KEY_SOURCE_KEY, KEY_SOURCE_END, KEY_SOURCE_BAD };

/* From `in`, which is borrowed. */
void key_source_lines(struct key_source *source, FILE *in, const struct key_type *type);

/* user:0, user:1, … for strings; 0, 1, … for integers; days from 2000-01-01 for
 * dates; the MD5 of user:0 … for uuids. */
void key_source_generate(struct key_source *source, uint64_t count, const struct key_type *type);

/* The next key; KEY_SOURCE_BAD sets `err`. */
[[nodiscard]] enum key_source_result key_source_next(struct key_source *source,
                                                     struct key_text *key, struct error *err);
