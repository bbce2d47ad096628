#include "session/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "backend/server.h"
#include "base/clock.h"
#include "session/answer.h"
#include "session/link.h"
#include "session/names.h"
#include "session/request.h"
#include "session/session_log.h"
#include "session/startup_settings.h"
#include "session/track.h"
#include "wire/message.h"
#include "wire/notice.h"

enum {
    KEY_SIZE_3_0 = 4,
    READ_MORE_SIZE = 16384, /* bytes asked for when a message is not whole yet */
    SLOT_BITS = 20          /* of a cancel pid: which session; above: worker and generation */
};

/* ---- cancel keys ---- */

static bool take_slot(struct session *session)
{
    struct hall *hall = session->hall;
    size_t slot = hall->free_slot;

    while (slot < hall->slot_count && hall->slots[slot] != NULL) {
        slot++;
    }
    if (slot == hall->slot_count) {
        size_t count = hall->slot_count == 0 ? 64 : hall->slot_count * 2;
        struct session **slots = count > 1u << SLOT_BITS
                                     ? NULL
                                     : reallocarray(hall->slots, count, sizeof(struct session *));
        if (slots == NULL) {
            return false;
        }
        memset(slots + hall->slot_count, 0, (count - hall->slot_count) * sizeof(struct session *));
        hall->slots = slots;
        hall->slot_count = count;
    }
    hall->slots[slot] = session;
    hall->free_slot = slot + 1;
    session->cancel_pid =
        (hall->generation & 31) << 26 | (hall->backend.worker & 63) << SLOT_BITS | (uint32_t)slot;
    return getrandom(session->cancel_key, sizeof session->cancel_key, 0) ==
           sizeof session->cancel_key;
}

static void give_slot(struct session *session)
{
    size_t slot = session->cancel_pid & ((1u << SLOT_BITS) - 1);
    if (session->cancel_key_size > 0 && slot < session->hall->slot_count &&
        session->hall->slots[slot] == session) {
        session->hall->slots[slot] = NULL;
        session->hall->free_slot =
            slot < session->hall->free_slot ? slot : session->hall->free_slot;
    }
}

/* ---- the end ---- */

static void free_session(struct session *session)
{
    names_end(session);
    names_forget(session);
    hashmap_done(&session->statements);
    track_free(session);
    greet_destroy(session->greet);
    buffer_done(&session->in);
    free(session->unnamed);
    free(session->database);
    free(session->user);
    free(session->application_name);
    free(session);
}

void hall_bury(struct hall *hall)
{
    while (!list_is_empty(&hall->dead)) {
        free_session(LIST_MEMBER(list_pop_first(&hall->dead), struct session, link));
    }
}

static bool is_dead(const struct session *session)
{
    return session->stream.state == STREAM_CLOSED;
}

void session_close(struct session *session, const char *reason)
{
    struct hall *hall = session->hall;

    if (is_dead(session)) {
        return;
    }
    session_log_end(session, reason);
    stream_flush(&session->stream);
    stream_close(&session->stream);
    list_remove(session->is_let_in ? &hall->sessions : &hall->greeting, &session->link);
    list_push_last(&hall->dead, &session->link);
    give_slot(session);
    atomic_fetch_sub_explicit(&hall->session_count, 1, memory_order_relaxed);
    if (session->console != NULL) {
        hall->console_count--;
        hall->console_close(session);
    } else {
        atomic_fetch_sub(hall->client_count, 1);
    }
    if (session->state == SESSION_LOOKUP) {
        hall->stop_look_up(session);
    }
    if (session->pool != NULL) {
        session->pool->client_count--;
        link_abort(session);
    }
}

void session_fail(struct session *session, const struct error *error)
{
    if (is_dead(session)) {
        return;
    }
    (void)notice_write(stream_out(&session->stream), "FATAL", error);
    session_log_refusal(session, error);
    session_close(session, error->message);
}

/* ---- the welcome ---- */

static bool write_welcome(struct session *session)
{
    struct buffer *out = stream_out(&session->stream);
    bool is_ok = true;

    for (size_t i = 0; session->told != NULL && i < session->told->count; i++) {
        is_ok = is_ok && message_write_parameter(out, session->told->list[i].name,
                                                 session->told->list[i].value);
    }
    struct message_writer key = message_begin(out, 'K');
    message_put_u32(&key, session->cancel_pid);
    message_put_bytes(&key, session->cancel_key, session->cancel_key_size);
    return is_ok && message_end(&key) && message_write_ready(out, 'I');
}

static void let_in(struct session *session)
{
    session_log_login(session);
    greet_destroy(session->greet);
    session->greet = NULL;
    session->is_let_in = true;
    list_remove(&session->hall->greeting, &session->link);
    list_push_last(&session->hall->sessions, &session->link);
}

/* All is known that the client is told first. */
static void welcome(struct session *session)
{
    size_t size = 0;
    const char *left_over = greet_left_over(session->greet, &size);

    if (!write_welcome(session) || (size > 0 && !buffer_append(&session->in, left_over, size))) {
        session_close(session, "out of memory");
        return;
    }
    let_in(session);
    if (session->server != NULL) {
        startup_settings_remember(session);
        session->state = SESSION_LINKED;
        if (link_is_over(session)) {
            link_end(session);
        }
    } else {
        session->state = session->console != NULL ? SESSION_CONSOLE : SESSION_IDLE;
    }
    session_pump(session);
}

static void begin_welcome(struct session *session)
{
    session->state = SESSION_WELCOMING;
    if (session->pool->mode != POOL_SESSION && startup_settings_known(session)) {
        welcome(session);
        return;
    }
    if (link_begin(session)) {
        welcome(session);
    }
}

/* ---- being let in ---- */

static bool wants_replication(const struct startup *startup)
{
    static const char *const no[] = {"false", "off", "no", "0"};

    for (size_t i = 0; startup->replication != NULL && i < sizeof no / sizeof no[0]; i++) {
        if (strcmp(startup->replication, no[i]) == 0) {
            return false;
        }
    }
    return startup->replication != NULL;
}

static bool find_pool(struct session *session, bool is_replication, struct error *err)
{
    struct backend *backend = &session->hall->backend;

    session->pool = pool_find(backend, session->database, session->user, is_replication);
    if (session->pool == NULL) {
        session->pool = pool_create(backend, session->database, session->user, is_replication, err);
    }
    if (session->pool == NULL) {
        return false;
    }
    session->pool->client_count++;
    return true;
}

bool session_is_console(const char *database)
{
    return strcmp(database, "reparto") == 0 || strcmp(database, "pgbouncer") == 0;
}

/* The pool can log in at its servers with what its user has just logged in with: a SCRAM login
 * tells the client's key. */
static void teach_pool(struct session *session)
{
    struct pool *pool = session->pool;
    const struct credential *known = greet_known(session->greet);

    if (known == NULL || strcmp(pool->server_user, session->user) != 0) {
        return;
    }
    struct credential proven = *known;
    if (proven.kind != CREDENTIAL_SCRAM ||
        greet_client_key(session->greet, proven.scram.client_key)) {
        proven.scram.has_client_key |= proven.kind == CREDENTIAL_SCRAM;
        pool_learn(pool, &proven);
    }
    credential_wipe(&proven);
}

static bool check_limits(const struct session *session, struct error *err)
{
    const struct config *config = session->hall->backend.config;
    long count = atomic_load(session->hall->client_count);

    if (config->settings.max_client_conn > 0 && count > config->settings.max_client_conn) {
        return error_set(err, "53300", "sorry, too many clients already") ||
               error_hint(err, "max_client_conn is %d", (int)config->settings.max_client_conn);
    }
    if (holds_is_disabled(&session->hall->backend.holds, session->database)) {
        return error_set(err, "55000", "database \"%s\" is not currently accepting connections",
                         session->database);
    }
    if (session->hall->is_draining) {
        return error_set(err, "57P03", "the router is shutting down");
    }
    return true;
}

/* An operator comes in whatever the limits, and keeps nobody else out. */
static bool open_console(struct session *session, struct error *err)
{
    if (!session->hall->console_open(session, err)) {
        return false;
    }
    session->hall->console_count++;
    atomic_fetch_sub(session->hall->client_count, 1);
    return true;
}

static bool admit(struct session *session, struct error *err)
{
    const struct startup *startup = greet_startup(session->greet);

    session->database = strdup(startup->database);
    session->user = strdup(startup->user);
    if (session->database == NULL || session->user == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    if (!take_slot(session)) {
        return error_set(err, "53300", "no room for another cancel key");
    }
    session->cancel_key_size = greet_version(session->greet) >= STARTUP_VERSION_3_2
                                   ? sizeof session->cancel_key
                                   : KEY_SIZE_3_0;
    if (session_is_console(session->database)) {
        return open_console(session, err);
    }
    if (!check_limits(session, err)) {
        return false;
    }
    bool is_replication = wants_replication(startup);
    if (is_replication && !session->hall->backend.config->settings.replication_connections) {
        return error_set(err, "0A000", "replication connections are not passed through") ||
               error_hint(err, "set replication_connections: on, or connect to the server itself");
    }
    if (!find_pool(session, is_replication, err)) {
        return false;
    }
    teach_pool(session);
    return startup_settings_read(session, startup, err) &&
           (!is_replication ||
            variables_put(session->hall->backend.variables, &session->startup, "replication",
                          startup->replication) ||
            error_set(err, "53200", "out of memory"));
}

static void step_greeting(struct session *session)
{
    struct error error = {0};

    switch (greet_step(session->greet, &error)) {
    case GREET_MORE: stream_flush(&session->stream); return;
    case GREET_NEEDS_CREDENTIAL:
        session->state = SESSION_LOOKUP;
        session->hall->look_up(session);
        return;
    case GREET_ACCEPTED:
        if (!admit(session, &error)) {
            session_fail(session, &error);
            return;
        }
        if (session->pool != NULL) {
            begin_welcome(session);
        } else if (write_welcome(session)) {
            let_in(session);
            session->state = SESSION_CONSOLE;
            session_pump(session);
        }
        return;
    case GREET_CANCEL: {
        const struct startup *startup = greet_startup(session->greet);
        session->hall->cancel(session->hall, startup->cancel_pid, startup->cancel_key,
                              startup->cancel_key_size);
        session_close(session, "it was a cancel request");
        return;
    }
    case GREET_CLOSED:
        session_log_failed_login(session, &error);
        if (strcmp(error.sqlstate, "28P01") == 0) {
            session->hall->distrust(session);
        }
        session_close(session, error.message);
        return;
    }
}

void session_credential(struct session *session, const struct credential *credential,
                        const struct error *error)
{
    if (is_dead(session) || session->state != SESSION_LOOKUP) {
        return;
    }
    session->state = SESSION_GREETING;
    if (error != NULL) {
        greet_refuse(session->greet, error);
    } else {
        greet_credential(session->greet, credential);
    }
    step_greeting(session);
}

/* ---- its requests ---- */

static bool is_taking(const struct session *session)
{
    return !is_dead(session) &&
           (session->state == SESSION_IDLE || session->state == SESSION_LINKED ||
            session->state == SESSION_CONSOLE);
}

static size_t feed(struct session *session, const char *bytes, size_t size)
{
    if (session->state == SESSION_CONSOLE) {
        return session->hall->console_feed(session, bytes, size);
    }
    return request_feed(session, bytes, size);
}

/* Whether more for the server would have to be kept here.  Then its stream will tell when it is
 * not. */
static bool is_server_full(const struct session *session)
{
    size_t limit = (size_t)session->hall->backend.config->settings.buffer_limit;

    if (session->server == NULL || stream_pending(&session->server->stream) <= limit) {
        return false;
    }
    stream_flush(&session->server->stream);
    return stream_pending(&session->server->stream) > limit;
}

/* One read, behind what is kept.  False: there was nothing, or it's the end. */
static bool read_behind(struct session *session)
{
    char *room = buffer_reserve(&session->in, READ_MORE_SIZE);
    ssize_t count = room == NULL ? -1 : stream_read(&session->stream, room, READ_MORE_SIZE);

    if (count < 0) {
        session_close(session, stream_error(&session->stream));
        return false;
    }
    buffer_commit(&session->in, (size_t)count);
    if (count > 0 && session->pool != NULL) {
        session->pool->stats.bytes_received += (uint64_t)count;
    }
    return count > 0;
}

/* What is kept first.  False: nothing more can be done now. */
static bool take_kept(struct session *session)
{
    size_t size = buffer_size(&session->in);
    size_t used = feed(session, buffer_bytes(&session->in), size);

    if (is_dead(session)) {
        return false;
    }
    if (used > 0) {
        buffer_consume(&session->in, used);
    }
    if (!is_taking(session) || session->is_blocked) {
        return false;
    }
    return buffer_size(&session->in) == 0 || used > 0 || read_behind(session);
}

static bool take_new(struct session *session)
{
    char *scratch = session->hall->backend.client_scratch;
    ssize_t count = stream_read(&session->stream, scratch, BACKEND_READ_SIZE);

    if (count < 0) {
        session_close(session, stream_error(&session->stream));
        return false;
    }
    if (count == 0) {
        return false;
    }
    if (session->pool != NULL) {
        session->pool->stats.bytes_received += (uint64_t)count;
    }
    size_t used = feed(session, scratch, (size_t)count);
    if (is_dead(session)) {
        return false;
    }
    if (used < (size_t)count &&
        !buffer_append(&session->in, scratch + used, (size_t)count - used)) {
        session_close(session, "out of memory");
        return false;
    }
    return is_taking(session) && !session->is_blocked && session->stream.may_read;
}

void session_pump(struct session *session)
{
    if (is_dead(session)) {
        return;
    }
    if (session->state == SESSION_WELCOMING && session->server != NULL) {
        welcome(session);
        return;
    }
    session->asked_at = loop_now(session->hall->backend.loop);
    while (is_taking(session) && !is_server_full(session)) {
        bool goes_on = buffer_size(&session->in) > 0 ? take_kept(session) : take_new(session);
        if (!goes_on) {
            break;
        }
    }
    if (is_dead(session)) {
        return;
    }
    if (session->server != NULL && session->state == SESSION_LINKED) {
        stream_flush(&session->server->stream);
        if (link_is_over(session)) { /* refused after it was linked: nothing was sent */
            link_end(session);
        }
    }
    if (stream_pending(&session->stream) > 0) {
        stream_flush(&session->stream);
    }
}

void session_go_on(struct session *session)
{
    if (!is_dead(session) && (buffer_size(&session->in) > 0 || session->stream.may_read)) {
        session_pump(session);
    }
}

static void on_client_event(void *owner)
{
    struct session *session = owner;

    if (session->stream.state == STREAM_FAILED) {
        session_close(session, stream_error(&session->stream));
        return;
    }
    switch (session->state) {
    case SESSION_GREETING: step_greeting(session); return;
    case SESSION_LOOKUP:
    case SESSION_WELCOMING:
    case SESSION_WAITING:
    case SESSION_APPLYING:
    case SESSION_CONSOLE_BUSY:
        if (session->stream.is_hung_up) { /* nobody would take the answer */
            session_close(session, "the client went away while it waited");
        }
        return;
    case SESSION_IDLE:
    case SESSION_CONSOLE: session_pump(session); return;
    case SESSION_LINKED:
        if (session->is_paused &&
            stream_pending(&session->stream) == 0) { /* it reads again: so do we */
            answer_on_event(session);
        }
        if (!is_dead(session)) {
            session_pump(session);
        }
        return;
    }
}

void session_open(struct hall *hall, int fd, const struct sockaddr *address, socklen_t size)
{
    struct session *session = calloc(1, sizeof *session);
    struct error error = {0};
    struct greet_plan plan = {
        .config = hall->backend.config, .hba = hall->hba, .tls = hall->tls, .seed = hall->seed};

    if (session == NULL ||
        !stream_open(&session->stream, hall->backend.loop, fd, on_client_event, session, &error)) {
        atomic_fetch_sub_explicit(&hall->session_count, 1, memory_order_relaxed);
        close(fd);
        free(session);
        return;
    }
    session->hall = hall;
    session->id = ++hall->next_id;
    session->began_at = session->asked_at = loop_now(hall->backend.loop);
    buffer_init(&session->in, loop_buffers(hall->backend.loop));
    const uint64_t seed[2] = {session->id, (uint64_t)session->began_at};
    hashmap_init(&session->statements, seed);
    list_push_last(&hall->greeting, &session->link);
    atomic_fetch_add(hall->client_count, 1);
    if (address != NULL && address->sa_family != AF_UNIX && size <= sizeof session->address) {
        memcpy(&session->address, address, size);
        session->address_size = size;
        plan.address = (const struct sockaddr *)&session->address;
    }
    session->greet = greet_create(&session->stream, &plan);
    if (session->greet == NULL) {
        session_close(session, "out of memory");
    }
}

/* ---- from outside ---- */

void session_cancel(struct session *session, const unsigned char *key, size_t key_size)
{
    unsigned difference = 0;

    if (key_size != session->cancel_key_size) {
        return;
    }
    for (size_t i = 0; i < key_size; i++) {
        difference |= (unsigned)(key[i] ^ session->cancel_key[i]);
    }
    if (difference != 0) {
        return;
    }
    if (session->console != NULL) {
        session->hall->console_cancel(session);
        return;
    }
    if (session->state == SESSION_WAITING) {
        struct error error = {0};
        error_set(&error, "57014", "canceling statement due to user request");
        pool_stop_waiting(session->pool, &session->waiter);
        session->state = SESSION_IDLE;
        session->is_lost = true;
        session->lost = error;
        session_pump(session);
        return;
    }
    if (session->server != NULL && session->server->expected.count > 0) {
        session->pool->stats.cancels++;
        session->hall->backend.cancel(session->server);
    }
}

/* ---- times ---- */

static void end_at(struct session *session, const char *sqlstate, const char *setting)
{
    struct error error = {0};
    error_set(&error, sqlstate, "terminating connection due to %s", setting);
    session_fail(session, &error);
}

/* Which of the limits on a linked session is passed; NULL: none. */
static const char *passed_limit(const struct session *session, int64_t now, const char **sqlstate)
{
    const struct settings *settings = &session->hall->backend.config->settings;
    const struct server *server = session->server;
    int64_t asked = now - session->asked_at;

    if (server->expected.count == 0 && (server->status != 'I' || server->is_unsynced) &&
        settings->idle_transaction_timeout > 0 && asked > settings->idle_transaction_timeout) {
        *sqlstate = "25P03";
        return "idle_transaction_timeout";
    }
    if (server->expected.count > 0 && settings->query_timeout > 0 &&
        asked > settings->query_timeout) {
        *sqlstate = "57014";
        return "query_timeout";
    }
    if (server->status != 'I' && settings->transaction_timeout > 0 &&
        now - session->linked_at > settings->transaction_timeout) {
        *sqlstate = "25P04";
        return "transaction_timeout";
    }
    return NULL;
}

/* The linked ones are found by their servers: there are few of those, and maybe many clients. */
static void check_linked(struct pool *pool, int64_t now)
{
    struct list *used = &pool->lists[SERVER_USED];
    struct list_link *link = list_first(used);

    while (link != NULL) {
        struct session *session = LIST_MEMBER(link, struct server, link)->user;
        link = list_next(used, link);
        const char *sqlstate = NULL;
        const char *setting = session == NULL || session->state != SESSION_LINKED
                                  ? NULL
                                  : passed_limit(session, now, &sqlstate);
        if (setting != NULL) {
            end_at(session, sqlstate, setting);
            return; /* the list may be another one now; the rest waits for the next time */
        }
    }
}

static void check_greeting(struct hall *hall, int64_t now)
{
    int64_t limit = hall->backend.config->settings.client_login_timeout;

    while (limit > 0 && !list_is_empty(&hall->greeting)) {
        struct session *oldest = LIST_MEMBER(list_first(&hall->greeting), struct session, link);
        if (now - oldest->began_at <= limit) {
            return;
        }
        end_at(oldest, "57P05", "client_login_timeout");
    }
}

static bool is_unwanted(const struct session *session, int64_t now)
{
    int64_t limit = session->hall->backend.config->settings.client_idle_timeout;

    return session->state == SESSION_IDLE && buffer_size(&session->in) == 0 &&
           (session->hall->is_draining || (limit > 0 && now - session->asked_at > limit));
}

/* Idle sessions: many, so not often, and not at all while nothing would come of it. */
static void check_idle(struct hall *hall, int64_t now)
{
    struct list_link *link = list_first(&hall->sessions);

    if (!hall->is_draining && (hall->backend.config->settings.client_idle_timeout == 0 ||
                               now - hall->looked_at < CLOCK_SECOND)) {
        return;
    }
    hall->looked_at = now;
    while (link != NULL) {
        struct session *session = LIST_MEMBER(link, struct session, link);
        link = list_next(&hall->sessions, link);
        if (is_unwanted(session, now)) { /* it has no server: no other session ends with it */
            end_at(session, hall->is_draining ? "57P01" : "57P05",
                   hall->is_draining ? "the router's shutdown" : "client_idle_timeout");
        }
    }
}

void hall_maintain(struct hall *hall, int64_t now)
{
    check_greeting(hall, now);
    check_idle(hall, now);
    for (struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        struct pool *pool = LIST_MEMBER(link, struct pool, link);
        check_linked(pool, now);
        pool_maintain(pool, now);
    }
}
