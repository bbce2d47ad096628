/* admin/show_private: the tables of columns, and what fills them; for admin/show only.
 *
 * One file for each kind of thing that is shown.  A `…_collect` runs in each
 * worker's thread and must not change anything there.
 */
#pragma once

#include "admin/show.h"
#include "backend/backend.h"
#include "backend/pool.h"

/* "2026-11-24 16:03:24 UTC" of a time of the monotonic clock. */
void show_time(struct rows *rows, int64_t then, int64_t now);

/* Address and port of a client's or server's socket; `is_local`: our side's. */
void show_address(struct rows *rows, int fd, bool is_local);

/* The pool's server connections in that state. */
#define SHOW_COUNT(pool, state) ((int64_t)(pool)->lists[state].count)

/* ---- show_sockets.c ---- */
enum { SHOW_SOCKET_COLUMNS = 18, SHOW_CLIENT_EXTRA = 3, SHOW_SERVER_EXTRA = 3, SHOW_BUFFERS = 7 };
extern const struct column show_clients_columns[SHOW_SOCKET_COLUMNS + SHOW_CLIENT_EXTRA];
extern const struct column show_servers_columns[SHOW_SOCKET_COLUMNS + SHOW_SERVER_EXTRA];
extern const struct column show_sockets_columns[SHOW_SOCKET_COLUMNS + SHOW_BUFFERS];
extern const struct column show_pins_columns[9];
void show_clients_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_servers_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_sockets_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_active_sockets_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_pins_collect(struct hall *hall, const void *argument, struct rows *rows);

/* ---- show_pools.c ---- */
extern const struct column show_pools_columns[18];
extern const struct column show_databases_columns[13];
extern const struct column show_users_columns[4];
extern const struct column show_lists_columns[2];
void show_pools_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_pools_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                       struct rows *rows);
void show_databases_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_users_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_lists_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_lists_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                       struct rows *rows);

/* Merges what the workers say of the same thing: the finish of many. */
void show_merged(const struct admin *admin, struct hall *hall, struct rows *raw, struct rows *rows);

/* ---- show_stats.c ---- */
enum { SHOW_FIGURES = 7 };
extern const struct column show_stats_raw[2 + 2 * SHOW_FIGURES];
extern const struct column show_stats_columns[2 + 2 * SHOW_FIGURES];
extern const struct column show_stats_totals_columns[1 + SHOW_FIGURES];
extern const struct column show_stats_averages_columns[1 + SHOW_FIGURES];
extern const struct column show_totals_columns[2];
void show_stats_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_stats_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                       struct rows *rows);
void show_stats_totals_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                              struct rows *rows);
void show_stats_averages_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                                struct rows *rows);
void show_totals_finish(const struct admin *admin, struct hall *hall, struct rows *raw,
                        struct rows *rows);

/* ---- show_process.c ---- */
extern const struct column show_version_columns[1];
extern const struct column show_config_columns[4];
extern const struct column show_mem_columns[5];
extern const struct column show_dns_hosts_columns[3];
extern const struct column show_dns_zones_columns[3];
extern const struct column show_state_columns[2];
extern const struct column show_workers_columns[10];
extern const struct column show_prepared_columns[6];
void show_version_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_config_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_mem_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_dns_hosts_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_dns_zones_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_state_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_workers_collect(struct hall *hall, const void *argument, struct rows *rows);
void show_prepared_collect(struct hall *hall, const void *argument, struct rows *rows);
