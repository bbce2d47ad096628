#include "server/worker.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/console.h"
#include "backend/ask.h"
#include "backend/cancel.h"
#include "backend/server.h"
#include "base/clock.h"
#include "server/lookup.h"

enum { TICK = 100 /* ms */, AUTH_ENTRIES_MAX = 10000, WAIT_MAX = 60 /* s */ };

static struct worker *worker_of(struct hall *hall)
{
    return hall->host;
}

static void on_message(void *owner, struct mailbox_message *message)
{
    struct worker_call *call = (struct worker_call *)(void *)message;
    call->run(owner, call);
}

void worker_post(struct worker *worker, struct worker_call *call)
{
    mailbox_post(worker->mail, &call->message);
}

/* ---- cancelling ---- */

struct cancel_call {
    struct worker_call call;
    uint32_t pid;
    size_t key_size;
    unsigned char key[STARTUP_KEY_MAX];
};

static void run_cancel(struct worker *worker, struct worker_call *call)
{
    struct cancel_call *cancel = (struct cancel_call *)(void *)call;
    size_t slot = cancel->pid & ((1u << 20) - 1);

    if (slot < worker->hall.slot_count && worker->hall.slots[slot] != NULL &&
        worker->hall.slots[slot]->cancel_pid == cancel->pid) {
        session_cancel(worker->hall.slots[slot], cancel->key, cancel->key_size);
    }
    free(cancel);
}

/* The request goes to the worker that its pid names; a wrong one is dropped, as PostgreSQL does. */
void workers_cancel(struct workers *all, uint32_t pid, const unsigned char *key, size_t key_size)
{
    unsigned index = pid >> 20 & 63;
    struct cancel_call *call =
        index < all->count && key_size <= STARTUP_KEY_MAX ? calloc(1, sizeof *call) : NULL;

    if (call == NULL) {
        return;
    }
    call->call.run = run_cancel;
    call->pid = pid;
    call->key_size = key_size;
    memcpy(call->key, key, key_size);
    worker_post(all->list[index], &call->call);
}

static void cancel(struct hall *hall, uint32_t pid, const unsigned char *key, size_t key_size)
{
    struct workers *all = worker_of(hall)->all;
    uint32_t generation = pid >> 26 & (HANDOVER_GENERATION_COUNT - 1);

    if (generation == all->generation % HANDOVER_GENERATION_COUNT) {
        workers_cancel(all, pid, key, key_size);
    } else {
        handover_cancel(all->inheritance, generation, pid, key, key_size);
    }
}

/* ---- connections from one worker to another ---- */

struct server_call {
    struct worker_call call;
    struct server *server;
    char *database, *user;  /* owned */
    char *parameters;       /* owned: what it reported, "name\0value\0…" */
    size_t parameters_size; /* bytes */
};

static void free_server_call(struct server_call *call)
{
    free(call->parameters);
    free(call->database);
    free(call->user);
    free(call);
}

static void run_server(struct worker *worker, struct worker_call *call)
{
    struct server_call *arrival = (struct server_call *)(void *)call;
    struct pool *pool = pool_find(&worker->hall.backend, arrival->database, arrival->user, false);

    pool_arrive(pool, arrival->server, arrival->parameters, arrival->parameters_size);
    free_server_call(arrival);
}

static bool copy_parameters(struct server_call *call, const struct variables *set)
{
    size_t size = set == NULL ? 0 : set->key_size;

    call->parameters = malloc(size + 1);
    if (call->parameters == NULL) {
        return false;
    }
    if (size > 0) {
        memcpy(call->parameters, set->key, size);
    }
    call->parameters_size = size;
    return true;
}

static void hand_over(struct backend *backend, unsigned index, struct server *server)
{
    struct worker *worker = backend->host;
    struct server_call *call = calloc(1, sizeof *call);

    if (call == NULL || !copy_parameters(call, server->parameters) ||
        (call->database = strdup(server->pool->database)) == NULL ||
        (call->user = strdup(server->pool->user)) == NULL) {
        if (call != NULL) {
            free_server_call(call);
        }
        pool_keep(server); /* no memory: it stays */
        return;
    }
    pool_depart(server);
    call->call.run = run_server;
    call->server = server;
    worker_post(worker->all->list[index], &call->call);
}

struct ask_call {
    struct worker_call call;
    char *database, *user; /* owned */
};

static void run_ask(struct worker *worker, struct worker_call *call)
{
    struct ask_call *ask = (struct ask_call *)(void *)call;
    struct pool *pool = pool_find(&worker->hall.backend, ask->database, ask->user, false);

    if (pool != NULL) {
        pool_spare(pool);
    }
    free(ask->database);
    free(ask->user);
    free(ask);
}

static void ask_for(struct backend *backend, struct pool *pool)
{
    struct worker *worker = backend->host;

    for (unsigned i = 0; i < worker->all->count; i++) {
        if (i == worker->index ||
            atomic_load_explicit(&pool->quota->slots[i].idle, memory_order_relaxed) == 0) {
            continue;
        }
        struct ask_call *call = calloc(1, sizeof *call);
        if (call == NULL || (call->database = strdup(pool->database)) == NULL ||
            (call->user = strdup(pool->user)) == NULL) {
            free(call == NULL ? NULL : call->database);
            free(call);
            return;
        }
        call->call.run = run_ask;
        worker_post(worker->all->list[i], &call->call);
        return; /* one is enough; the next waiter asks again */
    }
}

/* ---- its life ---- */

static void on_tick(struct loop_timer *timer)
{
    struct worker *worker = LIST_MEMBER(timer, struct worker, tick);
    int64_t now = loop_now(worker->loop);

    hall_maintain(&worker->hall, now);
    published_write(&worker->published, &worker->hall.backend, now);
    if ((worker->hall.is_draining || worker->is_retired) && list_is_empty(&worker->hall.sessions) &&
        list_is_empty(&worker->hall.greeting)) {
        worker->all->on_idle(worker->all->router);
    }
    (void)loop_set_timer(worker->loop, timer, now + TICK * CLOCK_MS);
}

static void take_setup(struct worker *worker, struct setup *setup)
{
    struct backend *backend = &worker->hall.backend;

    setup_release(worker->setup);
    worker->setup = setup;
    config_release(backend->config);
    backend->config = config_share(setup->config);
    backend->auth_file = &setup->auth_file;
    backend->tls = setup->server_tls;
    worker->hall.hba = setup->hba;
    worker->hall.tls = setup->client_tls;
    auth_cache_clear(worker->auth_cache);
    auth_cache_keep_for(worker->auth_cache, setup->config->settings.auth_query_ttl);
}

static bool build(struct worker *worker, struct setup *setup, struct error *err)
{
    struct hall *hall = &worker->hall;
    struct backend *backend = &hall->backend;
    struct auth_cache_plan plan = {.entry_max = AUTH_ENTRIES_MAX, .seed = worker->all->seed};

    worker->loop = loop_create(err);
    worker->mail =
        worker->loop == NULL ? NULL : mailbox_open(worker->loop, on_message, worker, err);
    worker->resolver =
        worker->mail == NULL ? NULL : resolver_join(worker->all->resolver, worker->loop, err);
    if (worker->resolver == NULL) {
        return false;
    }
    worker->auth_cache = auth_cache_create(&plan);
    backend->variables = variables_table_create();
    backend->statements = statement_table_create(worker->index);
    if (worker->auth_cache == NULL || backend->variables == NULL || backend->statements == NULL) {
        return error_set(err, "53200", "no memory for a worker");
    }
    backend->loop = worker->loop;
    backend->log = worker->all->log;
    backend->quotas = worker->all->quotas;
    list_init(&backend->pools);
    list_init(&backend->cancels);
    list_init(&backend->asks);
    backend->worker = worker->index;
    backend->worker_count = worker->all->count;
    backend->host = worker;
    backend->hand_over = hand_over;
    backend->ask_for = ask_for;
    backend->cancel = server_cancel;
    backend->resolve = lookup_address;
    list_init(&hall->greeting);
    list_init(&hall->sessions);
    list_init(&hall->dead);
    hall->seed = worker->all->seed;
    hall->generation = worker->all->generation;
    hall->host = worker;
    hall->look_up = lookup_credential;
    hall->stop_look_up = lookup_stop;
    hall->distrust = lookup_distrust;
    hall->cancel = cancel;
    hall->client_count = &worker->all->client_count;
    console_attach(hall, worker->all->admin);
    worker->tick.on_time = on_tick;
    take_setup(worker, setup_share(setup));
    return true;
}

struct worker *worker_create(struct workers *all, unsigned index, struct setup *setup,
                             struct error *err)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        error_set(err, "53200", "no memory for a worker");
        return NULL;
    }
    worker->all = all;
    worker->index = index;
    if (!build(worker, setup, err)) {
        mailbox_close(worker->mail);
        worker_destroy(worker);
        return NULL;
    }
    return worker;
}

static void *run(void *argument)
{
    struct worker *worker = argument;

    (void)loop_set_timer(worker->loop, &worker->tick, loop_now(worker->loop) + TICK * CLOCK_MS);
    while (!worker->is_stopping) {
        loop_turn(worker->loop, loop_now(worker->loop) + WAIT_MAX * CLOCK_SECOND);
        hall_bury(&worker->hall);
    }
    return NULL;
}

bool worker_start(struct worker *worker, struct error *err)
{
    int failure = pthread_create(&worker->thread, NULL, run, worker);
    if (failure != 0) {
        return error_set(err, "53000", "a worker's thread: %s", strerror(failure));
    }
    worker->is_started = true;
    return true;
}

static void run_stop(struct worker *worker, struct worker_call *call)
{
    free(call);
    worker->is_stopping = true;
}

static void stop(struct worker *worker)
{
    struct worker_call *call = NULL;

    if (!worker->is_started) {
        return;
    }
    while (call == NULL) {
        call = calloc(1, sizeof *call);
    }
    call->run = run_stop;
    worker_post(worker, call);
    pthread_join(worker->thread, NULL);
    worker->is_started = false;
}

static void close_sessions(struct hall *hall, struct list *sessions)
{
    while (!list_is_empty(sessions)) {
        struct error error = {0};
        error_set(&error, "57P01", "terminating connection: the router is shutting down");
        session_fail(LIST_MEMBER(list_first(sessions), struct session, link), &error);
        hall_bury(hall);
    }
}

static void close_all(struct worker *worker)
{
    struct hall *hall = &worker->hall;

    close_sessions(hall, &hall->greeting);
    close_sessions(hall, &hall->sessions);
    asks_done(&hall->backend);
    while (!list_is_empty(&hall->backend.pools)) {
        pool_destroy(LIST_MEMBER(list_first(&hall->backend.pools), struct pool, link));
    }
    server_cancels_done(&hall->backend);
    free(hall->slots);
    loop_cancel(worker->loop, &worker->tick);
}

void worker_destroy(struct worker *worker)
{
    if (worker == NULL) {
        return;
    }
    if (worker->hall.host != NULL) {
        close_all(worker);
    }
    resolver_leave(worker->resolver);
    auth_cache_destroy(worker->auth_cache);
    statement_table_destroy(worker->hall.backend.statements);
    variables_table_destroy(worker->hall.backend.variables);
    holds_done(&worker->hall.backend.holds);
    config_release(worker->hall.backend.config);
    setup_release(worker->setup);
    loop_destroy(worker->loop);
    free(worker);
}

void workers_stop_threads(struct workers *all)
{
    for (unsigned i = 0; i < all->count; i++) {
        stop(all->list[i]);
    }
}

/* First the threads, then the mail that is left, which may bring clients and servers; then all
 * else. */
void workers_stop(struct workers *all)
{
    workers_stop_threads(all);
    all->is_over = true;
    for (unsigned i = 0; i < all->count; i++) {
        all->list[i]->hall.backend.worker_count = 1; /* nothing is sent to others any more */
    }
    for (unsigned i = 0; i < all->count; i++) {
        mailbox_close(all->list[i]->mail);
        all->list[i]->mail = NULL;
    }
    resolver_destroy(all->resolver);
    all->resolver = NULL;
    for (unsigned i = 0; i < all->count; i++) {
        worker_destroy(all->list[i]);
    }
    all->count = 0;
}

/* ---- what all of them are told ---- */

struct admit_call {
    struct worker_call call;
    int fd; /* owned */
    socklen_t size;
    struct sockaddr_storage address;
};

static void run_admit(struct worker *worker, struct worker_call *call)
{
    struct admit_call *admit = (struct admit_call *)(void *)call;
    session_open(&worker->hall, admit->fd, (const struct sockaddr *)&admit->address, admit->size);
    atomic_fetch_sub(&worker->all->arriving, 1);
    free(admit);
}

void workers_admit(struct workers *all, int fd, const struct sockaddr *address, socklen_t size)
{
    struct worker *best = all->list[0];
    for (unsigned i = 1; i < all->count; i++) {
        if (atomic_load_explicit(&all->list[i]->hall.session_count, memory_order_relaxed) <
            atomic_load_explicit(&best->hall.session_count, memory_order_relaxed)) {
            best = all->list[i];
        }
    }
    atomic_fetch_add_explicit(&best->hall.session_count, 1, memory_order_relaxed);
    if (best->index == 0) { /* the listener's own thread: the shortest way */
        session_open(&best->hall, fd, address, size);
        return;
    }
    struct admit_call *call = calloc(1, sizeof *call);
    if (call == NULL || size > sizeof call->address) {
        atomic_fetch_sub_explicit(&best->hall.session_count, 1, memory_order_relaxed);
        free(call);
        close(fd);
        return;
    }
    call->call.run = run_admit;
    call->fd = fd;
    call->size = size;
    memcpy(&call->address, address, size);
    atomic_fetch_add(&all->arriving, 1);
    worker_post(best, &call->call);
}

struct setup_call {
    struct worker_call call;
    struct setup *setup; /* a share */
};

static void run_setup(struct worker *worker, struct worker_call *call)
{
    struct setup_call *change = (struct setup_call *)(void *)call;

    take_setup(worker, change->setup);
    for (struct list_link *link = list_first(&worker->hall.backend.pools); link != NULL;
         link = list_next(&worker->hall.backend.pools, link)) {
        pool_configure(LIST_MEMBER(link, struct pool, link), worker->hall.backend.config);
    }
    free(change);
}

void workers_configure(struct workers *all, struct setup *setup)
{
    for (unsigned i = 0; i < all->count; i++) {
        struct setup_call *call = calloc(1, sizeof *call);
        if (call != NULL) {
            call->call.run = run_setup;
            call->setup = setup_share(setup);
            worker_post(all->list[i], &call->call);
        }
    }
}

static void run_drain(struct worker *worker, struct worker_call *call)
{
    free(call);
    worker->hall.is_draining = true;
    worker->hall.backend.is_draining = true;
}

void workers_drain(struct workers *all)
{
    atomic_store(&all->is_draining, true);
    for (unsigned i = 0; i < all->count; i++) {
        struct worker_call *call = calloc(1, sizeof *call);
        if (call != NULL) {
            call->run = run_drain;
            worker_post(all->list[i], call);
        }
    }
}

static void run_retire(struct worker *worker, struct worker_call *call)
{
    struct backend *backend = &worker->hall.backend;

    free(call);
    worker->is_retired = true;
    backend->is_draining = true;
    for (struct list_link *link = list_first(&backend->pools); link != NULL;
         link = list_next(&backend->pools, link)) {
        pool_reconnect(LIST_MEMBER(link, struct pool, link), "another process serves now");
    }
}

void workers_retire(struct workers *all)
{
    for (unsigned i = 0; i < all->count; i++) {
        struct worker_call *call = NULL;
        while (call == NULL) { /* it would never end */
            call = calloc(1, sizeof *call);
        }
        call->run = run_retire;
        worker_post(all->list[i], call);
    }
}
