/* net/tls: what a TLS connection is made with, on either side.
 *
 * A context is made from files once and is immutable: a reload makes a new one,
 * and connections keep the one they began with (it is counted, from any thread).
 * TLS 1.2 and later; the protocol's ALPN name is "postgresql" (direct TLS,
 * "SSL Session Encryption").  Private keys are read, never logged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "wire/tls_mode.h"

struct tls_context; /* opaque; counted */

struct tls_files {
    const char *certificate;  /* chain in PEM; a server needs it, a client may have it */
    const char *key;          /* 0600, or 0640 if root owns it; without a passphrase */
    const char *ca;           /* whom to trust; "": nobody; "system": the system's own (a client's
                                 context with TLS_VERIFY_FULL only: anybody can have such one) */
    const char *crl;          /* "": none */
    const char *protocol_min; /* "TLSv1.2" or "TLSv1.3" */
    const char *ciphers;      /* OpenSSL's list for TLS 1.2; "": its default */
};

/* A server's context: asks clients for a certificate when `files->ca` is set, and takes none too.
 * NULL and `err` (58P01, F0000) with the file's name. */
[[nodiscard]] struct tls_context *tls_server(const struct tls_files *files, struct error *err);

/* A client's: with TLS_VERIFY_CA and up `files->ca` must be set; with TLS_REQUIRE, as in libpq, a
 * `ca` makes it TLS_VERIFY_CA. */
[[nodiscard]] struct tls_context *tls_client(const struct tls_files *files, enum tls_mode mode,
                                             struct error *err);

struct tls_context *tls_share(struct tls_context *context); /* returns it, counted once more */
void tls_release(struct tls_context *context);              /* NULL is allowed */

/* ---- for net/stream_tls.c only ---- */

struct ssl_st; /* OpenSSL's */
struct stream;

/* A connection to be shaken over the stream's socket; it counts the context.  `stream` is borrowed
 * until tls_detach().  NULL: out of memory. */
[[nodiscard]] struct ssl_st *tls_attach(struct tls_context *context, struct stream *stream);
void tls_detach(struct ssl_st *tls); /* frees it */

[[nodiscard]] bool tls_has_ca(const struct tls_context *context);
