/* wire/frame: cuts a byte stream into PostgreSQL protocol messages.
 *
 * Pure: no sockets, no allocation, no knowledge of what a message means.  A
 * message may be longer than what has arrived: its header is enough to decide,
 * and its body is then counted down as it passes.  "Message Formats" in the
 * protocol's documentation.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    FRAME_HEADER_SIZE = 5,          /* a type byte, and a length that counts itself */
    FRAME_BODY_MAX = 0x3fffffff - 4 /* as PostgreSQL: MaxAllocSize with the length word */
};

struct frame {
    char type;        /* 'Q', 'P', 'Z', … */
    size_t body_size; /* bytes after the header */
};

enum frame_result { FRAME_OK, FRAME_NEED_MORE, FRAME_BAD };

/* Reads the header at bytes[0..size).  FRAME_BAD sets 08P01: the length is
 * impossible, and nothing after it can be trusted. */
[[nodiscard]] enum frame_result frame_read(const char *bytes, size_t size, struct frame *frame,
                                           struct error *err);
