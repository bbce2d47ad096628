#include "net/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOCK_PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path) + 32,
    LOCK_TRIES = 100 /* as PostgreSQL; each loses a race with another process that starts or ends */
};

static bool refuse(struct error *err, const char *what, const char *path, int error)
{
    const char *sqlstate = error == EACCES || error == EPERM ? "42501" : "58030";
    return error_set(err, sqlstate, "%s \"%s\": %s", what, path, strerror(error));
}

bool unix_socket_name(struct sockaddr_un *address, const char *directory, unsigned port,
                      struct error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length =
        snprintf(address->sun_path, sizeof address->sun_path, "%s/.s.PGSQL.%u", directory, port);
    if (length < 0 || (size_t)length >= sizeof address->sun_path) {
        return error_set(err, "22023", "Unix socket directory \"%s\" is too long", directory);
    }
    return true;
}

/* ---- the lock file ---- */

static void lock_path(const struct sockaddr_un *address, const char *suffix,
                      char path[LOCK_PATH_SIZE])
{
    (void)snprintf(path, LOCK_PATH_SIZE, "%s%s", address->sun_path, suffix);
}

/* Whole or not at all: it's written under another name. */
static bool write_own_lock(const struct sockaddr_un *address, char path[LOCK_PATH_SIZE],
                           struct error *err)
{
    char suffix[24], text[24];

    (void)snprintf(suffix, sizeof suffix, ".lock.%ld", (long)getpid());
    lock_path(address, suffix, path);
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    (void)unlink(path); /* of a process that had our pid and died right here */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return refuse(err, "lock file", path, errno);
    }
    ssize_t written = write(fd, text, (size_t)length);
    int error = written < 0 ? errno : ENOSPC;
    if (close(fd) == 0 && written == length) {
        return true;
    }
    (void)unlink(path);
    return refuse(err, "lock file", path, error);
}

/* The pid in a lock file; 0: it's gone, -1: none that makes sense. */
static long read_lock(const char *path)
{
    char text[24];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 0 : -1;
    }
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0) {
        return -1;
    }
    text[length] = '\0';
    char *end;
    long pid = strtol(text, &end, 10);
    return pid > 0 && (*end == '\n' || *end == '\0') ? pid : -1;
}

/* PostgreSQL's rule: not the own pid and not the parent's, which a reboot or a container may have
 * given to us; a process of another user's (EPERM) is none that could have made the file. */
static bool is_alive(long pid)
{
    if (pid == (long)getpid() || pid == (long)getppid()) {
        return false;
    }
    return kill((pid_t)pid, 0) == 0;
}

/* Removes the lock of a dead process. */
static bool clear_lock(const char *path, struct error *err)
{
    long pid = read_lock(path);

    if (pid == 0) {
        return true;
    }
    if (pid < 0) {
        error_set(err, "F0001", "lock file \"%s\" has no process id", path);
        return error_hint(err, "if no other server uses this socket, remove the file");
    }
    if (is_alive(pid)) {
        error_set(err, "F0001", "lock file \"%s\" already exists", path);
        return error_hint(err, "is another server running (process %ld)?", pid);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return refuse(err, "old lock file", path, errno);
    }
    return true;
}

static bool lock(const struct sockaddr_un *address, struct error *err)
{
    char own[LOCK_PATH_SIZE], path[LOCK_PATH_SIZE];

    if (!write_own_lock(address, own, err)) {
        return false;
    }
    lock_path(address, ".lock", path);
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (link(own, path) == 0) {
            (void)unlink(own);
            return true;
        }
        if (errno != EEXIST) {
            int error = errno;
            (void)unlink(own);
            return refuse(err, "lock file", path, error);
        }
        if (!clear_lock(path, err)) {
            (void)unlink(own);
            return false;
        }
    }
    (void)unlink(own);
    return error_set(err, "F0001", "lock file \"%s\" comes back again and again", path);
}

static void unlock(const struct sockaddr_un *address)
{
    char path[LOCK_PATH_SIZE];

    lock_path(address, ".lock", path);
    (void)unlink(path);
}

bool unix_socket_take_over(const struct sockaddr_un *address, struct error *err)
{
    char own[LOCK_PATH_SIZE], path[LOCK_PATH_SIZE];

    if (!write_own_lock(address, own, err)) {
        return false;
    }
    lock_path(address, ".lock", path);
    if (rename(own, path) != 0) {
        int error = errno;
        (void)unlink(own);
        return refuse(err, "lock file", path, error);
    }
    return true;
}

/* ---- the socket ---- */

/* Removes a socket at which nobody listens; not every program that listens makes lock files. */
static bool clear_socket(const struct sockaddr_un *address, struct error *err)
{
    const char *path = address->sun_path;
    struct stat status;

    if (lstat(path, &status) != 0) {
        return errno == ENOENT || refuse(err, "Unix socket", path, errno);
    }
    if (!S_ISSOCK(status.st_mode)) {
        return error_set(err, "58030", "\"%s\" is in the way: it is not a socket", path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return refuse(err, "Unix socket", path, errno);
    }
    bool is_answered = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
                       errno == EAGAIN; /* its backlog is full */
    int error = errno;
    close(fd);
    if (is_answered) {
        return error_set(err, "F0001", "another server listens at Unix socket \"%s\"", path);
    }
    if (error != ECONNREFUSED && error != ENOENT) {
        return refuse(err, "Unix socket", path, error);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return refuse(err, "old Unix socket", path, errno);
    }
    return true;
}

/* Nobody can connect before it listens, so the mode is in time. */
static int bind_locked(const struct sockaddr_un *address, unsigned mode, struct error *err)
{
    if (!clear_socket(address, err)) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        refuse(err, "Unix socket", address->sun_path, errno);
        return -1;
    }
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        refuse(err, "Unix socket", address->sun_path, errno);
        close(fd);
        return -1;
    }
    if (chmod(address->sun_path, mode) != 0) {
        refuse(err, "Unix socket's mode", address->sun_path, errno);
        (void)unlink(address->sun_path);
        close(fd);
        return -1;
    }
    return fd;
}

int unix_socket_bind(const struct sockaddr_un *address, unsigned mode, struct error *err)
{
    if (!lock(address, err)) {
        return -1;
    }
    int fd = bind_locked(address, mode, err);
    if (fd < 0) {
        unlock(address);
    }
    return fd;
}

void unix_socket_remove(const struct sockaddr_un *address)
{
    (void)unlink(address->sun_path);
    unlock(address);
}
