#include "net/listener.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/listener_private.h"
#include "net/unix_socket.h"

enum { ACCEPT_MAX = 64 /* in one turn, so that the loop's other work goes on */ };

#define REST (100 * CLOCK_MS) /* as PostgreSQL: for others to close something */

struct listener {
    struct listener_owner owner;
    struct loop *loop; /* borrowed */
    struct loop_timer rest;
    struct listener_sockets sockets;
    bool is_paused, is_resting, is_handed_over;
};

static void look_again(struct listener *listener)
{
    for (size_t i = 0; i < listener->sockets.count; i++) {
        loop_look_again(listener->loop, &listener->sockets.all[i].source);
    }
}

static void on_rested(struct loop_timer *timer)
{
    struct listener *listener =
        (struct listener *)(void *)((char *)timer - offsetof(struct listener, rest));

    listener->is_resting = false;
    look_again(listener);
}

/* Nothing can be accepted now.  Without memory for the timer each turn tries. */
static void rest(struct listener *listener, int error)
{
    listener->is_resting =
        loop_set_timer(listener->loop, &listener->rest, loop_now(listener->loop) + REST);
    if (!listener->is_resting) {
        look_again(listener);
    }
    listener->owner.on_rest(listener->owner.self, error);
}

/* This one connection is lost, the next may not be (accept(2): network errors that were pending on
 * the new socket). */
static bool is_about_one(int error)
{
    static const int errors[] = {EINTR,       ECONNABORTED, EPROTO, ENETDOWN,
                                 ENOPROTOOPT, EHOSTDOWN,    ENONET, EHOSTUNREACH,
                                 EOPNOTSUPP,  ENETUNREACH,  EPERM};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (error == errors[i]) {
            return true;
        }
    }
    return false;
}

static void on_socket(struct loop_source *source, uint32_t)
{
    struct listening *listening = (struct listening *)(void *)source;
    struct listener *listener = listening->listener;

    for (int i = 0; i < ACCEPT_MAX; i++) {
        if (listener->is_paused || listener->is_resting) {
            return; /* whoever ends that looks again */
        }
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof address;
        int fd =
            accept4(source->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->owner.on_accept(listener->owner.self, fd, (const struct sockaddr *)&address,
                                      size);
            continue;
        }
        if (errno == EAGAIN) {
            return;
        }
        if (!is_about_one(errno)) {
            rest(listener, errno);
            return;
        }
    }
    loop_look_again(listener->loop, source); /* there may be more: after the others' turn */
}

static bool watch(struct listener *listener, struct error *err)
{
    for (size_t i = 0; i < listener->sockets.count; i++) {
        struct listening *listening = &listener->sockets.all[i];
        listening->listener = listener;
        listening->source.on_event = on_socket;
        if (!loop_watch(listener->loop, &listening->source, err)) {
            while (i-- > 0) {
                loop_unwatch(listener->loop, &listener->sockets.all[i].source);
            }
            return false;
        }
    }
    return true;
}

struct listener *listener_open(const struct listener_plan *plan, struct loop *loop,
                               const struct listener_owner *owner, struct error *err)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        error_set(err, "53200", "no memory for a listener");
        return NULL;
    }
    listener->owner = *owner;
    listener->loop = loop;
    listener->rest.on_time = on_rested;
    if (!listener_bind(&listener->sockets, plan, err)) {
        free(listener);
        return NULL;
    }
    if (!watch(listener, err)) {
        listener_unbind(&listener->sockets);
        free(listener);
        return NULL;
    }
    listener_settle(&listener->sockets, plan);
    listener_keep_alive(listener, &plan->keepalive);
    return listener;
}

void listener_close(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    loop_cancel(listener->loop, &listener->rest);
    for (size_t i = 0; i < listener->sockets.count; i++) {
        struct listening *listening = &listener->sockets.all[i];
        loop_unwatch(listener->loop, &listening->source);
        listening->has_file = listening->has_file && !listener->is_handed_over;
    }
    listener_unbind(&listener->sockets);
    free(listener);
}

void listener_hand_over(struct listener *listener, bool is_handed_over)
{
    bool comes_back = listener->is_handed_over && !is_handed_over;

    listener->is_handed_over = is_handed_over;
    for (size_t i = 0; comes_back && i < listener->sockets.count; i++) {
        const struct listening *listening = &listener->sockets.all[i];
        struct error ignored = {0}; /* the socket works without its lock, too */
        if (listening->has_file) {
            (void)unix_socket_take_over(
                (const struct sockaddr_un *)(const void *)&listening->address, &ignored);
        }
    }
}

size_t listener_sockets(const struct listener *listener, int sockets[LISTENER_SOCKET_MAX])
{
    for (size_t i = 0; i < listener->sockets.count; i++) {
        sockets[i] = listener->sockets.all[i].source.fd;
    }
    return listener->sockets.count;
}

void listener_pause(struct listener *listener)
{
    listener->is_paused = true;
}

void listener_resume(struct listener *listener)
{
    listener->is_paused = false;
    look_again(listener);
}

void listener_keep_alive(struct listener *listener, const struct keepalive *keepalive)
{
    struct keepalive whole = *keepalive;

    keepalive_resolve(&whole);
    for (size_t i = 0; i < listener->sockets.count; i++) {
        keepalive_set(listener->sockets.all[i].source.fd, &whole);
    }
}

unsigned listener_port(const struct listener *listener)
{
    for (size_t i = 0; i < listener->sockets.count; i++) {
        const struct sockaddr_storage *address = &listener->sockets.all[i].address;
        if (address->ss_family == AF_INET) {
            return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
        }
        if (address->ss_family == AF_INET6) {
            return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
        }
    }
    return 0;
}
