#include "reparto/spawn.h"

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { WORDS_MAX = 64, PATIENCE_S = 10 };

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

static void fill_with_ours(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGHUP);
}

/* A signal that comes before the program runs must end the child, not run our handler in it. */
static void give_signals_back(const sigset_t *ours)
{
    const struct sigaction ends = {.sa_handler = SIG_DFL};

    sigaction(SIGINT, &ends, NULL);
    sigaction(SIGTERM, &ends, NULL);
    sigaction(SIGHUP, &ends, NULL);
    sigprocmask(SIG_UNBLOCK, ours, NULL);
}

pid_t spawn_start(const char *const *argv, bool is_apart, struct error *err)
{
    pid_t parent = getpid();
    sigset_t ours, before;

    fill_with_ours(&ours);
    sigprocmask(SIG_BLOCK, &ours, &before);
    pid_t child = fork();
    if (child < 0) {
        error_set(err, "53000", "cannot start %s: %s", argv[0], strerror(errno));
    }
    if (child != 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        return child;
    }
    if (is_apart) {
        setpgid(0, 0);
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    give_signals_back(&ours);
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

/* Whether the child is to be told to end: it does not hear a signal that was sent to us alone.
 * Ctrl-C it has heard itself; it gets PATIENCE_S then. */
static bool must_tell(int number, int64_t *deadline)
{
    if (number == 0 || number == SIGINT) {
        if (number == SIGINT && *deadline == INT64_MAX) {
            *deadline = clock_now() + PATIENCE_S * CLOCK_SECOND;
        }
        return clock_now() > *deadline;
    }
    return true;
}

/* With our signals blocked but while it waits (`before`). */
static void await_child(pid_t child, const struct spawn_signals *signals, const sigset_t *before)
{
    struct pollfd ended = {.fd = pidfd_open(child, 0), .events = POLLIN};
    int64_t deadline = INT64_MAX;
    bool is_told = false;

    while (ended.fd >= 0) {
        struct timespec second = {.tv_sec = 1};
        if (ppoll(&ended, 1, &second, before) > 0) {
            break;
        }
        bool is_childs = signals->is_interrupt_for_child && *signals->last == SIGINT;
        if (!is_told && !is_childs && must_tell(*signals->last, &deadline)) {
            kill(child, SIGTERM);
            is_told = true;
        }
    }
    if (ended.fd >= 0) {
        close(ended.fd);
    }
}

static void forget_interrupt(const struct spawn_signals *signals)
{
    struct timespec now = {0};
    sigset_t interrupt;

    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigtimedwait(&interrupt, NULL, &now); /* one that came just when the child ended */
    if (*signals->last == SIGINT) {
        *signals->last = 0;
    }
}

static int run_blocked(const char *const *argv, const struct spawn_signals *signals,
                       const sigset_t *before, struct error *err)
{
    if (*signals->last != 0) {
        error_set(err, "57014", "interrupted");
        return -1;
    }
    pid_t child = spawn_start(argv, false, err);
    if (child < 0) {
        return -1;
    }
    await_child(child, signals, before);
    int status = spawn_wait(child);
    if (signals->is_interrupt_for_child) {
        forget_interrupt(signals);
    }
    if (status == 127) {
        error_set(err, "58P01", "cannot run %s", argv[0]);
        return -1;
    }
    return status;
}

int spawn_run(const char *const *argv, const struct spawn_signals *signals, struct error *err)
{
    sigset_t ours, before;

    fill_with_ours(&ours);
    sigprocmask(SIG_BLOCK, &ours, &before);
    int status = run_blocked(argv, signals, &before, err);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}
