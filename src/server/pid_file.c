#include "server/pid_file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4200 };

/* 0: there is none. */
static long read_pid(const char *path)
{
    FILE *file = fopen(path, "re");
    long pid = 0;

    if (file == NULL) {
        return 0;
    }
    char line[32];
    if (fgets(line, sizeof line, file) != NULL) {
        pid = strtol(line, NULL, 10); /* what makes no sense is 0 or nobody */
    }
    fclose(file);
    return pid;
}

static bool write_pid(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return false;
    }
    bool is_written = fprintf(file, "%ld\n", (long)getpid()) > 0;
    return fclose(file) == 0 && is_written;
}

bool pid_file_write(const char *path, bool may_replace, struct error *err)
{
    char beside[PATH_SIZE];
    long pid = read_pid(path);
    bool is_alive = pid > 0 && pid != (long)getpid() && kill((pid_t)pid, 0) == 0;

    if (is_alive && !may_replace) {
        error_set(err, "55006", "pid_file %s: process %ld is alive", path, pid);
        return error_hint(err, "if that is no router, remove the file");
    }
    int size = snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    if (size < 0 || (size_t)size >= sizeof beside) {
        return error_set(err, "22023", "pid_file: its name is too long");
    }
    if (!write_pid(beside) || rename(beside, path) != 0) {
        int reason = errno;
        (void)unlink(beside);
        error_set(err, "58030", "pid_file %s: %s", path, strerror(reason));
        return error_hint(err, "its directory must exist, and we must be allowed to write there");
    }
    return true;
}

void pid_file_remove(const char *path)
{
    if (read_pid(path) == (long)getpid()) {
        (void)unlink(path);
    }
}
