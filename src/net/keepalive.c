#include "net/keepalive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_tcp(int fd)
{
    int domain = AF_UNSPEC;
    socklen_t size = sizeof domain;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
           (domain == AF_INET || domain == AF_INET6);
}

static void set(int fd, int option, int value)
{
    if (value > 0) {
        (void)setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
    }
}

void keepalive_set(int fd, const struct keepalive *keepalive)
{
    const int one = 1;

    if (!is_tcp(fd)) {
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    set(fd, TCP_KEEPIDLE, keepalive->idle_s);
    set(fd, TCP_KEEPINTVL, keepalive->interval_s);
    set(fd, TCP_KEEPCNT, keepalive->probe_count);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &keepalive->user_timeout_ms,
                     sizeof keepalive->user_timeout_ms);
}

static void fill(int fd, int option, int *value)
{
    socklen_t size = sizeof *value;

    if (*value == 0) {
        (void)getsockopt(fd, IPPROTO_TCP, option, value, &size);
    }
}

void keepalive_resolve(struct keepalive *keepalive)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    fill(fd, TCP_KEEPIDLE, &keepalive->idle_s);
    fill(fd, TCP_KEEPINTVL, &keepalive->interval_s);
    fill(fd, TCP_KEEPCNT, &keepalive->probe_count);
    close(fd);
}
