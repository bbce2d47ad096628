#include "admin/metrics.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "backend/backend.h"
#include "backend/pool.h"
#include "backend/server.h"
#include "base/clock.h"
#include "version.h"

enum metric_scope { OF_PROCESS, OF_WORKER, OF_POOL };
enum metric_type { GAUGE, COUNTER, HISTOGRAM };

struct metric {
    const char *name; /* without reparto_, and _total */
    enum metric_scope scope;
    enum metric_type type;
    double scale; /* what one of its numbers is in its unit */
    int64_t (*of_pool)(const struct pool *pool);
    int64_t (*of_worker)(const struct hall *hall);
    int64_t (*of_process)(const struct metrics_process *process);
    size_t stat; /* in struct pool: a uint64_t; 0: none */
    bool is_max; /* the largest of all workers, not their sum */
    const char *unit, *help;
};

/* ---- what is read ---- */

static int64_t pool_waiting(const struct pool *pool)
{
    return (int64_t)pool->waiters.count;
}

static int64_t pool_clients(const struct pool *pool)
{
    return pool->client_count;
}

static int64_t pool_pinned(const struct pool *pool)
{
    int64_t count = 0;
    for (struct list_link *link = list_first(&pool->lists[SERVER_USED]); link != NULL;
         link = list_next(&pool->lists[SERVER_USED], link)) {
        const struct session *session = LIST_MEMBER(link, struct server, link)->user;
        count += session != NULL && session->pins != 0;
    }
    return count;
}

static int64_t pool_active(const struct pool *pool)
{
    return (int64_t)pool->lists[SERVER_USED].count;
}

static int64_t pool_idle(const struct pool *pool)
{
    return (int64_t)pool->lists[SERVER_IDLE].count;
}

static int64_t pool_tested(const struct pool *pool)
{
    return (int64_t)pool->lists[SERVER_CLEANING].count;
}

static int64_t pool_logging_in(const struct pool *pool)
{
    return (int64_t)pool->lists[SERVER_LOGIN].count;
}

static int64_t pool_oldest(const struct pool *pool)
{
    struct list_link *link = list_first(&pool->waiters);
    return link == NULL ? 0
                        : (loop_now(pool->backend->loop) -
                           LIST_MEMBER(link, struct pool_waiter, link)->since) /
                              1000;
}

static int64_t pool_size(const struct pool *pool)
{
    return pool->size;
}

static int64_t pool_paused(const struct pool *pool)
{
    return pool->is_paused;
}

static int64_t pool_failing(const struct pool *pool)
{
    return error_is_set(&pool->last_error);
}

static int64_t worker_clients(const struct hall *hall)
{
    return (int64_t)hall->sessions.count;
}

static int64_t worker_pools(const struct hall *hall)
{
    return (int64_t)hall->backend.pools.count;
}

static int64_t worker_statements(const struct hall *hall)
{
    return (int64_t)statement_table_count(hall->backend.statements);
}

static int64_t worker_cpu(const struct hall *hall)
{
    struct timespec cpu = {0};
    (void)hall;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (int64_t)cpu.tv_sec * 1000000 + cpu.tv_nsec / 1000;
}

static int64_t process_clients(const struct metrics_process *process)
{
    return process->client_count;
}

static int64_t process_client_max(const struct metrics_process *process)
{
    return process->client_max;
}

static int64_t process_draining(const struct metrics_process *process)
{
    return process->is_draining;
}

static int64_t process_version(const struct metrics_process *process)
{
    return (int64_t)process->config_version;
}

static int64_t process_cpu(const struct metrics_process *process)
{
    struct timespec cpu = {0};
    (void)process;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (int64_t)cpu.tv_sec * 1000000 + cpu.tv_nsec / 1000;
}

/* ---- the table ---- */

#define STAT(field) .stat = offsetof(struct pool, stats.field)
#define MICRO 1e-6

/* clang-format off: one row a metric. */
static const struct metric metrics[] = {
    {"clients", OF_PROCESS, GAUGE, 1, .of_process = process_clients, .unit = "",
     .help = "Clients, without those of the admin console."},
    {"clients_max", OF_PROCESS, GAUGE, 1, .of_process = process_client_max, .unit = "",
     .help = "The setting max_client_conn."},
    {"draining", OF_PROCESS, GAUGE, 1, .of_process = process_draining, .unit = "",
     .help = "1 when no new clients come in, and the process ends with the last one."},
    {"config_version", OF_PROCESS, GAUGE, 1, .of_process = process_version, .unit = "",
     .help = "1 at the start, and one more for each reload and SET."},
    {"cpu_seconds", OF_PROCESS, COUNTER, MICRO, .of_process = process_cpu, .unit = "seconds",
     .help = "CPU that all threads have used."},

    {"worker_clients", OF_WORKER, GAUGE, 1, .of_worker = worker_clients, .unit = "",
     .help = "Clients of a worker, those that log in and the console's too."},
    {"worker_pools", OF_WORKER, GAUGE, 1, .of_worker = worker_pools, .unit = "",
     .help = "Pools of a worker."},
    {"worker_prepared_statements", OF_WORKER, GAUGE, 1, .of_worker = worker_statements, .unit = "",
     .help = "Different prepared statements that a worker knows."},
    {"worker_cpu_seconds", OF_WORKER, COUNTER, MICRO, .of_worker = worker_cpu, .unit = "seconds",
     .help = "CPU that the thread of a worker has used."},

    {"pool_clients", OF_POOL, GAUGE, 1, .of_pool = pool_clients, .unit = "",
     .help = "Clients of a pool, those that wait too."},
    {"pool_clients_waiting", OF_POOL, GAUGE, 1, .of_pool = pool_waiting, .unit = "",
     .help = "Clients that wait for a server connection."},
    {"pool_clients_pinned", OF_POOL, GAUGE, 1, .of_pool = pool_pinned, .unit = "",
     .help = "Clients that keep their server connection between transactions."},
    {"pool_servers_active", OF_POOL, GAUGE, 1, .of_pool = pool_active, .unit = "",
     .help = "Server connections that are linked to a client."},
    {"pool_servers_idle", OF_POOL, GAUGE, 1, .of_pool = pool_idle, .unit = "",
     .help = "Server connections that are free."},
    {"pool_servers_tested", OF_POOL, GAUGE, 1, .of_pool = pool_tested, .unit = "",
     .help = "Server connections that run a check, a reset or a rollback of ours."},
    {"pool_servers_login", OF_POOL, GAUGE, 1, .of_pool = pool_logging_in, .unit = "",
     .help = "Server connections that are logging in."},
    {"pool_size", OF_POOL, GAUGE, 1, .of_pool = pool_size, .is_max = true, .unit = "",
     .help = "Server connections that a pool may have in the whole process."},
    {"pool_paused", OF_POOL, GAUGE, 1, .of_pool = pool_paused, .is_max = true, .unit = "",
     .help = "1 after PAUSE or KILL, until RESUME."},
    {"pool_login_failing", OF_POOL, GAUGE, 1, .of_pool = pool_failing, .is_max = true, .unit = "",
     .help = "1 when the last login at the server failed."},
    {"pool_oldest_wait_seconds", OF_POOL, GAUGE, MICRO, .of_pool = pool_oldest, .is_max = true,
     .unit = "seconds", .help = "For how long the oldest waiting client has waited."},
    {"pool_transactions", OF_POOL, COUNTER, 1, STAT(transactions), .unit = "",
     .help = "Transactions."},
    {"pool_queries", OF_POOL, COUNTER, 1, STAT(queries), .unit = "",
     .help = "Statements, or batches up to a Sync."},
    {"pool_received_bytes", OF_POOL, COUNTER, 1, STAT(bytes_received), .unit = "bytes",
     .help = "Bytes from clients."},
    {"pool_sent_bytes", OF_POOL, COUNTER, 1, STAT(bytes_sent), .unit = "bytes",
     .help = "Bytes to clients."},
    {"pool_transaction_seconds", OF_POOL, COUNTER, MICRO, STAT(transaction_us), .unit = "seconds",
     .help = "Time for which clients held a server connection in transactions."},
    {"pool_waits", OF_POOL, COUNTER, 1, STAT(waits), .unit = "",
     .help = "How often a client had to wait for a server connection."},
    {"pool_logins", OF_POOL, COUNTER, 1, STAT(logins), .unit = "",
     .help = "Server connections that logged in."},
    {"pool_login_failures", OF_POOL, COUNTER, 1, STAT(login_failures), .unit = "",
     .help = "Server connections that could not."},
    {"pool_errors", OF_POOL, COUNTER, 1, STAT(errors), .unit = "",
     .help = "Errors that servers sent, and our own about lost connections."},
    {"pool_cancels", OF_POOL, COUNTER, 1, STAT(cancels), .unit = "",
     .help = "Cancel requests that were passed on."},
    {"pool_parses", OF_POOL, COUNTER, 1, STAT(parses), .unit = "",
     .help = "Parse messages of clients."},
    {"pool_binds", OF_POOL, COUNTER, 1, STAT(binds), .unit = "",
     .help = "Bind messages of clients."},
    {"pool_server_parses", OF_POOL, COUNTER, 1, STAT(server_binds), .unit = "",
     .help = "Binds for which the server connection had to be given the statement first."},
    {"pool_wait_seconds", OF_POOL, HISTOGRAM, MICRO, .stat = offsetof(struct pool, wait_histogram),
     .unit = "seconds",
     .help = "How long clients that had to wait for a server connection have waited."},
    {"pool_query_seconds", OF_POOL, HISTOGRAM, MICRO,
     .stat = offsetof(struct pool, query_histogram), .unit = "seconds",
     .help = "From the last of what a client sent to the end of its answer."},
};
/* clang-format on */

enum { METRIC_COUNT = sizeof metrics / sizeof metrics[0] };

/* Upper limits of the buckets, in µs, and as `le` says them. */
static const struct {
    int64_t limit;
    const char *text;
} buckets[] = {
    {100, "0.0001"}, {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},    {2500, "0.0025"},
    {5000, "0.005"}, {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},    {100000, "0.1"},
    {500000, "0.5"}, {1000000, "1.0"}, {5000000, "5.0"}, {10000000, "10.0"}, {60000000, "60.0"},
};

enum { BUCKET_COUNT = sizeof buckets / sizeof buckets[0] };

/* ---- collecting ---- */

/* The kind of row, its two labels, then maxima and sums: which are which is known by their place.
 */
enum { COLUMN_KIND, COLUMN_LABEL, COLUMN_USER, COLUMN_MAXIMA };
enum { MAXIMA = 4 };

#define SUM_COLUMN                                                                                 \
    {                                                                                              \
        "sum", COLUMN_INT8, MERGE_SUM, ""                                                          \
    }

const struct column metrics_columns[METRICS_COLUMN_COUNT] = {
    [COLUMN_KIND] = {"kind", COLUMN_TEXT, MERGE_KEY, ""},
    [COLUMN_LABEL] = {"label", COLUMN_TEXT, MERGE_KEY, ""},
    [COLUMN_USER] = {"user", COLUMN_TEXT, MERGE_KEY, ""},
    [COLUMN_MAXIMA... COLUMN_MAXIMA + MAXIMA - 1] = {"max", COLUMN_INT8, MERGE_MAX, ""},
    [COLUMN_MAXIMA + MAXIMA... METRICS_COLUMN_COUNT - 1] = SUM_COLUMN,
};

/* How many columns it takes. */
static size_t width_of(const struct metric *metric)
{
    return metric->type == HISTOGRAM ? BUCKET_COUNT + 2 : 1; /* and the count, and the sum */
}

/* Where its numbers are in a row of its scope. */
static size_t column_of(const struct metric *metric)
{
    size_t maximum = COLUMN_MAXIMA, sum = COLUMN_MAXIMA + MAXIMA;

    for (const struct metric *other = metrics; other != metric; other++) {
        if (other->scope == metric->scope) {
            *(other->is_max ? &maximum : &sum) += width_of(other);
        }
    }
    assert(maximum <= COLUMN_MAXIMA + MAXIMA);
    size_t column = metric->is_max ? maximum : sum;
    assert(column + width_of(metric) <= METRICS_COLUMN_COUNT);
    return column;
}

static void read_histogram(const struct histogram *histogram, int64_t *numbers)
{
    int64_t limits[BUCKET_COUNT];
    uint64_t counts[BUCKET_COUNT];

    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        limits[i] = buckets[i].limit;
    }
    histogram_counts_at_most(histogram, limits, BUCKET_COUNT, counts);
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        numbers[i] = (int64_t)counts[i];
    }
    numbers[BUCKET_COUNT] = (int64_t)histogram->total;
    numbers[BUCKET_COUNT + 1] = llround(histogram->sum);
}

static void read_pool(const struct metric *metric, const struct pool *pool, int64_t *numbers)
{
    const char *bytes = (const char *)pool;

    if (metric->type == HISTOGRAM) {
        read_histogram((const struct histogram *)(const void *)(bytes + metric->stat), numbers);
    } else if (metric->of_pool != NULL) {
        *numbers = metric->of_pool(pool);
    } else {
        uint64_t number = 0;
        memcpy(&number, bytes + metric->stat, sizeof number);
        *numbers = (int64_t)number;
    }
}

static void put_row(struct rows *rows, const char *kind, const char *label, const char *user,
                    const int64_t numbers[METRICS_COLUMN_COUNT])
{
    rows_text(rows, kind);
    rows_text(rows, label);
    rows_text(rows, user);
    for (size_t i = COLUMN_MAXIMA; i < METRICS_COLUMN_COUNT; i++) {
        rows_number(rows, numbers[i]);
    }
}

static void put_pool(struct rows *rows, const struct pool *pool)
{
    int64_t numbers[METRICS_COLUMN_COUNT] = {0};

    for (size_t i = 0; i < METRIC_COUNT; i++) {
        if (metrics[i].scope == OF_POOL) {
            read_pool(&metrics[i], pool, &numbers[column_of(&metrics[i])]);
        }
    }
    put_row(rows, "pool", pool->database, pool->user, numbers);
}

void metrics_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    int64_t numbers[METRICS_COLUMN_COUNT] = {0};
    char label[16];
    (void)argument;

    for (size_t i = 0; i < METRIC_COUNT; i++) {
        if (metrics[i].scope == OF_WORKER) {
            numbers[column_of(&metrics[i])] = metrics[i].of_worker(hall);
        }
    }
    snprintf(label, sizeof label, "%u", hall->backend.worker);
    put_row(rows, "worker", label, "", numbers);
    for (struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        put_pool(rows, LIST_MEMBER(link, struct pool, link));
    }
}

/* ---- writing ---- */

static void put_label(struct text *out, const char *name, const char *value, bool is_first)
{
    text_appendf(out, "%s%s=\"", is_first ? "" : ",", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            text_append(out, "\\n");
        } else {
            text_append(out, *value == '"' || *value == '\\' ? "\\" : "");
            text_append_bytes(out, value, 1);
        }
    }
    text_append(out, "\"");
}

struct labels {
    enum metric_scope scope;
    const char *label, *user;
};

static void put_sample(struct text *out, const struct metric *metric, const char *suffix,
                       const struct labels *labels, const char *limit, double value)
{
    bool has_labels = labels->scope != OF_PROCESS || limit != NULL;

    text_appendf(out, "reparto_%s%s%s", metric->name, suffix, has_labels ? "{" : "");
    if (labels->scope == OF_POOL) {
        put_label(out, "database", labels->label, true);
        put_label(out, "user", labels->user, false);
    } else if (labels->scope == OF_WORKER) {
        put_label(out, "worker", labels->label, true);
    }
    if (limit != NULL) {
        put_label(out, "le", limit, false);
    }
    text_appendf(out, "%s %.15g\n", has_labels ? "}" : "", value);
}

static void put_numbers(struct text *out, const struct metric *metric, const struct labels *labels,
                        const struct cell *cells)
{
    if (metric->type != HISTOGRAM) {
        put_sample(out, metric, metric->type == COUNTER ? "_total" : "", labels, NULL,
                   (double)cells[0].number * metric->scale);
        return;
    }
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        put_sample(out, metric, "_bucket", labels, buckets[i].text, (double)cells[i].number);
    }
    put_sample(out, metric, "_bucket", labels, "+Inf", (double)cells[BUCKET_COUNT].number);
    put_sample(out, metric, "_sum", labels, NULL,
               (double)cells[BUCKET_COUNT + 1].number * metric->scale);
    put_sample(out, metric, "_count", labels, NULL, (double)cells[BUCKET_COUNT].number);
}

/* OpenMetrics names the family of a counter without its _total. */
static void put_head(struct text *out, const struct metric *metric, bool is_openmetrics)
{
    static const char *const types[] = {
        [GAUGE] = "gauge", [COUNTER] = "counter", [HISTOGRAM] = "histogram"};
    const char *suffix = metric->type == COUNTER && !is_openmetrics ? "_total" : "";

    text_appendf(out, "# HELP reparto_%s%s %s\n# TYPE reparto_%s%s %s\n", metric->name, suffix,
                 metric->help, metric->name, suffix, types[metric->type]);
    if (is_openmetrics && metric->unit[0] != '\0') {
        text_appendf(out, "# UNIT reparto_%s %s\n", metric->name, metric->unit);
    }
}

static void put_process(struct text *out, const struct admin *admin, bool is_openmetrics)
{
    text_appendf(out,
                 "# HELP reparto_build%s Version and commit of this program.\n"
                 "# TYPE reparto_build%s %s\n"
                 "reparto_build_info{version=\"" REPARTO_VERSION "\",commit=\"" REPARTO_COMMIT
                 "\"} 1\n",
                 is_openmetrics ? "" : "_info", is_openmetrics ? "" : "_info",
                 is_openmetrics ? "info" : "gauge");
    text_appendf(out,
                 "# HELP reparto_start_time_seconds When it was started, since 1970.\n"
                 "# TYPE reparto_start_time_seconds gauge\n%s"
                 "reparto_start_time_seconds %.6f\n",
                 is_openmetrics ? "# UNIT reparto_start_time_seconds seconds\n" : "",
                 (double)admin->started_at / 1e6);
}

static void put_rows(struct text *out, const struct metric *metric, const struct rows *rows)
{
    const char *kind = metric->scope == OF_POOL ? "pool" : "worker";

    for (size_t row = 0; row < rows_count(rows); row++) {
        if (strcmp(rows_at(rows, row, COLUMN_KIND)->text, kind) == 0) {
            const struct labels labels = {metric->scope, rows_at(rows, row, COLUMN_LABEL)->text,
                                          rows_at(rows, row, COLUMN_USER)->text};
            put_numbers(out, metric, &labels, rows_at(rows, row, column_of(metric)));
        }
    }
}

void metrics_write(const struct admin *admin, const struct metrics_process *process,
                   struct rows *rows, bool is_openmetrics, struct text *out)
{
    put_process(out, admin, is_openmetrics);
    if (rows->has_failed) {
        out->has_failed = true;
        return;
    }
    rows_merge(rows);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric *metric = &metrics[i];
        put_head(out, metric, is_openmetrics);
        if (metric->scope == OF_PROCESS) {
            assert(metric->type != HISTOGRAM); /* it would be many numbers */
            const struct labels none = {OF_PROCESS, NULL, NULL};
            put_sample(out, metric, metric->type == COUNTER ? "_total" : "", &none, NULL,
                       (double)metric->of_process(process) * metric->scale);
        } else {
            put_rows(out, metric, rows);
        }
    }
    if (is_openmetrics) {
        text_append(out, "# EOF\n");
    }
}

/* ---- docs/metrics.md ---- */

void metrics_document(FILE *out)
{
    static const char *const types[] = {"gauge", "counter", "histogram"};
    static const char *const labels[] = {"", "`worker`", "`database`, `user`"};

    fputs("# Metrics\n\n"
          "With `http_port` set, `GET /metrics` answers as OpenMetrics when the client accepts "
          "`application/openmetrics-text`, else as Prometheus' text format. `/healthz` says 200 "
          "while the process runs, `/readyz` 200 while it takes clients and 503 once it drains or "
          "stops. No password is asked: keep `http_addr` local. While it drains all three still "
          "answer; after a restart by USR2 the new process does.\n\n"
          "| metric | type | labels | |\n|---|---|---|---|\n"
          "| `reparto_build_info` | info | `version`, `commit` | Version and commit of this "
          "program. |\n"
          "| `reparto_start_time_seconds` | gauge | | When it was started, since 1970. |\n",
          out);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        fprintf(out, "| `reparto_%s%s` | %s | %s | %s |\n", metrics[i].name,
                metrics[i].type == COUNTER ? "_total" : "", types[metrics[i].type],
                labels[metrics[i].scope], metrics[i].help);
    }
}
