#include "lab/launch.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "lab/guardian.h"

/* PostgreSQL's own socket is the longest name in the directory. */
enum { DIRECTORY_MAX = sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/.s.PGSQL.65535" };

/* ---- who ---- */

/* Root starts labs as another user; everybody else as himself. */
static bool choose_account(const char *wanted, struct guardian_account *account, struct error *err)
{
    static const char *const names[] = {"postgres", "nobody"};
    const struct passwd *entry = NULL;

    if (geteuid() != 0) {
        if (wanted != NULL && ((entry = getpwnam(wanted)) == NULL || entry->pw_uid != geteuid())) {
            error_set(err, "42501", "only root can start a lab as %s", wanted);
            return error_hint(err, "leave out --user, or use sudo");
        }
        *account = (struct guardian_account){.uid = geteuid(), .gid = getegid()};
        return true;
    }
    if (wanted != NULL) {
        entry = getpwnam(wanted);
    }
    for (size_t i = 0; wanted == NULL && entry == NULL && i < 2; i++) {
        entry = getpwnam(names[i]);
    }
    if (entry == NULL || entry->pw_uid == 0) {
        error_set(err, "42501", "PostgreSQL does not run as root, and %s is no other user here",
                  wanted != NULL ? wanted : "postgres or nobody");
        return error_hint(err, "name an unprivileged user with --user");
    }
    *account =
        (struct guardian_account){.uid = entry->pw_uid, .gid = entry->pw_gid, .must_drop = true};
    snprintf(account->name, sizeof account->name, "%s", entry->pw_name);
    return true;
}

/* ---- where ---- */

static bool refuse_directory(const char *path, const char *why, struct error *err)
{
    error_set(err, "58030", "%s %s", path, why);
    return error_hint(err, "choose another directory with --dir");
}

static bool is_empty(const char *path)
{
    const struct dirent *entry;
    bool is_nothing_found = true;
    DIR *directory = opendir(path);

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            is_nothing_found = false;
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return directory != NULL && is_nothing_found;
}

static bool has_file(const char *directory, const char *name)
{
    char path[LAB_PATH_SIZE + 32];
    struct stat status;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return lstat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* An existing directory is taken when it is empty or holds what a lab of ours left. */
static bool check_existing(const char *path, const struct guardian_account *account,
                           struct error *err)
{
    struct stat status;

    if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return refuse_directory(path, "is not a directory", err);
    }
    if (status.st_uid != account->uid && !(status.st_uid == geteuid() && is_empty(path))) {
        return refuse_directory(path, "belongs to another user", err);
    }
    if (!is_empty(path) && !has_file(path, LAB_LOCK_FILE)) {
        return refuse_directory(path, "is not empty and not a lab's: it is left alone", err);
    }
    if (!lab_is_running(path) && has_file(path, "keep")) {
        error_set(err, "58030", "%s holds the files of a lab that was kept", path);
        return error_hint(err, "remove it (rm -r %s), or choose another --dir", path);
    }
    return true;
}

/* Names must not hold links: processes are recognised by their directory. */
static bool make_directory(const struct lab_options *options,
                           const struct guardian_account *account, char path[LAB_PATH_SIZE],
                           struct error *err)
{
    char given[LAB_PATH_SIZE], *real;

    if (!lab_directory(options->directory, given, err)) {
        return false;
    }
    if (mkdir(given, 0700) != 0) {
        if (errno != EEXIST) {
            error_set(err, "58030", "cannot make %s: %s", given, strerror(errno));
            return error_hint(err,
                              "its parent must exist and be writable; or choose another --dir");
        }
        if (!check_existing(given, account, err)) {
            return false;
        }
    }
    real = realpath(given, NULL);
    if (real == NULL || strlen(real) > DIRECTORY_MAX) {
        free(real);
        rmdir(given); /* does nothing unless it is empty */
        return refuse_directory(given, "is too long a name: sockets in it allow 91 bytes", err);
    }
    snprintf(path, LAB_PATH_SIZE, "%s", real);
    free(real);
    if ((account->must_drop && chown(path, account->uid, account->gid) != 0) ||
        chmod(path, 0700) != 0) {
        return error_set(err, "58030", "cannot give %s to %s: %s", path, account->name,
                         strerror(errno));
    }
    return true;
}

/* ---- settings ---- */

static bool check_setting(const char *setting, struct error *err)
{
    /* What the launcher's promises rest on: loopback only, SCRAM, our files. */
    static const char *const ours[] = {"config_file",
                                       "data_directory",
                                       "external_pid_file",
                                       "hba_file",
                                       "ident_file",
                                       "listen_addresses",
                                       "password_encryption",
                                       "port",
                                       "cluster_name",
                                       "primary_conninfo",
                                       "primary_slot_name",
                                       "log_directory",
                                       "logging_collector",
                                       "log_destination",
                                       "unix_socket_directories",
                                       "unix_socket_group",
                                       "unix_socket_permissions"};
    const char *equals = strchr(setting, '=');
    size_t size = equals != NULL ? (size_t)(equals - setting) : 0;

    if (size == 0 || strspn(setting, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_.") != size) {
        error_set(err, "22023", "--settings \"%s\" is not name=value", setting);
        return error_hint(err, "for example: --settings work_mem=16MB");
    }
    if (strchr(setting, '\n') != NULL) {
        return error_set(err, "22023", "--settings: a line break in a value");
    }
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strlen(ours[i]) == size && strncasecmp(ours[i], setting, size) == 0) {
            return error_set(err, "22023", "--settings: %s is the launcher's own", ours[i]);
        }
    }
    return true;
}

/* ---- starting ---- */

struct starter {
    int events, signals; /* descriptors */
    pid_t guardian;
    bool is_ready, is_interrupted, is_failed;
    struct text line; /* what came in of the next event */
    lab_watcher *watcher;
    void *context;
};

static bool take_event(struct starter *starter, const char *line, struct error *err)
{
    json_t *event = json_loads(line, 0, NULL);
    const char *kind = json_string_value(json_object_get(event, "event"));
    const char *sqlstate = json_string_value(json_object_get(event, "sqlstate"));
    const char *message = json_string_value(json_object_get(event, "message"));
    const char *hint = json_string_value(json_object_get(event, "hint"));

    if (kind != NULL && strcmp(kind, "failed") == 0 && !starter->is_failed) {
        starter->is_failed = true;
        error_set(err, sqlstate != NULL && strlen(sqlstate) == 5 ? sqlstate : "58000", "%s",
                  message != NULL ? message : "the lab failed");
        if (hint != NULL && hint[0] != '\0') {
            error_hint(err, "%s", hint);
        }
    }
    starter->is_ready = starter->is_ready || (kind != NULL && strcmp(kind, "ready") == 0);
    if (kind != NULL && !starter->is_failed) {
        starter->watcher(starter->context, event);
    }
    json_decref(event);
    return starter->is_ready;
}

/* Reads what came; false at the end, which is the guardian's. */
static bool read_events(struct starter *starter, struct error *err)
{
    char bytes[4096];
    ssize_t size = read(starter->events, bytes, sizeof bytes);

    for (ssize_t i = 0; i < size; i++) {
        if (bytes[i] != '\n') {
            text_append_bytes(&starter->line, &bytes[i], 1);
            continue;
        }
        take_event(starter, text_cstr(&starter->line), err);
        text_clear(&starter->line);
    }
    return size > 0 || (size < 0 && errno == EINTR);
}

static void take_signal(struct starter *starter)
{
    struct signalfd_siginfo info;

    if (read(starter->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        starter->is_interrupted = true;
        kill(starter->guardian, SIGTERM);
    }
}

/* Until the lab is ready or, in the foreground form and after a failure, gone. */
static void watch_start(struct starter *starter, bool is_foreground, struct error *err)
{
    struct pollfd fds[] = {{.fd = starter->events, .events = POLLIN},
                           {.fd = starter->signals, .events = POLLIN}};

    while (!starter->is_ready || is_foreground || starter->is_interrupted) {
        if (poll(fds, 2, -1) < 0) {
            continue;
        }
        if (fds[1].revents != 0) {
            take_signal(starter);
        }
        if (fds[0].revents != 0 && !read_events(starter, err)) {
            break;
        }
    }
}

static bool conclude(const struct starter *starter, bool is_foreground, struct error *err)
{
    if (starter->is_failed) {
        return false;
    }
    if (starter->is_interrupted && !(is_foreground && starter->is_ready)) {
        return error_set(err, "57014", "interrupted: the lab was stopped again");
    }
    if (!starter->is_ready) {
        return error_set(err, "58000", "the supervisor ended before the lab was ready");
    }
    return true;
}

static void block_signals(sigset_t *before, int *signals)
{
    sigset_t wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    sigprocmask(SIG_BLOCK, &wanted, before);
    *signals = signalfd(-1, &wanted, SFD_CLOEXEC);
}

static bool start_guardian(struct starter *starter, const struct guardian_start *start,
                           struct error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set(err, "53000", "cannot open a pipe: %s", strerror(errno));
    }
    pid_t starter_pid = getpid();
    starter->guardian = fork();
    if (starter->guardian == 0) {
        struct guardian_start own = *start;
        own.events_fd = ends[1];
        own.starter = starter_pid;
        guardian_run(&own);
    }
    close(ends[1]);
    starter->events = ends[0];
    if (starter->guardian < 0) {
        close(ends[0]);
        return error_set(err, "53000", "cannot start a process: %s", strerror(errno));
    }
    return true;
}

bool lab_up(const struct lab_options *options, lab_watcher *watcher, void *context,
            struct error *err)
{
    struct guardian_account account = {0};
    char directory[LAB_PATH_SIZE];
    struct lab_options own = *options;
    struct starter starter = {.watcher = watcher, .context = context};
    sigset_t before;

    for (size_t i = 0; i < options->setting_count; i++) {
        if (!check_setting(options->settings[i], err)) {
            return false;
        }
    }
    if (!choose_account(options->user, &account, err) ||
        !make_directory(options, &account, directory, err)) {
        return false;
    }
    own.directory = directory;
    fflush(NULL); /* nothing buffered may be written twice, by the child too */
    block_signals(&before, &starter.signals);
    struct guardian_start start = {.options = &own, .account = &account, .started = clock_now()};
    bool is_ok = start_guardian(&starter, &start, err);
    if (is_ok) {
        watch_start(&starter, options->is_foreground, err);
        is_ok = conclude(&starter, options->is_foreground, err);
        close(starter.events);
        if (!starter.is_ready || options->is_foreground || starter.is_interrupted) {
            waitpid(starter.guardian, NULL, 0);
            rmdir(directory); /* when the guardian could not even enter it; never a full one */
        }
    }
    close(starter.signals);
    sigprocmask(SIG_SETMASK, &before, NULL);
    text_done(&starter.line);
    return is_ok;
}

/* ---- asking ---- */

/* The connected control socket, or -1. */
static int connect_control(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int size = snprintf(address.sun_path, sizeof address.sun_path, "%s/control", path);

    if (fd >= 0 && size < (int)sizeof address.sun_path &&
        connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    int reason = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (reason == EACCES || reason == EPERM) {
        error_set(err, "42501", "the lab at %s belongs to another user", path);
        error_hint(err, "use the account that started it, or root");
    } else if (lab_is_running(path)) {
        error_set(err, "57P03", "the lab at %s does not take commands: %s", path, strerror(reason));
        error_hint(err, "it is just starting or ending: repeat in a moment");
    } else {
        error_set(err, "58P01", "no lab at %s", path);
        error_hint(err, "start one with: reparto lab up");
    }
    return -1;
}

static bool send_request(int fd, const json_t *request, struct error *err)
{
    char *bytes = json_dumps(request, JSON_COMPACT);
    struct text line = {0};

    text_appendf(&line, "%s\n", bytes != NULL ? bytes : "");
    free(bytes);
    ssize_t sent = send(fd, text_cstr(&line), line.size, MSG_NOSIGNAL);
    bool is_ok = sent == (ssize_t)line.size;
    text_done(&line);
    return is_ok || error_set(err, "08006", "cannot send to the supervisor: %s", strerror(errno));
}

static bool read_answer(int fd, int timeout_s, struct text *answer, struct error *err)
{
    int64_t deadline = clock_now() + timeout_s * CLOCK_SECOND;
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    char bytes[4096];

    for (;;) {
        int count = poll(&polled, 1, clock_poll_timeout(deadline, clock_now()));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            error_set(err, "57014", "the supervisor did not answer within %d s", timeout_s);
            return error_hint(err, "'reparto lab down' ends it by force");
        }
        ssize_t size = recv(fd, bytes, sizeof bytes, 0);
        if (size <= 0) {
            return error_set(err, "08006", "the supervisor hung up");
        }
        text_append_bytes(answer, bytes, (size_t)size);
        if (bytes[size - 1] == '\n') { /* the one line that is an answer */
            return true;
        }
    }
}

static json_t *parse_answer(const struct text *answer, struct error *err)
{
    json_t *document = json_loadb(text_cstr(answer), answer->size, 0, NULL);
    const char *sqlstate = json_string_value(json_object_get(document, "sqlstate"));
    const char *message = json_string_value(json_object_get(document, "message"));
    const char *hint = json_string_value(json_object_get(document, "hint"));

    if (document == NULL) {
        error_set(err, "08P01", "the supervisor's answer makes no sense");
        return NULL;
    }
    if (json_is_true(json_object_get(document, "ok"))) {
        return document;
    }
    error_set(err, sqlstate != NULL && strlen(sqlstate) == 5 ? sqlstate : "58000", "%s",
              message != NULL ? message : "it failed");
    if (hint != NULL && hint[0] != '\0') {
        error_hint(err, "%s", hint);
    }
    json_decref(document);
    return NULL;
}

static json_t *ask_at(const char *path, const json_t *request, int timeout_s, struct error *err)
{
    struct text answer = {0};
    json_t *document = NULL;
    int fd = connect_control(path, err);

    if (fd < 0) {
        return NULL;
    }
    if (send_request(fd, request, err) && read_answer(fd, timeout_s, &answer, err)) {
        document = parse_answer(&answer, err);
    }
    close(fd);
    text_done(&answer);
    return document;
}

json_t *lab_ask(const char *directory, const json_t *request, int timeout_s, struct error *err)
{
    char path[LAB_PATH_SIZE];
    return lab_directory(directory, path, err) ? ask_at(path, request, timeout_s, err) : NULL;
}

/* ---- ending ---- */

/* A supervisor that does not answer is killed; its guardian cleans up then. */
static bool kill_supervisor(const char *path, struct error *err)
{
    struct error ignored = {0};
    struct ucred peer;
    socklen_t size = sizeof peer;
    int fd = connect_control(path, &ignored);

    if (fd < 0) {
        return true; /* it has ended meanwhile */
    }
    bool is_known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    close(fd);
    if (!is_known || kill(peer.pid, SIGKILL) != 0) {
        return error_set(err, "58000", "cannot kill the supervisor: %s", strerror(errno));
    }
    return true;
}

static bool await_end(const char *path, int guardian_fd, int timeout_s)
{
    int64_t deadline = clock_now() + timeout_s * CLOCK_SECOND;
    struct pollfd polled = {.fd = guardian_fd, .events = POLLIN};

    if (guardian_fd >= 0) {
        return poll(&polled, 1, timeout_s * 1000) > 0;
    }
    while (lab_is_running(path)) { /* a lock can't be waited for with a limit */
        if (clock_now() > deadline) {
            return false;
        }
        clock_sleep_until(clock_now() + 20 * CLOCK_MS);
    }
    return true;
}

static bool find_owner(const char *path, struct guardian_account *account)
{
    struct stat status;

    if (!has_file(path, LAB_LOCK_FILE) || stat(path, &status) != 0 ||
        (geteuid() != 0 && status.st_uid != geteuid()) || status.st_uid == 0) {
        return false;
    }
    *account = (struct guardian_account){
        .uid = status.st_uid, .gid = status.st_gid, .must_drop = geteuid() == 0};
    const struct passwd *entry = getpwuid(status.st_uid);
    if (entry != NULL) {
        snprintf(account->name, sizeof account->name, "%s", entry->pw_name);
    }
    return entry != NULL || !account->must_drop;
}

/* A lab that ended by itself has left no lock file, or kept its files and runs no process. */
static bool clean_up(const char *path, struct error *err)
{
    struct guardian_account account;
    bool is_kept = has_file(path, "keep");
    char *real = realpath(path, NULL);
    int status = 0;

    if (real != NULL && find_owner(real, &account)) {
        pid_t child = fork();
        if (child == 0) {
            guardian_clean_up(real, &account, is_kept);
        }
        if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
            WEXITSTATUS(status) == GUARDIAN_CLEANED) {
            if (!is_kept) {
                rmdir(real); /* the owner may not be allowed to, where it lies */
            }
            free(real);
            return true;
        }
    }
    free(real);
    error_set(err, "58P01", "no lab runs at %s", path);
    return error_hint(
        err, is_kept ? "its files were kept; remove them with: rm -r %s" : "nothing to stop in %s",
        path);
}

bool lab_down(const char *directory, struct error *err)
{
    char path[LAB_PATH_SIZE];
    struct error ignored = {0};
    int guardian_fd = -1;

    if (!lab_directory(directory, path, err)) {
        return false;
    }
    if (!lab_is_running(path)) {
        return clean_up(path, err);
    }
    json_t *status = json_pack("{s:s}", "command", "status");
    json_t *down = json_pack("{s:s}", "command", "down");
    json_t *answer;
    bool is_ok = true;
    if ((answer = ask_at(path, status, 5, &ignored)) != NULL) {
        json_int_t pid = json_integer_value(json_object_get(answer, "guardian_pid"));
        guardian_fd = pid > 0 ? pidfd_open((pid_t)pid, 0) : -1;
        json_decref(answer);
        ignored = (struct error){0};
        json_decref(ask_at(path, down, 5, &ignored));
    }
    if (answer == NULL || !await_end(path, guardian_fd, 30)) {
        is_ok = kill_supervisor(path, err) &&
                (await_end(path, guardian_fd, 30) ||
                 error_set(err, "57014", "the lab at %s does not end", path));
    }
    if (guardian_fd >= 0) {
        close(guardian_fd);
    }
    json_decref(status);
    json_decref(down);
    return is_ok;
}
