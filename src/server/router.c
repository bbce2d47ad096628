#include "server/router.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/http.h"
#include "base/clock.h"
#include "net/listener.h"
#include "server/errand.h"
#include "server/handover.h"
#include "server/log_file.h"
#include "server/notify.h"
#include "server/pid_file.h"
#include "server/setup.h"
#include "server/worker.h"

struct router {
    const struct router_plan *plan;
    struct setup *setup; /* a share */
    struct log log;
    struct loop *loop; /* owned: the control thread's */
    struct mailbox *mail;
    struct control_call idle_note; /* from workers, while draining */
    _Atomic bool is_noted;
    struct workers workers;
    struct errands errands;
    struct admin admin;        /* what the console and the metrics are given */
    struct http *http;         /* owned; NULL: none */
    struct listener *listener; /* in the first worker's loop */
    struct loop_source signals;
    struct inheritance inheritance; /* of the process before us */
    struct handover *handover;      /* to the one after us; NULL: there is none */
    _Atomic bool is_paused;         /* nothing is accepted any more */
    struct upkeep upkeep;
    char pid_file[CONFIG_PATH_SIZE]; /* "": none, or not ours yet */
    bool is_draining, is_stopping;
    int64_t stop_at; /* ns: the end of the drain; 0: none */
};

static void say(struct router *router, enum log_level level, const char *event, const char *text)
{
    struct log_context context = {.log = &router->log};
    log_event(level, &context, event, "%s", text);
}

/* ---- the log ---- */

static int open_log(const struct router *router, const struct setup *setup, struct error *err)
{
    const char *name = setup->config->settings.log_file;
    char path[CONFIG_PATH_SIZE];

    if (config_place(router->plan->config_path, name, path, err) == NULL) {
        return -1;
    }
    int fd = log_file_open(path);
    if (fd < 0) {
        error_set(err, "58030", "log_file %s: %s", name[0] == '\0' ? "stderr" : path,
                  strerror(errno));
        error_hint(err, "its directory must exist, and we must be allowed to write there");
    }
    return fd;
}

/* The descriptor keeps its number: whoever logs right now writes to the old one or the new one. */
static void reopen_log(struct router *router, const struct setup *setup)
{
    struct error error = {0};
    int fd = open_log(router, setup, &error);

    if (fd < 0 || dup3(fd, router->log.fd, O_CLOEXEC) < 0) {
        say(router, LOG_ERROR, "log_not_reopened", error.message);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void take_log_settings(struct router *router)
{
    const struct settings *settings = &router->setup->config->settings;

    router->log.level_max = (enum log_level)settings->log_level;
    router->log.format = (enum log_format)settings->log_format;
    router->upkeep.stats_period = settings->stats_period;
}

/* systemd hears nothing more of a process that another has followed. */
static void tell_manager(const struct router *router, void (*tell)(const char *status),
                         const char *status)
{
    if (!router->upkeep.is_silent) {
        tell(status);
    }
}

/* ---- reload ---- */

static void say_changes(struct router *router, const struct setup *setup)
{
    struct log_context context = {.log = &router->log};
    struct text changes = {0};
    size_t count = config_diff(router->setup->config, setup->config, &changes);

    log_event(LOG_INFO, &context, "reloaded", "version=%llu changes=%zu",
              (unsigned long long)setup->config->version, count);
    for (char *line = changes.bytes, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        say(router, LOG_INFO, "setting_changed", line);
    }
    text_done(&changes);
}

static int round_up(int64_t ns, int64_t unit)
{
    return (int)((ns + unit - 1) / unit);
}

static struct keepalive keepalive_of(const struct settings *settings)
{
    return (struct keepalive){
        .idle_s = round_up(settings->tcp_keepidle, CLOCK_SECOND),
        .interval_s = round_up(settings->tcp_keepintvl, CLOCK_SECOND),
        .probe_count = (int)settings->tcp_keepcnt,
        .user_timeout_ms = round_up(settings->tcp_user_timeout, CLOCK_MS),
    };
}

struct keepalive_call {
    struct worker_call call;
    struct keepalive keepalive;
};

static void run_keepalive(struct worker *worker, struct worker_call *call)
{
    struct router *router = worker->all->router;
    listener_keep_alive(router->listener, &((struct keepalive_call *)(void *)call)->keepalive);
    free(call);
}

/* For whoever comes from now on. */
static void keep_alive(struct router *router, const struct settings *settings)
{
    struct keepalive_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        say(router, LOG_ERROR, "keepalive_kept", "out of memory: tcp_keep... is as it was");
        return;
    }
    call->call.run = run_keepalive;
    call->keepalive = keepalive_of(settings);
    worker_post(router->workers.list[0], &call->call);
}

/* Takes on another setup, and logs what is different in it. */
static void take_on(struct router *router, struct setup *setup)
{
    reopen_log(router, setup);
    say_changes(router, setup);
    keep_alive(router, &setup->config->settings);
    workers_configure(&router->workers, setup);
    setup_release(router->setup);
    router->setup = setup;
    take_log_settings(router);
}

static bool reload(void *owner, struct error *err)
{
    struct router *router = owner;
    struct text report = {0};

    if (router->is_stopping) {
        return error_set(err, "57P01", "the router is shutting down");
    }
    tell_manager(router, notify_reloading, "reloading");
    struct setup *setup =
        setup_load(router->plan->config_path, router->setup->config->version + 1, &report, err);

    text_done(&report);
    if (setup == NULL) {
        struct log_context context = {.log = &router->log};
        reopen_log(router, router->setup); /* it may have been rotated all the same */
        log_event(LOG_ERROR, &context, "reload_failed", "error=\"%s\" %s", err->message,
                  "the old configuration stays in force");
        tell_manager(router, notify_ready, "the last reload failed, see the log");
        return false;
    }
    take_on(router, setup);
    tell_manager(router, notify_ready, "serving");
    return true;
}

static bool set(void *owner, const char *name, const char *value, struct error *err)
{
    struct router *router = owner;

    if (router->is_stopping) {
        return error_set(err, "57P01", "the router is shutting down");
    }
    struct setup *setup = setup_with(router->setup, router->plan->config_path, name, value, err);

    if (setup == NULL) {
        return false;
    }
    take_on(router, setup);
    return true;
}

/* ---- the end ---- */

static void pause_run(struct worker *worker, struct worker_call *call)
{
    struct router *router = worker->all->router;
    free(call);
    listener_pause(router->listener);
    atomic_store(&router->is_paused, true);
}

static void stop_listening(struct router *router)
{
    struct worker_call *call = calloc(1, sizeof *call);
    if (call != NULL) {
        call->run = pause_run;
        worker_post(router->workers.list[0], call);
    }
}

static void drain(struct router *router)
{
    int64_t limit = router->setup->config->settings.drain_timeout;

    router->is_draining = true;
    router->stop_at = limit == 0 ? 0 : clock_now() + limit;
    tell_manager(router, notify_stopping, "waiting for clients to finish");
    say(router, LOG_INFO, "draining", "no new clients; those that are here may finish");
    stop_listening(router);
    workers_drain(&router->workers);
}

/* ---- another process in our place ---- */

struct hand_over_call {
    struct worker_call call;
    bool is_handed_over;
};

static void hand_over_run(struct worker *worker, struct worker_call *call)
{
    struct router *router = worker->all->router;
    listener_hand_over(router->listener, ((struct hand_over_call *)(void *)call)->is_handed_over);
    free(call);
}

/* The listener belongs to the first worker's thread. */
static bool hand_over_listener(struct router *router, bool is_handed_over)
{
    struct hand_over_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return false;
    }
    call->call.run = hand_over_run;
    call->is_handed_over = is_handed_over;
    worker_post(router->workers.list[0], &call->call);
    return true;
}

static void on_ready(void *owner, pid_t pid)
{
    struct router *router = owner;
    struct log_context context = {.log = &router->log};

    log_event(LOG_INFO, &context, "handed_over", "pid=%d clients=%ld %s", (int)pid,
              atomic_load(&router->workers.client_count), "this process ends with its last client");
    notify_follow(pid);
    router->upkeep.is_silent = true;
    stop_listening(router);
    http_pause(router->http);
    workers_retire(&router->workers);
}

static void on_failure(void *owner, const struct error *why)
{
    struct router *router = owner;
    struct log_context context = {.log = &router->log};

    log_event(LOG_ERROR, &context, "restart_failed", "error=\"%s\" hint=\"%s\" %s", why->message,
              why->hint, "this process goes on");
    handover_destroy(router->handover);
    router->handover = NULL;
    (void)hand_over_listener(router, false); /* without memory only the lock's pid is wrong */
}

static void on_cancel(void *owner, uint32_t pid, const unsigned char *key, size_t key_size)
{
    struct router *router = owner;
    workers_cancel(&router->workers, pid, key, key_size);
}

static bool begin_restart(struct router *router, struct error *err)
{
    int sockets[LISTENER_SOCKET_MAX];
    const struct handover_plan plan = {
        .argv = router->plan->argv,
        .sockets = sockets,
        .socket_count = listener_sockets(router->listener, sockets),
        .is_activated = router->inheritance.is_activated,
        .inheritance = &router->inheritance,
    };
    const struct handover_owner owner = {
        .on_ready = on_ready, .on_failure = on_failure, .on_cancel = on_cancel, .self = router};

    if (getpid() == 1) {
        error_set(err, "0A000", "the end of process 1 would end all others");
        return error_hint(err, "in a container, start another container");
    }
    if (!hand_over_listener(router, true)) {
        return error_set(err, "53200", "out of memory");
    }
    http_share(router->http);
    router->handover = handover_begin(&plan, router->loop, &owner, err);
    if (router->handover == NULL) {
        (void)hand_over_listener(router, false);
    }
    return router->handover != NULL;
}

static void restart(struct router *router)
{
    struct error error = {0};

    if (router->is_draining || router->handover != NULL) {
        say(router, LOG_WARN, "restart_refused", "another process serves, or we are ending");
        return;
    }
    say(router, LOG_INFO, "restarting", "a new process is started");
    if (!begin_restart(router, &error)) {
        struct log_context context = {.log = &router->log};
        log_event(LOG_ERROR, &context, "restart_impossible", "error=\"%s\" hint=\"%s\" %s",
                  error.message, error.hint, "this process goes on");
    }
}

/* ---- signals ---- */

static void stop(void *owner, bool waits_for_clients)
{
    struct router *router = owner;

    if (!waits_for_clients) {
        router->is_stopping = true;
    } else if (!router->is_draining) {
        drain(router);
    }
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    struct router *router =
        (struct router *)(void *)((char *)source - offsetof(struct router, signals));
    struct signalfd_siginfo info;
    struct error error = {0};
    (void)events;

    while (read(source->fd, &info, sizeof info) == sizeof info) {
        switch (info.ssi_signo) {
        case SIGHUP:
            (void)reload(router, &error); /* it has logged why not */
            error = (struct error){0};
            break;
        case SIGUSR2: restart(router); break;
        case SIGTERM:
            if (router->is_draining) {
                router->is_stopping = true;
            } else {
                drain(router);
            }
            break;
        default: /* lint: not an enum */ router->is_stopping = true; break;
        }
    }
}

/* A worker has nobody left; in its thread. */
static void on_idle(void *owner)
{
    struct router *router = owner;
    if (!atomic_exchange(&router->is_noted, true)) {
        mailbox_post(router->mail, &router->idle_note.message);
    }
}

static void on_message(void *owner, struct mailbox_message *message)
{
    struct control_call *call = (struct control_call *)(void *)message;
    call->run(owner, call);
}

static void run_idle(void *owner, struct control_call *call)
{
    struct router *router = owner;
    (void)call;
    atomic_store(&router->is_noted, false);
    /* In this order: who is on the way is counted before he arrives, and arrives before he is not.
     */
    if (atomic_load(&router->is_paused) && atomic_load(&router->workers.arriving) == 0 &&
        atomic_load(&router->workers.client_count) == 0) {
        router->is_stopping = true;
    }
}

/* ---- the start ---- */

static void on_accept(void *owner, int fd, const struct sockaddr *address, socklen_t size)
{
    struct router *router = owner;
    workers_admit(&router->workers, fd, address, size);
}

static void on_rest(void *owner, int reason)
{
    struct router *router = owner;
    struct log_context context = {.log = &router->log};
    log_event(LOG_WARN, &context, "accept_rests", "error=\"%s\" clients=%ld", strerror(reason),
              atomic_load(&router->workers.client_count));
}

/* As many descriptors as clients and servers may need. */
static void raise_descriptors(struct router *router)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)router->setup->config->settings.max_client_conn * 2 + 1000;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        struct log_context context = {.log = &router->log};
        log_event(LOG_WARN, &context, "few_descriptors", "limit=%llu wanted=%llu",
                  (unsigned long long)limit.rlim_cur, (unsigned long long)wanted);
    }
}

/* From the beginning, so that one that comes early waits. */
static bool block_signals(sigset_t *set, struct error *err)
{
    static const int taken[] = {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR2};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigemptyset(set);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        sigaddset(set, taken[i]);
    }
    if (sigaction(SIGPIPE, &ignore, NULL) != 0 || pthread_sigmask(SIG_BLOCK, set, NULL) != 0) {
        return error_set(err, "53000", "signals can't be blocked");
    }
    return true;
}

static bool catch_signals(struct router *router, const sigset_t *set, struct error *err)
{
    router->signals.fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    router->signals.on_event = on_signal;
    if (router->signals.fd < 0) {
        return error_set(err, "53000", "signalfd: %s", strerror(errno));
    }
    return loop_watch(router->loop, &router->signals, err);
}

static void make_admin(struct router *router, unsigned worker_count)
{
    router->errands = (struct errands){.workers = &router->workers, .control = router->mail};
    router->admin = (struct admin){
        .owner = &router->errands,
        .worker_count = worker_count,
        .started_at = clock_utc(),
        .ticket = errand_ticket,
        .tear = errand_tear,
        .post = errand_post,
        .control = router,
        .reload = reload,
        .set = set,
        .stop = stop,
    };
}

static bool make_workers(struct router *router, struct error *err)
{
    struct workers *workers = &router->workers;
    int64_t count = router->setup->config->settings.workers;

    if (count == 0) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        count = cpus < 1 ? 1 : cpus > QUOTA_WORKERS_MAX ? QUOTA_WORKERS_MAX : cpus;
    }
    workers->log = &router->log;
    workers->router = router;
    workers->on_idle = on_idle;
    workers->resolver = resolver_create(err);
    if (workers->resolver == NULL) {
        return false;
    }
    workers->quotas = quotas_create();
    workers->list = calloc((size_t)count, sizeof(struct worker *));
    if (workers->quotas == NULL || workers->list == NULL) {
        return error_set(err, "53200", "no memory for workers");
    }
    if (getrandom(workers->seed, sizeof workers->seed, 0) != sizeof workers->seed) {
        return error_set(err, "53000", "getrandom: %s", strerror(errno));
    }
    workers->generation = router->inheritance.generation;
    workers->inheritance = &router->inheritance;
    workers->admin = &router->admin;
    unsigned wanted = (unsigned)count;
    make_admin(router, wanted);
    workers->count = wanted;
    for (unsigned i = 0; i < wanted; i++) {
        workers->list[i] = worker_create(workers, i, router->setup, err);
        if (workers->list[i] == NULL) {
            workers->count = i;
            return false;
        }
    }
    return true;
}

static bool listen_for_clients(struct router *router, struct error *err)
{
    const struct settings *settings = &router->setup->config->settings;
    struct listener_plan plan = {
        .addresses = settings->listen_addr,
        .port = (unsigned)settings->listen_port,
        .backlog = (int)settings->listen_backlog,
        .directory = settings->unix_socket_dir,
        .mode = (unsigned)settings->unix_socket_mode,
        .keepalive = keepalive_of(settings),
        .inherited = router->inheritance.sockets,
        .inherited_count = router->inheritance.socket_count,
        .is_activated = router->inheritance.is_activated,
    };
    const struct listener_owner owner = {
        .on_accept = on_accept, .on_rest = on_rest, .self = router};

    struct worker *first = router->workers.list[0];
    assert(first != NULL);
    router->listener = listener_open(&plan, first->loop, &owner, err);
    if (router->listener != NULL) {
        return true;
    }
    error_wrap(err, "port %u", plan.port);
    if (strcmp(err->sqlstate, "55006") == 0) {
        return error_hint(err, "is another router running? USR2 makes that one start a new one");
    }
    return error_hint(err, "see listen_addr, listen_port and unix_socket_dir");
}

/* Of the process, for HTTP. */
static void look(void *owner, struct metrics_process *process, bool *is_ready)
{
    const struct router *router = owner;

    *process = (struct metrics_process){
        .is_draining = router->is_draining,
        .client_count = atomic_load(&router->workers.client_count),
        .client_max = (long)router->setup->config->settings.max_client_conn,
        .config_version = router->setup->config->version,
    };
    *is_ready = !router->is_draining && !router->is_stopping;
}

static bool listen_for_http(struct router *router, struct error *err)
{
    const struct settings *settings = &router->setup->config->settings;
    const struct http_plan plan = {
        .addresses = settings->http_addr,
        .port = (unsigned)settings->http_port,
        .is_shared = router->inheritance.is_handed_over,
        .admin = &router->admin,
        .look = look,
        .owner = router,
    };

    if (settings->http_port == 0) {
        return true;
    }
    router->http = http_open(&plan, router->loop, err);
    return router->http != NULL;
}

static bool begin_log(struct router *router, struct error *err)
{
    router->log = (struct log){.fd = open_log(router, router->setup, err),
                               .write = log_file_write,
                               .lost_count = &router->upkeep.lost_count};
    take_log_settings(router);
    return router->log.fd >= 0;
}

/* Whoever follows another process is in its place; else nobody else may be. */
static bool write_pid_file(struct router *router, struct error *err)
{
    const char *name = router->setup->config->settings.pid_file;
    char path[CONFIG_PATH_SIZE];

    if (name[0] == '\0') {
        return true;
    }
    if (config_place(router->plan->config_path, name, path, err) == NULL ||
        !pid_file_write(path, router->inheritance.is_handed_over, err)) {
        return false;
    }
    memcpy(router->pid_file, path, sizeof path);
    return true;
}

static bool take_sockets(struct router *router, struct error *err)
{
    return handover_inherit(&router->inheritance, err) &&
           (router->inheritance.is_handed_over || notify_take_sockets(&router->inheritance, err));
}

static bool start(struct router *router, struct error *err)
{
    struct text report = {0};

    sigset_t signals;

    if (!block_signals(&signals, err) || !take_sockets(router, err)) {
        return false;
    }
    router->setup = setup_load(router->plan->config_path, 1, &report, err);
    if (router->setup == NULL) {
        fputs(text_cstr(&report), stderr);
        text_done(&report);
        return false;
    }
    text_done(&report);
    if (!begin_log(router, err)) {
        return false;
    }
    raise_descriptors(router);
    router->loop = loop_create(err);
    router->mail =
        router->loop == NULL ? NULL : mailbox_open(router->loop, on_message, router, err);
    if (router->mail == NULL || !catch_signals(router, &signals, err) ||
        !make_workers(router, err) || !listen_for_clients(router, err) ||
        !listen_for_http(router, err) || !write_pid_file(router, err)) {
        return false;
    }
    router->upkeep.workers = &router->workers;
    router->upkeep.log = &router->log;
    router->upkeep.loop = router->loop;
    if (!upkeep_begin(&router->upkeep)) {
        return error_set(err, "53200", "out of memory");
    }
    /* The first one listens: when it starts nothing can go wrong any more. */
    for (unsigned i = router->workers.count; i-- > 0;) {
        if (!worker_start(router->workers.list[i], err)) {
            return false;
        }
    }
    return true;
}

static void finish(struct router *router)
{
    /* The listener's loop is the first worker's: it goes after the threads, before their loops. */
    workers_stop_threads(&router->workers);
    listener_close(router->listener);
    workers_stop(&router->workers);
    free(router->workers.list);
    quotas_destroy(router->workers.quotas);
    handover_destroy(router->handover);
    http_close(router->http);
    pid_file_remove(router->pid_file);
    upkeep_end(&router->upkeep);
    mailbox_close(router->mail);
    inheritance_done(&router->inheritance);
    if (router->signals.fd > 0) {
        close(router->signals.fd);
    }
    loop_destroy(router->loop);
    setup_release(router->setup);
    if (router->log.fd > STDERR_FILENO) {
        close(router->log.fd);
    }
}

bool router_run(const struct router_plan *plan, struct error *err)
{
    enum { LOOK_EVERY = 1 }; /* seconds */
    struct router router = {.plan = plan, .idle_note.run = run_idle};

    if (!start(&router, err)) {
        handover_tell(&router.inheritance, err);
        finish(&router);
        return false;
    }
    handover_tell(&router.inheritance, NULL);
    notify_ready("serving");
    struct log_context context = {.log = &router.log};
    log_event(LOG_INFO, &context, "started", "port=%u workers=%u pid=%d",
              listener_port(router.listener), router.workers.count, (int)getpid());
    while (!router.is_stopping) {
        loop_turn(router.loop, clock_now() + LOOK_EVERY * CLOCK_SECOND);
        if (router.stop_at != 0 && clock_now() >= router.stop_at) {
            say(&router, LOG_WARN, "drain_timeout", "clients that are still here are cut off");
            router.is_stopping = true;
        }
    }
    tell_manager(&router, notify_stopping, "stopping");
    say(&router, LOG_INFO, "stopping", router.is_draining ? "drained or told twice" : "told to");
    finish(&router);
    return true;
}
