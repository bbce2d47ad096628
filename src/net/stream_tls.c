#include "net/stream_tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

/* ---- failures ---- */

/* OpenSSL's reason for a person; static. */
static const char *reason_text(const SSL *tls)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);

    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return X509_verify_cert_error_string(SSL_get_verify_result(tls));
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return "the connection was cut off without TLS's goodbye";
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_WRONG_VERSION_NUMBER) {
        return "TLS: what came is not TLS, or of a version that is not supported";
    }
    const char *text = ERR_reason_error_string(code);
    return text != NULL ? text : "TLS failed";
}

/* After a call of OpenSSL that did not succeed: true if it wants the socket, and nothing is wrong.
 * `error` is SSL_get_error()'s. */
static bool is_waiting(struct stream *stream, int error)
{
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return true;
    }
    if (stream->error != 0) { /* the socket's own */
        stream_fail(stream, stream->error, NULL);
    } else {
        stream_fail(stream, 0, reason_text(stream->tls));
    }
    ERR_clear_error();
    return false;
}

/* ---- handshake ---- */

static bool start(struct stream *stream, struct tls_context *context, struct error *err)
{
    assert(stream->tls == NULL);
    if (stream->state != STREAM_OPEN) {
        return error_set(err, "08006", "no TLS on a connection that failed: %s",
                         stream_error(stream));
    }
    if (buffer_size(&stream->out) > 0) {
        return error_set(err, "08006", "the other side does not take what comes before TLS");
    }
    stream->tls = tls_attach(context, stream);
    if (stream->tls == NULL) {
        return error_set(err, "53200", "no memory for a TLS connection");
    }
    return true;
}

/* The first step is the loop's, so that its end, too, is always an event. */
static void begin(struct stream *stream)
{
    stream->state = STREAM_SHAKING;
    loop_look_again(stream->loop, &stream->source);
}

bool stream_start_tls_server(struct stream *stream, struct tls_context *context, bool direct,
                             struct error *err)
{
    if (!start(stream, context, err)) {
        return false;
    }
    SSL_set_accept_state(stream->tls);
    stream->needs_protocol = direct;
    begin(stream);
    return true;
}

/* Like libpq, takes a certificate that names an address in a DNS name or its common name. */
static int on_verify(int is_good, X509_STORE_CTX *store)
{
    if (is_good == 1 || X509_STORE_CTX_get_error(store) != X509_V_ERR_IP_ADDRESS_MISMATCH) {
        return is_good;
    }
    char *address = X509_VERIFY_PARAM_get1_ip_asc(X509_STORE_CTX_get0_param(store));
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    bool names_it = address != NULL && X509_check_host(certificate, address, 0, 0, NULL) == 1;
    OPENSSL_free(address);
    if (names_it) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
    }
    return names_it ? 1 : 0;
}

/* SNI; OpenSSL copies the name, but asks for one that is not const. */
static bool set_server_name(SSL *tls, const char *host)
{
    char name[TLSEXT_MAXLEN_host_name + 1];
    size_t length = strnlen(host, sizeof name);

    if (length == sizeof name) {
        return false;
    }
    memcpy(name, host, length + 1);
    return SSL_set_tlsext_host_name(tls, name) == 1;
}

/* Whom the certificate must name; an address is not sent as SNI (RFC 6066). */
static bool set_host(SSL *tls, enum tls_mode mode, const char *host, struct error *err)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(tls);
    bool is_named = host != NULL && *host != '\0';

    if (!is_named && mode == TLS_VERIFY_FULL) {
        return error_set(err, "F0000", "verify-full needs the server's host name");
    }
    if (!is_named) {
        return true;
    }
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1;
    if (is_address && mode != TLS_VERIFY_FULL) {
        X509_VERIFY_PARAM_set1_ip(parameters, NULL, 0);
    }
    if (is_address) {
        return true;
    }
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (!set_server_name(tls, host) || (mode == TLS_VERIFY_FULL && SSL_set1_host(tls, host) != 1)) {
        ERR_clear_error();
        return error_set(err, "F0000", "\"%s\" is not a host name that TLS can use", host);
    }
    return true;
}

bool stream_start_tls_client(struct stream *stream, struct tls_context *context, enum tls_mode mode,
                             const char *host, struct error *err)
{
    if (!start(stream, context, err)) {
        return false;
    }
    if (!set_host(stream->tls, mode, host, err)) {
        tls_detach(stream->tls);
        stream->tls = NULL;
        return false;
    }
    assert(mode < TLS_VERIFY_CA || tls_has_ca(context));
    bool verifies = mode >= TLS_VERIFY_CA || (mode == TLS_REQUIRE && tls_has_ca(context));
    SSL_set_verify(stream->tls, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, on_verify);
    SSL_set_connect_state(stream->tls);
    begin(stream);
    return true;
}

static bool has_protocol(const SSL *tls)
{
    const unsigned char *name;
    unsigned size;

    SSL_get0_alpn_selected(tls, &name, &size);
    return size > 0;
}

void stream_tls_shake(struct stream *stream)
{
    ERR_clear_error();
    int result = SSL_do_handshake(stream->tls);
    if (result != 1) {
        (void)is_waiting(stream, SSL_get_error(stream->tls, result));
        return;
    }
    if (stream->needs_protocol && !has_protocol(stream->tls)) {
        stream_fail(stream, 0, "direct TLS without ALPN");
        return;
    }
    stream->state = STREAM_OPEN;
    stream->may_read = true; /* OpenSSL may hold what came behind the handshake */
}

/* ---- bytes ---- */

/* What a read that gave nothing means. */
static void stop_reading(struct stream *stream, int error)
{
    if (error == SSL_ERROR_ZERO_RETURN) {
        stream->is_at_end = true;
        stream->may_read = false;
        return;
    }
    if (!is_waiting(stream, error)) {
        return;
    }
    if (error == SSL_ERROR_WANT_WRITE) {
        stream->may_read = true; /* to be tried again when the socket takes bytes */
    }
}

/* Reads until `size` are there or nothing is left, so that a short read means what it means in
 * clear; that costs no system call, the socket's BIO knows when it's empty. */
ssize_t stream_tls_read(struct stream *stream, void *bytes, size_t size)
{
    size_t total = 0;

    ERR_clear_error();
    while (total < size) {
        size_t count = 0;
        int result = SSL_read_ex(stream->tls, (char *)bytes + total, size - total, &count);
        if (result != 1) {
            stop_reading(stream, SSL_get_error(stream->tls, result));
            break;
        }
        total += count;
    }
    if (total == size) {
        stream->may_read = true; /* OpenSSL may hold more */
    }
    if (stream->write_reads && stream->state == STREAM_OPEN) {
        stream->write_reads = false;
        stream_flush(stream);
    }
    if (total > 0) {
        stream->may_read = stream->may_read || stream->is_at_end || stream->state == STREAM_FAILED;
        return (ssize_t)total; /* the next read tells the end */
    }
    return stream->is_at_end || stream->state == STREAM_FAILED ? -1 : 0;
}

size_t stream_tls_write(struct stream *stream, const char *bytes, size_t size)
{
    size_t count = 0;

    ERR_clear_error();
    int result = SSL_write_ex(stream->tls, bytes, size, &count);
    if (result == 1) {
        stream->write_reads = false;
        return count;
    }
    int error = SSL_get_error(stream->tls, result);
    if (is_waiting(stream, error)) {
        stream->write_reads = error == SSL_ERROR_WANT_READ;
    }
    return 0;
}

void stream_tls_move(struct stream *stream)
{
    if (stream->tls != NULL) {
        BIO_set_data(SSL_get_rbio(stream->tls), stream);
    }
}

void stream_tls_close(struct stream *stream)
{
    if (stream->tls == NULL) {
        return;
    }
    ERR_clear_error();
    if (stream->state == STREAM_OPEN && buffer_size(&stream->out) == 0 && stream->may_write) {
        (void)SSL_shutdown(stream->tls); /* says goodbye; does not wait for the answer */
    }
    tls_detach(stream->tls);
    ERR_clear_error();
    stream->tls = NULL;
}
