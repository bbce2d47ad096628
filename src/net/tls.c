#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/tls_socket.h"

struct tls_context {
    atomic_size_t count;
    SSL_CTX *openssl;    /* owned */
    BIO_METHOD *sockets; /* owned */
    bool has_ca;
};

static const unsigned char protocol_name[] = "\x0apostgresql"; /* as ALPN writes it */

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

/* The first error that OpenSSL noted is the cause; the rest is who passed it on. */
static bool tell(struct error *err, const char *what, const char *file)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    bool is_system = ERR_SYSTEM_ERROR(code);

    if (is_system) {
        reason = strerror(ERR_GET_REASON(code));
    }
    ERR_clear_error();
    return error_set(err, is_system ? "58P01" : "F0000", "%s \"%s\": %s", what, file,
                     reason != NULL ? reason : "OpenSSL gives no reason");
}

/* ---- files ---- */

/* PostgreSQL's rule: owned by us or root; the group may read it when it's root's. */
static bool check_key_file(const char *path, int fd, struct error *err)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return error_set(err, "58030", "private key file \"%s\": %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(err, "F0000", "private key file \"%s\" is not a regular file", path);
    }
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        return error_set(
            err, "F0000",
            "private key file \"%s\" must be owned by the user of this process or root", path);
    }
    mode_t forbidden = status.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if ((status.st_mode & forbidden) != 0) {
        error_set(err, "F0000", "private key file \"%s\" has group or world access", path);
        return error_hint(err, "chmod 0600 it; 0640 is allowed if root owns it");
    }
    return true;
}

/* A key with a passphrase is refused: OpenSSL would ask for it at the terminal. */
static int no_passphrase(char *, int, int, void *)
{
    return -1;
}

static EVP_PKEY *read_key(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set(err, "58P01", "private key file \"%s\": %s", path, strerror(errno));
        return NULL;
    }
    if (!check_key_file(path, fd, err)) {
        close(fd);
        return NULL;
    }
    BIO *bio = BIO_new_fd(fd, BIO_CLOSE);
    if (bio == NULL) {
        close(fd);
        error_set(err, "53200", "no memory for a private key");
        return NULL;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL) {
        tell(err, "private key file", path);
        error_hint(err, "it must be PEM, without a passphrase");
    }
    return key;
}

static bool use_certificate(SSL_CTX *openssl, const struct tls_files *files, struct error *err)
{
    if (SSL_CTX_use_certificate_chain_file(openssl, files->certificate) != 1) {
        return tell(err, "certificate file", files->certificate);
    }
    if (!is_given(files->key)) {
        return error_set(err, "F0000", "certificate file \"%s\" needs a private key file",
                         files->certificate);
    }
    EVP_PKEY *key = read_key(files->key, err);
    if (key == NULL) {
        return false;
    }
    bool fits =
        SSL_CTX_use_PrivateKey(openssl, key) == 1 && SSL_CTX_check_private_key(openssl) == 1;
    EVP_PKEY_free(key);
    if (!fits) {
        ERR_clear_error();
        return error_set(err, "F0000",
                         "private key file \"%s\" does not fit certificate file \"%s\"", files->key,
                         files->certificate);
    }
    return true;
}

static bool use_authorities(SSL_CTX *openssl, const struct tls_files *files, struct error *err)
{
    bool is_system = strcmp(files->ca, "system") == 0;

    if (is_system && SSL_CTX_set_default_verify_paths(openssl) != 1) {
        return tell(err, "the system's certificate authorities", files->ca);
    }
    if (!is_system && SSL_CTX_load_verify_locations(openssl, files->ca, NULL) != 1) {
        return tell(err, "CA file", files->ca);
    }
    if (!is_given(files->crl)) {
        return true;
    }
    X509_STORE *store = SSL_CTX_get_cert_store(openssl);
    if (X509_STORE_load_locations(store, files->crl, NULL) != 1) {
        return tell(err, "CRL file", files->crl);
    }
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

static bool use_protocol(SSL_CTX *openssl, const struct tls_files *files, struct error *err)
{
    bool is_1_3 = is_given(files->protocol_min) && strcmp(files->protocol_min, "TLSv1.3") == 0;

    if (!is_1_3 && is_given(files->protocol_min) && strcmp(files->protocol_min, "TLSv1.2") != 0) {
        return error_set(err, "22023", "TLS protocol \"%s\" is not TLSv1.2 or TLSv1.3",
                         files->protocol_min);
    }
    SSL_CTX_set_min_proto_version(openssl, is_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    if (is_given(files->ciphers) && SSL_CTX_set_cipher_list(openssl, files->ciphers) != 1) {
        return tell(err, "TLS ciphers", files->ciphers);
    }
    return true;
}

/* ---- contexts ---- */

/* Small when idle, and no call that only hears "again": see the lines' own reasons. */
static void set_options(SSL_CTX *openssl)
{
    SSL_CTX_set_mode(openssl, SSL_MODE_RELEASE_BUFFERS            /* 34 kB less when idle */
                                  | SSL_MODE_ENABLE_PARTIAL_WRITE /* the rest stays in our buffer */
                                  | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER); /* which may move */
    SSL_CTX_set_read_ahead(openssl, 1); /* header and body of a record in one recv() */
    SSL_CTX_set_session_cache_mode(openssl, SSL_SESS_CACHE_OFF); /* libpq resumes nothing */
    SSL_CTX_set_options(openssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(openssl, 0);
    SSL_CTX_set_default_passwd_cb(openssl, no_passphrase);
}

static struct tls_context *create(const SSL_METHOD *method, struct error *err)
{
    struct tls_context *context = calloc(1, sizeof *context);
    if (context == NULL) {
        error_set(err, "53200", "no memory for a TLS context");
        return NULL;
    }
    atomic_init(&context->count, 1);
    context->sockets = tls_socket_method();
    context->openssl = SSL_CTX_new(method);
    if (context->openssl == NULL || context->sockets == NULL) {
        ERR_clear_error();
        tls_release(context);
        error_set(err, "53200", "no memory for a TLS context");
        return NULL;
    }
    set_options(context->openssl);
    SSL_CTX_set_app_data(context->openssl, context);
    return context;
}

/* A client that names protocols must name ours (RFC 7301); one that names none is old. */
static int select_protocol(SSL *, const unsigned char **out, unsigned char *out_size,
                           const unsigned char *in, unsigned in_size, void *)
{
    unsigned char *selected;

    if (SSL_select_next_proto(&selected, out_size, protocol_name, sizeof protocol_name - 1, in,
                              in_size) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

static bool fill_server(struct tls_context *context, const struct tls_files *files,
                        struct error *err)
{
    SSL_CTX *openssl = context->openssl;

    if (!is_given(files->certificate)) {
        return error_set(err, "F0000", "a TLS server needs a certificate file");
    }
    if (!use_protocol(openssl, files, err) || !use_certificate(openssl, files, err)) {
        return false;
    }
    SSL_CTX_set_dh_auto(openssl, 1);
    SSL_CTX_set_alpn_select_cb(openssl, select_protocol, NULL);
    context->has_ca = is_given(files->ca);
    if (!context->has_ca) {
        return true;
    }
    if (strcmp(files->ca, "system") == 0) {
        return error_set(err, "F0000",
                         "clients' certificates can't be trusted by the system's authorities: "
                         "anybody can have one");
    }
    if (!use_authorities(openssl, files, err)) {
        return false;
    }
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(files->ca);
    if (names == NULL) {
        return tell(err, "CA file", files->ca);
    }
    SSL_CTX_set_client_CA_list(openssl, names); /* takes it over */
    SSL_CTX_set_verify(openssl, SSL_VERIFY_PEER, NULL);
    return true;
}

struct tls_context *tls_server(const struct tls_files *files, struct error *err)
{
    struct tls_context *context = create(TLS_server_method(), err);
    if (context == NULL) {
        return NULL;
    }
    if (!fill_server(context, files, err)) {
        tls_release(context);
        return NULL;
    }
    return context;
}

static bool fill_client(struct tls_context *context, const struct tls_files *files,
                        enum tls_mode mode, struct error *err)
{
    SSL_CTX *openssl = context->openssl;

    context->has_ca = is_given(files->ca);
    if (mode >= TLS_VERIFY_CA && !context->has_ca) {
        return error_set(err, "F0000", "to verify the server's certificate a CA file is needed");
    }
    if (context->has_ca && strcmp(files->ca, "system") == 0 && mode != TLS_VERIFY_FULL) {
        return error_set(err, "F0000",
                         "the system's certificate authorities are only safe with verify-full");
    }
    if (!use_protocol(openssl, files, err) ||
        (context->has_ca && !use_authorities(openssl, files, err)) ||
        (is_given(files->certificate) && !use_certificate(openssl, files, err))) {
        return false;
    }
    if (SSL_CTX_set_alpn_protos(openssl, protocol_name, sizeof protocol_name - 1) != 0) {
        ERR_clear_error();
        return error_set(err, "53200", "no memory for a TLS context");
    }
    return true;
}

struct tls_context *tls_client(const struct tls_files *files, enum tls_mode mode, struct error *err)
{
    struct tls_context *context = create(TLS_client_method(), err);
    if (context == NULL) {
        return NULL;
    }
    if (!fill_client(context, files, mode, err)) {
        tls_release(context);
        return NULL;
    }
    return context;
}

struct tls_context *tls_share(struct tls_context *context)
{
    size_t before = atomic_fetch_add_explicit(&context->count, 1, memory_order_relaxed);
    assert(before > 0);
    return context;
}

void tls_release(struct tls_context *context)
{
    if (context == NULL) {
        return;
    }
    size_t before = atomic_fetch_sub_explicit(&context->count, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1) {
        return;
    }
    SSL_CTX_free(context->openssl);
    tls_socket_method_destroy(context->sockets);
    free(context);
}

SSL *tls_attach(struct tls_context *context, struct stream *stream)
{
    SSL *tls = SSL_new(context->openssl);
    BIO *bio = tls_socket_create(context->sockets, stream);
    if (tls == NULL || bio == NULL) {
        ERR_clear_error();
        SSL_free(tls);
        BIO_free(bio);
        return NULL;
    }
    SSL_set_bio(tls, bio, bio); /* takes it over */
    tls_share(context);
    return tls;
}

void tls_detach(SSL *tls)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls));

    SSL_free(tls); /* the context's BIO method is needed until here */
    tls_release(context);
}

bool tls_has_ca(const struct tls_context *context)
{
    return context->has_ca;
}
