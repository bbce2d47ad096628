/* The process itself: version, settings, memory, threads, and what they keep. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/show_private.h"
#include "backend/server.h"
#include "base/clock.h"
#include "config/settings.h"
#include "version.h"

const struct column show_version_columns[] = {
    {"version", COLUMN_TEXT, MERGE_KEY, "Name and version of this program."},
};

const struct column show_config_columns[] = {
    {"key", COLUMN_TEXT, MERGE_KEY, "Name of the setting (docs/settings.md)."},
    {"value", COLUMN_TEXT, MERGE_FIRST, "As it is in force."},
    {"default", COLUMN_TEXT, MERGE_FIRST, "What it is without being set."},
    {"changeable", COLUMN_TEXT, MERGE_FIRST,
     "`yes`: by SET, or by RELOAD; `no`: only by a restart."},
};

const struct column show_mem_columns[] = {
    {"name", COLUMN_TEXT, MERGE_KEY, "What the memory is for."},
    {"size", COLUMN_INT8, MERGE_FIRST, "Bytes of one, without what it points to."},
    {"used", COLUMN_INT8, MERGE_SUM, "How many are in use."},
    {"free", COLUMN_INT8, MERGE_SUM, "How many are kept for later."},
    {"memtotal", COLUMN_INT8, MERGE_SUM, "Bytes of both."},
};

const struct column show_dns_hosts_columns[] = {
    {"hostname", COLUMN_TEXT, MERGE_KEY, "Host of a pool."},
    {"ttl", COLUMN_INT4, MERGE_MAX, "Seconds until it's looked up again."},
    {"addrs", COLUMN_TEXT, MERGE_FIRST, "Its addresses, with commas between, in the order of use."},
};

const struct column show_dns_zones_columns[] = {
    {"zonename", COLUMN_TEXT, MERGE_KEY,
     "Never a row: zones are not watched, hosts are looked up."},
    {"serial", COLUMN_INT8, MERGE_FIRST, "-"},
    {"count", COLUMN_INT4, MERGE_SUM, "-"},
};

const struct column show_state_columns[] = {
    {"key", COLUMN_TEXT, MERGE_KEY, "`active`, `paused`, `draining`."},
    {"value", COLUMN_TEXT, MERGE_FIRST,
     "`yes` or `no`. Paused: after a PAUSE without a name; draining: no new clients come in."},
};

const struct column show_workers_columns[] = {
    {"worker", COLUMN_INT4, MERGE_KEY, "Its number, from 0; the first also accepts connections."},
    {"clients", COLUMN_INT8, MERGE_SUM, "Clients that it serves, those that log in too."},
    {"cl_waiting", COLUMN_INT8, MERGE_SUM, "Those that wait for a server connection."},
    {"pools", COLUMN_INT8, MERGE_SUM, "Pairs of database and user that it has a pool for."},
    {"sv_active", COLUMN_INT8, MERGE_SUM, "Server connections that are linked to a client."},
    {"sv_idle", COLUMN_INT8, MERGE_SUM, "Server connections that are free."},
    {"xact_count", COLUMN_INT8, MERGE_SUM, "Transactions since the start."},
    {"query_count", COLUMN_INT8, MERGE_SUM, "Statements since the start."},
    {"cpu_us", COLUMN_INT8, MERGE_SUM, "Microseconds of CPU that its thread has used."},
    {"config_version", COLUMN_INT8, MERGE_FIRST,
     "The configuration that it works with: 1, and one more for each reload and SET."},
};

const struct column show_prepared_columns[] = {
    {"name", COLUMN_TEXT, MERGE_KEY, "What it's called on server connections."},
    {"kind", COLUMN_TEXT, MERGE_FIRST, "`protocol` (Parse) or `sql` (PREPARE)."},
    {"users", COLUMN_INT8, MERGE_FIRST, "How many client names and server connections have it."},
    {"size", COLUMN_INT8, MERGE_FIRST, "Bytes of its text."},
    {"query", COLUMN_TEXT, MERGE_FIRST,
     "The first of its text; strings are shown as '…', whatever they hold."},
    {"worker", COLUMN_INT4, MERGE_FIRST, "The worker that knows it."},
};

void show_version_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)hall;
    (void)argument;
    rows_text(rows, "Reparto " REPARTO_VERSION);
}

void show_config_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)argument;

    for (size_t i = 0; setting_at(i) != NULL; i++) {
        const struct setting *setting = setting_at(i);
        char text[SETTING_TEXT_SIZE];
        rows_text(rows, setting->name);
        rows_text(rows, setting_show(&hall->backend.config->settings, setting, text));
        rows_text(rows, setting->fallback);
        rows_text(rows, setting->reload == RELOAD_LIVE ? "yes" : "no");
    }
}

/* ---- memory ---- */

static void put_memory(struct rows *rows, const char *name, size_t size, size_t used, size_t free)
{
    rows_text(rows, name);
    rows_number(rows, (int64_t)size);
    rows_number(rows, (int64_t)used);
    rows_number(rows, (int64_t)free);
    rows_number(rows, (int64_t)(size * (used + free)));
}

void show_mem_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    size_t servers = 0;
    (void)argument;

    for (struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        servers += pool_server_count(LIST_MEMBER(link, struct pool, link));
    }
    put_memory(rows, "pool_cache", sizeof(struct pool), hall->backend.pools.count, 0);
    put_memory(rows, "server_cache", sizeof(struct server), servers, 0);
    put_memory(rows, "client_cache", sizeof(struct session), hall->sessions.count, 0);
    put_memory(rows, "statement_cache", sizeof(struct statement),
               statement_table_count(hall->backend.statements), 0);
    put_memory(rows, "iobuf_cache", BUFFER_BLOCK_SIZE, 0, loop_buffers(hall->backend.loop)->count);
    put_memory(rows, "worker_cache", sizeof hall->backend, 1, 0);
}

/* ---- names of hosts ---- */

static void put_addresses(const struct pool *pool, struct rows *rows)
{
    char text[1024] = "";
    size_t used = 0;

    for (size_t i = 0; i < pool->addresses.count; i++) {
        const struct address *address = &pool->addresses.all[i];
        char host[NI_MAXHOST];
        if (getnameinfo((const struct sockaddr *)&address->bytes, address->size, host, sizeof host,
                        NULL, 0, NI_NUMERICHOST) != 0 ||
            used + strlen(host) + 2 > sizeof text) {
            continue;
        }
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", used == 0 ? "" : ",", host);
    }
    rows_text(rows, text);
}

void show_dns_hosts_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    int64_t now = loop_now(hall->backend.loop);
    (void)argument;

    for (struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        const struct pool *pool = LIST_MEMBER(link, struct pool, link);
        if (pool->addresses.count == 0 || pool->host[0] == '/') {
            continue;
        }
        int64_t left = pool->resolved_at + pool->config->settings.dns_max_ttl - now;
        rows_text(rows, pool->host);
        rows_number(rows, left > 0 ? left / CLOCK_SECOND : 0);
        put_addresses(pool, rows);
    }
}

void show_dns_zones_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)hall;
    (void)argument;
    (void)rows;
}

/* ---- state and threads ---- */

static void put_fact(struct rows *rows, const char *name, bool is_so)
{
    rows_text(rows, name);
    rows_text(rows, is_so ? "yes" : "no");
}

void show_state_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    bool is_paused = hall->backend.holds.all_paused;
    (void)argument;

    put_fact(rows, "active", !is_paused && !hall->is_draining);
    put_fact(rows, "paused", is_paused);
    put_fact(rows, "draining", hall->is_draining);
}

void show_workers_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    int64_t waiting = 0, active = 0, idle = 0, transactions = 0, queries = 0;
    struct timespec cpu = {0};
    (void)argument;

    for (struct list_link *link = list_first(&hall->backend.pools); link != NULL;
         link = list_next(&hall->backend.pools, link)) {
        const struct pool *pool = LIST_MEMBER(link, struct pool, link);
        waiting += (int64_t)pool->waiters.count;
        active += SHOW_COUNT(pool, SERVER_USED);
        idle += SHOW_COUNT(pool, SERVER_IDLE);
        transactions += (int64_t)pool->stats.transactions;
        queries += (int64_t)pool->stats.queries;
    }
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    rows_number(rows, hall->backend.worker);
    rows_number(rows, (int64_t)hall->sessions.count);
    rows_number(rows, waiting);
    rows_number(rows, (int64_t)hall->backend.pools.count);
    rows_number(rows, active);
    rows_number(rows, idle);
    rows_number(rows, transactions);
    rows_number(rows, queries);
    rows_number(rows, (int64_t)cpu.tv_sec * 1000000 + cpu.tv_nsec / 1000);
    rows_number(rows, (int64_t)hall->backend.config->version);
}

/* ---- prepared statements ---- */

/* The text with its strings left out: they may be data, or a password. */
static void put_text(struct rows *rows, const struct statement *statement)
{
    char text[200];
    size_t used = 0;
    struct lexer lexer;

    lexer_begin(&lexer, statement->text, statement->text_size, true);
    for (struct token token = lexer_next(&lexer); token.kind != TOKEN_END;
         token = lexer_next(&lexer)) {
        bool is_hidden = token.kind == TOKEN_STRING || token.kind == TOKEN_BAD;
        const char *part = is_hidden ? "'…'" : token.text;
        size_t size = is_hidden ? strlen(part) : token.size;
        if (used + size + 1 >= sizeof text) {
            break;
        }
        if (used > 0) {
            text[used++] = ' ';
        }
        memcpy(text + used, part, size);
        used += size;
    }
    text[used] = '\0';
    rows_text(rows, text);
}

void show_prepared_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    const struct statement *statement;
    size_t at = 0;
    (void)argument;

    while ((statement = statement_table_next(hall->backend.statements, &at)) != NULL) {
        rows_text(rows, statement->name);
        rows_text(rows, statement->is_sql ? "sql" : "protocol");
        rows_number(rows, (int64_t)statement->share_count);
        rows_number(rows, (int64_t)statement->text_size);
        put_text(rows, statement);
        rows_number(rows, hall->backend.worker);
    }
}
