#include "lab/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/process.h"
#include "lab/supervisor.h"

enum { EVENTS_FD = 3, LOCK_FD = 4, PATIENCE_S = 30 };

static bool drop_root(const struct guardian_account *account, struct error *err)
{
    if (account->must_drop &&
        (initgroups(account->name, account->gid) != 0 || setgid(account->gid) != 0 ||
         setuid(account->uid) != 0 || setuid(0) == 0)) {
        return error_set(err, "42501", "cannot become user %s: %s", account->name, strerror(errno));
    }
    return true;
}

static bool check_access(const char *directory, const struct guardian_account *account,
                         struct error *err)
{
    if (access(directory, R_OK | W_OK | X_OK) != 0) {
        error_set(err, "42501", "user %s cannot work in %s: %s",
                  account->must_drop ? account->name : "running this", directory, strerror(errno));
        return error_hint(err, "choose a --dir that this user can reach, such as one in /tmp");
    }
    return true;
}

/* The lock file as descriptor LOCK_FD.  A lab that just ended may remove the file between
 * our open() and flock(); then the lock is on nothing, and it is tried again. */
static bool take_lock(const char *directory, struct error *err)
{
    char path[LAB_PATH_SIZE + 32];
    struct stat held, named;

    snprintf(path, sizeof path, "%s/" LAB_LOCK_FILE, directory);
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            return error_set(err, "58030", "cannot open %s: %s", path, strerror(errno));
        }
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            close(fd);
            error_set(err, "55006", "a lab is running at %s already", directory);
            return error_hint(err, "use it, stop it with 'reparto lab down', or choose another "
                                   "--dir");
        }
        if (fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino) {
            return dup2(fd, LOCK_FD) == LOCK_FD && (fd == LOCK_FD || close(fd) == 0);
        }
        close(fd);
    }
}

/* The servers in `directory`; not a user's shell that stands there. */
static size_t find_servers(const char *directory, struct process_seen seen[PROCESS_SEEN_MAX])
{
    size_t found = process_find(directory, true, seen);
    size_t count = 0;

    for (size_t i = 0; i < found; i++) {
        if (process_is_program(seen[i].pid, "postgres")) {
            seen[count++] = seen[i];
        }
    }
    return count;
}

/* What a lab left whose guardian and supervisor were killed both.  Returns whether any ran. */
static bool kill_stale(const char *directory)
{
    struct process_seen seen[PROCESS_SEEN_MAX];
    struct pollfd ends[PROCESS_SEEN_MAX];
    size_t count;
    bool has_any = false;

    while ((count = find_servers(directory, seen)) > 0) {
        has_any = true;
        for (size_t i = 0; i < count; i++) {
            ends[i] = (struct pollfd){.fd = pidfd_open(seen[i].pid, 0), .events = POLLIN};
            kill(seen[i].pid, SIGKILL);
        }
        /* They aren't ours to wait for; and ending, they are seen no more by their directory. */
        for (size_t i = 0; i < count; i++) {
            if (ends[i].fd >= 0) {
                poll(&ends[i], 1, 1000);
                close(ends[i].fd);
            }
        }
    }
    return has_any;
}

static void mark_kept(const char *directory)
{
    char path[LAB_PATH_SIZE + 16];

    snprintf(path, sizeof path, "%s/keep", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
    }
}

/* PGSERVICE, PGOPTIONS and the like are meant for the caller's own servers. */
static void forget_caller(void)
{
    char name[128];

    for (char **variable = environ; *variable != NULL;) {
        size_t size = strcspn(*variable, "=");
        if (strncmp(*variable, "PG", 2) != 0 || size >= sizeof name) {
            variable++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)size, *variable);
        unsetenv(name); /* moves the next one to this place */
    }
}

/* 0 from /dev/null, 1 and 2 to the lab's log, 3 events, 4 lock, nothing else. */
static bool set_descriptors(const char *directory, struct error *err)
{
    char path[LAB_PATH_SIZE + 16];

    snprintf(path, sizeof path, "%s/lab.log", directory);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
        return error_set(err, "58030", "cannot write %s: %s", path, strerror(errno));
    }
    close_range(LOCK_FD + 1, ~0u, 0);
    return true;
}

static bool prepare(const struct guardian_start *start, struct error *err)
{
    const char *directory = start->options->directory;

    return drop_root(start->account, err) && check_access(directory, start->account, err) &&
           take_lock(directory, err);
}

/* Waits for the supervisor; a signal to us is one to it, and after a time it is killed. */
static void await_supervisor(pid_t supervisor, const sigset_t *signals)
{
    int64_t deadline = 0;

    while (waitpid(supervisor, NULL, WNOHANG) == 0) {
        struct timespec second = {.tv_sec = 1};
        int number = sigtimedwait(signals, NULL, &second);
        if (number > 0 && number != SIGCHLD && deadline == 0) {
            deadline = clock_now() + PATIENCE_S * CLOCK_SECOND;
            kill(supervisor, SIGTERM);
        }
        if (deadline != 0 && clock_now() > deadline) {
            kill(supervisor, SIGKILL);
        }
    }
}

static pid_t start_supervisor(const struct guardian_start *start)
{
    pid_t guardian = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != guardian) {
            _exit(1);
        }
        prctl(PR_SET_NAME, "reparto-lab");
        _exit(supervisor_run(&(struct supervisor_start){
            .options = start->options, .events_fd = EVENTS_FD, .started = start->started}));
    }
    return pid;
}

void guardian_run(const struct guardian_start *start)
{
    const char *directory = start->options->directory;
    struct error err = {0};
    sigset_t signals;

    setsid();
    umask(077);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    forget_caller();
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_SETMASK, &signals, NULL);
    fcntl(start->events_fd, F_SETFL, O_NONBLOCK);
    if (dup2(start->events_fd, EVENTS_FD) < 0) {
        _exit(1); /* `lab up` sees the pipe end */
    }
    if (!prepare(start, &err)) {
        supervisor_tell_failure(EVENTS_FD, &err);
        _exit(1);
    }
    kill_stale(directory);
    supervisor_remove_files(directory);
    if (start->options->is_kept) {
        mark_kept(directory);
    }
    prctl(PR_SET_NAME, "reparto-guard");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (start->options->is_foreground) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
    bool has_starter = !start->options->is_foreground || getppid() == start->starter;
    pid_t supervisor = -1;
    if (!set_descriptors(directory, &err)) {
        supervisor_tell_failure(EVENTS_FD, &err);
    } else if (has_starter) {
        supervisor = start_supervisor(start);
    }
    if (supervisor > 0) {
        await_supervisor(supervisor, &signals);
    }
    process_kill_children();
    if (!start->options->is_kept) {
        supervisor_remove_directory(directory);
    }
    _exit(0);
}

void guardian_clean_up(const char *directory, const struct guardian_account *account, bool is_kept)
{
    struct error err = {0}; /* its exit status tells enough */

    if (!drop_root(account, &err) || !take_lock(directory, &err)) {
        _exit(GUARDIAN_FAILED);
    }
    bool has_any = kill_stale(directory);
    if (!is_kept) {
        supervisor_remove_directory(directory);
    }
    _exit(has_any || !is_kept ? GUARDIAN_CLEANED : GUARDIAN_FOUND_NOTHING);
}
