#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/control.h"
#include "lab/monitor.h"
#include "lab/supervisor_private.h"

/* Who asks has this long to send its request, and to take the answer. */
enum { CLIENTS_MAX = 32, REQUEST_MAX = 16 * 1024, PATIENCE_S = 5 };

enum client_state { CLIENT_ASKING, CLIENT_WAITING, CLIENT_ANSWERED };

struct client {
    struct list_link link;
    struct supervisor *supervisor;
    int fd;
    enum client_state state;
    int64_t deadline; /* not while waiting: a job has its own */
    struct text request, answer;
    size_t sent;
    json_t *document; /* the request, owned */
};

static void drop_client(struct client *client)
{
    struct supervisor *supervisor = client->supervisor;

    for (struct list_link *link = list_first(&supervisor->jobs); link != NULL;
         link = list_next(&supervisor->jobs, link)) {
        struct job *job = LIST_MEMBER(link, struct job, link);
        if (job->context == client) {
            job->context = NULL; /* it goes on; nobody waits for its end */
        }
    }
    lab_loop_forget(supervisor->loop, client->fd);
    close(client->fd);
    list_remove(&supervisor->clients, &client->link);
    text_done(&client->request);
    text_done(&client->answer);
    json_decref(client->document);
    free(client);
}

static void client_ready(void *context, int fd, short events);

static void answer(struct client *client, json_t *document)
{
    char *bytes = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;

    json_decref(document);
    text_append(&client->answer, bytes != NULL ? bytes
                                               : "{\"ok\": false, \"sqlstate\": \"53200\","
                                                 " \"message\": \"out of memory\"}");
    text_append(&client->answer, "\n");
    free(bytes);
    client->state = CLIENT_ANSWERED;
    client->deadline = clock_now() + PATIENCE_S * CLOCK_SECOND;
    /* Replacing a watch cannot fail. */
    [[maybe_unused]] bool is_watched =
        lab_loop_watch(client->supervisor->loop, client->fd, POLLOUT, client_ready, client);
    assert(is_watched);
}

static json_t *refusal(const struct error *err)
{
    return json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "sqlstate", err->sqlstate, "message",
                     err->message, "hint", err->hint);
}

/* ---- commands ---- */

static json_t *describe_node(const struct node *node)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:I, s:s, s:i, s:i, s:s, s:s}", "name", node->name,
                     "role", lab_role_name(node->role), "state",
                     node_machine.state_names[node->state], "walreceiver_frozen",
                     node->is_receiver_frozen, "cut", node->is_cut, "delay_ms",
                     (json_int_t)node->delay_ms, "host", "127.0.0.1", "port", node->port, "pid",
                     (int)node->pid, "data", node->data, "log", node->log);
}

static bool run_status(struct control_call *call, struct error *)
{
    const struct supervisor *supervisor = call->supervisor;
    json_t *shards = json_array();

    for (size_t i = 0; i < supervisor->shard_count; i++) {
        const struct shard *shard = &supervisor->shards[i];
        json_t *nodes = json_array();
        for (size_t k = 0; k < shard->node_count; k++) {
            json_array_append_new(nodes, describe_node(&shard->nodes[k]));
        }
        json_array_append_new(shards, json_pack("{s:s, s:s?, s:o}", "name", shard->name, "busy",
                                                shard->job != NULL ? shard->job->name : NULL,
                                                "nodes", nodes));
    }
    call->answer =
        json_pack("{s:b, s:s, s:s, s:b, s:b, s:i, s:i, s:o}", "ok", 1, "directory",
                  supervisor->options->directory, "version", supervisor->version, "ready",
                  supervisor->is_ready, "keep", supervisor->options->is_kept, "supervisor_pid",
                  (int)getpid(), "guardian_pid", (int)supervisor->guardian, "shards", shards);
    return true;
}

static bool run_down(struct control_call *call, struct error *)
{
    call->answer = json_pack("{s:b}", "ok", 1);
    supervisor_end(call->supervisor);
    return true;
}

/* Jobs: answered when they have ended. */
static void finish_job(struct job *job, const struct error *err)
{
    struct client *client = job->context;

    if (err != NULL) {
        log_event(LOG_WARN, &(struct log_context){.log = &job->supervisor->log}, "command_failed",
                  "command=%s reason=%s", job->name, err->message);
    }
    if (client == NULL) {
        return;
    }
    json_t *document = err != NULL ? refusal(err) : json_pack("{s:b}", "ok", 1);
    json_object_set_new(document, "told", json_string(text_cstr(&job->told)));
    answer(client, document);
}

typedef bool plan(struct job *job, struct error *err);

static bool run_job(struct control_call *call, const char *name, plan *make, bool is_forced,
                    struct error *err)
{
    struct job *job = job_create(call->supervisor, call->node->shard, name, call->node, err);

    if (job == NULL) {
        return false;
    }
    job->is_forced = is_forced;
    if (!make(job, err)) {
        free(job);
        return false;
    }
    job_begin(job, finish_job, call->client);
    call->is_pending = true;
    return true;
}

static bool flag(const struct control_call *call, const char *name)
{
    return json_is_true(json_object_get(call->request, name));
}

static bool run_promote(struct control_call *call, struct error *err)
{
    return run_job(call, "promote", plan_promote, flag(call, "force"), err);
}

static bool run_start(struct control_call *call, struct error *err)
{
    return run_job(call, "start", plan_start, flag(call, "rebuild"), err);
}

static bool run_kill(struct control_call *call, struct error *err)
{
    return run_job(call, "kill", plan_kill, false, err);
}

static bool run_freeze(struct control_call *call, struct error *err)
{
    return run_job(call, "freeze", flag(call, "walreceiver") ? plan_freeze_receiver : plan_freeze,
                   false, err);
}

static bool run_thaw(struct control_call *call, struct error *err)
{
    return run_job(call, "thaw", plan_thaw, false, err);
}

/* A replica's link, or all links of a primary. */
typedef bool link_change(struct node *replica, long value, struct error *err);

static bool change_links(struct control_call *call, link_change *change, long value,
                         struct text *names, struct error *err)
{
    struct shard *shard = call->node->shard;
    bool is_primary = call->node->role == LAB_PRIMARY;

    for (size_t i = 0; i < shard->node_count; i++) {
        struct node *node = &shard->nodes[i];
        bool is_meant = is_primary ? node->role == LAB_REPLICA : node == call->node;
        if (!is_meant || node->relay_pid == 0) {
            continue;
        }
        if (!change(node, value, err)) {
            return false;
        }
        text_appendf(names, "%s%s", names->size > 0 ? ", " : "", node->name);
    }
    if (names->size == 0) {
        error_set(err, "55000", "%s has no replication link now", call->node->name);
        return error_hint(err, "it is a %s and %s", lab_role_name(call->node->role),
                          node_machine.state_names[call->node->state]);
    }
    return true;
}

static bool change_cut(struct node *replica, long value, struct error *)
{
    node_set_cut(replica, value != 0);
    return true;
}

static bool run_links(struct control_call *call, link_change *change, long value, const char *told,
                      struct error *err)
{
    struct text names = {0};
    char line[300];
    bool is_ok = change_links(call, change, value, &names, err);

    if (is_ok) {
        snprintf(line, sizeof line, "link of %s: %s\n", text_cstr(&names), told);
        call->answer = json_pack("{s:b, s:s}", "ok", 1, "told", line);
    }
    text_done(&names);
    return is_ok;
}

static bool run_cut(struct control_call *call, struct error *err)
{
    return run_links(call, change_cut, 1, "cut; connections stay, no byte passes", err);
}

static bool run_heal(struct control_call *call, struct error *err)
{
    return run_links(call, change_cut, 0, "healed", err);
}

static bool run_lag(struct control_call *call, struct error *err)
{
    char told[64];
    const json_t *value = json_object_get(call->request, "ms");
    json_int_t ms = json_is_integer(value) ? json_integer_value(value) : -1;

    if (ms < 0 || ms > LAB_LAG_MS_MAX) {
        return error_set(err, "22023", "the delay must be 0..%d ms", LAB_LAG_MS_MAX);
    }
    snprintf(told, sizeof told, ms > 0 ? "what the primary sends arrives %ld ms later" : "no delay",
             (long)ms);
    return run_links(call, node_set_delay, (long)ms, told, err);
}

/* What the control socket understands.  A new command is a row here. */
static const struct {
    const char *name;
    control_run *run;
    bool needs_node;
    bool is_early; /* also while the lab starts */
} commands[] = {
    {"cut", run_cut, true, false},
    {"down", run_down, false, true},
    {"freeze", run_freeze, true, false},
    {"heal", run_heal, true, false},
    {"kill", run_kill, true, false},
    {"lag", run_lag, true, false},
    {"monitor", monitor_command, false, false},
    {"promote", run_promote, true, false},
    {"start", run_start, true, false},
    {"status", run_status, false, true},
    {"thaw", run_thaw, true, false},
};

static bool find_node(struct control_call *call, struct error *err)
{
    const char *name = json_string_value(json_object_get(call->request, "node"));

    call->node = name != NULL ? supervisor_node(call->supervisor, name) : NULL;
    if (call->node == NULL) {
        return error_set(err, "22023", "no node \"%s\" in this lab", name != NULL ? name : "");
    }
    return true;
}

static bool dispatch(struct control_call *call, struct error *err)
{
    const char *name = json_string_value(json_object_get(call->request, "command"));

    for (size_t i = 0; name != NULL && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) != 0) {
            continue;
        }
        if (call->supervisor->is_ending) {
            return error_set(err, "57P01", "the lab is being stopped");
        }
        if (!call->supervisor->is_ready && !commands[i].is_early) {
            return error_set(err, "57P03", "the lab is still starting");
        }
        return (!commands[i].needs_node || find_node(call, err)) && commands[i].run(call, err);
    }
    return error_set(err, "42601", "the supervisor knows no command \"%s\"",
                     name != NULL ? name : "");
}

static void serve(struct client *client)
{
    struct error err = {0};

    client->document =
        json_loadb(text_cstr(&client->request), client->request.size, JSON_REJECT_DUPLICATES, NULL);
    struct control_call call = {
        .supervisor = client->supervisor, .client = client, .request = client->document};
    if (!json_is_object(client->document)) {
        error_set(&err, "22023", "the request is no JSON object");
        answer(client, refusal(&err));
        return;
    }
    client->state = CLIENT_WAITING;
    /* While it waits only its end is of interest, which poll() always tells. */
    [[maybe_unused]] bool is_watched =
        lab_loop_watch(client->supervisor->loop, client->fd, 0, client_ready, client);
    assert(is_watched);
    if (!dispatch(&call, &err)) {
        answer(client, refusal(&err));
    } else if (!call.is_pending) {
        answer(client, call.answer);
    }
}

void control_answer(struct client *client, json_t *document)
{
    answer(client, document);
}

/* ---- connections ---- */

static void read_request(struct client *client)
{
    char bytes[4096];
    ssize_t size = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (size <= 0 || client->request.size + (size_t)size > REQUEST_MAX) {
        drop_client(client);
        return;
    }
    text_append_bytes(&client->request, bytes, (size_t)size);
    if (memchr(bytes, '\n', (size_t)size) != NULL) {
        serve(client);
    }
}

static void write_answer(struct client *client)
{
    ssize_t size = send(client->fd, client->answer.bytes + client->sent,
                        client->answer.size - client->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    client->sent += size > 0 ? (size_t)size : 0;
    if (size < 0 || client->sent == client->answer.size) {
        drop_client(client);
    }
}

static void client_ready(void *context, int, short events)
{
    struct client *client = context;

    switch (client->state) {
    case CLIENT_ASKING: read_request(client); return;
    case CLIENT_ANSWERED: write_answer(client); return;
    case CLIENT_WAITING:
        if ((events & (POLLHUP | POLLERR)) != 0) {
            drop_client(client);
        }
        return;
    }
}

/* The directory is 0700 already; this also holds when somebody opens it up. */
static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void accept_client(void *context, int fd, short)
{
    struct supervisor *supervisor = context;
    int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *client = NULL;

    if (client_fd < 0) {
        return;
    }
    if (is_trusted(client_fd) && supervisor->clients.count < CLIENTS_MAX) {
        client = calloc(1, sizeof *client);
    }
    if (client == NULL ||
        !lab_loop_watch(supervisor->loop, client_fd, POLLIN, client_ready, client)) {
        free(client);
        close(client_fd);
        return;
    }
    *client = (struct client){.supervisor = supervisor,
                              .fd = client_fd,
                              .deadline = clock_now() + PATIENCE_S * CLOCK_SECOND};
    list_push_last(&supervisor->clients, &client->link);
}

static void drop_slow_clients(void *context)
{
    struct supervisor *supervisor = context;
    struct list_link *link = list_first(&supervisor->clients);
    int64_t now = clock_now();

    while (link != NULL) {
        struct client *client = LIST_MEMBER(link, struct client, link);
        link = list_next(&supervisor->clients, link);
        if (client->state != CLIENT_WAITING && now > client->deadline) {
            drop_client(client);
        }
    }
}

bool control_open(struct supervisor *supervisor, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (snprintf(address.sun_path, sizeof address.sun_path, "%s/control",
                 supervisor->options->directory) >= (int)sizeof address.sun_path) {
        return error_set(err, "22023", "the directory's name is too long for a socket");
    }
    unlink(address.sun_path);
    supervisor->control_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (supervisor->control_fd < 0 ||
        bind(supervisor->control_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(address.sun_path, 0600) != 0 || listen(supervisor->control_fd, 16) != 0) {
        return error_set(err, "58030", "cannot make %s: %s", address.sun_path, strerror(errno));
    }
    if (!lab_loop_watch(supervisor->loop, supervisor->control_fd, POLLIN, accept_client,
                        supervisor) ||
        lab_loop_every(supervisor->loop, CLOCK_SECOND, drop_slow_clients, supervisor) < 0) {
        return error_set(err, "53000", "too many descriptors or timers");
    }
    return true;
}

void control_close(struct supervisor *supervisor)
{
    while (!list_is_empty(&supervisor->clients)) {
        drop_client(LIST_MEMBER(list_first(&supervisor->clients), struct client, link));
    }
}
