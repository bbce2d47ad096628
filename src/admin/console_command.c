/* Commands: those for the pools of all workers, and those for the control thread. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "admin/console_private.h"
#include "admin/order.h"
#include "base/clock.h"

enum { ASK_AGAIN = 20 /* ms */ };

static enum console_result fail(struct console *console, const char *sqlstate, const char *text)
{
    error_set(&console->error, sqlstate, "%s", text);
    return CONSOLE_FAILED;
}

/* ---- orders to all workers ---- */

static bool is_waiting_kind(enum query_kind kind)
{
    return kind == QUERY_PAUSE || kind == QUERY_WAIT_CLOSE;
}

static int64_t sum_of(const struct rows *rows, size_t column)
{
    int64_t sum = 0;
    for (size_t row = 0; row < rows_count(rows); row++) {
        sum += rows_at(rows, row, column)->number;
    }
    return sum;
}

static void on_order_done(void *owner, struct rows *rows);

static bool send_order(struct console *console, enum query_kind kind, bool is_question,
                       void (*on_done)(void *owner, struct rows *rows), struct gather **gather)
{
    struct order *order = calloc(1, sizeof *order);
    if (order == NULL) {
        return false;
    }
    order->kind = kind;
    order->is_question = is_question;
    memcpy(order->database, console->query.name, sizeof order->database);
    const struct gather_plan plan = {
        .admin = console->admin,
        .home = (int)console->session->hall->backend.worker,
        .columns = order_columns,
        .column_count = sizeof order_columns / sizeof order_columns[0],
        .collect = order_collect,
        .argument = order,
        .on_done = on_done,
        .owner = console,
    };
    *gather = gather_begin(&plan);
    if (*gather == NULL) {
        free(order);
    }
    return *gather != NULL;
}

static void on_again(struct loop_timer *timer)
{
    struct console *console = LIST_MEMBER(timer, struct console, again);

    if (!send_order(console, console->query.kind, true, on_order_done, &console->gather)) {
        error_set(&console->error, "53200", "out of memory");
        console_finish(console, false);
    }
}

/* Every worker has done it; with PAUSE and WAIT_CLOSE: has said how many connections are left. */
static void on_order_done(void *owner, struct rows *rows)
{
    struct console *console = owner;
    struct loop *loop = console->session->hall->backend.loop;
    int64_t left = sum_of(rows, 0), resumed = sum_of(rows, 1), failed = sum_of(rows, 2);
    bool is_whole = !rows->has_failed;

    console->gather = NULL;
    rows_done(rows);
    if (failed > 0 || !is_whole) {
        error_set(&console->error, "53200", "out of memory in %d of the workers", (int)failed);
        console_finish(console, false);
        return;
    }
    if (console->query.kind == QUERY_PAUSE && resumed > 0) {
        console->undoes_pause = false;
        error_set(&console->error, "57014", "PAUSE was ended by a RESUME");
        console_finish(console, false);
        return;
    }
    console->again.on_time = on_again;
    if (left > 0 && is_waiting_kind(console->query.kind) &&
        loop_set_timer(loop, &console->again, loop_now(loop) + ASK_AGAIN * CLOCK_MS)) {
        return;
    }
    console->undoes_pause = false;
    console_finish(console, true);
}

/* 3D000 for a database that there can't be. */
static bool check_database(struct console *console)
{
    const struct config *config = console->session->hall->backend.config;
    const char *name = console->query.name;

    return name[0] == '\0' || config_database(config, name) != NULL ||
           error_set(&console->error, "3D000", "no such database: %s", name);
}

/* Whether it makes sense now. */
static bool check_holds(struct console *console)
{
    const struct holds *holds = &console->session->hall->backend.holds;
    const char *name = console->query.name;
    bool is_paused = name[0] == '\0' ? holds->all_paused : holds_is_paused(holds, name);

    if (console->query.kind == QUERY_PAUSE && name[0] == '\0' && is_paused) {
        return error_set(&console->error, "55000", "already suspended/paused");
    }
    if (console->query.kind == QUERY_RESUME && !is_paused) {
        return name[0] == '\0'
                   ? error_set(&console->error, "55000", "pooler is not paused/suspended")
                   : error_set(&console->error, "55000", "database %s is not paused", name);
    }
    if (console->query.kind == QUERY_RESUME && name[0] != '\0' && holds->all_paused) {
        return error_set(&console->error, "55000", "all databases are paused") ||
               error_hint(&console->error, "RESUME without a name ends that");
    }
    console->undoes_pause = console->query.kind == QUERY_PAUSE && !is_paused;
    return true;
}

static enum console_result run_order(struct console *console)
{
    if (!check_database(console) || !check_holds(console)) {
        return CONSOLE_FAILED;
    }
    if (!send_order(console, console->query.kind, false, on_order_done, &console->gather)) {
        console->undoes_pause = false;
        return fail(console, "53200", "out of memory");
    }
    return CONSOLE_WAITS;
}

static void forget_rows(void *owner, struct rows *rows)
{
    (void)owner;
    rows_done(rows);
}

/* A PAUSE that was not waited for to its end, and never answered, must not stay in force. */
void console_undo(struct console *console)
{
    struct gather *gather = NULL;

    loop_cancel(console->session->hall->backend.loop, &console->again);
    if (console->undoes_pause) {
        console->undoes_pause = false;
        (void)send_order(console, QUERY_RESUME, false, forget_rows, &gather);
    }
}

/* ---- errands to the control thread ---- */

struct console_errand {
    const struct admin *admin;
    struct console *console;   /* borrowed; NULL: it's gone.  At home only */
    struct admin_ticket *back; /* owned until used */
    int home;
    enum query_kind kind;
    bool waits_for_clients, is_ok, is_stranded;
    char name[TOKEN_NAME_SIZE], value[QUERY_VALUE_SIZE];
    struct error error;
};

static void come_back(struct hall *hall, void *argument)
{
    struct console_errand *errand = argument;
    struct console *console = errand->console;
    (void)hall;

    if (console != NULL) {
        bool is_ok = errand->is_ok;
        console->errand = NULL;
        console->error = errand->error;
        free(errand);
        console_finish(console, is_ok);
        return;
    }
    free(errand);
}

static void run_in_control(struct hall *hall, void *argument)
{
    struct console_errand *errand = argument;
    const struct admin *admin = errand->admin;
    struct admin_ticket *back = errand->back;
    (void)hall;

    errand->back = NULL;
    if (errand->kind == QUERY_RELOAD) {
        errand->is_ok = admin->reload(admin->control, &errand->error);
    } else if (errand->kind == QUERY_SET) {
        errand->is_ok = admin->set(admin->control, errand->name, errand->value, &errand->error);
    } else {
        assert(errand->kind == QUERY_SHUTDOWN);
        admin->stop(admin->control, errand->waits_for_clients);
        errand->is_ok = true;
    }
    if (!admin->post(admin->owner, errand->home, back, come_back, errand)) {
        errand->is_stranded = true; /* all threads have stopped: console_stop() frees it */
        if (errand->console == NULL) {
            free(errand);
        }
    }
}

static void free_errand(struct console_errand *errand)
{
    if (errand->back != NULL) {
        errand->admin->tear(errand->back);
    }
    free(errand);
}

static enum console_result run_errand(struct console *console)
{
    const struct admin *admin = console->admin;
    struct console_errand *errand = calloc(1, sizeof *errand);
    struct admin_ticket *there = errand == NULL ? NULL : admin->ticket(admin->owner);

    if (there == NULL) {
        free(errand);
        return fail(console, "53200", "out of memory");
    }
    errand->admin = admin;
    errand->console = console;
    errand->home = (int)console->session->hall->backend.worker;
    errand->kind = console->query.kind;
    errand->waits_for_clients = console->query.waits_for_clients;
    memcpy(errand->name, console->query.name, sizeof errand->name);
    memcpy(errand->value, console->query.value, sizeof errand->value);
    errand->back = admin->ticket(admin->owner);
    if (errand->back == NULL) {
        admin->tear(there);
        free(errand);
        return fail(console, "53200", "out of memory");
    }
    console->errand = errand;
    if (!admin->post(admin->owner, ADMIN_CONTROL, there, run_in_control, errand)) {
        console->errand = NULL;
        free_errand(errand);
        return fail(console, "57P01", "the router is shutting down");
    }
    return CONSOLE_WAITS;
}

void console_leave_errand(struct console *console)
{
    struct console_errand *errand = console->errand;

    console->errand = NULL;
    if (errand == NULL) {
        return;
    }
    if (errand->is_stranded) {
        free(errand);
        return;
    }
    errand->console = NULL;
}

/* ---- all of them ---- */

enum console_result console_command(struct console *console)
{
    switch (console->query.kind) {
    case QUERY_PAUSE:
    case QUERY_RESUME:
    case QUERY_RECONNECT:
    case QUERY_WAIT_CLOSE:
    case QUERY_KILL:
    case QUERY_DISABLE:
    case QUERY_ENABLE: return run_order(console);
    case QUERY_SET:
    case QUERY_RELOAD:
    case QUERY_SHUTDOWN: return run_errand(console);
    case QUERY_EMPTY:
    case QUERY_SHOW:
    case QUERY_BEGIN:
    case QUERY_COMMIT:
    case QUERY_ROLLBACK: break;
    }
    return CONSOLE_DONE;
}
