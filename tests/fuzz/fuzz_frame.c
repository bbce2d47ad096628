/* Any bytes as a stream of messages: cut the same wherever the stream is split, never beyond its
 * end, and the fields of each body stay inside it. */
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Reads fields as the body's own bytes say, until one fails. */
static void check_fields(const char *body, size_t size)
{
    struct message_reader reader;
    message_read_begin(&reader, body, size);

    while (!reader.has_failed && message_left(&reader) > 0) {
        size_t left = message_left(&reader);
        switch (message_read_byte(&reader) % 4) {
        case 0: check(message_read_u16(&reader) <= UINT16_MAX); break;
        case 1: check(message_read_string(&reader) != NULL); break;
        case 2: check(message_read_bytes(&reader, left / 2) != NULL || reader.has_failed); break;
        default: /* lint: not an enum */
            check(message_read_u32(&reader) == 0 || !reader.has_failed);
            break;
        }
        check(message_left(&reader) < left);
    }
    check(reader.has_failed != message_read_end(&reader));
}

/* The header from a copy of its own size, so that a byte read too much is seen. */
static enum frame_result read_exactly(const char *bytes, size_t size, struct frame *frame)
{
    struct error err = {0};
    char *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL) {
        return FRAME_BAD;
    }
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    enum frame_result result = frame_read(copy, size, frame, &err);
    check(error_is_set(&err) == (result == FRAME_BAD));
    free(copy);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *at = (const char *)bytes;
    const char *end = at + size;
    struct frame frame = {0};
    struct buffer out = {0};

    while (frame_read(at, (size_t)(end - at), &frame, &(struct error){0}) == FRAME_OK) {
        struct frame again;
        for (size_t prefix = 0; prefix < FRAME_HEADER_SIZE; prefix++) {
            check(read_exactly(at, prefix, &again) == FRAME_NEED_MORE);
        }
        check(read_exactly(at, FRAME_HEADER_SIZE, &again) == FRAME_OK);
        check(again.type == frame.type && again.body_size == frame.body_size);
        check(frame.body_size <= FRAME_BODY_MAX);
        size_t left = (size_t)(end - at) - FRAME_HEADER_SIZE;
        if (frame.body_size > left) {
            break;
        }
        check_fields(at + FRAME_HEADER_SIZE, frame.body_size);
        if (frame.type != 0) { /* written again it is the same */
            struct message_writer writer = message_begin(&out, frame.type);
            message_put_bytes(&writer, at + FRAME_HEADER_SIZE, frame.body_size);
            check(message_end(&writer));
            check(buffer_size(&out) == FRAME_HEADER_SIZE + frame.body_size);
            check(memcmp(buffer_bytes(&out), at, buffer_size(&out)) == 0);
            buffer_truncate(&out, 0);
        }
        at += FRAME_HEADER_SIZE + frame.body_size;
    }
    buffer_done(&out);
    return 0;
}
