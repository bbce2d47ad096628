/* What was done since the start, and how much of it lately. */
#include <stdio.h>
#include <string.h>

#include "admin/show_private.h"
#include "base/clock.h"

/* The figures, in PgBouncer's order: all else here goes by their index. */
enum figure { XACTS, QUERIES, RECEIVED, SENT, XACT_TIME, QUERY_TIME, WAIT_TIME };

#define TOTALS(prefix, received, sent)                                                             \
    {prefix "xact_count", COLUMN_INT8, MERGE_SUM, "Transactions."},                                \
        {prefix "query_count", COLUMN_INT8, MERGE_SUM, "Statements, or batches up to a Sync."},    \
        {prefix received, COLUMN_INT8, MERGE_SUM, "Bytes from clients."},                          \
        {prefix sent, COLUMN_INT8, MERGE_SUM, "Bytes to clients."},                                \
        {prefix "xact_time", COLUMN_INT8, MERGE_SUM,                                               \
         "Microseconds for which clients held a server connection in transactions."},              \
        {prefix "query_time", COLUMN_INT8, MERGE_SUM,                                              \
         "Microseconds from the last of what a client sent to the end of its answer."},            \
    {                                                                                              \
        prefix "wait_time", COLUMN_INT8, MERGE_SUM,                                                \
            "Microseconds for which clients waited for a server connection."                       \
    }

#define AVERAGES(prefix, received, sent)                                                           \
    {prefix "xact_count", COLUMN_INT8, MERGE_SUM, "Transactions a second."},                       \
        {prefix "query_count", COLUMN_INT8, MERGE_SUM, "Statements a second."},                    \
        {prefix received, COLUMN_INT8, MERGE_SUM, "Bytes from clients a second."},                 \
        {prefix sent, COLUMN_INT8, MERGE_SUM, "Bytes to clients a second."},                       \
        {prefix "xact_time", COLUMN_INT8, MERGE_SUM, "Microseconds a transaction."},               \
        {prefix "query_time", COLUMN_INT8, MERGE_SUM, "Microseconds a statement."},                \
    {                                                                                              \
        prefix "wait_time", COLUMN_INT8, MERGE_SUM,                                                \
            "Microseconds of waiting, of all clients together, a second."                          \
    }

#define DATABASE                                                                                   \
    {                                                                                              \
        "database", COLUMN_TEXT, MERGE_KEY, "As clients call it."                                  \
    }

const struct column show_stats_raw[] = {
    DATABASE,
    {"period_us", COLUMN_INT8, MERGE_MAX, "What the second half covers."},
    TOTALS("", "bytes_received", "bytes_sent"),
    AVERAGES("", "bytes_received", "bytes_sent"),
};

const struct column show_stats_columns[] = {
    DATABASE,
    TOTALS("total_", "received", "sent"),
    AVERAGES("avg_", "recv", "sent"),
    {"total_requests", COLUMN_INT8, MERGE_SUM,
     "`total_query_count` under its name before PgBouncer 1.8, which Debian's exporter reads."},
};

const struct column show_stats_totals_columns[] = {
    DATABASE,
    TOTALS("", "bytes_received", "bytes_sent"),
};

const struct column show_stats_averages_columns[] = {
    DATABASE,
    AVERAGES("", "bytes_received", "bytes_sent"),
};

const struct column show_totals_columns[] = {
    {"name", COLUMN_TEXT, MERGE_KEY,
     "A total or an average of all databases. `client_bytes` came from clients, `server_bytes` "
     "went to them."},
    {"value", COLUMN_INT8, MERGE_SUM, "Its value."},
};

static void figures_of(const struct pool_stats *stats, int64_t figures[SHOW_FIGURES])
{
    figures[XACTS] = (int64_t)stats->transactions;
    figures[QUERIES] = (int64_t)stats->queries;
    figures[RECEIVED] = (int64_t)stats->bytes_received;
    figures[SENT] = (int64_t)stats->bytes_sent;
    figures[XACT_TIME] = (int64_t)stats->transaction_us;
    figures[QUERY_TIME] = (int64_t)stats->query_us;
    figures[WAIT_TIME] = (int64_t)stats->wait_us;
}

void show_stats_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)argument;

    for (struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        const struct pool *pool = LIST_MEMBER(link, struct pool, link);
        int64_t now[SHOW_FIGURES], then[SHOW_FIGURES];
        figures_of(&pool->stats, now);
        figures_of(&pool->older_stats, then);
        rows_text(rows, pool->database);
        rows_number(rows, (loop_now(hall->backend.loop) - pool->older_at) / 1000);
        for (size_t i = 0; i < SHOW_FIGURES; i++) {
            rows_number(rows, now[i]);
        }
        for (size_t i = 0; i < SHOW_FIGURES; i++) {
            rows_number(rows, now[i] - then[i]);
        }
    }
}

/* As PgBouncer: counts, bytes and waiting for each second, times for each transaction and query. */
static void average(const struct cell *recent, int64_t period_us, int64_t averages[SHOW_FIGURES])
{
    for (size_t i = 0; i < SHOW_FIGURES; i++) {
        averages[i] =
            period_us <= 0 ? 0 : (int64_t)((double)recent[i].number * 1e6 / (double)period_us);
    }
    averages[XACT_TIME] =
        recent[XACTS].number == 0 ? 0 : recent[XACT_TIME].number / recent[XACTS].number;
    averages[QUERY_TIME] =
        recent[QUERIES].number == 0 ? 0 : recent[QUERY_TIME].number / recent[QUERIES].number;
}

/* A row of the raw table as its totals, its averages, or both. */
static void put_row(const struct rows *raw, size_t row, bool has_totals, bool has_averages,
                    struct rows *rows)
{
    int64_t averages[SHOW_FIGURES];

    rows_text(rows, rows_at(raw, row, 0)->text);
    for (size_t i = 0; has_totals && i < SHOW_FIGURES; i++) {
        rows_number(rows, rows_at(raw, row, 2 + i)->number);
    }
    average(rows_at(raw, row, 2 + SHOW_FIGURES), rows_at(raw, row, 1)->number, averages);
    for (size_t i = 0; has_averages && i < SHOW_FIGURES; i++) {
        rows_number(rows, averages[i]);
    }
}

static void put_rows(struct rows *raw, bool has_totals, bool has_averages, struct rows *rows)
{
    rows_merge(raw);
    for (size_t row = 0; row < rows_count(raw); row++) {
        put_row(raw, row, has_totals, has_averages, rows);
    }
}

void show_stats_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                       struct rows *rows)
{
    (void)admin;
    (void)hall;
    rows_merge(raw);
    for (size_t row = 0; row < rows_count(raw); row++) {
        put_row(raw, row, true, true, rows);
        rows_number(rows, rows_at(raw, row, 2 + QUERIES)->number);
    }
}

void show_stats_totals_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                              struct rows *rows)
{
    (void)admin;
    (void)hall;
    put_rows(raw, true, false, rows);
}

void show_stats_averages_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                                struct rows *rows)
{
    (void)admin;
    (void)hall;
    put_rows(raw, false, true, rows);
}

void show_totals_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                        struct rows *rows)
{
    /* PgBouncer has other names here. */
    static const char *const names[2 * SHOW_FIGURES] = {
        "total_xact_count", "total_query_count", "total_client_bytes", "total_server_bytes",
        "total_xact_time",  "total_query_time",  "total_wait_time",    "avg_xact_count",
        "avg_query_count",  "avg_client_bytes",  "avg_server_bytes",   "avg_xact_time",
        "avg_query_time",   "avg_wait_time",
    };
    int64_t averages[SHOW_FIGURES];
    struct cell sums[2 * SHOW_FIGURES] = {0};
    int64_t period_us = 0;
    (void)admin;
    (void)hall;

    for (size_t row = 0; row < rows_count(raw); row++) {
        int64_t period = rows_at(raw, row, 1)->number;
        period_us = period > period_us ? period : period_us;
        for (size_t i = 0; i < (size_t)2 * SHOW_FIGURES; i++) {
            sums[i].number += rows_at(raw, row, 2 + i)->number;
        }
    }
    average(&sums[SHOW_FIGURES], period_us, averages);
    for (size_t i = 0; i < (size_t)2 * SHOW_FIGURES; i++) {
        rows_text(rows, names[i]);
        rows_number(rows, i < SHOW_FIGURES ? sums[i].number : averages[i - SHOW_FIGURES]);
    }
}
