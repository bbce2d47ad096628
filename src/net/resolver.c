#include "net/resolver.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/mailbox.h"
#include "net/unix_socket.h"

enum { HOST_SIZE = 256 }; /* a DNS name has at most 253 bytes */

struct resolver {
    pthread_t thread;
    struct loop *loop;           /* the thread's; owned */
    struct mailbox *inbox;       /* in it; owned */
    atomic_bool is_ending;       /* what waits is not asked for any more */
    struct mailbox_message stop; /* the last message */
    bool has_stopped;            /* the thread's */
};

struct resolver_client {
    struct resolver *resolver; /* borrowed */
    struct mailbox *answers;   /* owned */
    int open_count;
};

/* The client's, but for the time between the two posts, when it's the helper thread's. */
struct resolver_question {
    struct mailbox_message message; /* on the way there and back */
    struct resolver_client *client; /* borrowed */
    struct resolver_asker asker;    /* only the client's thread looks at it; zero: dropped */
    struct address_list addresses;
    struct error err;
    unsigned port;
    char host[HOST_SIZE];
};

/* ---- asking the system ---- */

static void take_addresses(struct address_list *list, const struct addrinfo *found)
{
    list->count = 0;
    for (; found != NULL && list->count < RESOLVER_ADDRESS_MAX; found = found->ai_next) {
        struct address *address = &list->all[list->count];
        if (found->ai_addrlen <= sizeof address->bytes) {
            memcpy(&address->bytes, found->ai_addr, found->ai_addrlen);
            address->size = found->ai_addrlen;
            list->count++;
        }
    }
}

/* getaddrinfo()'s result; `flags` AI_NUMERICHOST: never asks anybody. */
static int look_up(const char *host, unsigned port, int flags, struct address_list *list)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    char service[16];
    struct addrinfo *found = NULL;

    (void)snprintf(service, sizeof service, "%u", port);
    int result = getaddrinfo(host, service, &hints, &found);
    if (result == 0) {
        take_addresses(list, found);
        freeaddrinfo(found);
    }
    return result;
}

static void answer(struct resolver_question *question, bool is_ending)
{
    if (is_ending) {
        error_set(&question->err, "57P01", "host name \"%s\" is not looked up: it is shutting down",
                  question->host);
        return;
    }
    int result = look_up(question->host, question->port, 0, &question->addresses);
    if (result != 0) {
        const char *why = result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result);
        error_set(&question->err, "08001", "could not translate host name \"%s\" to address: %s",
                  question->host, why);
    }
}

/* ---- the thread ---- */

static void on_question(void *owner, struct mailbox_message *message)
{
    struct resolver *resolver = owner;

    if (message == &resolver->stop) {
        resolver->has_stopped = true;
        return;
    }
    struct resolver_question *question = (struct resolver_question *)(void *)message;
    answer(question, atomic_load(&resolver->is_ending));
    mailbox_post(question->client->answers, &question->message);
}

static void *run(void *argument)
{
    struct resolver *resolver = argument;

    while (!resolver->has_stopped) {
        loop_turn(resolver->loop, INT64_MAX);
    }
    return NULL;
}

/* Signals are for the threads that know what to do with them. */
static int start(struct resolver *resolver)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&resolver->thread, NULL, run, resolver);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void clean(struct resolver *resolver)
{
    mailbox_close(resolver->inbox);
    loop_destroy(resolver->loop);
    free(resolver);
}

struct resolver *resolver_create(struct error *err)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL) {
        error_set(err, "53200", "no memory for a resolver");
        return NULL;
    }
    atomic_init(&resolver->is_ending, false);
    resolver->loop = loop_create(err);
    if (resolver->loop == NULL) {
        clean(resolver);
        return NULL;
    }
    resolver->inbox = mailbox_open(resolver->loop, on_question, resolver, err);
    if (resolver->inbox == NULL) {
        clean(resolver);
        return NULL;
    }
    int error = start(resolver);
    if (error != 0) {
        error_set(err, "53000", "no thread to look up host names: %s", strerror(error));
        clean(resolver);
        return NULL;
    }
    (void)pthread_setname_np(resolver->thread, "resolver");
    return resolver;
}

void resolver_destroy(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    atomic_store(&resolver->is_ending, true);
    mailbox_post(resolver->inbox, &resolver->stop);
    (void)pthread_join(resolver->thread, NULL);
    clean(resolver);
}

/* ---- clients ---- */

static void on_answer(void *owner, struct mailbox_message *message)
{
    struct resolver_client *client = owner;
    struct resolver_question *question = (struct resolver_question *)(void *)message;

    client->open_count--;
    if (question->asker.on_answer != NULL) {
        bool has_failed = error_is_set(&question->err);
        question->asker.on_answer(question->asker.self, &question->addresses,
                                  has_failed ? &question->err : NULL);
    }
    free(question);
}

struct resolver_client *resolver_join(struct resolver *resolver, struct loop *loop,
                                      struct error *err)
{
    struct resolver_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        error_set(err, "53200", "no memory for a resolver's client");
        return NULL;
    }
    client->resolver = resolver;
    client->answers = mailbox_open(loop, on_answer, client, err);
    if (client->answers == NULL) {
        free(client);
        return NULL;
    }
    return client;
}

void resolver_leave(struct resolver_client *client)
{
    if (client == NULL) {
        return;
    }
    mailbox_close(client->answers); /* delivers what is left */
    assert(client->open_count == 0);
    free(client);
}

static bool answer_now(const char *host, unsigned port, struct address_list *now)
{
    struct sockaddr_un address;
    struct error ignored = {0}; /* its path was seen to fit */

    if (host[0] != '/') {
        return look_up(host, port, AI_NUMERICHOST, now) == 0;
    }
    if (!unix_socket_name(&address, host, port, &ignored)) {
        return false;
    }
    memcpy(&now->all[0].bytes, &address, sizeof address);
    now->all[0].size = sizeof address;
    now->count = 1;
    return true;
}

static bool check_host(const char *host, unsigned port, struct error *err)
{
    struct sockaddr_un address;

    if (host[0] == '\0' || strlen(host) >= HOST_SIZE) {
        return error_set(err, "22023", "a host name has 1 to %d bytes", HOST_SIZE - 1);
    }
    if (host[0] == '/') {
        return unix_socket_name(&address, host, port, err);
    }
    return true;
}

enum resolver_result resolver_ask(struct resolver_client *client, const char *host, unsigned port,
                                  const struct resolver_asker *asker, struct address_list *now,
                                  struct resolver_question **question, struct error *err)
{
    if (!check_host(host, port, err)) {
        return RESOLVER_REFUSED;
    }
    if (answer_now(host, port, now)) {
        return RESOLVER_NOW;
    }
    if (client->open_count == RESOLVER_QUESTION_MAX) {
        error_set(err, "53400",
                  "%d host names already wait to be looked up, \"%s\" is one too many",
                  RESOLVER_QUESTION_MAX, host);
        return RESOLVER_REFUSED;
    }
    struct resolver_question *asked = calloc(1, sizeof *asked);
    if (asked == NULL) {
        error_set(err, "53200", "no memory to look up a host name");
        return RESOLVER_REFUSED;
    }
    asked->client = client;
    asked->asker = *asker;
    asked->port = port;
    memcpy(asked->host, host, strlen(host) + 1);
    client->open_count++;
    *question = asked;
    mailbox_post(client->resolver->inbox, &asked->message);
    return RESOLVER_LATER;
}

void resolver_drop(struct resolver_question *question)
{
    question->asker = (struct resolver_asker){0};
}
