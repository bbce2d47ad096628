/* backend/tls_answer: reads the one byte with which a server answers a request for TLS.
 *
 * Takes exactly that byte.  Whatever comes behind a "yes" in clear was put
 * there by somebody in between (CVE-2021-23222) and is told apart.
 */
#pragma once

#include "net/stream.h"

enum tls_answer {
    TLS_ANSWER_NOT_YET,
    TLS_ANSWER_YES,
    TLS_ANSWER_NO,
    TLS_ANSWER_ERROR,   /* 'E': an ErrorResponse begins, of a server that is too old, or too busy */
    TLS_ANSWER_STUFFED, /* yes, and more bytes behind it */
    TLS_ANSWER_OTHER,   /* any other byte: no PostgreSQL */
    TLS_ANSWER_LOST     /* the connection has ended: see the stream */
};

/* To be called at each event until it isn't TLS_ANSWER_NOT_YET. */
[[nodiscard]] enum tls_answer tls_answer_read(struct stream *stream);
