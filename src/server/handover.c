#include "server/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    START_LIMIT = 60, /* seconds until a new process must serve */
    FD_MAX = LISTENER_SOCKET_MAX + HANDOVER_OLDER_MAX,
    MAGIC = 0x52503031 /* of this kind of message */
};

static const char variable[] = "REPARTO_HANDOVER"; /* the number of the channel's descriptor */

extern char **environ;

/* What the older one sends first, with its descriptors: the sockets, then the channels. */
struct gift {
    uint32_t magic, generation, is_activated, socket_count, older_count;
    uint32_t older_generations[HANDOVER_OLDER_MAX];
};

enum word { WORD_READY = 1, WORD_FAILED, WORD_CANCEL };

/* What the newer one sends. */
struct word_message {
    uint32_t word, pid, size;
    union {
        unsigned char key[STARTUP_KEY_MAX];
        struct error error;
    };
};

/* ---- the newer one ---- */

static int channel_of(const struct inheritance *inheritance)
{
    return inheritance->older[inheritance->older_count - 1].fd;
}

static bool read_number(const char *text, int *number)
{
    char *end;
    long value = strtol(text, &end, 10);
    *number = (int)value;
    return end != text && *end == '\0' && value > STDERR_FILENO && value < INT32_MAX;
}

/* The sockets and channels of `gift`. */
static bool take_gift(struct inheritance *inheritance, const struct gift *gift, const int *fds,
                      size_t fd_count, int channel)
{
    if (gift->magic != MAGIC || gift->socket_count > LISTENER_SOCKET_MAX ||
        gift->older_count >= HANDOVER_OLDER_MAX ||
        gift->socket_count + gift->older_count != fd_count) {
        return false;
    }
    inheritance->is_handed_over = true;
    inheritance->is_activated = gift->is_activated != 0;
    inheritance->generation = (gift->generation + 1) % HANDOVER_GENERATION_COUNT;
    inheritance->socket_count = gift->socket_count;
    memcpy(inheritance->sockets, fds, gift->socket_count * sizeof fds[0]);
    for (size_t i = 0; i < gift->older_count; i++) {
        inheritance->older[i] =
            (struct older){gift->older_generations[i], fds[gift->socket_count + i]};
    }
    inheritance->older[gift->older_count] = (struct older){gift->generation, channel};
    inheritance->older_count = gift->older_count + 1;
    return true;
}

static bool receive_gift(struct inheritance *inheritance, int channel)
{
    struct gift gift;
    alignas(struct cmsghdr) char control[CMSG_SPACE(FD_MAX * sizeof(int))];
    struct iovec part = {.iov_base = &gift, .iov_len = sizeof gift};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    int fds[FD_MAX];
    size_t count = 0;

    ssize_t size = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    for (struct cmsghdr *header = size < 0 ? NULL : CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && count == 0) {
            count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(fds, CMSG_DATA(header), count * sizeof(int));
        }
    }
    return size == (ssize_t)sizeof gift && (message.msg_flags & MSG_CTRUNC) == 0 &&
           take_gift(inheritance, &gift, fds, count, channel);
}

bool handover_inherit(struct inheritance *inheritance, struct error *err)
{
    const char *text = getenv(variable);
    int channel;

    if (text == NULL) {
        unsigned char random = 0;
        if (getrandom(&random, sizeof random, 0) != sizeof random) {
            return error_set(err, "53000", "getrandom: %s", strerror(errno));
        }
        inheritance->generation = random % HANDOVER_GENERATION_COUNT;
        return true;
    }
    bool is_read = read_number(text, &channel) && receive_gift(inheritance, channel);
    unsetenv(variable);
    is_read = is_read && fcntl(channel, F_SETFD, FD_CLOEXEC) == 0;
    if (!is_read) {
        error_set(err, "08P01", "the sockets of the process before can't be taken over");
        return error_hint(err, "%s is set, but not by a router that restarts", variable);
    }
    return true;
}

void inheritance_done(struct inheritance *inheritance)
{
    for (size_t i = 0; i < inheritance->older_count; i++) {
        close(inheritance->older[i].fd);
    }
    inheritance->older_count = 0;
}

void handover_tell(const struct inheritance *inheritance, const struct error *err)
{
    struct word_message message = {.word = err == NULL ? WORD_READY : WORD_FAILED};

    if (!inheritance->is_handed_over) {
        return;
    }
    if (err != NULL) {
        message.error = *err;
    }
    (void)send(channel_of(inheritance), &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void handover_cancel(const struct inheritance *inheritance, uint32_t generation, uint32_t pid,
                     const unsigned char *key, size_t key_size)
{
    struct word_message message = {.word = WORD_CANCEL, .pid = pid, .size = (uint32_t)key_size};

    if (key_size > sizeof message.key) {
        return;
    }
    memcpy(message.key, key, key_size);
    for (size_t i = 0; i < inheritance->older_count; i++) {
        if (inheritance->older[i].generation == generation) {
            (void)send(inheritance->older[i].fd, &message, sizeof message,
                       MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
}

/* ---- the older one ---- */

struct handover {
    struct loop_source channel; /* owns its fd */
    struct loop *loop;          /* borrowed */
    struct loop_timer deadline;
    struct handover_owner owner;
    pid_t pid;
    bool is_over;
};

static bool send_gift(const struct handover_plan *plan, int channel, struct error *err)
{
    const struct inheritance *own = plan->inheritance;
    struct gift gift = {.magic = MAGIC,
                        .generation = own->generation,
                        .is_activated = plan->is_activated,
                        .socket_count = (uint32_t)plan->socket_count,
                        .older_count = (uint32_t)own->older_count};
    alignas(struct cmsghdr) char control[CMSG_SPACE(FD_MAX * sizeof(int))] = {0};
    struct iovec part = {.iov_base = &gift, .iov_len = sizeof gift};
    size_t size = (plan->socket_count + own->older_count) * sizeof(int);
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int fds[FD_MAX];

    for (size_t i = 0; i < plan->socket_count; i++) {
        fds[i] = plan->sockets[i];
    }
    for (size_t i = 0; i < own->older_count; i++) {
        fds[plan->socket_count + i] = own->older[i].fd;
        gift.older_generations[i] = own->older[i].generation;
    }
    *header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), fds, size);
    if (sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof gift) {
        return error_set(err, "58030", "the sockets can't be handed over: %s", strerror(errno));
    }
    return true;
}

/* Those of other processes only, which would mislead the new one. */
static bool is_left_out(const char *entry)
{
    static const char *const names[] = {
        "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "WATCHDOG_PID=", "REPARTO_HANDOVER="};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strncmp(entry, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The environment for the new process: NULL: out of memory; free() it. */
static char **make_environment(char *entry)
{
    size_t count = 0, kept = 0;

    while (environ[count] != NULL) {
        count++;
    }
    char **list = calloc(count + 2, sizeof list[0]);
    for (size_t i = 0; list != NULL && i < count; i++) {
        if (!is_left_out(environ[i])) {
            list[kept++] = environ[i];
        }
    }
    if (list != NULL) {
        list[kept] = entry;
    }
    return list;
}

/* With our signal mask: what arrives before the new one reads signals waits for it. */
static bool spawn(const struct handover_plan *plan, int channel, pid_t *pid, struct error *err)
{
    char entry[sizeof variable + 16];
    posix_spawn_file_actions_t actions;
    int failure = ENOMEM;

    (void)snprintf(entry, sizeof entry, "%s=%d", variable, channel);
    char **environment = make_environment(entry);
    if (environment != NULL && posix_spawn_file_actions_init(&actions) == 0) {
        /* Onto itself: it's left open. */
        failure = posix_spawn_file_actions_adddup2(&actions, channel, channel);
        if (failure == 0) {
            failure = posix_spawnp(pid, plan->argv[0], &actions, NULL, plan->argv, environment);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    free(environment);
    return failure == 0 || error_set(err, failure == ENOENT ? "58P01" : "58030",
                                     "%s can't be started: %s", plan->argv[0], strerror(failure));
}

static void end_child(struct handover *handover)
{
    int status;

    (void)kill(handover->pid, SIGKILL);
    while (waitpid(handover->pid, &status, 0) < 0 && errno == EINTR) {
    }
}

static void fail(struct handover *handover, const struct error *why)
{
    struct error error = *why;

    end_child(handover);
    loop_cancel(handover->loop, &handover->deadline);
    loop_unwatch(handover->loop, &handover->channel);
    close(handover->channel.fd);
    handover->channel.fd = -1;
    handover->owner.on_failure(handover->owner.self, &error);
}

static void on_deadline(struct loop_timer *timer)
{
    struct handover *handover =
        (struct handover *)(void *)((char *)timer - offsetof(struct handover, deadline));
    struct error error = {0};

    error_set(&error, "57014", "the new process did not serve within %d s", START_LIMIT);
    fail(handover, &error);
}

/* False: the handover is gone. */
static bool take_word(struct handover *handover, const struct word_message *message)
{
    struct error error = message->error;

    switch (message->word) {
    case WORD_READY:
        loop_cancel(handover->loop, &handover->deadline);
        handover->is_over = true;
        handover->owner.on_ready(handover->owner.self, handover->pid);
        return true;
    case WORD_CANCEL:
        if (message->size <= sizeof message->key) {
            handover->owner.on_cancel(handover->owner.self, message->pid, message->key,
                                      message->size);
        }
        return true;
    case WORD_FAILED:
        error.sqlstate[sizeof error.sqlstate - 1] = '\0';
        error.message[sizeof error.message - 1] = '\0';
        error.hint[sizeof error.hint - 1] = '\0';
        fail(handover, &error);
        return false;
    default: /* lint: not an enum: the program may be another version */ return true;
    }
}

static void on_channel(struct loop_source *source, uint32_t)
{
    struct handover *handover = (struct handover *)(void *)source;
    struct word_message message;

    for (;;) {
        ssize_t size = recv(source->fd, &message, sizeof message, MSG_DONTWAIT);
        if (size == (ssize_t)sizeof message) {
            if (!take_word(handover, &message)) {
                return;
            }
            continue;
        }
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size == 0 && !handover->is_over) {
            struct error error = {0};
            error_set(&error, "58000", "the new process ended before it served");
            fail(handover, &error);
        }
        return; /* nothing more, or nobody newer is left */
    }
}

static bool begin(struct handover *handover, const struct handover_plan *plan, int channel,
                  struct error *err)
{
    if (plan->inheritance->older_count + 1 >= HANDOVER_OLDER_MAX) {
        error_set(err, "53400", "%zu older processes still have clients",
                  plan->inheritance->older_count);
        return error_hint(err, "end those clients, or the oldest of those processes (TERM)");
    }
    if (!loop_watch(handover->loop, &handover->channel, err)) {
        return false;
    }
    int64_t deadline = loop_now(handover->loop) + START_LIMIT * CLOCK_SECOND;
    if (!send_gift(plan, handover->channel.fd, err) || !spawn(plan, channel, &handover->pid, err)) {
        loop_unwatch(handover->loop, &handover->channel);
        return false;
    }
    (void)loop_set_timer(handover->loop, &handover->deadline, deadline);
    return true;
}

struct handover *handover_begin(const struct handover_plan *plan, struct loop *loop,
                                const struct handover_owner *owner, struct error *err)
{
    struct handover *handover = calloc(1, sizeof *handover);
    int ends[2];

    if (handover == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        error_set(err, "53000", "no socket pair or memory to restart with");
        free(handover);
        return NULL;
    }
    handover->channel = (struct loop_source){.on_event = on_channel, .fd = ends[0]};
    handover->loop = loop;
    handover->owner = *owner;
    handover->deadline.on_time = on_deadline;
    bool has_begun = begin(handover, plan, ends[1], err);
    close(ends[1]);
    if (!has_begun) {
        close(ends[0]);
        free(handover);
        return NULL;
    }
    return handover;
}

bool handover_is_over(const struct handover *handover)
{
    return handover->is_over;
}

void handover_destroy(struct handover *handover)
{
    if (handover == NULL) {
        return;
    }
    loop_cancel(handover->loop, &handover->deadline);
    if (handover->channel.fd >= 0) {
        if (!handover->is_over) {
            end_child(handover);
        }
        loop_unwatch(handover->loop, &handover->channel);
        close(handover->channel.fd);
    }
    free(handover);
}
