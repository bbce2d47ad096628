/* net/stream: a non-blocking byte stream over a socket, in clear or in TLS.
 *
 * Its owner is told when something may have changed, reads until there is
 * nothing more, and writes whenever it likes: what the socket does not take is
 * kept, sent as soon as it can be, and counted, so that the owner can stop
 * reading from the other side (back-pressure).  Nothing is sent before
 * stream_flush(), so that what belongs together leaves in one system call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "net/loop.h"
#include "net/tls.h"

struct ssl_st; /* OpenSSL's */

enum stream_state {
    STREAM_CLOSED,
    STREAM_CONNECTING, /* connect() has not ended */
    STREAM_SHAKING,    /* the TLS handshake is under way */
    STREAM_OPEN,
    STREAM_FAILED /* an error or a reset; stream_error() tells; reads and writes fail */
};

struct stream {
    struct loop_source source;
    struct loop *loop;             /* borrowed; NULL between two loops */
    void (*on_event)(void *owner); /* read, write, look at the state: something changed */
    void *owner;                   /* borrowed */
    struct ssl_st *tls;            /* owned; NULL in clear */
    struct buffer out;             /* owned: written, not yet sent */
    enum stream_state state;
    bool may_read;       /* the socket has, or may have, something to read */
    bool may_write;      /* it takes, or may take, bytes */
    bool is_at_end;      /* the other side will send nothing more */
    bool needs_protocol; /* direct TLS: ALPN must be agreed upon */
    bool write_reads;    /* OpenSSL can't write before it has read something */
    bool is_hung_up;     /* the kernel said so: a short read no longer means that nothing is left */
    int error;           /* errno of the failure, 0: none, or TLS said no */
    const char *trouble; /* borrowed, static: what failed, when no errno says it; NULL else */
};

/* Takes over `fd` (connected, or for stream_connect() a new one), makes it non-blocking, and
 * watches it; the first event comes by the loop.  On failure the fd stays the caller's. */
[[nodiscard]] bool stream_open(struct stream *stream, struct loop *loop, int fd,
                               void (*on_event)(void *owner), void *owner, struct error *err);

/* Makes a socket to `address` and connects it: STREAM_CONNECTING, then an event.  TCP_NODELAY and
 * keepalive are set. */
struct sockaddr;
[[nodiscard]] bool stream_connect(struct stream *stream, struct loop *loop,
                                  const struct sockaddr *address, unsigned address_size,
                                  void (*on_event)(void *owner), void *owner, struct error *err);

/* Begins the handshake of a stream that is open and has nothing to send; an event comes when the
 * state is STREAM_OPEN or STREAM_FAILED.  The context is shared for as long as the stream lives.
 * For a client `host` is checked with TLS_VERIFY_FULL and sent as SNI unless it is an address
 * (NULL or "": none; refused with TLS_VERIFY_FULL); it always offers ALPN.  `direct`: the client
 * must offer it too.  False: 53200, F0000, or 08006 when the stream has failed or still holds bytes
 * to be sent in clear; the stream is as before. */
[[nodiscard]] bool stream_start_tls_server(struct stream *stream, struct tls_context *context,
                                           bool direct, struct error *err);
[[nodiscard]] bool stream_start_tls_client(struct stream *stream, struct tls_context *context,
                                           enum tls_mode mode, const char *host, struct error *err);

/* Bytes read (> 0), 0: nothing now, -1: at the end or failed (see the state).  While `may_read` is
 * true afterwards, and the owner wants more, it must read again: no event comes for what is already
 * there.  A read that fills less than `size` leaves it true only if the end may come next. */
[[nodiscard]] ssize_t stream_read(struct stream *stream, void *bytes, size_t size);

/* Looks at the next byte without taking it: 1, 0: nothing now, -1.  In clear only. */
[[nodiscard]] int stream_peek(struct stream *stream, unsigned char *byte);

/* Keeps bytes to be sent; large ones may be sent at once.  False when out of memory: the stream has
 * failed.  After a failure what is written is dropped, and true. */
[[nodiscard]] bool stream_write(struct stream *stream, const void *bytes, size_t size);

/* The buffer that the next flush sends, for a message writer. */
[[nodiscard]] struct buffer *stream_out(struct stream *stream);

/* Sends what was written, as far as the socket takes it; the rest follows by itself, and an event
 * comes when none is left.  A failure shows as state. */
void stream_flush(struct stream *stream);

/* Bytes that are not sent yet. */
[[nodiscard]] size_t stream_pending(const struct stream *stream);

/* Takes the stream to another loop (another thread's, in which this is then called), as it is; in
 * between it may be copied, read, written and closed.  An event comes by the new loop. */
void stream_leave(struct stream *stream); /* in the old loop's thread */
[[nodiscard]] bool stream_join(struct stream *stream, struct loop *loop, struct error *err);

/* Closes the socket; TLS says goodbye if it can without waiting.  A closed stream is allowed. */
void stream_close(struct stream *stream);

/* Why it failed, for a person: "connection reset by peer".  Borrowed, static or until the next
 * call. */
[[nodiscard]] const char *stream_error(const struct stream *stream);

/* TLS facts; in clear: false, NULL or 0.  Digest: of the server's certificate, by the hash that RFC
 * 5929 (tls-server-end-point) asks for; returns its size, 0 when there is none. */
[[nodiscard]] bool stream_has_tls(const struct stream *stream);
[[nodiscard]] const char *stream_tls_version(const struct stream *stream);
enum { STREAM_DIGEST_MAX = 64 };
[[nodiscard]] size_t stream_end_point(const struct stream *stream,
                                      unsigned char digest[STREAM_DIGEST_MAX]);

/* The other side's verified certificate: its common name, or all of its subject (RFC 2253); false
 * when it gave none. */
[[nodiscard]] bool stream_peer_name(const struct stream *stream, bool whole, char *name,
                                    size_t size);
