#include "lab/process.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/options.h"

/* In the child: never returns a failure, as there is nobody to return it to. */
static void set_up_child(const struct process_setup *setup, pid_t parent)
{
    sigset_t none;
    int moved[PROCESS_FDS_MAX];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(126); /* the parent died before the line above */
    }
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++) { /* refused for SIGKILL and SIGSTOP: fine */
        sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    int null = open("/dev/null", O_RDWR);
    int log = setup->log != NULL ? open(setup->log, O_WRONLY | O_CREAT | O_APPEND, 0600) : null;
    if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
        _exit(126);
    }
    /* First out of the way of 3, 4, … and then there: a target may be a source. */
    for (size_t i = 0; i < setup->fd_count; i++) {
        moved[i] = fcntl(setup->fds[i], F_DUPFD, 3 + PROCESS_FDS_MAX);
    }
    for (size_t i = 0; i < setup->fd_count; i++) {
        if (moved[i] < 0 || dup2(moved[i], 3 + (int)i) < 0) {
            _exit(126);
        }
    }
    close_range(3 + (unsigned)setup->fd_count, ~0u, 0);
    if (chdir(setup->directory != NULL ? setup->directory : "/") != 0) {
        dprintf(2, "cannot change into %s: %s\n", setup->directory, strerror(errno));
        _exit(126);
    }
}

pid_t process_fork(const struct process_setup *setup, struct error *err)
{
    pid_t parent = getpid();

    assert(setup->fd_count <= PROCESS_FDS_MAX);
    pid_t pid = fork();
    if (pid < 0) {
        error_set(err, "53000", "cannot start a process: %s", strerror(errno));
        error_hint(err, "too many processes or too little memory: see ulimit -u and free");
        return -1;
    }
    if (pid == 0) {
        set_up_child(setup, parent);
        return 0;
    }
    setpgid(pid, pid); /* here too, so that the group exists for us at once */
    return pid;
}

static void execute(const char *const *argv)
{
    char path[PATH_MAX + 8] = "PATH=/usr/local/bin:/usr/bin:/bin";
    const char *inherited = getenv("PATH");
    if (inherited != NULL) {
        snprintf(path, sizeof path, "PATH=%s", inherited);
    }
    char *environment[] = {path, (char[]){"HOME=/"}, (char[]){"LC_ALL=C.UTF-8"}, (char[]){"TZ=UTC"},
                           NULL};
    /* execve() takes char *const[] for historical reasons and changes nothing. */
    union {
        const char *const *ours;
        char *const *theirs;
    } words;

    words.ours = argv;
    execve(argv[0], words.theirs, environment);
    dprintf(2, "cannot execute %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

pid_t process_start(const struct process_setup *setup, const char *const *argv, struct error *err)
{
    pid_t pid = process_fork(setup, err);
    if (pid == 0) {
        execute(argv);
    }
    return pid;
}

/* Reads the first line, and the rest away so that the writer gets no SIGPIPE. */
static void read_line(int fd, char *line, size_t size)
{
    size_t used = 0;
    char rest[256];
    ssize_t got;

    while (used + 1 < size && (got = read(fd, line + used, size - 1 - used)) > 0) {
        used += (size_t)got;
    }
    while (used + 1 >= size && read(fd, rest, sizeof rest) > 0) {
    }
    line[used] = '\0';
    line[strcspn(line, "\n")] = '\0';
}

bool process_capture(const char *const *argv, char *line, size_t size, struct error *err)
{
    int ends[2], status;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set(err, "53000", "cannot open a pipe: %s", strerror(errno));
    }
    pid_t pid = process_fork(&(struct process_setup){.fds = &ends[1], .fd_count = 1}, err);
    if (pid == 0) {
        dup2(3, 1);
        close(3);
        execute(argv);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    read_line(ends[0], line, size);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return error_set(err, "58030", "%s failed", argv[0]);
    }
    return true;
}

/* False when the process is gone, or a zombie. */
static bool read_stat(pid_t pid, struct process_seen *seen)
{
    char path[64], bytes[512];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t size = read(fd, bytes, sizeof bytes - 1);
    close(fd);
    bytes[size > 0 ? size : 0] = '\0';
    /* "pid (name) S parent …": the name may hold anything, so look from its end. */
    const char *end = strrchr(bytes, ')');
    if (end == NULL || strlen(end) < 5 || end[2] == 'Z' || end[2] == 'X') {
        return false;
    }
    *seen = (struct process_seen){
        .pid = pid, .parent = (pid_t)strtol(end + 4, NULL, 10), .state = end[2]};
    return true;
}

static bool lies_in(const char *path, const char *directory, bool below)
{
    size_t size = strlen(directory);

    return strncmp(path, directory, size) == 0 &&
           (path[size] == '\0' || (below && path[size] == '/'));
}

typedef bool process_matches(const struct process_seen *seen, const void *context);

static size_t scan(process_matches *matches, const void *context,
                   struct process_seen found[PROCESS_SEEN_MAX])
{
    size_t count = 0;
    struct dirent *entry;
    DIR *proc = opendir("/proc");

    while (proc != NULL && count < PROCESS_SEEN_MAX && (entry = readdir(proc)) != NULL) {
        long pid;
        struct process_seen seen;
        if (options_integer(entry->d_name, 1, INT_MAX, &pid) && read_stat((pid_t)pid, &seen) &&
            matches(&seen, context)) {
            found[count++] = seen;
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
    return count;
}

struct place {
    const char *directory;
    bool below;
};

/* A process that is ending gives its directory back some time before it is a zombie.  While it
 * has a parent in the directory that one is seen; after it, it is a child of the subreaper. */
static bool matches_place(const struct process_seen *seen, const void *context)
{
    const struct place *place = context;
    char link[64], path[PATH_MAX];

    if (seen->pid == getpid()) {
        return false;
    }
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)seen->pid);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) { /* ending, or somebody else's */
        return errno == ENOENT && seen->parent == getpid();
    }
    path[length] = '\0';
    char *deleted = strstr(path, " (deleted)");
    if (deleted != NULL) {
        *deleted = '\0';
    }
    return lies_in(path, place->directory, place->below);
}

size_t process_find(const char *directory, bool below, struct process_seen seen[PROCESS_SEEN_MAX])
{
    return scan(matches_place, &(struct place){directory, below}, seen);
}

/* /proc/PID/NAME as text; false when the process is gone. */
static bool read_entry(pid_t pid, const char *name, char *text, size_t capacity)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t size = read(fd, text, capacity - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    return true;
}

bool process_title_has(pid_t pid, const char *word)
{
    char title[256];
    return read_entry(pid, "cmdline", title, sizeof title) && strstr(title, word) != NULL;
}

bool process_is_program(pid_t pid, const char *name)
{
    char line[32];

    if (!read_entry(pid, "comm", line, sizeof line)) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, name) == 0;
}

static bool matches_child(const struct process_seen *seen, const void *)
{
    return seen->parent == getpid();
}

void process_kill_children(void)
{
    struct process_seen found[PROCESS_SEEN_MAX];

    /* Each death may hand us orphans; waitpid() fails when there is no child, dead or alive. */
    do {
        size_t count = scan(matches_child, NULL, found);
        for (size_t i = 0; i < count; i++) {
            kill(found[i].pid, SIGKILL);
        }
    } while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
}
