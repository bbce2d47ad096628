#include "wire/frame.h"

#include "wire/message.h"

enum frame_result frame_read(const char *bytes, size_t size, struct frame *frame, struct error *err)
{
    if (size < FRAME_HEADER_SIZE) {
        return FRAME_NEED_MORE;
    }
    uint32_t length = message_get_u32(bytes + 1);
    if (length < 4 || length - 4 > FRAME_BODY_MAX) {
        unsigned char type = (unsigned char)bytes[0];
        error_set(err, "08P01", "message of type 0x%02x has the impossible length %u", type,
                  length);
        return FRAME_BAD;
    }
    *frame = (struct frame){.type = bytes[0], .body_size = length - 4};
    return FRAME_OK;
}
