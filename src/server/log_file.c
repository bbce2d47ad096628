#include "server/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opened anew, a pipe or terminal has flags of its own: others who write to it may wait. */
static int open_stderr(void)
{
    struct stat status;

    if (fstat(STDERR_FILENO, &status) == 0 &&
        (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
        int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
    }
    return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

int log_file_open(const char *path)
{
    if (path[0] == '\0') {
        return open_stderr();
    }
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                S_IRUSR | S_IWUSR | S_IRGRP);
}

ssize_t log_file_write(int fd, const void *bytes, size_t size)
{
    ssize_t written = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL); /* journald's */

    return written < 0 && errno == ENOTSOCK ? write(fd, bytes, size) : written;
}
