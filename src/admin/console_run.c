/* What the console's statements do. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/console_private.h"
#include "config/settings.h"

/* What drivers ask for or set at their start, as if this were a database. */
static const struct parameter {
    const char *name, *value; /* value NULL: it can be set only */
} parameters[] = {
    {"client_encoding", "UTF8"},
    {"datestyle", "ISO"},
    {"default_transaction_isolation", "read committed"},
    {"standard_conforming_strings", "on"},
    {"timezone", "GMT"},
    {"application_name", NULL},
    {"client_min_messages", NULL},
    {"extra_float_digits", NULL},
};

static const struct parameter *find_parameter(const char *name)
{
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        if (strcasecmp(parameters[i].name, name) == 0) {
            return &parameters[i];
        }
    }
    return NULL;
}

bool console_find_shape(const struct query *query, struct console_shape *shape, struct error *err)
{
    *shape = (struct console_shape){0};
    if (query->kind != QUERY_SHOW) {
        return true;
    }
    shape->show = show_find(query->name);
    if (shape->show != NULL) {
        return rows_check(shape->show->columns, shape->show->column_count, query, err);
    }
    if (strcasecmp(query->name, "fds") == 0) {
        return error_set(err, "0A000", "SHOW FDS is not supported") ||
               error_hint(err, "the signal USR2 hands the sockets to a new process");
    }
    const struct parameter *parameter = find_parameter(query->name);
    const struct setting *setting = setting_find(query->name);
    if (setting == NULL && (parameter == NULL || parameter->value == NULL)) {
        return error_set(err, "42704", "there is no SHOW %s", query->name) ||
               error_hint(err, "SHOW HELP lists what there is");
    }
    shape->is_single = true;
    shape->single = (struct column){.name = setting != NULL ? setting->name : parameter->name,
                                    .type = COLUMN_TEXT};
    return rows_check(&shape->single, 1, query, err);
}

/* ---- SHOW ---- */

static enum console_result select_rows(struct console *console)
{
    if (rows_select(&console->rows, &console->query, &console->error)) {
        return CONSOLE_DONE;
    }
    rows_done(&console->rows);
    return CONSOLE_FAILED;
}

static enum console_result show_single(struct console *console)
{
    const struct setting *setting = setting_find(console->query.name);
    char text[SETTING_TEXT_SIZE];

    rows_init(&console->rows, &console->shape.single, 1);
    rows_text(&console->rows,
              setting != NULL
                  ? setting_show(&console->session->hall->backend.config->settings, setting, text)
                  : find_parameter(console->query.name)->value);
    return select_rows(console);
}

/* All that is shown has been collected. */
static enum console_result finish_show(struct console *console, struct rows *raw)
{
    const struct show *show = console->shape.show;

    if (show->finish == NULL) {
        console->rows = *raw;
        return select_rows(console);
    }
    rows_init(&console->rows, show->columns, show->column_count);
    show->finish(console->admin, console->session->hall, raw, &console->rows);
    console->rows.has_failed = console->rows.has_failed || raw->has_failed;
    rows_done(raw);
    return select_rows(console);
}

static void on_rows(void *owner, struct rows *raw)
{
    struct console *console = owner;

    console->gather = NULL;
    console_finish(console, finish_show(console, raw) == CONSOLE_DONE);
}

static enum console_result run_show(struct console *console)
{
    const struct show *show = console->shape.show;
    const struct column *columns = show == NULL || show->raw == NULL ? NULL : show->raw;

    if (show == NULL) {
        return show_single(console);
    }
    columns = columns == NULL ? show->columns : columns;
    size_t count = show->raw == NULL ? show->column_count : show->raw_count;
    if (show->is_local) {
        struct rows raw;
        rows_init(&raw, columns, count);
        show->collect(console->session->hall, NULL, &raw);
        return finish_show(console, &raw);
    }
    const struct gather_plan plan = {
        .admin = console->admin,
        .home = (int)console->session->hall->backend.worker,
        .columns = columns,
        .column_count = count,
        .collect = show->collect,
        .on_done = on_rows,
        .owner = console,
    };
    console->gather = gather_begin(&plan);
    if (console->gather == NULL) {
        error_set(&console->error, "53200", "out of memory");
        return CONSOLE_FAILED;
    }
    return CONSOLE_WAITS;
}

/* ---- all of them ---- */

static enum console_result fail(struct console *console, const char *sqlstate, const char *text)
{
    error_set(&console->error, sqlstate, "%s", text);
    return CONSOLE_FAILED;
}

static enum console_result run_transaction(struct console *console)
{
    if (console->query.kind == QUERY_BEGIN) {
        console->status = 'T';
        return CONSOLE_DONE;
    }
    if (console->status == 'E') {
        console->query.kind = QUERY_ROLLBACK; /* as PostgreSQL: its COMMIT is one */
    }
    console->status = 'I';
    return CONSOLE_DONE;
}

static bool is_transaction(enum query_kind kind)
{
    return kind == QUERY_BEGIN || kind == QUERY_COMMIT || kind == QUERY_ROLLBACK;
}

void console_stop(struct console *console)
{
    gather_abandon(console->gather);
    console->gather = NULL;
    console_leave_errand(console);
    console_undo(console);
}

enum console_result console_run(struct console *console)
{
    enum query_kind kind = console->query.kind;

    if (console->status == 'E' && kind != QUERY_COMMIT && kind != QUERY_ROLLBACK) {
        return fail(console, "25P02",
                    "current transaction is aborted, commands ignored until end "
                    "of transaction block");
    }
    if (is_transaction(kind)) {
        console->shape = (struct console_shape){0};
        return run_transaction(console);
    }
    if (!console_find_shape(&console->query, &console->shape, &console->error)) {
        return CONSOLE_FAILED;
    }
    if (kind == QUERY_SHOW) {
        return run_show(console);
    }
    const struct parameter *parameter =
        kind == QUERY_SET ? find_parameter(console->query.name) : NULL;
    if (parameter != NULL) {
        return CONSOLE_DONE;
    }
    if (!console->may_change) {
        return fail(console, "42501", "only admin_users may do this: stats_users may only SHOW");
    }
    if (console->status == 'T') {
        error_set(&console->error, "25001", "%s cannot run inside a transaction block",
                  query_tag(kind));
        return CONSOLE_FAILED;
    }
    return console_command(console);
}
