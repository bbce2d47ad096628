#include "net/tls_socket.h"

#include <errno.h>
#include <openssl/bio.h>
#include <sys/socket.h>

#include "net/stream.h"

static int read_failed(BIO *bio, struct stream *stream)
{
    if (errno != EAGAIN) {
        stream->error = errno;
        return -1;
    }
    stream->may_read = false;
    BIO_set_retry_read(bio);
    return -1;
}

static int write_failed(BIO *bio, struct stream *stream)
{
    if (errno != EAGAIN) {
        stream->error = errno;
        return -1;
    }
    stream->may_write = false;
    BIO_set_retry_write(bio);
    return -1;
}

static int read_socket(BIO *bio, char *bytes, int size)
{
    struct stream *stream = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!stream->may_read) {
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t count;
    do {
        count = recv(stream->source.fd, bytes, (size_t)size, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return read_failed(bio, stream);
    }
    if (count == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
        return 0;
    }
    /* A short read emptied the socket: what comes now is a new edge.  Not so the end. */
    stream->may_read = count == size || stream->is_hung_up;
    return (int)count;
}

static int write_socket(BIO *bio, const char *bytes, int size)
{
    struct stream *stream = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!stream->may_write) {
        BIO_set_retry_write(bio);
        return -1;
    }
    ssize_t count;
    do {
        count = send(stream->source.fd, bytes, (size_t)size, MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return write_failed(bio, stream);
    }
    stream->may_write = count == size;
    return (int)count;
}

static long control(BIO *bio, int command, long, void *)
{
    if (command == BIO_CTRL_FLUSH) {
        return 1; /* nothing is kept here */
    }
    return command == BIO_CTRL_EOF && BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
}

BIO_METHOD *tls_socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");
    if (method == NULL) {
        return NULL;
    }
    if (BIO_meth_set_read(method, read_socket) != 1 ||
        BIO_meth_set_write(method, write_socket) != 1 || BIO_meth_set_ctrl(method, control) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

void tls_socket_method_destroy(BIO_METHOD *method)
{
    BIO_meth_free(method);
}

BIO *tls_socket_create(const BIO_METHOD *method, struct stream *stream)
{
    BIO *bio = BIO_new(method);
    if (bio == NULL) {
        return NULL;
    }
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    return bio;
}
