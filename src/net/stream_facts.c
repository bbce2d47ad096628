/* What the TLS handshake found out about the two sides. */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "net/stream.h"

bool stream_has_tls(const struct stream *stream)
{
    return stream->tls != NULL;
}

const char *stream_tls_version(const struct stream *stream)
{
    return stream->tls == NULL ? NULL : SSL_get_version(stream->tls);
}

/* The hash of the certificate's own signature; SHA-256 instead of MD5 and SHA-1 (RFC 5929, 4.1).
 * NULL: the signature has none (Ed25519), then the RFC defines no binding. */
static const EVP_MD *signature_hash(X509 *certificate)
{
    int hash = NID_undef;

    if (X509_get_signature_info(certificate, &hash, NULL, NULL, NULL) != 1) {
        ERR_clear_error();
        return NULL;
    }
    if (hash == NID_md5 || hash == NID_sha1) {
        return EVP_sha256();
    }
    return EVP_get_digestbynid(hash);
}

size_t stream_end_point(const struct stream *stream, unsigned char digest[STREAM_DIGEST_MAX])
{
    static_assert(STREAM_DIGEST_MAX >= EVP_MAX_MD_SIZE);
    if (stream->tls == NULL) {
        return 0;
    }
    X509 *certificate = SSL_is_server(stream->tls) ? SSL_get_certificate(stream->tls)
                                                   : SSL_get0_peer_certificate(stream->tls);
    if (certificate == NULL) {
        return 0;
    }
    const EVP_MD *hash = signature_hash(certificate);
    unsigned size = 0;
    if (hash == NULL || X509_digest(certificate, hash, digest, &size) != 1) {
        ERR_clear_error();
        return 0;
    }
    return size;
}

/* Copies a name that fits and holds no zero byte, by which one could be taken for another. */
static bool copy_name(const void *bytes, size_t length, char *name, size_t size)
{
    if (length >= size || memchr(bytes, '\0', length) != NULL) {
        return false;
    }
    memcpy(name, bytes, length);
    name[length] = '\0';
    return true;
}

static bool copy_common_name(const X509_NAME *subject, char *name, size_t size)
{
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) {
        return false;
    }
    unsigned char *text = NULL;
    const ASN1_STRING *common = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    int length = ASN1_STRING_to_UTF8(&text, common);
    if (length < 0) {
        ERR_clear_error();
        return false;
    }
    bool fits = copy_name(text, (size_t)length, name, size);
    OPENSSL_free(text);
    return fits;
}

static bool copy_subject(const X509_NAME *subject, char *name, size_t size)
{
    BIO *memory = BIO_new(BIO_s_mem());
    if (memory == NULL) {
        ERR_clear_error();
        return false;
    }
    char *text = NULL;
    bool fits = X509_NAME_print_ex(memory, subject, 0, XN_FLAG_RFC2253) >= 0;
    long length = BIO_get_mem_data(memory, &text);
    fits = fits && length > 0 && copy_name(text, (size_t)length, name, size);
    BIO_free(memory);
    return fits;
}

bool stream_peer_name(const struct stream *stream, bool whole, char *name, size_t size)
{
    if (stream->tls == NULL || (SSL_get_verify_mode(stream->tls) & SSL_VERIFY_PEER) == 0 ||
        SSL_get_verify_result(stream->tls) != X509_V_OK) {
        return false;
    }
    const X509 *certificate = SSL_get0_peer_certificate(stream->tls);
    if (certificate == NULL) {
        return false;
    }
    const X509_NAME *subject = X509_get_subject_name(certificate);
    return whole ? copy_subject(subject, name, size) : copy_common_name(subject, name, size);
}
