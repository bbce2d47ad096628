#include "wire/message.h"

#include <assert.h>
#include <string.h>

#include "wire/frame.h"

uint32_t message_get_u32(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

void message_set_u32(char *bytes, uint32_t number)
{
    bytes[0] = (char)(number >> 24);
    bytes[1] = (char)(number >> 16);
    bytes[2] = (char)(number >> 8);
    bytes[3] = (char)number;
}

struct message_writer message_begin(struct buffer *out, char type)
{
    size_t begin = buffer_size(out);
    struct message_writer writer = {.out = out, .begin = begin, .length_at = begin};
    char header[5] = {type};
    size_t skip = type == 0 ? 1 : 0;
    writer.length_at += 1 - skip;
    message_put_bytes(&writer, header + skip, sizeof header - skip);
    return writer;
}

void message_put_bytes(struct message_writer *writer, const void *bytes, size_t size)
{
    writer->has_failed = writer->has_failed || !buffer_append(writer->out, bytes, size);
}

void message_put_byte(struct message_writer *writer, char byte)
{
    message_put_bytes(writer, &byte, 1);
}

void message_put_u16(struct message_writer *writer, uint16_t number)
{
    char bytes[2] = {(char)(number >> 8), (char)number};
    message_put_bytes(writer, bytes, sizeof bytes);
}

void message_put_u32(struct message_writer *writer, uint32_t number)
{
    char bytes[4];
    message_set_u32(bytes, number);
    message_put_bytes(writer, bytes, sizeof bytes);
}

void message_put_string(struct message_writer *writer, const char *string)
{
    message_put_bytes(writer, string, strlen(string) + 1);
}

bool message_end(struct message_writer *writer)
{
    size_t length = buffer_size(writer->out) - writer->length_at;
    if (writer->has_failed || length > FRAME_BODY_MAX + sizeof(uint32_t)) {
        buffer_truncate(writer->out, writer->begin);
        return false;
    }
    message_set_u32(buffer_bytes(writer->out) + writer->length_at, (uint32_t)length);
    return true;
}

bool message_write_empty(struct buffer *out, char type)
{
    struct message_writer writer = message_begin(out, type);
    return message_end(&writer);
}

bool message_write_string(struct buffer *out, char type, const char *string)
{
    struct message_writer writer = message_begin(out, type);
    message_put_string(&writer, string);
    return message_end(&writer);
}

bool message_write_ready(struct buffer *out, char status)
{
    struct message_writer writer = message_begin(out, 'Z');
    message_put_byte(&writer, status);
    return message_end(&writer);
}

bool message_write_parameter(struct buffer *out, const char *name, const char *value)
{
    struct message_writer writer = message_begin(out, 'S');
    message_put_string(&writer, name);
    message_put_string(&writer, value);
    return message_end(&writer);
}

void message_read_begin(struct message_reader *reader, const char *body, size_t size)
{
    *reader = (struct message_reader){.at = body, .end = body + size};
}

const char *message_read_bytes(struct message_reader *reader, size_t size)
{
    if (reader->has_failed || size > (size_t)(reader->end - reader->at)) {
        reader->has_failed = true;
        return NULL;
    }
    const char *bytes = reader->at;
    reader->at += size;
    return bytes;
}

char message_read_byte(struct message_reader *reader)
{
    const char *bytes = message_read_bytes(reader, 1);
    if (bytes == NULL) {
        return 0;
    }
    return bytes[0];
}

uint16_t message_read_u16(struct message_reader *reader)
{
    const unsigned char *bytes = (const unsigned char *)message_read_bytes(reader, 2);
    unsigned number = bytes == NULL ? 0 : (unsigned)bytes[0] << 8 | bytes[1];
    return (uint16_t)number;
}

uint32_t message_read_u32(struct message_reader *reader)
{
    const char *bytes = message_read_bytes(reader, 4);
    return bytes == NULL ? 0 : message_get_u32(bytes);
}

const char *message_read_string(struct message_reader *reader)
{
    size_t left = (size_t)(reader->end - reader->at);
    const char *zero = reader->has_failed || left == 0 ? NULL : memchr(reader->at, '\0', left);
    if (zero == NULL) {
        reader->has_failed = true;
        return "";
    }
    const char *string = reader->at;
    reader->at = zero + 1;
    return string;
}

size_t message_left(const struct message_reader *reader)
{
    return reader->has_failed ? 0 : (size_t)(reader->end - reader->at);
}

bool message_read_end(const struct message_reader *reader)
{
    return !reader->has_failed && reader->at == reader->end;
}
