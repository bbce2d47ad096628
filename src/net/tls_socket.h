/* net/tls_socket: how OpenSSL gets at a stream's socket.
 *
 * OpenSSL's own socket BIO asks the kernel once more to hear that nothing is
 * left; this one knows from the edge-triggered loop, as the stream does: after a
 * short recv() or send() it says "again" without a system call, until the loop
 * tells otherwise.  It keeps the stream's may_read, may_write and error.
 */
#pragma once

struct bio_method_st; /* OpenSSL's */
struct bio_st;
struct stream;

/* The caller owns it, for longer than any BIO made of it.  NULL: out of memory. */
[[nodiscard]] struct bio_method_st *tls_socket_method(void);
void tls_socket_method_destroy(struct bio_method_st *method); /* NULL is allowed */

/* A BIO to read from and write to the socket of `stream`, which is borrowed.  NULL: no memory. */
[[nodiscard]] struct bio_st *tls_socket_create(const struct bio_method_st *method,
                                               struct stream *stream);
