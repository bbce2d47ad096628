#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/options.h"
#include "lab/relay.h"
#include "lab/supervisor_private.h"

/* ---- the life of a server ---- */

void node_log(const struct node *node, const char *event, const char *format, ...)
{
    char details[400];
    va_list args;

    va_start(args, format);
    vsnprintf(details, sizeof details, format, args);
    va_end(args);
    log_event(LOG_INFO, &(struct log_context){.log = &node->supervisor->log, .node = node->name},
              event, "%s", details);
}

static int to_starting(void *self, const void *)
{
    const struct node *node = self;
    node_log(node, "node_starting", "pid=%d", (int)node->pid);
    return NODE_STARTING;
}

static int to_running(void *self, const void *)
{
    node_log(self, "node_running", "accepts connections");
    return NODE_RUNNING;
}

static int to_frozen(void *self, const void *)
{
    node_log(self, "node_frozen", "all of its processes are stopped");
    return NODE_FROZEN;
}

static int to_stopping(void *, const void *)
{
    return NODE_STOPPING;
}

static int to_stopped(void *self, const void *)
{
    struct node *node = self;
    node_log(node, "node_stopped", "pid=%d", (int)node->pid);
    node->pid = 0;
    node->is_receiver_frozen = false;
    return NODE_STOPPED;
}

static int on_unexpected(void *self, const void *)
{
    const struct node *node = self;
    node_log(node, "node_input_unexpected", "state=%s", node_machine.state_names[node->state]);
    return node->state;
}

static const struct machine_rule rules[NODE_STATE_COUNT][NODE_INPUT_COUNT] = {
    [NODE_STOPPED][NODE_START] = {to_starting, TO(NODE_STARTING)},

    [NODE_STARTING][NODE_READY] = {to_running, TO(NODE_RUNNING)},
    [NODE_STARTING][NODE_STOP] = {to_stopping, TO(NODE_STOPPING)},
    [NODE_STARTING][NODE_EXIT] = {to_stopped, TO(NODE_STOPPED)},

    [NODE_RUNNING][NODE_FREEZE] = {to_frozen, TO(NODE_FROZEN)},
    [NODE_RUNNING][NODE_STOP] = {to_stopping, TO(NODE_STOPPING)},
    [NODE_RUNNING][NODE_EXIT] = {to_stopped, TO(NODE_STOPPED)},

    [NODE_FROZEN][NODE_THAW] = {to_running, TO(NODE_RUNNING)},
    [NODE_FROZEN][NODE_STOP] = {to_stopping, TO(NODE_STOPPING)},
    [NODE_FROZEN][NODE_EXIT] = {to_stopped, TO(NODE_STOPPED)},

    [NODE_STOPPING][NODE_STOP] = {to_stopping, TO(NODE_STOPPING)},
    [NODE_STOPPING][NODE_EXIT] = {to_stopped, TO(NODE_STOPPED)},
};

static const char *const state_names[NODE_STATE_COUNT] = {[NODE_STOPPED] = "stopped",
                                                          [NODE_STARTING] = "starting",
                                                          [NODE_RUNNING] = "running",
                                                          [NODE_FROZEN] = "frozen",
                                                          [NODE_STOPPING] = "stopping"};
static const char *const input_names[NODE_INPUT_COUNT] = {
    [NODE_START] = "start", [NODE_READY] = "ready", [NODE_FREEZE] = "freeze",
    [NODE_THAW] = "thaw",   [NODE_STOP] = "stop",   [NODE_EXIT] = "exit"};

const struct machine node_machine = {
    .name = "lab_node",
    .state_count = NODE_STATE_COUNT,
    .input_count = NODE_INPUT_COUNT,
    .state_names = state_names,
    .input_names = input_names,
    .rules = rules[0],
    .on_unexpected = {on_unexpected, TO(NODE_STOPPED) | TO(NODE_STARTING) | TO(NODE_RUNNING) |
                                         TO(NODE_FROZEN) | TO(NODE_STOPPING)},
};

void node_input(struct node *node, enum node_input input)
{
    node->state = machine_step(&node_machine, node->state, (int)input, node, NULL);
}

struct node *shard_primary(const struct shard *shard)
{
    for (size_t i = 0; i < shard->node_count; i++) {
        if (shard->nodes[i].role == LAB_PRIMARY) {
            return &shard->nodes[i];
        }
    }
    return NULL;
}

/* ---- ports ---- */

/* A bound socket that does not listen keeps other labs' hands off the port,
 * while PostgreSQL, which sets SO_REUSEADDR as we do afterwards, may listen on it.
 * `port` 0 lets the kernel choose.  -1 with errno. */
static int bind_port(int port, bool may_reuse)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if ((may_reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

/* With the reuse that a closed connection's TIME_WAIT needs, a second bind works beside
 * a socket that doesn't listen: so a listener of somebody else must be looked for. */
static bool has_listener(int port)
{
    int fd = bind_port(port, true);
    bool is_taken = fd < 0 || listen(fd, 1) != 0;

    if (fd >= 0) {
        close(fd);
    }
    return is_taken;
}

static bool reserve_port(struct node *node, int port, int *next, struct error *err)
{
    if (port != 0) {
        node->port_fd = has_listener(port) ? -1 : bind_port(port, true);
        node->port = port;
        if (node->port_fd < 0) {
            error_set(err, "55006", "port %d for %s is in use", port, node->name);
            return error_hint(err, "choose another --port, or leave it out to get free ones");
        }
        return true;
    }
    while (*next < 32768) { /* above it the kernel gives ports to outgoing connections */
        node->port = (*next)++;
        node->port_fd = bind_port(node->port, false);
        if (node->port_fd >= 0) {
            return true;
        }
    }
    return error_set(err, "53000", "no free port for %s between 5433 and 32767", node->name);
}

bool node_reserve(struct node *node, int port, int *next, struct error *err)
{
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;

    if (!reserve_port(node, port, next, err)) {
        return false;
    }
    node->relay_listener = bind_port(0, false);
    if (node->relay_listener < 0 || listen(node->relay_listener, 16) != 0 ||
        getsockname(node->relay_listener, (struct sockaddr *)&address, &size) != 0) {
        return error_set(err, "53000", "cannot listen for the link of %s: %s", node->name,
                         strerror(errno));
    }
    node->relay_port = ntohs(address.sin_port);
    return true;
}

/* ---- settings ---- */

static const char settings[] =
    "listen_addresses = '127.0.0.1'\n"
    "unix_socket_permissions = 0700\n"
    "password_encryption = 'scram-sha-256'\n"
    "max_connections = 100\n"
    "shared_buffers = '64MB'\n"
    "max_wal_size = '1GB'\n"
    "wal_level = replica\n"
    "max_wal_senders = 16\n"
    "max_replication_slots = 16\n"
    "max_slot_wal_keep_size = '4GB'\n"
    "wal_retrieve_retry_interval = '200ms'  # replicas come back fast after a fault\n"
    "track_commit_timestamp = on\n"
    "hot_standby = on\n"
    "hot_standby_feedback = on  # else a long read on a replica holds up or loses to replay\n"
    "dynamic_shared_memory_type = mmap  # in the data directory: nothing is left in /dev/shm\n"
    "timezone = 'UTC'\n"
    "\n# for pgBadger\n"
    "logging_collector = on\n"
    "log_destination = 'stderr'\n"
    "log_filename = 'postgresql-%Y-%m-%d.log'\n"
    "log_file_mode = 0600\n"
    "log_line_prefix = '%t [%p]: user=%u,db=%d,app=%a,client=%h '\n"
    "log_timezone = 'UTC'\n"
    "lc_messages = 'C'\n"
    "log_min_duration_statement = 0\n"
    "log_statement = 'none'\n"
    "log_duration = off\n"
    "log_checkpoints = on\n"
    "log_connections = on\n"
    "log_disconnections = on\n"
    "log_lock_waits = on\n"
    "deadlock_timeout = '200ms'\n"
    "log_temp_files = 0\n"
    "log_autovacuum_min_duration = 0\n"
    "log_error_verbosity = default\n"
    "log_replication_commands = on\n"
    "log_recovery_conflict_waits = on\n";

/* A string as postgresql.conf wants it. */
static void append_quoted(struct text *text, const char *value)
{
    text_append(text, "'");
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\') {
            text_append_bytes(text, value, 1); /* doubled */
        }
        text_append_bytes(text, value, 1);
    }
    text_append(text, "'");
}

static void append_path(struct text *text, const char *name, const char *format, const char *path)
{
    char value[FILE_SIZE + 64];

    snprintf(value, sizeof value, "%s%s", path, format);
    text_appendf(text, "%s = ", name);
    append_quoted(text, value);
    text_append(text, "\n");
}

static void append_link(struct text *text, const struct node *node)
{
    char link[2 * FILE_SIZE];

    snprintf(link, sizeof link,
             "host=127.0.0.1 port=%d user=replicator application_name=%s connect_timeout=5 "
             "passfile='%s/replication.pass'",
             node->relay_port, node->name, node->supervisor->options->directory);
    text_append(text, "primary_conninfo = ");
    append_quoted(text, link);
    text_appendf(text, "\nprimary_slot_name = '%s'\n", node->name);
}

static bool write_file(const char *path, const char *content, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t size = strlen(content);
    ssize_t written = fd < 0 ? -1 : write(fd, content, size);
    int reason = errno;

    if (fd >= 0 && close(fd) != 0 && written >= 0) {
        reason = errno;
        written = -1;
    }
    if (written != (ssize_t)size) {
        error_set(err, "58030", "cannot write %s: %s", path,
                  written < 0 ? strerror(reason) : "the disk is full");
        return error_hint(err, "free some space there, or choose another --dir");
    }
    return true;
}

bool node_write_settings(const struct node *node, struct error *err)
{
    const struct lab_options *options = node->supervisor->options;
    struct text text = {0};
    char path[FILE_SIZE + 32];

    text_appendf(&text, "# %s of a lab; written anew at each start of the node\n", node->name);
    text_append(&text, settings);
    text_appendf(&text, "port = %d\ncluster_name = '%s'\n", node->port, node->name);
    append_path(&text, "data_directory", "", node->data);
    append_path(&text, "hba_file", "/pg_hba.conf", options->directory);
    append_path(&text, "log_directory", "", node->log);
    append_path(&text, "unix_socket_directories", "", options->directory);
    append_link(&text, node);
    for (size_t i = 0; i < options->setting_count; i++) {
        const char *equals = strchr(options->settings[i], '=');
        text_append_bytes(&text, options->settings[i], (size_t)(equals - options->settings[i]));
        text_append(&text, " = ");
        append_quoted(&text, equals + 1);
        text_append(&text, "\n");
    }
    snprintf(path, sizeof path, "%s/postgresql.conf", node->directory);
    bool is_ok = text.has_failed ? error_set(err, "53200", "out of memory")
                                 : write_file(path, text_cstr(&text), err);
    text_done(&text);
    return is_ok;
}

/* ---- processes ---- */

bool node_spawn(struct node *node, struct error *err)
{
    char program[FILE_SIZE], settings_file[FILE_SIZE + 48], left_over[FILE_SIZE + 32];

    snprintf(program, sizeof program, "%s/postgres", node->supervisor->bin);
    snprintf(settings_file, sizeof settings_file, "config_file=%s/postgresql.conf",
             node->directory);
    snprintf(left_over, sizeof left_over, "%s/postmaster.pid", node->data);
    if (!node_write_settings(node, err)) {
        return false;
    }
    /* No process of the node is there, but its old number may be another's by now. */
    node_release_memory(node->data);
    unlink(left_over);
    const char *argv[] = {program, "-D", node->data, "-c", settings_file, NULL};
    pid_t pid = process_start(
        &(struct process_setup){.log = node->log_file, .directory = node->directory}, argv, err);
    if (pid < 0) {
        return false;
    }
    node->pid = pid;
    node_input(node, NODE_START);
    return true;
}

/* Line `number` (from 1) of DATA/postmaster.pid. */
static bool read_pid_file(const char *data, int number, char *line, int size)
{
    char path[FILE_SIZE + 32];
    bool is_found = false;

    snprintf(path, sizeof path, "%s/postmaster.pid", data);
    FILE *file = fopen(path, "re");
    for (int i = 1; file != NULL && fgets(line, size, file) != NULL; i++) {
        if (i == number) {
            is_found = true;
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return is_found;
}

bool node_is_ready(const struct node *node)
{
    char pid[64], status[64];
    long number;

    if (!read_pid_file(node->data, 1, pid, sizeof pid) ||
        !read_pid_file(node->data, 8, status, sizeof status)) {
        return false;
    }
    pid[strcspn(pid, "\n")] = '\0';
    return options_integer(pid, 1, INT32_MAX, &number) && number == node->pid &&
           (strncmp(status, "ready", 5) == 0 || strncmp(status, "standby", 7) == 0);
}

void node_release_memory(const char *data)
{
    char line[64], *rest;
    struct shmid_ds segment;

    if (!read_pid_file(data, 7, line, sizeof line)) {
        return;
    }
    unsigned long key = strtoul(line, &rest, 10); /* "key number" */
    int id = (int)strtol(rest, NULL, 10);
    if (key != 0 && shmctl(id, IPC_STAT, &segment) == 0 && segment.shm_nattch == 0 &&
        segment.shm_perm.uid == geteuid() && (unsigned long)segment.shm_perm.__key == key) {
        shmctl(id, IPC_RMID, NULL);
    }
}

size_t node_processes(const struct node *node, struct process_seen seen[PROCESS_SEEN_MAX])
{
    return process_find(node->data, false, seen);
}

void node_kill(const struct node *node)
{
    struct process_seen seen[PROCESS_SEEN_MAX];

    /* The postmaster first, or it would answer its children's deaths by starting new ones. */
    if (node->pid > 0) {
        kill(node->pid, SIGKILL);
    }
    size_t count = node_processes(node, seen);
    for (size_t i = 0; i < count; i++) {
        kill(seen[i].pid, SIGKILL);
    }
}

/* ---- the link ---- */

void node_stop_relay(struct node *node)
{
    if (node->relay_pid > 0) {
        kill(node->relay_pid, SIGKILL); /* reaped with the other children */
        node->relay_pid = 0;
    }
    if (node->relay_control >= 0) {
        close(node->relay_control);
        node->relay_control = -1;
    }
}

bool node_start_relay(struct node *node, struct error *err)
{
    const struct node *primary = shard_primary(node->shard);
    int64_t delay = node->delay_ms * CLOCK_MS;
    char ready;
    int ends[2];

    node_stop_relay(node);
    if (primary == NULL) {
        return error_set(err, "55000", "%s has no primary", node->shard->name);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return error_set(err, "53000", "cannot make a socket: %s", strerror(errno));
    }
    const int fds[] = {node->relay_listener, ends[1]};
    pid_t pid = process_fork(
        &(struct process_setup){.log = node->log_file, .fds = fds, .fd_count = 2}, err);
    if (pid == 0) {
        relay_run(3, 4, primary->port, delay);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    node->relay_pid = pid;
    node->relay_control = ends[0];
    /* Until it is set up it has copies of our descriptors; stopped then, it would keep
     * connections open that we close.  It answers, or is dead, at once. */
    while (recv(ends[0], &ready, sizeof ready, 0) < 0 && errno == EINTR) {
    }
    if (node->is_cut) {
        kill(pid, SIGSTOP);
    }
    return true;
}

bool node_set_delay(struct node *node, long delay_ms, struct error *err)
{
    int64_t delay = delay_ms * CLOCK_MS;

    /* 8 bytes each time: thousands fit while a cut relay doesn't read. */
    if (send(node->relay_control, &delay, sizeof delay, MSG_DONTWAIT | MSG_NOSIGNAL) !=
        (ssize_t)sizeof delay) {
        return error_set(err, "58000", "the link of %s does not take a delay: %s", node->name,
                         strerror(errno));
    }
    node->delay_ms = delay_ms;
    node_log(node, "link_delayed", "delay_ms=%ld", delay_ms);
    return true;
}

void node_set_cut(struct node *node, bool is_cut)
{
    node->is_cut = is_cut;
    if (node->relay_pid > 0) {
        kill(node->relay_pid, is_cut ? SIGSTOP : SIGCONT);
    }
    node_log(node, is_cut ? "link_cut" : "link_healed", "port=%d", node->relay_port);
}

/* ---- logs ---- */

static bool has_any(const char *line, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strstr(line, *words) != NULL) {
            return true;
        }
    }
    return false;
}

void log_tail(const char *log_file, char *line, size_t size)
{
    static const char *const causes[] = {"No space left", "unrecognized configuration parameter",
                                         "invalid value for parameter", "Address already in use",
                                         NULL};
    static const char *const failures[] = {
        "FATAL:", "PANIC:", "ERROR:", "error:", "could not", "cannot ", NULL};
    char read_line[400];
    bool is_cause = false;
    FILE *file = fopen(log_file, "re");

    line[0] = '\0';
    while (file != NULL && fgets(read_line, sizeof read_line, file) != NULL) {
        bool tells_cause = has_any(read_line, causes);
        if (tells_cause || (!is_cause && has_any(read_line, failures))) {
            is_cause = is_cause || tells_cause;
            read_line[strcspn(read_line, "\n")] = '\0';
            snprintf(line, size, "%s", read_line);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}
