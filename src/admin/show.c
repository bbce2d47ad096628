#include "admin/show.h"

#include <strings.h>

#include "admin/show_private.h"

#define COLUMNS(array) .columns = (array), .column_count = sizeof(array) / sizeof(array)[0]
#define RAW(array) .raw = (array), .raw_count = sizeof(array) / sizeof(array)[0]

/* What a table says of itself when its rows come from all workers: the same columns, merged. */
#define MERGED(array) COLUMNS(array), RAW(array), .finish = show_merged

static const struct column help_columns[] = {
    {"command", COLUMN_TEXT, MERGE_KEY, "What can be typed."},
    {"help", COLUMN_TEXT, MERGE_FIRST, "What it does."},
};

static void help_collect(struct hall *hall, const void *argument, struct rows *rows);

/* Sorted by name. */
static const struct show shows[] = {
    {"active_sockets", COLUMNS(show_sockets_columns), .collect = show_active_sockets_collect,
     .help = "As SHOW SOCKETS, without those that are idle."},
    {"clients", COLUMNS(show_clients_columns), .collect = show_clients_collect,
     .help = "Clients that are logged in, the console's too."},
    {"config", COLUMNS(show_config_columns), .collect = show_config_collect, .is_local = true,
     .help = "All settings."},
    {"databases", MERGED(show_databases_columns), .collect = show_databases_collect,
     .help = "Databases that clients can ask for."},
    {"dns_hosts", MERGED(show_dns_hosts_columns), .collect = show_dns_hosts_collect,
     .help = "Host names and their addresses."},
    {"dns_zones", COLUMNS(show_dns_zones_columns), .collect = show_dns_zones_collect,
     .is_local = true, .help = "Nothing: for PgBouncer's tools."},
    {"help", COLUMNS(help_columns), .collect = help_collect, .is_local = true,
     .help = "This list."},
    {"lists", COLUMNS(show_lists_columns), RAW(show_lists_columns), .collect = show_lists_collect,
     .finish = show_lists_finish, .help = "How many there are of each thing."},
    {"mem", MERGED(show_mem_columns), .collect = show_mem_collect,
     .help = "Memory of the things that there are many of."},
    {"pins", COLUMNS(show_pins_columns), .collect = show_pins_collect,
     .help = "Clients that keep their server connection between transactions, and why."},
    {"pools", COLUMNS(show_pools_columns), RAW(show_pools_columns), .collect = show_pools_collect,
     .finish = show_pools_finish, .help = "Pools: one for each pair of database and user."},
    {"prepared_statements", COLUMNS(show_prepared_columns), .collect = show_prepared_collect,
     .help = "Prepared statements that clients or server connections have."},
    {"servers", COLUMNS(show_servers_columns), .collect = show_servers_collect,
     .help = "Server connections."},
    {"sockets", COLUMNS(show_sockets_columns), .collect = show_sockets_collect,
     .help = "Clients and server connections, with what is in their buffers."},
    {"state", COLUMNS(show_state_columns), .collect = show_state_collect, .is_local = true,
     .help = "Whether the router is active, paused or draining."},
    {"stats", COLUMNS(show_stats_columns), RAW(show_stats_raw), .collect = show_stats_collect,
     .finish = show_stats_finish,
     .help = "Totals since the start, and averages of the last one to two `stats_period`s."},
    {"stats_averages", COLUMNS(show_stats_averages_columns), RAW(show_stats_raw),
     .collect = show_stats_collect, .finish = show_stats_averages_finish,
     .help = "The averages of SHOW STATS."},
    {"stats_totals", COLUMNS(show_stats_totals_columns), RAW(show_stats_raw),
     .collect = show_stats_collect, .finish = show_stats_totals_finish,
     .help = "The totals of SHOW STATS."},
    {"totals", COLUMNS(show_totals_columns), RAW(show_stats_raw), .collect = show_stats_collect,
     .finish = show_totals_finish, .help = "SHOW STATS for all databases together."},
    {"users", MERGED(show_users_columns), .collect = show_users_collect, .help = "Users."},
    {"version", COLUMNS(show_version_columns), .collect = show_version_collect, .is_local = true,
     .help = "The version of Reparto."},
    {"workers", MERGED(show_workers_columns), .collect = show_workers_collect,
     .help = "The threads that relay."},
};

/* What is no SHOW of its own. */
static const struct {
    const char *command, *help;
} commands[] = {
    {"SHOW setting", "One setting of SHOW CONFIG."},
    {"SHOW … WHERE column = literal AND …", "Also <> < <= > >= LIKE, NOT LIKE; `$1` in a literal's "
                                            "place."},
    {"SHOW … ORDER BY column DESC, … LIMIT n", "After WHERE, if there is one."},
    {"PAUSE [database]", "Clients wait; answers when no server connection is left."},
    {"RESUME [database]", "Ends PAUSE or KILL."},
    {"RECONNECT [database]", "Closes each server connection when it's given back."},
    {"WAIT_CLOSE [database]", "Answers when those that RECONNECT or RELOAD gave up are closed."},
    {"KILL database", "Closes its clients and server connections; new clients wait for RESUME."},
    {"DISABLE database", "New clients are refused."},
    {"ENABLE database", "Ends DISABLE."},
    {"SET setting = value", "Changes a setting until the next RELOAD."},
    {"RELOAD", "Reads the configuration again; answers when it's in force, or why it's not."},
    {"SHUTDOWN", "Stops at once."},
    {"SHUTDOWN WAIT_FOR_CLIENTS", "Takes no new clients, and stops when the last one has gone."},
    {"BEGIN, COMMIT, ROLLBACK", "For drivers that can't do without: only SHOW in between."},
};

static void help_collect(struct hall *hall, const void *argument, struct rows *rows)
{
    (void)hall;
    (void)argument;

    for (size_t i = 0; i < sizeof shows / sizeof shows[0]; i++) {
        char name[40] = "";
        for (size_t k = 0; shows[i].name[k] != '\0' && k < sizeof name - 1; k++) {
            char c = shows[i].name[k];
            name[k] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        }
        rows_textf(rows, "SHOW %s", name);
        rows_text(rows, shows[i].help);
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        rows_text(rows, commands[i].command);
        rows_text(rows, commands[i].help);
    }
}

const struct show *show_at(size_t index)
{
    return index < sizeof shows / sizeof shows[0] ? &shows[index] : NULL;
}

const struct show *show_find(const char *name)
{
    for (size_t i = 0; show_at(i) != NULL; i++) {
        if (strcasecmp(name, shows[i].name) == 0) {
            return &shows[i];
        }
    }
    return NULL;
}

/* ---- docs/admin.md ---- */

static void document_show(FILE *out, const struct show *show)
{
    static const char *const types[] = {
        [COLUMN_TEXT] = "text", [COLUMN_INT4] = "int4", [COLUMN_INT8] = "int8"};

    fprintf(out, "\n## SHOW ");
    for (const char *c = show->name; *c != '\0'; c++) {
        fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c, out);
    }
    fprintf(out, "\n\n%s\n\n| column | type | |\n|---|---|---|\n", show->help);
    for (size_t i = 0; i < show->column_count; i++) {
        fprintf(out, "| `%s` | %s | %s |\n", show->columns[i].name, types[show->columns[i].type],
                show->columns[i].help);
    }
}

void show_document(FILE *out)
{
    fputs("# The admin console\n\n"
          "Connect to the database `reparto` (or `pgbouncer`) with any PostgreSQL client: "
          "`psql -p 6432 reparto`. A user in `admin_users` may do all, one in `stats_users` may "
          "only SHOW; others are refused. `max_client_conn` does not keep them out. Names and "
          "columns are PgBouncer 1.18's where it has them, in its order, with ours behind; counts "
          "that it sends as numeric are int8. The simple and the extended protocol work, rows in "
          "text or binary; `$1` stands for a literal or a name. A query may hold several "
          "statements. Answers that need all workers wait for all of them; no client waits "
          "meanwhile.\n\n"
          "What drivers SET first (`client_encoding`, `extra_float_digits` and the like) is taken "
          "and "
          "changes nothing. `server_version` is ours, followed by `/reparto`. There is no SHOW FDS "
          "and no SUSPEND: at a restart (USR2) the new process gets the sockets by itself.\n\n"
          "## Commands\n\n| | |\n|---|---|\n",
          out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        fprintf(out, "| `%s` | %s |\n", commands[i].command, commands[i].help);
    }
    for (size_t i = 0; show_at(i) != NULL; i++) {
        document_show(out, show_at(i));
    }
}
