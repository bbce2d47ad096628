/* wire/message: writes and reads the fields of a protocol message.
 *
 * A writer appends to a buffer; out of memory is remembered by it, not
 * returned field by field.  A reader goes over the body of one message and
 * remembers that it was too short; what it then returns is 0 or "".  Numbers
 * are big-endian.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Fields at any place. */
[[nodiscard]] uint32_t message_get_u32(const char *bytes);
void message_set_u32(char *bytes, uint32_t number);

struct message_writer {
    struct buffer *out; /* borrowed */
    size_t begin;       /* where the message begins: bytes from the buffer's front */
    size_t length_at;   /* where its length goes */
    bool has_failed;    /* memory ran out: what was written must be dropped */
};

/* Starts a message; type 0 is a message without a type byte (startup, cancel). */
[[nodiscard]] struct message_writer message_begin(struct buffer *out, char type);
void message_put_byte(struct message_writer *writer, char byte);
void message_put_u16(struct message_writer *writer, uint16_t number);
void message_put_u32(struct message_writer *writer, uint32_t number);
void message_put_bytes(struct message_writer *writer, const void *bytes, size_t size);
void message_put_string(struct message_writer *writer, const char *string); /* and its zero */

/* Fills in the length.  False when memory ran out, or the message is longer than any may be: the
 * buffer is as it was before. */
[[nodiscard]] bool message_end(struct message_writer *writer);

/* Whole messages of one kind each.  False when memory ran out: nothing was appended. */
[[nodiscard]] bool message_write_empty(struct buffer *out, char type);
[[nodiscard]] bool message_write_string(struct buffer *out, char type, const char *string);
[[nodiscard]] bool message_write_ready(struct buffer *out, char status); /* ReadyForQuery */
[[nodiscard]] bool message_write_parameter(struct buffer *out, const char *name,
                                           const char *value); /* ParameterStatus */

struct message_reader {
    const char *at, *end; /* borrowed: the body */
    bool has_failed;      /* the message ended too early */
};

void message_read_begin(struct message_reader *reader, const char *body, size_t size);
[[nodiscard]] char message_read_byte(struct message_reader *reader);
[[nodiscard]] uint16_t message_read_u16(struct message_reader *reader);
[[nodiscard]] uint32_t message_read_u32(struct message_reader *reader);

/* Borrowed from the body. */
[[nodiscard]] const char *message_read_string(struct message_reader *reader);
[[nodiscard]] const char *message_read_bytes(struct message_reader *reader, size_t size);
[[nodiscard]] size_t message_left(const struct message_reader *reader);

/* Whether all was read, and nothing is left. */
[[nodiscard]] bool message_read_end(const struct message_reader *reader);
