#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/listener_private.h"
#include "net/unix_socket.h"

enum { ITEM_SIZE = 256 }; /* of an address in the list; a DNS name has at most 253 bytes */

static bool refuse(struct error *err, const char *what, int error)
{
    const char *sqlstate = error == EADDRINUSE                 ? "55006"
                           : error == EACCES || error == EPERM ? "42501"
                                                               : "58030";
    return error_set(err, sqlstate, "can't listen at %s: %s", what, strerror(error));
}

/* ---- a socket of the list ---- */

static bool is_same(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family) {
        return false;
    }
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *one = (const void *)a, *other = (const void *)b;
        return one->sin_port == other->sin_port && one->sin_addr.s_addr == other->sin_addr.s_addr;
    }
    if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *one = (const void *)a, *other = (const void *)b;
        return one->sin6_port == other->sin6_port && one->sin6_scope_id == other->sin6_scope_id &&
               memcmp(&one->sin6_addr, &other->sin6_addr, sizeof one->sin6_addr) == 0;
    }
    if (a->sa_family == AF_UNIX) {
        const struct sockaddr_un *one = (const void *)a, *other = (const void *)b;
        return strncmp(one->sun_path, other->sun_path, sizeof one->sun_path) == 0;
    }
    return false;
}

static bool has_address(const struct listener_sockets *sockets, const struct sockaddr *address)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (is_same((const struct sockaddr *)&sockets->all[i].address, address)) {
            return true;
        }
    }
    return false;
}

/* Takes over `fd`, which is bound; false: too many, `fd` stays the caller's. */
static bool add(struct listener_sockets *sockets, int fd, struct error *err)
{
    if (sockets->count == LISTENER_SOCKET_MAX) {
        return error_set(err, "22023", "more than %d addresses to listen at", LISTENER_SOCKET_MAX);
    }
    struct listening *listening = &sockets->all[sockets->count];
    *listening = (struct listening){.source.fd = fd, .address_size = sizeof listening->address};
    if (getsockname(fd, (struct sockaddr *)&listening->address, &listening->address_size) != 0) {
        return error_set(err, "58030", "getsockname: %s", strerror(errno));
    }
    sockets->count++;
    return true;
}

/* ---- sockets from outside ---- */

static bool is_listening(int fd)
{
    int accepts = 0, type = 0;
    socklen_t size = sizeof accepts;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 && accepts != 0 &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static bool adopt(struct listener_sockets *sockets, int fd, struct error *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return error_set(err, "58030", "inherited socket %d: %s", fd, strerror(errno));
    }
    if (!add(sockets, fd, err)) {
        return false;
    }
    sockets->all[sockets->count - 1].is_inherited = true;
    return true;
}

static bool check_inherited(const struct listener_plan *plan, struct error *err)
{
    for (size_t i = 0; i < plan->inherited_count; i++) {
        if (!is_listening(plan->inherited[i])) {
            return error_set(err, "22023", "descriptor %d from outside is not a listening socket",
                             plan->inherited[i]);
        }
    }
    return true;
}

/* The inherited socket of that address, or -1. */
static int find_inherited(const struct listener_plan *plan, const struct sockaddr *address)
{
    for (size_t i = 0; i < plan->inherited_count; i++) {
        struct sockaddr_storage own = {0};
        socklen_t size = sizeof own;
        if (getsockname(plan->inherited[i], (struct sockaddr *)&own, &size) == 0 &&
            is_same((const struct sockaddr *)&own, address)) {
            return plan->inherited[i];
        }
    }
    return -1;
}

/* ---- TCP ---- */

static int bind_address(const struct addrinfo *address, bool is_shared)
{
    const int one = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (is_shared) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    }
    if (address->ai_family == AF_INET6) { /* IPv4 has a socket of its own */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* A name, or all addresses, may have a family that this system lacks; one of them must be there. */
static bool is_family_missing(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* False and `*is_missing`: the system lacks its family. */
static bool listen_at(struct listener_sockets *sockets, const struct listener_plan *plan,
                      const struct addrinfo *address, const char *item, bool *is_missing,
                      struct error *err)
{
    int fd = find_inherited(plan, address->ai_addr);
    if (fd >= 0) {
        return adopt(sockets, fd, err);
    }
    fd = bind_address(address, plan->is_shared);
    if (fd >= 0 && listen(fd, plan->backlog) == 0) {
        if (add(sockets, fd, err)) {
            return true;
        }
        close(fd);
        return false;
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    *is_missing = is_family_missing(error);
    return refuse(err, item, error);
}

static bool listen_at_all(struct listener_sockets *sockets, const struct listener_plan *plan,
                          const struct addrinfo *found, const char *item, struct error *err)
{
    bool has_one = false;
    struct error first = {0};

    for (const struct addrinfo *address = found; address != NULL; address = address->ai_next) {
        struct error trouble = {0};
        bool is_missing = false;
        if (has_address(sockets, address->ai_addr) ||
            listen_at(sockets, plan, address, item, &is_missing, &trouble)) {
            has_one = true;
            continue;
        }
        if (!is_missing) {
            *err = trouble;
            return false;
        }
        first = error_is_set(&first) ? first : trouble;
    }
    if (!has_one) {
        *err = first;
    }
    return has_one;
}

static bool listen_at_item(struct listener_sockets *sockets, const struct listener_plan *plan,
                           const char *item, struct error *err)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    char port[16];
    struct addrinfo *found = NULL;

    (void)snprintf(port, sizeof port, "%u", plan->port);
    int result = getaddrinfo(strcmp(item, "*") == 0 ? NULL : item, port, &hints, &found);
    if (result != 0) {
        return error_set(err, "22023", "can't listen at \"%s\": %s", item, gai_strerror(result));
    }
    bool is_listening_there = listen_at_all(sockets, plan, found, item, err);
    freeaddrinfo(found);
    return is_listening_there;
}

static bool listen_at_list(struct listener_sockets *sockets, const struct listener_plan *plan,
                           struct error *err)
{
    const char *at = plan->addresses;

    while (at != NULL && *at != '\0') {
        char item[ITEM_SIZE];
        at += strspn(at, " \t,");
        size_t length = strcspn(at, " \t,");
        if (length == 0) {
            return true;
        }
        if (length >= sizeof item) {
            return error_set(err, "22023", "an address to listen at is too long");
        }
        memcpy(item, at, length);
        item[length] = '\0';
        if (!listen_at_item(sockets, plan, item, err)) {
            return false;
        }
        at += length;
    }
    return true;
}

/* ---- the Unix socket ---- */

static bool listen_at_path(struct listener_sockets *sockets, const struct listener_plan *plan,
                           const struct sockaddr_un *address, struct error *err)
{
    int fd = unix_socket_bind(address, plan->mode, err);
    if (fd < 0) {
        return false;
    }
    if (listen(fd, plan->backlog) != 0) {
        refuse(err, address->sun_path, errno);
        close(fd);
        unix_socket_remove(address);
        return false;
    }
    if (!add(sockets, fd, err)) {
        close(fd);
        unix_socket_remove(address);
        return false;
    }
    sockets->all[sockets->count - 1].has_file = true;
    return true;
}

static bool listen_at_directory(struct listener_sockets *sockets, const struct listener_plan *plan,
                                struct error *err)
{
    struct sockaddr_un address;

    if (plan->directory == NULL || *plan->directory == '\0') {
        return true;
    }
    if (plan->port == 0) {
        return error_set(err, "22023", "a Unix socket needs a port for its name");
    }
    if (!unix_socket_name(&address, plan->directory, plan->port, err)) {
        return false;
    }
    int fd = find_inherited(plan, (const struct sockaddr *)&address);
    if (fd < 0) {
        return listen_at_path(sockets, plan, &address, err);
    }
    if (!adopt(sockets, fd, err) || !unix_socket_take_over(&address, err)) {
        return false;
    }
    sockets->all[sockets->count - 1].has_file = true;
    return true;
}

/* ---- all ---- */

static bool adopt_all(struct listener_sockets *sockets, const struct listener_plan *plan,
                      struct error *err)
{
    for (size_t i = 0; i < plan->inherited_count; i++) {
        if (!adopt(sockets, plan->inherited[i], err)) {
            return false;
        }
    }
    return true;
}

static bool is_used(const struct listener_sockets *sockets, int fd)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->all[i].source.fd == fd) {
            return true;
        }
    }
    return false;
}

bool listener_bind(struct listener_sockets *sockets, const struct listener_plan *plan,
                   struct error *err)
{
    sockets->count = 0;
    bool is_bound = check_inherited(plan, err) &&
                    (plan->is_activated ? adopt_all(sockets, plan, err)
                                        : listen_at_list(sockets, plan, err) &&
                                              listen_at_directory(sockets, plan, err));
    if (is_bound && sockets->count == 0) {
        is_bound = error_set(err, "22023", "there is no address to listen at");
    }
    if (!is_bound) {
        listener_unbind(sockets);
    }
    return is_bound;
}

void listener_settle(struct listener_sockets *sockets, const struct listener_plan *plan)
{
    for (size_t i = 0; i < plan->inherited_count; i++) {
        if (!is_used(sockets, plan->inherited[i])) {
            close(plan->inherited[i]);
        }
    }
    for (size_t i = 0; i < sockets->count; i++) {
        sockets->all[i].is_inherited = false;
    }
}

void listener_unbind(struct listener_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        const struct listening *listening = &sockets->all[i];
        if (listening->is_inherited) {
            continue;
        }
        close(listening->source.fd);
        if (listening->has_file) {
            unix_socket_remove((const struct sockaddr_un *)(const void *)&listening->address);
        }
    }
    sockets->count = 0;
}
