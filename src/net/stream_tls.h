/* net/stream_tls: the TLS half of a stream; only net/stream.c calls it.
 *
 * These keep the stream's promises over OpenSSL: may_read stays true while
 * OpenSSL holds bytes, a read or a write that needs the opposite direction is
 * resumed when the socket has it, and failures end in STREAM_FAILED.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "net/stream.h"

void stream_tls_shake(
    struct stream *stream); /* one step; leaves STREAM_SHAKING when it has ended */
[[nodiscard]] ssize_t stream_tls_read(struct stream *stream, void *bytes, size_t size);
[[nodiscard]] size_t stream_tls_write(struct stream *stream, const char *bytes, size_t size);
void stream_tls_close(struct stream *stream); /* frees `tls`; in clear nothing */
