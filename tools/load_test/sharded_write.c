#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "load_test/ask.h"
#include "load_test/sharded.h"
#include "shard/shard_sql.h"

enum { BATCH_ROWS = 2000 };

static const char create_schema[] =
    "DO $$ BEGIN IF to_regnamespace('load_test') IS NULL THEN CREATE SCHEMA load_test; "
    "END IF; END $$";

struct batch { /* rows that wait for one INSERT */
    struct text keys, values;
    uint64_t rows;
};

struct writing {
    const struct sharded_plan *plan;
    struct interrupt *interrupt;
    struct progress *progress;
    struct sharded_result *result;
    struct shard_map *map;       /* owned */
    struct shard_router *router; /* owned */
    uint8_t *seen;               /* owned; a bit for each key that was read back */
    PGconn *connections[SHARDED_SHARD_MAX];
    struct batch batches[SHARDED_SHARD_MAX];
};

static struct ask_limit limit_of(const struct writing *writing)
{
    return ask_within(writing->plan->timeout, writing->interrupt);
}

/* A shard that fails is left out with its reason.  False: it was a signal, which ends all. */
static bool leave_out(struct writing *writing, size_t shard, const struct error *problem,
                      struct error *err)
{
    PQfinish(writing->connections[shard]);
    writing->connections[shard] = NULL;
    if (strcmp(problem->sqlstate, ASK_INTERRUPTED) == 0 && writing->interrupt->is_asked) {
        *err = *problem;
        return false;
    }
    if (!error_is_set(&writing->result->rows[shard].fail)) {
        writing->result->rows[shard].fail = *problem;
    }
    return true;
}

static bool ask(struct writing *writing, size_t shard, const char *sql, struct error *problem)
{
    PGresult *result = ask_query(writing->connections[shard], sql, limit_of(writing), problem);

    PQclear(result);
    return result != NULL;
}

static bool prepare_shard(struct writing *writing, size_t shard, struct error *err)
{
    char sql[2 * REPORT_VALUE_SIZE];
    struct error problem = {0};

    snprintf(sql, sizeof sql, "CREATE TABLE %s (key text PRIMARY KEY, value bigint NOT NULL)",
             writing->result->table);
    writing->connections[shard] =
        ask_connect(writing->plan->shards[shard].dsn, "load_test", limit_of(writing), &problem);
    PGconn *connection = writing->connections[shard];
    int64_t timeout = writing->plan->timeout;
    if (connection != NULL && ask_make(connection, create_schema, timeout, &problem) &&
        ask_make(connection, sql, timeout, &problem)) {
        return true;
    }
    return leave_out(writing, shard, &problem, err);
}

/* Whether a failed INSERT may be there all the same: only a server that is still connected has
 * said that it isn't. */
static bool is_unknown(const PGconn *connection, const struct error *problem)
{
    return PQstatus(connection) != CONNECTION_OK || strcmp(problem->sqlstate, ASK_TIMEOUT) == 0 ||
           strcmp(problem->sqlstate, ASK_INTERRUPTED) == 0;
}

static bool send_batch(struct writing *writing, size_t shard, struct error *err)
{
    struct batch *batch = &writing->batches[shard];
    struct sharded_rows *rows = &writing->result->rows[shard];
    struct text sql = {0};
    struct error problem = {0};
    bool is_done = true;

    text_appendf(&sql, "INSERT INTO %s SELECT * FROM unnest('{", writing->result->table);
    text_append_bytes(&sql, text_cstr(&batch->keys), batch->keys.size);
    text_append(&sql, "}'::text[], '{");
    text_append_bytes(&sql, text_cstr(&batch->values), batch->values.size);
    text_append(&sql, "}'::bigint[])");
    int64_t begin = clock_now();
    if (sql.has_failed || batch->keys.has_failed || batch->values.has_failed) {
        is_done = error_set(err, "53200", "out of memory");
    } else if (ask(writing, shard, text_cstr(&sql), &problem)) {
        rows->written += batch->rows;
        rows->write_seconds += (double)(clock_now() - begin) / (double)CLOCK_SECOND;
    } else {
        rows->unknown += is_unknown(writing->connections[shard], &problem) ? batch->rows : 0;
        is_done = leave_out(writing, shard, &problem, err);
    }
    text_done(&sql);
    text_clear(&batch->keys);
    text_clear(&batch->values);
    batch->rows = 0;
    return is_done;
}

static bool write_key(struct writing *writing, uint64_t index, struct error *err)
{
    char key[SHARDED_KEY_SIZE];
    size_t shard = sharded_shard_of(writing->router, index);
    struct batch *batch = &writing->batches[shard];

    if (writing->connections[shard] == NULL) {
        return true;
    }
    sharded_key(key, index);
    const char *separator = batch->rows > 0 ? "," : "";
    text_appendf(&batch->keys, "%s%s", separator, key);
    text_appendf(&batch->values, "%s%" PRId64, separator,
                 sharded_value(writing->plan->seed, index));
    batch->rows++;
    return batch->rows < BATCH_ROWS || send_batch(writing, shard, err);
}

static bool write_all(struct writing *writing, struct error *err)
{
    for (uint64_t i = 0; i < (uint64_t)writing->plan->keys; i++) {
        if (!write_key(writing, i, err)) {
            return false;
        }
        if (i % BATCH_ROWS == 0) {
            progress_show(writing->progress, "%s: %" PRIu64 " of %ld keys written",
                          shard_scheme_name(writing->result->scheme), i, writing->plan->keys);
        }
    }
    for (size_t i = 0; i < writing->plan->shard_count; i++) {
        if (writing->batches[i].rows > 0 && writing->connections[i] != NULL &&
            !send_batch(writing, i, err)) {
            return false;
        }
    }
    return true;
}

/* How many rows the shard has, and how many of them aren't its own by the server's own hash. */
static bool count_rows(struct writing *writing, size_t shard, struct error *problem)
{
    const struct key_type type = {.kind = KEY_TEXT};
    struct sharded_rows *rows = &writing->result->rows[shard];
    struct text sql = {0};
    struct error none = {0};

    text_append(&sql, "SELECT count(*), count(*) FILTER (WHERE NOT (");
    size_t size = sql.size;
    writing->result->has_sql = writing->result->scheme != SHARD_RING &&
                               shard_sql_owned(writing->map, &type, "key", shard, &sql, &none);
    text_append(&sql, sql.size == size ? "true" : "");
    text_appendf(&sql, ")) FROM %s", writing->result->table);
    PGresult *result = sql.has_failed ? NULL
                                      : ask_query(writing->connections[shard], text_cstr(&sql),
                                                  limit_of(writing), problem);
    if (result != NULL) {
        rows->counted = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        rows->misplaced_sql = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
        rows->is_counted = true;
    } else if (!error_is_set(problem)) {
        error_set(problem, "53200", "out of memory");
    }
    PQclear(result);
    text_done(&sql);
    return rows->is_counted;
}

static void check_row(struct writing *writing, size_t shard, const char *key, const char *value)
{
    struct sharded_rows *rows = &writing->result->rows[shard];
    uint64_t index;

    if (!sharded_key_index(key, (uint64_t)writing->plan->keys, &index) ||
        strtoll(value, NULL, 10) != sharded_value(writing->plan->seed, index)) {
        rows->altered++;
        return;
    }
    uint8_t bit = (uint8_t)(1u << (index % 8));
    rows->misplaced += sharded_shard_of(writing->router, index) != shard;
    rows->doubled += (writing->seen[index / 8] & bit) != 0;
    writing->seen[index / 8] |= bit;
}

static bool read_back(struct writing *writing, size_t shard, struct error *problem)
{
    char sql[3 * REPORT_VALUE_SIZE];
    int count;

    snprintf(sql, sizeof sql,
             "BEGIN READ ONLY; DECLARE keys NO SCROLL CURSOR FOR SELECT key, value FROM %s",
             writing->result->table);
    if (!ask(writing, shard, sql, problem)) {
        return false;
    }
    do {
        PGresult *result = ask_query(writing->connections[shard], "FETCH 10000 FROM keys",
                                     limit_of(writing), problem);
        if (result == NULL) {
            return false;
        }
        count = PQntuples(result);
        for (int i = 0; i < count; i++) {
            check_row(writing, shard, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
        }
        PQclear(result);
    } while (count > 0);
    return ask(writing, shard, "COMMIT", problem);
}

/* One that failed while it was written to may be back, and then says what it has. */
static bool check_shard(struct writing *writing, size_t shard, struct error *err)
{
    struct error problem = {0};

    progress_show(writing->progress, "%s: reading %s back",
                  shard_scheme_name(writing->result->scheme), writing->plan->shards[shard].name);
    if (writing->connections[shard] == NULL) {
        writing->connections[shard] =
            ask_connect(writing->plan->shards[shard].dsn, "load_test", limit_of(writing), &problem);
    }
    if (writing->connections[shard] != NULL && count_rows(writing, shard, &problem) &&
        read_back(writing, shard, &problem)) {
        return true;
    }
    writing->result->rows[shard].is_counted = false;
    return leave_out(writing, shard, &problem, err);
}

/* Not ended by a signal: the table must go. */
static void drop_table(struct writing *writing, size_t shard)
{
    char sql[2 * REPORT_VALUE_SIZE];
    struct error problem = {0};
    struct ask_limit limit = ask_within(writing->plan->timeout, NULL);

    snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", writing->result->table);
    /* Anew: the old connection may be in the middle of something. */
    PQfinish(writing->connections[shard]);
    writing->connections[shard] = NULL;
    PGconn *connection =
        ask_connect(writing->plan->shards[shard].dsn, "load_test", limit, &problem);
    PGresult *result = connection != NULL ? ask_query(connection, sql, limit, &problem) : NULL;
    writing->result->rows[shard].is_left = result == NULL;
    PQclear(result);
    PQfinish(connection);
}

static bool write_and_check(struct writing *writing, struct error *err)
{
    size_t count = writing->plan->shard_count;

    for (size_t i = 0; i < count; i++) {
        if (!prepare_shard(writing, i, err)) {
            return false;
        }
    }
    if (!write_all(writing, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!check_shard(writing, i, err)) {
            return false;
        }
    }
    return true;
}

bool sharded_write(const struct sharded_plan *plan, struct interrupt *interrupt,
                   struct progress *progress, struct sharded_result *result, struct error *err)
{
    struct writing writing = {
        .plan = plan, .interrupt = interrupt, .progress = progress, .result = result};
    bool is_done = false;

    result->is_written = true;
    snprintf(result->table, sizeof result->table, "load_test.sharded_%s_%" PRId64,
             shard_scheme_name(result->scheme), clock_utc());
    writing.seen = calloc((size_t)plan->keys / 8 + 1, 1);
    writing.map = sharded_map(plan, result->scheme, plan->vnodes, err);
    writing.router = writing.map != NULL ? shard_router_create(writing.map, err) : NULL;
    if (writing.router != NULL && writing.seen == NULL) {
        error_set(err, "53200", "out of memory");
    } else if (writing.router != NULL) {
        is_done = write_and_check(&writing, err);
        for (size_t i = 0; i < plan->shard_count; i++) {
            drop_table(&writing, i);
        }
    }
    for (size_t i = 0; i < plan->shard_count; i++) {
        text_done(&writing.batches[i].keys);
        text_done(&writing.batches[i].values);
    }
    free(writing.seen);
    shard_router_destroy(writing.router);
    shard_map_destroy(writing.map);
    progress_erase(progress);
    return is_done;
}
