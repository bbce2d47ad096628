#include "reparto/spawn.h"

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 64 };

static bool is_program(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode) && access(path, X_OK) == 0;
}

static bool find_on_path(const char *name, char path[SPAWN_PATH_SIZE])
{
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        int size = (int)strcspn(at, ":");
        snprintf(path, SPAWN_PATH_SIZE, "%.*s/%s", size, at, name);
        if (size > 0 && is_program(path)) {
            return true;
        }
        at += size;
        at += *at == ':';
    }
    return false;
}

bool spawn_find(const char *name, char path[SPAWN_PATH_SIZE], struct error *err)
{
    char own[SPAWN_PATH_SIZE];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);

    if (size > 0) {
        own[size] = '\0';
        const char *folder = dirname(own);
        snprintf(path, SPAWN_PATH_SIZE, "%s/%s", folder, name);
        if (is_program(path)) {
            return true;
        }
        snprintf(path, SPAWN_PATH_SIZE, "%s/../%s/%s", folder, name, name);
        if (is_program(path)) {
            return true;
        }
    }
    if (find_on_path(name, path)) {
        return true;
    }
    error_set(err, "58P01", "the program %s is not there", name);
    return error_hint(err, "./dev build makes it; an installed reparto has it beside itself");
}

/* execv() takes pointers that it could write through, though it does not. */
static void execute(const char *const *argv)
{
    char *words[WORDS_MAX + 1] = {0};
    size_t count = 0;

    assert(argv[0] != NULL);
    while (argv[count] != NULL && count < WORDS_MAX) {
        count++;
    }
    memcpy(words, argv, count * sizeof *words);
    execv(argv[0], words);
}

pid_t spawn_start(const char *const *argv, bool is_apart, struct error *err)
{
    pid_t parent = getpid();
    pid_t child = fork();

    if (child < 0) {
        error_set(err, "53000", "cannot start %s: %s", argv[0], strerror(errno));
    }
    if (child != 0) {
        return child;
    }
    if (is_apart) {
        setpgid(0, 0);
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent) {
        execute(argv);
    }
    _exit(127);
}

int spawn_wait(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return 127;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int spawn_run(const char *const *argv, struct error *err)
{
    pid_t child = spawn_start(argv, false, err);
    if (child < 0) {
        return -1;
    }
    int status = spawn_wait(child);
    if (status == 127) {
        error_set(err, "58P01", "cannot run %s", argv[0]);
        return -1;
    }
    return status;
}
