/* What the console sends: descriptions and rows, in text or in binary as the client asked. */
#include <string.h>

#include "admin/console_private.h"
#include "wire/message.h"

enum { OID_INT8 = 20, OID_INT4 = 23, OID_TEXT = 25 };

static uint16_t format_of(const uint16_t *formats, size_t count, size_t column)
{
    return count == 0 ? 0 : count == 1 ? formats[0] : formats[column];
}

static void put_column(struct message_writer *writer, const struct column *column, uint16_t format)
{
    uint32_t oid = column->type == COLUMN_TEXT   ? OID_TEXT
                   : column->type == COLUMN_INT4 ? OID_INT4
                                                 : OID_INT8;
    uint16_t size = column->type == COLUMN_TEXT ? UINT16_MAX : column->type == COLUMN_INT4 ? 4 : 8;

    message_put_string(writer, column->name);
    message_put_u32(writer, 0); /* of no table */
    message_put_u16(writer, 0);
    message_put_u32(writer, oid);
    message_put_u16(writer, size);
    message_put_u32(writer, UINT32_MAX); /* no modifier */
    message_put_u16(writer, format);
}

bool console_write_description(struct buffer *out, const struct console_shape *shape,
                               const uint16_t *formats, size_t format_count)
{
    if (shape->show == NULL && !shape->is_single) {
        return message_write_empty(out, 'n');
    }
    const struct column *columns = shape->show != NULL ? shape->show->columns : &shape->single;
    size_t count = shape->show != NULL ? shape->show->column_count : 1;
    struct message_writer writer = message_begin(out, 'T');

    message_put_u16(&writer, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        put_column(&writer, &columns[i], format_of(formats, format_count, i));
    }
    return message_end(&writer);
}

static void put_binary(struct message_writer *writer, const struct column *column, int64_t number)
{
    if (column->type == COLUMN_INT4) {
        message_put_u32(writer, 4);
        message_put_u32(writer, (uint32_t)number);
        return;
    }
    message_put_u32(writer, 8);
    message_put_u32(writer, (uint32_t)((uint64_t)number >> 32));
    message_put_u32(writer, (uint32_t)number);
}

static void put_cell(struct message_writer *writer, const struct column *column,
                     const struct cell *cell, uint16_t format)
{
    char buffer[ROWS_NUMBER_SIZE];
    const char *text = rows_cell_text(cell, buffer);

    if (text == NULL) {
        message_put_u32(writer, UINT32_MAX); /* NULL */
        return;
    }
    if (format == 1 && column->type != COLUMN_TEXT) {
        put_binary(writer, column, cell->number);
        return;
    }
    message_put_u32(writer, (uint32_t)strlen(text));
    message_put_bytes(writer, text, strlen(text));
}

bool console_write_rows(struct buffer *out, const struct rows *rows, size_t from, size_t to,
                        const uint16_t *formats, size_t format_count)
{
    for (size_t row = from; row < to; row++) {
        struct message_writer writer = message_begin(out, 'D');
        message_put_u16(&writer, (uint16_t)rows->column_count);
        for (size_t i = 0; i < rows->column_count; i++) {
            put_cell(&writer, &rows->columns[i], rows_at(rows, row, i),
                     format_of(formats, format_count, i));
        }
        if (!message_end(&writer)) {
            return false;
        }
    }
    return true;
}

bool console_write_complete(struct buffer *out, const char *tag)
{
    return message_write_string(out, 'C', tag);
}
