#include "lab/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lab/supervisor_private.h"
#include "lab/watch.h"

/* Deadlines are looked at so often; a question comes at most this late. */
static const int64_t tick_interval = 10 * CLOCK_MS;

struct monitored {
    struct monitor *monitor; /* borrowed */
    size_t shard, node;
    int fd; /* what the loop watches for us; -1: nothing */
};

struct monitor {
    struct lab_loop *loop; /* borrowed */
    struct watch *watch;   /* owned */
    int timer;
    size_t count;
    struct monitored nodes[];
};

static void node_ready(void *context, int fd, short events);

/* libpq opens and closes descriptors as it likes; nothing else runs between its step and this. */
static void follow_fd(struct monitored *node, struct lag *lag)
{
    int fd = lag_fd(lag, node->node);

    if (node->fd >= 0 && node->fd != fd) {
        lab_loop_forget(node->monitor->loop, node->fd);
    }
    node->fd = fd;
    if (fd >= 0 &&
        !lab_loop_watch(node->monitor->loop, fd, lag_events(lag, node->node), node_ready, node)) {
        node->fd = -1; /* too many: the timer alone drives this node, more slowly */
    }
}

static void step_node(struct monitored *node, bool is_ready)
{
    struct lag *lag = watch_lag(node->monitor->watch, node->shard);

    lag_step(lag, node->node, is_ready, clock_now());
    follow_fd(node, lag);
}

static void node_ready(void *context, int, short)
{
    step_node(context, true);
}

static void tick(void *context)
{
    struct monitor *monitor = context;

    for (size_t i = 0; i < monitor->count; i++) {
        step_node(&monitor->nodes[i], false);
    }
}

static bool add_shard(struct monitor *monitor, struct supervisor *supervisor, size_t index,
                      struct error *err)
{
    const struct shard *shard = &supervisor->shards[index];
    struct watch_node nodes[LAG_NODES_MAX];
    char dsns[LAG_NODES_MAX][LAB_DSN_SIZE];

    for (size_t i = 0; i < shard->node_count && i < LAG_NODES_MAX; i++) {
        snprintf(dsns[i], LAB_DSN_SIZE,
                 "host=127.0.0.1 port=%d dbname=shop user=postgres password=%s",
                 shard->nodes[i].port, supervisor->password);
        nodes[i] = (struct watch_node){shard->nodes[i].name, dsns[i]};
        monitor->nodes[monitor->count++] =
            (struct monitored){.monitor = monitor, .shard = index, .node = i, .fd = -1};
    }
    bool is_ok = watch_add(monitor->watch, shard->name, nodes, shard->node_count, clock_now(), err);
    explicit_bzero(dsns, sizeof dsns);
    return is_ok;
}

static bool start(struct monitor *monitor, struct supervisor *supervisor, struct error *err)
{
    monitor->watch = watch_create(clock_now());
    if (monitor->watch == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    for (size_t i = 0; i < supervisor->shard_count; i++) {
        if (!add_shard(monitor, supervisor, i, err)) {
            return false;
        }
    }
    monitor->timer = lab_loop_every(supervisor->loop, tick_interval, tick, monitor);
    return monitor->timer >= 0 || error_set(err, "53000", "too many timers");
}

struct monitor *monitor_start(struct supervisor *supervisor, struct error *err)
{
    size_t count = 0;

    for (size_t i = 0; i < supervisor->shard_count; i++) {
        count += supervisor->shards[i].node_count;
    }
    struct monitor *monitor = calloc(1, sizeof *monitor + count * sizeof monitor->nodes[0]);
    if (monitor == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    monitor->loop = supervisor->loop;
    monitor->timer = -1;
    if (!start(monitor, supervisor, err)) {
        monitor_stop(monitor);
        return NULL;
    }
    return monitor;
}

void monitor_stop(struct monitor *monitor)
{
    if (monitor == NULL) {
        return;
    }
    lab_loop_cancel(monitor->loop, monitor->timer);
    for (size_t i = 0; i < monitor->count; i++) {
        if (monitor->nodes[i].fd >= 0) {
            lab_loop_forget(monitor->loop, monitor->nodes[i].fd);
        }
    }
    watch_destroy(monitor->watch);
    free(monitor);
}

bool monitor_command(struct control_call *call, struct error *err)
{
    const struct monitor *monitor = call->supervisor->monitor;

    if (monitor == NULL) {
        error_set(err, "55000", "this lab has no monitor");
        return error_hint(err, "supervisor.log in the lab's directory says why");
    }
    call->answer = watch_json(monitor->watch, clock_now());
    if (call->answer == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    return json_object_set_new(call->answer, "ok", json_true()) == 0;
}
