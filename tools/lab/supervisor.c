#include "lab/supervisor.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/options.h"
#include "lab/monitor.h"
#include "lab/supervisor_private.h"

enum { FIRST_PORT = 5433, VERSION_MIN = 14 };

/* ---- what `lab up` hears ---- */

static void tell(int events_fd, json_t *event)
{
    char *bytes = event != NULL ? json_dumps(event, JSON_COMPACT) : NULL;

    json_decref(event);
    if (bytes != NULL && events_fd >= 0) {
        /* Below PIPE_BUF, so a line goes as a whole or, when nobody reads, not at all. */
        dprintf(events_fd, "%s\n", bytes);
    }
    free(bytes);
}

void supervisor_tell(struct supervisor *supervisor, json_t *event)
{
    json_object_set_new(event, "elapsed_ms",
                        json_integer((clock_now() - supervisor->started) / CLOCK_MS));
    tell(supervisor->events_fd, event);
}

void supervisor_tell_failure(int events_fd, const struct error *err)
{
    tell(events_fd, json_pack("{s:s, s:s, s:s, s:s}", "event", "failed", "sqlstate", err->sqlstate,
                              "message", err->message, "hint", err->hint));
}

static void log_note(const struct supervisor *supervisor, enum log_level level, const char *event,
                     const char *details)
{
    log_event(level, &(struct log_context){.log = &supervisor->log}, event, "%s", details);
}

/* ---- the programs ---- */

static bool has_programs(const char *directory)
{
    static const char *const programs[] = {"postgres", "initdb", "pg_basebackup"};
    char path[LAB_PATH_SIZE + 32];

    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, programs[i]);
        if (access(path, X_OK) != 0) {
            return false;
        }
    }
    return true;
}

/* pg_config may be there without the server, so it is only asked for a place to look. */
static bool ask_pg_config(char *bin, size_t size)
{
    static const char *const paths[] = {"/usr/local/bin/pg_config", "/usr/bin/pg_config",
                                        "/usr/local/pgsql/bin/pg_config"};
    struct error ignored = {0}; /* the next place is tried then */

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const char *argv[] = {paths[i], "--bindir", NULL};
        if (access(paths[i], X_OK) == 0 && process_capture(argv, bin, size, &ignored) &&
            has_programs(bin)) {
            return true;
        }
        ignored = (struct error){0};
    }
    return false;
}

static bool find_highest(char *bin, size_t size)
{
    glob_t found;
    long best = 0;

    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0) {
        return false;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        long major = strtol(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);
        if (major > best && has_programs(found.gl_pathv[i])) {
            best = major;
            snprintf(bin, size, "%s", found.gl_pathv[i]);
        }
    }
    globfree(&found);
    return best > 0;
}

static bool find_programs(struct supervisor *supervisor, struct error *err)
{
    const char *wanted = supervisor->options->bin;
    char *bin = supervisor->bin;

    if (wanted != NULL) {
        snprintf(bin, sizeof supervisor->bin, "%s", wanted);
        if (!has_programs(wanted)) {
            error_set(err, "58P01", "no postgres, initdb and pg_basebackup in %s", wanted);
            return error_hint(err, "--bin takes a directory such as /usr/lib/postgresql/15/bin");
        }
        return true;
    }
    if (!ask_pg_config(bin, sizeof supervisor->bin) && !find_highest(bin, sizeof supervisor->bin)) {
        error_set(err, "58P01", "no PostgreSQL server is installed here");
        return error_hint(err, "apt install postgresql-15, or tell where it is with --bin");
    }
    return true;
}

static bool read_version(struct supervisor *supervisor, struct error *err)
{
    char program[LAB_PATH_SIZE + 16], line[128];
    const char *argv[] = {program, "--version", NULL};
    static const char prefix[] = "postgres (PostgreSQL) ";

    snprintf(program, sizeof program, "%s/postgres", supervisor->bin);
    if (!process_capture(argv, line, sizeof line, err)) {
        return false;
    }
    const char *version = line + strlen(prefix);
    if (strncmp(line, prefix, strlen(prefix)) != 0 || strtol(version, NULL, 10) < VERSION_MIN) {
        error_set(err, "0A000", "%s is \"%s\", not PostgreSQL %d or later", program, line,
                  VERSION_MIN);
        return error_hint(err, "apt install postgresql-15, or tell where it is with --bin");
    }
    snprintf(supervisor->version, sizeof supervisor->version, "PostgreSQL %.*s",
             (int)strcspn(version, " "), version); /* without the packager's part */
    return true;
}

/* ---- preparing ---- */

static bool make_password(char password[PASSWORD_SIZE], struct error *err)
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return error_set(err, "58030", "no random bytes: %s", strerror(errno));
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(password + 2 * i, 3, "%02x", bytes[i]);
    }
    return true;
}

static bool write_file(const struct supervisor *supervisor, const char *name, const char *content,
                       struct error *err)
{
    char path[FILE_SIZE], temporary[FILE_SIZE + 8];

    snprintf(path, sizeof path, "%s/%s", supervisor->options->directory, name);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t size = (ssize_t)strlen(content);
    bool is_ok = fd >= 0 && write(fd, content, (size_t)size) == size;

    if (fd >= 0) {
        is_ok = close(fd) == 0 && is_ok;
    }
    if (!is_ok || rename(temporary, path) != 0) {
        error_set(err, "58030", "cannot write %s: %s", path, strerror(errno));
        return error_hint(err, "free some space there, or choose another --dir");
    }
    return true;
}

static bool write_access_files(struct supervisor *supervisor, struct error *err)
{
    /* The order counts: the first line that fits decides. */
    static const char rules[] = "# TYPE  DATABASE     USER        ADDRESS       METHOD\n"
                                "local   all          replicator                reject\n"
                                "local   all          all                       scram-sha-256\n"
                                "host    replication  replicator  127.0.0.1/32  scram-sha-256\n"
                                "host    all          replicator  127.0.0.1/32  reject\n"
                                "host    all          all         127.0.0.1/32  scram-sha-256\n";
    char replication[128], psql[128];

    if (!make_password(supervisor->password, err) ||
        !make_password(supervisor->replication_password, err)) {
        return false;
    }
    snprintf(replication, sizeof replication, "127.0.0.1:*:*:replicator:%s\n",
             supervisor->replication_password);
    snprintf(psql, sizeof psql, "*:*:*:postgres:%s\n", supervisor->password);
    return write_file(supervisor, "pg_hba.conf", rules, err) &&
           write_file(supervisor, "replication.pass", replication, err) &&
           write_file(supervisor, "psql.pass", psql, err);
}

static bool prepare_node(struct node *node, long index, int *next_port, struct error *err)
{
    const struct lab_options *options = node->supervisor->options;
    long port = options->port != 0 ? options->port + index : 0;

    snprintf(node->directory, sizeof node->directory, "%s/%s", options->directory, node->name);
    snprintf(node->data, sizeof node->data, "%s/%s/data", options->directory, node->name);
    snprintf(node->log, sizeof node->log, "%s/%s/log", options->directory, node->name);
    snprintf(node->log_file, sizeof node->log_file, "%s/%s/log/start.log", options->directory,
             node->name);
    if (mkdir(node->directory, 0700) != 0 || mkdir(node->log, 0700) != 0) {
        return error_set(err, "58030", "cannot make %s: %s", node->log, strerror(errno));
    }
    return node_reserve(node, (int)port, next_port, err);
}

static bool prepare_shard(struct supervisor *supervisor, size_t index, int *next_port,
                          struct error *err)
{
    struct shard *shard = &supervisor->shards[index];
    char prefix[24] = "";

    if (supervisor->shard_count > 1) {
        snprintf(prefix, sizeof prefix, "s%zu", index);
    }
    snprintf(shard->name, sizeof shard->name, "s%zu", index);
    shard->node_count = (size_t)supervisor->options->replicas + 1;
    shard->nodes = calloc(shard->node_count, sizeof *shard->nodes);
    if (shard->nodes == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    for (size_t i = 0; i < shard->node_count; i++) {
        struct node *node = &shard->nodes[i];
        *node = (struct node){.supervisor = supervisor,
                              .shard = shard,
                              .role = i == 0 ? LAB_PRIMARY : LAB_REPLICA,
                              .relay_control = -1,
                              .port_fd = -1,
                              .relay_listener = -1};
        snprintf(node->name, sizeof node->name, i == 0 ? "%sp" : "%sr%zu", prefix, i);
        if (!prepare_node(node, (long)(index * shard->node_count + i), next_port, err)) {
            return false;
        }
    }
    return true;
}

static bool prepare_shards(struct supervisor *supervisor, struct error *err)
{
    int next_port = FIRST_PORT;

    supervisor->shard_count = (size_t)supervisor->options->shards;
    supervisor->shards = calloc(supervisor->shard_count, sizeof *supervisor->shards);
    if (supervisor->shards == NULL) {
        supervisor->shard_count = 0;
        return error_set(err, "53200", "out of memory");
    }
    for (size_t i = 0; i < supervisor->shard_count; i++) {
        if (!prepare_shard(supervisor, i, &next_port, err)) {
            return false;
        }
    }
    return true;
}

struct node *supervisor_node(const struct supervisor *supervisor, const char *name)
{
    for (size_t i = 0; i < supervisor->shard_count; i++) {
        for (size_t k = 0; k < supervisor->shards[i].node_count; k++) {
            if (strcmp(supervisor->shards[i].nodes[k].name, name) == 0) {
                return &supervisor->shards[i].nodes[k];
            }
        }
    }
    return NULL;
}

/* ---- lab.json ---- */

bool supervisor_write_state(struct supervisor *supervisor, struct error *err)
{
    json_t *shards = json_array();

    for (size_t i = 0; i < supervisor->shard_count; i++) {
        const struct shard *shard = &supervisor->shards[i];
        json_t *nodes = json_array();
        for (size_t k = 0; k < shard->node_count; k++) {
            const struct node *node = &shard->nodes[k];
            json_array_append_new(nodes, json_pack("{s:s, s:s, s:s, s:i, s:s, s:s}", "name",
                                                   node->name, "role", lab_role_name(node->role),
                                                   "host", "127.0.0.1", "port", node->port, "data",
                                                   node->data, "log", node->log));
        }
        json_array_append_new(shards, json_pack("{s:s, s:o}", "name", shard->name, "nodes", nodes));
    }
    json_t *document = json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:o}", "format", 1,
                                 "directory", supervisor->options->directory, "supervisor_pid",
                                 (int)getpid(), "database", "shop", "user", "postgres", "password",
                                 supervisor->password, "bin", supervisor->bin, "shards", shards);
    char *bytes = document != NULL ? json_dumps(document, JSON_INDENT(1)) : NULL;
    bool is_ok = bytes != NULL ? write_file(supervisor, "lab.json", bytes, err)
                               : error_set(err, "53200", "out of memory");
    free(bytes);
    json_decref(document);
    return is_ok;
}

/* ---- building ---- */

static void fail_start(struct supervisor *supervisor, const struct error *err)
{
    log_note(supervisor, LOG_ERROR, "lab_failed", err->message);
    supervisor_tell_failure(supervisor->events_fd, err);
    supervisor_end(supervisor);
}

static void become_ready(struct supervisor *supervisor)
{
    struct error err = {0};

    if (!supervisor_write_state(supervisor, &err)) {
        fail_start(supervisor, &err);
        return;
    }
    supervisor->is_ready = true;
    supervisor->monitor = monitor_start(supervisor, &err);
    if (supervisor->monitor == NULL) {
        log_note(supervisor, LOG_WARN, "monitor_failed", err.message);
    }
    supervisor_tell(supervisor, json_pack("{s:s}", "event", "ready"));
    lab_loop_forget(supervisor->loop, supervisor->events_fd);
    close(supervisor->events_fd);
    supervisor->events_fd = -1;
}

static void begin_builds(struct supervisor *supervisor);

static void finish_build(struct job *job, const struct error *err)
{
    struct supervisor *supervisor = job->supervisor;

    supervisor->builds_running--;
    if (supervisor->is_ending) {
        return;
    }
    if (err != NULL) {
        fail_start(supervisor, err);
        return;
    }
    begin_builds(supervisor);
    if (supervisor->builds_running == 0) {
        become_ready(supervisor);
    }
}

/* As many shards at a time as there are processors. */
static void begin_builds(struct supervisor *supervisor)
{
    struct error err = {0};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t limit = processors > 1 ? (size_t)processors : 1;

    while (supervisor->builds_waiting > 0 && supervisor->builds_running < limit) {
        struct shard *shard =
            &supervisor->shards[supervisor->shard_count - supervisor->builds_waiting];
        struct job *job = job_create(supervisor, shard, "build", NULL, &err);
        if (job == NULL) {
            fail_start(supervisor, &err);
            return;
        }
        plan_build_shard(job);
        supervisor->builds_waiting--;
        supervisor->builds_running++;
        job_begin(job, finish_build, NULL);
    }
}

/* ---- children and signals ---- */

static struct node *node_of(const struct supervisor *supervisor, pid_t pid, bool *is_relay)
{
    for (size_t i = 0; i < supervisor->shard_count; i++) {
        for (size_t k = 0; k < supervisor->shards[i].node_count; k++) {
            struct node *node = &supervisor->shards[i].nodes[k];
            *is_relay = node->relay_pid == pid;
            if (node->pid == pid || *is_relay) {
                return node;
            }
        }
    }
    return NULL;
}

static void child_exited(struct supervisor *supervisor, pid_t pid, int status)
{
    struct error err = {0};
    bool is_relay;

    if (jobs_child_exited(supervisor, pid, status)) {
        return;
    }
    struct node *node = node_of(supervisor, pid, &is_relay);
    if (node == NULL) {
        return; /* an orphan of a server that died, or a relay that was replaced */
    }
    if (!is_relay) {
        node_input(node, NODE_EXIT);
        return;
    }
    node->relay_pid = 0;
    if (!supervisor->is_ending && !node_start_relay(node, &err)) {
        log_note(supervisor, LOG_ERROR, "relay_failed", err.message);
    }
}

static void reap(struct supervisor *supervisor)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        child_exited(supervisor, pid, status);
    }
    jobs_advance(supervisor);
}

static void signal_ready(void *context, int fd, short)
{
    struct supervisor *supervisor = context;
    struct signalfd_siginfo info;

    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGCHLD) {
            supervisor_end(supervisor);
        }
    }
    reap(supervisor);
}

/* `lab up` reads nothing to us: an event on the pipe is its end. */
static void starter_gone(void *context, int, short)
{
    struct supervisor *supervisor = context;

    log_note(supervisor, LOG_WARN, "starter_gone", "'lab up' ended before the lab was ready");
    supervisor_end(supervisor);
}

static bool watch_signals(struct supervisor *supervisor, struct error *err)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    supervisor->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (supervisor->signal_fd < 0 ||
        !lab_loop_watch(supervisor->loop, supervisor->signal_fd, POLLIN, signal_ready,
                        supervisor) ||
        !lab_loop_watch(supervisor->loop, supervisor->events_fd, 0, starter_gone, supervisor)) {
        return error_set(err, "53000", "cannot wait for signals: %s", strerror(errno));
    }
    return true;
}

/* ---- the end ---- */

struct ending {
    struct supervisor *supervisor;
    int64_t deadline;
};

static void stop_node(struct node *node, bool is_orderly)
{
    struct process_seen seen[PROCESS_SEEN_MAX];

    if (node->state == NODE_STOPPED) {
        node_kill(node);
        return;
    }
    size_t count = node_processes(node, seen);
    for (size_t i = 0; i < count; i++) {
        if (seen[i].state == 'T') {
            kill(seen[i].pid, SIGCONT);
        }
    }
    /* Immediate is enough for what is removed, and releases its shared memory too. */
    kill(node->pid, is_orderly ? SIGINT : SIGQUIT);
    if (node->state != NODE_STOPPING) {
        node_input(node, NODE_STOP);
    }
}

static bool is_all_gone(const struct supervisor *supervisor, bool may_kill)
{
    struct process_seen seen[PROCESS_SEEN_MAX];
    bool is_gone = true;

    for (size_t i = 0; i < supervisor->shard_count; i++) {
        for (size_t k = 0; k < supervisor->shards[i].node_count; k++) {
            const struct node *node = &supervisor->shards[i].nodes[k];
            if (node->state == NODE_STOPPED && node_processes(node, seen) == 0) {
                continue;
            }
            is_gone = false;
            if (may_kill) {
                node_kill(node);
            }
        }
    }
    return is_gone;
}

static void end_tick(void *context)
{
    struct ending *ending = context;

    if (is_all_gone(ending->supervisor, clock_now() > ending->deadline)) {
        lab_loop_stop(ending->supervisor->loop);
    }
}

void supervisor_end(struct supervisor *supervisor)
{
    bool is_kept = supervisor->options->is_kept;
    struct ending *ending;

    if (supervisor->is_ending) {
        return;
    }
    supervisor->is_ending = true;
    monitor_stop(supervisor->monitor);
    supervisor->monitor = NULL;
    log_note(supervisor, LOG_INFO, "lab_ending", is_kept ? "files are kept" : "files go too");
    jobs_abort(supervisor);
    ending = malloc(sizeof *ending);
    if (ending == NULL) {
        lab_loop_stop(supervisor->loop); /* the guardian kills all then */
        return;
    }
    *ending = (struct ending){supervisor, clock_now() + (is_kept ? 15 : 3) * CLOCK_SECOND};
    for (size_t i = 0; i < supervisor->shard_count; i++) {
        for (size_t k = 0; k < supervisor->shards[i].node_count; k++) {
            struct node *node = &supervisor->shards[i].nodes[k];
            node_set_cut(node, false);
            stop_node(node, is_kept);
        }
    }
    if (lab_loop_every(supervisor->loop, 10 * CLOCK_MS, end_tick, ending) < 0) {
        lab_loop_stop(supervisor->loop);
    }
}

static int remove_entry(const char *path, const struct stat *, int, struct FTW *at)
{
    if (at->level == 0 || (at->level == 1 && strcmp(path + at->base, LAB_LOCK_FILE) == 0)) {
        return 0;
    }
    remove(path);
    return 0;
}

void supervisor_remove_files(const char *directory)
{
    char path[FILE_SIZE + 300];
    struct dirent *entry;
    DIR *nodes = opendir(directory);

    while (nodes != NULL && (entry = readdir(nodes)) != NULL) {
        snprintf(path, sizeof path, "%s/%s/data", directory, entry->d_name);
        node_release_memory(path);
    }
    if (nodes != NULL) {
        closedir(nodes);
    }
    nftw(directory, remove_entry, 64, FTW_DEPTH | FTW_PHYS);
}

void supervisor_remove_directory(const char *directory)
{
    char path[FILE_SIZE];

    supervisor_remove_files(directory);
    snprintf(path, sizeof path, "%s/" LAB_LOCK_FILE, directory);
    unlink(path);
    rmdir(directory);
}

static const char *account_name(void)
{
    const struct passwd *entry = getpwuid(geteuid());
    return entry != NULL ? entry->pw_name : "an account without a name";
}

static bool start(struct supervisor *supervisor, struct error *err)
{
    if (!watch_signals(supervisor, err) || !control_open(supervisor, err) ||
        !find_programs(supervisor, err) || !read_version(supervisor, err) ||
        !write_access_files(supervisor, err) || !prepare_shards(supervisor, err)) {
        return false;
    }
    supervisor_tell(supervisor,
                    json_pack("{s:s, s:s, s:s, s:s}", "event", "postgres", "version",
                              supervisor->version, "bin", supervisor->bin, "user", account_name()));
    supervisor->builds_waiting = supervisor->shard_count;
    begin_builds(supervisor);
    return true;
}

int supervisor_run(const struct supervisor_start *begin)
{
    struct supervisor supervisor = {.options = begin->options,
                                    .events_fd = begin->events_fd,
                                    .started = begin->started,
                                    .guardian = getppid(),
                                    .job_timer = -1,
                                    .signal_fd = -1,
                                    .control_fd = -1,
                                    .log = {.fd = 2, .level_max = LOG_INFO, .format = LOG_TEXT}};
    struct error err = {0};

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    list_init(&supervisor.jobs);
    list_init(&supervisor.clients);
    supervisor.loop = lab_loop_create();
    if (supervisor.loop == NULL) {
        error_set(&err, "53200", "out of memory");
        supervisor_tell_failure(supervisor.events_fd, &err);
        return 1;
    }
    if (!start(&supervisor, &err)) {
        fail_start(&supervisor, &err);
    }
    lab_loop_run(supervisor.loop);
    control_close(&supervisor);
    process_kill_children(); /* relays */
    if (getppid() != supervisor.guardian && !begin->options->is_kept) {
        supervisor_remove_directory(begin->options->directory);
    }
    return 0;
}
