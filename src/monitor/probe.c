#include "monitor/probe.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cluster/lsn.h"

enum probe_input {
    IN_DUE,       /* the state's deadline has passed */
    IN_PROGRESS,  /* something moved, nothing is complete */
    IN_CONNECTED, /* login is over */
    IN_ANSWER,    /* the whole answer is there, and it is well-formed */
    IN_FAILED,    /* the connection broke, or the server refused; `err` is set */
    PROBE_INPUT_COUNT,
};

struct probe {
    int state;
    char *dsn; /* owned */
    struct probe_limits limits;
    PGconn *connection;                /* owned; NULL while waiting */
    PostgresPollingStatusType polling; /* while connecting: what libpq waits for */
    int64_t now;                       /* of the step that runs */
    int64_t deadline, backoff, started, asked;
    int64_t phase;                     /* questions fall on phase + a multiple of the interval */
    bool needs_flush;                  /* libpq holds bytes that the socket did not take */
    struct node_facts facts, incoming; /* what was said last; what is being read */
    struct error err;                  /* why it was left last */
    enum node_contact lost_as;         /* what `err` means */
};

const struct probe_limits probe_limits_default = {
    .interval = 100 * CLOCK_MS,
    .connect_limit = 2 * CLOCK_SECOND,
    .answer_limit = CLOCK_SECOND,
    .backoff_min = 100 * CLOCK_MS,
    .backoff_max = 2 * CLOCK_SECOND,
};

/* Our ten questions a second don't belong in the log that pgBadger reads; only a superuser may
 * say so, for others the report leaves out this application's name. */
static const char settle_sql[] =
    "SELECT set_config('statement_timeout', '5s', false), set_config('search_path', '', false), "
    "(SELECT set_config('log_min_duration_statement', '-1', false) FROM pg_catalog.pg_roles "
    "WHERE rolname = current_user AND rolsuper)";

/* pg_control_checkpoint() would tell the timeline from before a promotion; the name of the WAL file
 * that is written now does not.  A replica's own timeline is that of its WAL receiver. */
static const char ask_sql[] =
    "SELECT pg_is_in_recovery(), "
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
    "ELSE pg_current_wal_flush_lsn() END, "
    "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() END, "
    "CASE WHEN pg_is_in_recovery() THEN coalesce("
    "(SELECT received_tli FROM pg_stat_wal_receiver WHERE status = 'streaming'), "
    "(SELECT min_recovery_end_timeline FROM pg_control_recovery())) "
    "ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END, "
    "(SELECT system_identifier FROM pg_control_system())";

/* Server and libpq messages end in a line break, and may be several lines. */
static bool fail(struct probe *probe, const char sqlstate[6], const char *message)
{
    size_t length = strcspn(message, "\n");
    const char *fatal = memmem(message, length, "FATAL:", 6);
    const char *start = fatal != NULL ? fatal : message;

    probe->err = (struct error){0};
    probe->lost_as = NODE_DOWN;
    return error_set(&probe->err, sqlstate, "%.*s", (int)(length - (size_t)(start - message)),
                     start);
}

/* Sends one query; true when libpq took it. */
static bool send_query(struct probe *probe, const char *sql)
{
    if (PQsendQueryParams(probe->connection, sql, 0, NULL, NULL, NULL, NULL, 0) != 1) {
        return fail(probe, "08006", PQerrorMessage(probe->connection));
    }
    int left = PQflush(probe->connection);
    probe->needs_flush = left > 0;
    return left >= 0 || fail(probe, "08006", PQerrorMessage(probe->connection));
}

static int leave(struct probe *probe)
{
    PQfinish(probe->connection);
    probe->connection = NULL;
    probe->needs_flush = false;
    probe->deadline = probe->now + probe->backoff;
    probe->backoff *= 2;
    if (probe->backoff > probe->limits.backoff_max) {
        probe->backoff = probe->limits.backoff_max;
    }
    return PROBE_WAITING;
}

static int start_connecting(void *self, const void *)
{
    struct probe *probe = self;
    /* A later keyword wins, and dbname expands to the whole DSN. */
    static const char *const keywords[] = {"fallback_application_name", "gssencmode", "dbname",
                                           NULL};
    const char *const values[] = {"reparto/monitor", "disable", probe->dsn, NULL};

    probe->connection = PQconnectStartParams(keywords, values, 1);
    if (probe->connection == NULL) {
        fail(probe, "53200", "out of memory");
        return leave(probe);
    }
    if (PQstatus(probe->connection) == CONNECTION_BAD) {
        fail(probe, "08001", PQerrorMessage(probe->connection));
        return leave(probe);
    }
    PQsetnonblocking(probe->connection, 1);
    probe->polling = PGRES_POLLING_WRITING;
    probe->deadline = probe->now + probe->limits.connect_limit;
    return PROBE_CONNECTING;
}

static int stay_connecting(void *, const void *)
{
    return PROBE_CONNECTING;
}

static int start_settling(void *self, const void *)
{
    struct probe *probe = self;
    return send_query(probe, settle_sql) ? PROBE_SETTLING : leave(probe);
}

static int stay_settling(void *, const void *)
{
    return PROBE_SETTLING;
}

static int start_asking(void *self, const void *)
{
    struct probe *probe = self;

    /* Before the bytes leave: what was acknowledged by now is below the answer. */
    probe->asked = probe->now;
    if (!send_query(probe, ask_sql)) {
        return leave(probe);
    }
    probe->deadline = probe->now + probe->limits.answer_limit;
    return PROBE_ASKED;
}

static int stay_asked(void *, const void *)
{
    return PROBE_ASKED;
}

static int take_answer(void *self, const void *)
{
    struct probe *probe = self;

    probe->facts = probe->incoming;
    probe->facts.sent = probe->asked;
    probe->facts.received = probe->now;
    probe->err = (struct error){0};
    probe->backoff = probe->limits.backoff_min;
    /* Late questions are not made up for. */
    int64_t into = (probe->now - probe->phase) % probe->limits.interval;
    probe->deadline = probe->now - into + (into >= 0 ? probe->limits.interval : 0);
    return PROBE_IDLE;
}

static int on_connect_limit(void *self, const void *)
{
    struct probe *probe = self;
    fail(probe, "08001", "no connection within the time limit: stopped, frozen, or cut off");
    probe->lost_as = NODE_SILENT;
    return leave(probe);
}

static int on_answer_limit(void *self, const void *)
{
    struct probe *probe = self;
    fail(probe, "08006", "no answer within the time limit: stopped, frozen, or cut off");
    probe->lost_as = NODE_SILENT;
    return leave(probe);
}

static int on_failed(void *self, const void *)
{
    return leave(self);
}

/* Bytes nobody asked for, such as a notice; libpq keeps them. */
static int stay_idle(void *, const void *)
{
    return PROBE_IDLE;
}

static const struct machine_rule rules[PROBE_STATE_COUNT][PROBE_INPUT_COUNT] = {
    [PROBE_WAITING][IN_DUE] = {start_connecting, TO(PROBE_CONNECTING) | TO(PROBE_WAITING)},

    [PROBE_CONNECTING][IN_PROGRESS] = {stay_connecting, TO(PROBE_CONNECTING)},
    [PROBE_CONNECTING][IN_CONNECTED] = {start_settling, TO(PROBE_SETTLING) | TO(PROBE_WAITING)},
    [PROBE_CONNECTING][IN_FAILED] = {on_failed, TO(PROBE_WAITING)},
    [PROBE_CONNECTING][IN_DUE] = {on_connect_limit, TO(PROBE_WAITING)},

    [PROBE_SETTLING][IN_PROGRESS] = {stay_settling, TO(PROBE_SETTLING)},
    [PROBE_SETTLING][IN_ANSWER] = {start_asking, TO(PROBE_ASKED) | TO(PROBE_WAITING)},
    [PROBE_SETTLING][IN_FAILED] = {on_failed, TO(PROBE_WAITING)},
    [PROBE_SETTLING][IN_DUE] = {on_connect_limit, TO(PROBE_WAITING)},

    [PROBE_IDLE][IN_DUE] = {start_asking, TO(PROBE_ASKED) | TO(PROBE_WAITING)},
    [PROBE_IDLE][IN_PROGRESS] = {stay_idle, TO(PROBE_IDLE)},
    [PROBE_IDLE][IN_FAILED] = {on_failed, TO(PROBE_WAITING)},

    [PROBE_ASKED][IN_PROGRESS] = {stay_asked, TO(PROBE_ASKED)},
    [PROBE_ASKED][IN_ANSWER] = {take_answer, TO(PROBE_IDLE)},
    [PROBE_ASKED][IN_FAILED] = {on_failed, TO(PROBE_WAITING)},
    [PROBE_ASKED][IN_DUE] = {on_answer_limit, TO(PROBE_WAITING)},
};

static int on_unexpected(void *self, const void *)
{
    struct probe *probe = self;
    fail(probe, "08P01", "the server answered what was not asked");
    return leave(probe);
}

static const char *const state_names[PROBE_STATE_COUNT] = {[PROBE_WAITING] = "waiting",
                                                           [PROBE_CONNECTING] = "connecting",
                                                           [PROBE_SETTLING] = "settling",
                                                           [PROBE_IDLE] = "idle",
                                                           [PROBE_ASKED] = "asked"};
static const char *const input_names[PROBE_INPUT_COUNT] = {[IN_DUE] = "deadline passed",
                                                           [IN_PROGRESS] = "progress",
                                                           [IN_CONNECTED] = "connected",
                                                           [IN_ANSWER] = "answer",
                                                           [IN_FAILED] = "failed"};

const struct machine probe_machine = {
    .name = "probe",
    .state_count = PROBE_STATE_COUNT,
    .input_count = PROBE_INPUT_COUNT,
    .state_names = state_names,
    .input_names = input_names,
    .rules = rules[0],
    .on_unexpected = {on_unexpected, TO(PROBE_WAITING)},
};

static enum probe_input poll_connection(struct probe *probe)
{
    probe->polling = PQconnectPoll(probe->connection);
    if (probe->polling == PGRES_POLLING_FAILED) {
        fail(probe, "08001", PQerrorMessage(probe->connection));
        return IN_FAILED;
    }
    return probe->polling == PGRES_POLLING_OK ? IN_CONNECTED : IN_PROGRESS;
}

/* A whole number without sign in a result; 0 when it is NULL or none. */
static uint64_t read_number(const PGresult *result, int column)
{
    char *end;
    const char *text = PQgetvalue(result, 0, column);

    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    return errno != 0 || *end != '\0' || text[0] == '-' ? 0 : number;
}

static uint64_t read_lsn(const PGresult *result, int column)
{
    uint64_t lsn = 0;
    const char *text = PQgetvalue(result, 0, column);
    return lsn_parse(text, strlen(text), &lsn) ? lsn : 0;
}

static bool read_facts(struct probe *probe, const PGresult *result)
{
    if (PQntuples(result) != 1 || PQnfields(result) != 5) {
        return fail(probe, "08P01", "the answer has another shape than the question");
    }
    struct node_facts *facts = &probe->incoming;
    *facts = (struct node_facts){.contact = NODE_ANSWERING,
                                 .is_in_recovery = PQgetvalue(result, 0, 0)[0] == 't',
                                 .lsn = read_lsn(result, 1),
                                 .receive_lsn = read_lsn(result, 2),
                                 .timeline = (uint32_t)read_number(result, 3),
                                 .system_identifier = read_number(result, 4)};
    if (!facts->is_in_recovery && (facts->timeline == 0 || facts->lsn == 0)) {
        return fail(probe, "08P01", "a primary without WAL position or timeline");
    }
    /* Without a WAL receiver the control file tells it, and that one may lag. */
    if (facts->system_identifier == probe->facts.system_identifier &&
        facts->timeline < probe->facts.timeline && facts->is_in_recovery) {
        facts->timeline = probe->facts.timeline;
    }
    return true;
}

/* Takes over one result; an error of the server is told in its words. */
static bool read_result(struct probe *probe, const PGresult *result)
{
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        return fail(probe, state != NULL && strlen(state) == 5 ? state : "08006",
                    message != NULL ? message : PQerrorMessage(probe->connection));
    }
    return probe->state != PROBE_ASKED || read_facts(probe, result);
}

static enum probe_input poll_answer(struct probe *probe)
{
    int left = probe->needs_flush ? PQflush(probe->connection) : 0;

    probe->needs_flush = left > 0;
    if (left < 0 || PQconsumeInput(probe->connection) != 1) {
        fail(probe, "08006", PQerrorMessage(probe->connection));
        return IN_FAILED;
    }
    if (probe->state == PROBE_IDLE) {
        return PQstatus(probe->connection) == CONNECTION_OK ? IN_PROGRESS : IN_FAILED;
    }
    bool is_good = true;
    while (PQisBusy(probe->connection) == 0) {
        PGresult *result = PQgetResult(probe->connection);
        if (result == NULL) {
            return IN_ANSWER;
        }
        is_good = read_result(probe, result);
        PQclear(result);
        if (!is_good) {
            return IN_FAILED;
        }
    }
    return IN_PROGRESS;
}

static enum probe_input next_input(struct probe *probe, bool is_ready)
{
    if (is_ready && probe->state == PROBE_CONNECTING) {
        enum probe_input input = poll_connection(probe);
        return input == IN_PROGRESS && probe->now >= probe->deadline ? IN_DUE : input;
    }
    if (is_ready && probe->state != PROBE_WAITING) {
        enum probe_input input = poll_answer(probe);
        return input == IN_PROGRESS && probe->now >= probe->deadline ? IN_DUE : input;
    }
    return IN_DUE;
}

bool probe_step(struct probe *probe, bool is_ready, int64_t now)
{
    bool was_asked = probe->state == PROBE_ASKED;

    probe->now = now;
    if (now < probe->deadline && (!is_ready || probe->state == PROBE_WAITING)) {
        return false;
    }
    /* An answer that is there at the deadline counts, whether poll() was asked or not. */
    enum probe_input input = next_input(probe, is_ready || was_asked);
    probe->state = machine_step(&probe_machine, probe->state, (int)input, probe, NULL);
    return was_asked && input == IN_ANSWER;
}

struct probe *probe_create(const char *dsn, const struct probe_limits *limits, int64_t start,
                           struct error *err)
{
    char *reason = NULL;
    PQconninfoOption *options = PQconninfoParse(dsn, &reason);

    if (options == NULL) {
        error_set(err, "22023", "malformed DSN: %.*s",
                  reason != NULL ? (int)strcspn(reason, "\n") : 13,
                  reason != NULL ? reason : "out of memory");
        PQfreemem(reason);
        return NULL;
    }
    PQconninfoFree(options);
    struct probe *probe = calloc(1, sizeof *probe);
    char *copy = strdup(dsn);
    if (probe == NULL || copy == NULL) {
        free(probe);
        free(copy);
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    probe->dsn = copy;
    probe->limits = *limits;
    probe->backoff = limits->backoff_min;
    probe->deadline = probe->started = probe->phase = start;
    return probe;
}

void probe_destroy(struct probe *probe)
{
    if (probe != NULL) {
        PQfinish(probe->connection);
        explicit_bzero(probe->dsn, strlen(probe->dsn)); /* it may hold a password */
        free(probe->dsn);
        free(probe);
    }
}

void probe_set_phase(struct probe *probe, int64_t phase)
{
    probe->phase = phase;
}

int probe_fd(const struct probe *probe)
{
    return probe->connection != NULL ? PQsocket(probe->connection) : -1;
}

short probe_events(const struct probe *probe)
{
    switch ((enum probe_state)probe->state) {
    case PROBE_WAITING: return 0;
    case PROBE_CONNECTING: return probe->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    case PROBE_SETTLING:
    case PROBE_IDLE:
    case PROBE_ASKED: return probe->needs_flush ? POLLIN | POLLOUT : POLLIN;
    case PROBE_STATE_COUNT: break;
    }
    return 0;
}

int64_t probe_deadline(const struct probe *probe)
{
    return probe->deadline;
}

enum probe_state probe_state(const struct probe *probe)
{
    return (enum probe_state)probe->state;
}

const struct error *probe_error(const struct probe *probe)
{
    return error_is_set(&probe->err) ? &probe->err : NULL;
}

struct node_facts probe_facts(const struct probe *probe, int64_t now)
{
    struct node_facts facts = probe->facts;

    if (error_is_set(&probe->err)) {
        facts.contact = probe->lost_as;
    }
    if (facts.contact == NODE_ANSWERING && now - facts.received > probe->limits.answer_limit) {
        facts.contact = NODE_SILENT;
    }
    return facts;
}

int64_t probe_silent_since(const struct probe *probe, int64_t now)
{
    if (probe_facts(probe, now).contact == NODE_ANSWERING) {
        return 0;
    }
    return probe->facts.received != 0 ? probe->facts.received : probe->started;
}
