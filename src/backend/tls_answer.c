#include "backend/tls_answer.h"

enum tls_answer tls_answer_read(struct stream *stream)
{
    unsigned char byte, next;
    ssize_t count = stream_read(stream, &byte, 1);

    if (count <= 0) {
        return count < 0 ? TLS_ANSWER_LOST : TLS_ANSWER_NOT_YET;
    }
    switch (byte) {
    case 'S': return stream_peek(stream, &next) == 1 ? TLS_ANSWER_STUFFED : TLS_ANSWER_YES;
    case 'N': return TLS_ANSWER_NO;
    case 'E': return TLS_ANSWER_ERROR;
    default: return TLS_ANSWER_OTHER; /* lint: not an enum */
    }
}
