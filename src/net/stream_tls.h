/* net/stream_tls: the TLS half of a stream; only net/stream.c calls it.
 *
 * These keep the stream's promises over OpenSSL: a read fills all it can, so
 * that nothing is left in OpenSSL when may_read turns false, a read or a write that needs the
 * opposite direction is resumed when the socket has it, and failures end in
 * STREAM_FAILED.  A connection that ends without TLS's goodbye has failed.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "net/stream.h"

/* One step; leaves STREAM_SHAKING when it has ended. */
void stream_tls_shake(struct stream *stream);
[[nodiscard]] ssize_t stream_tls_read(struct stream *stream, void *bytes, size_t size);
[[nodiscard]] size_t stream_tls_write(struct stream *stream, const char *bytes, size_t size);
void stream_tls_move(struct stream *stream);  /* the stream is at a new place; in clear nothing */
void stream_tls_close(struct stream *stream); /* frees `tls`; in clear nothing */

/* stream.c's: the stream has failed, by errno or by a static text. */
void stream_fail(struct stream *stream, int error, const char *trouble);
