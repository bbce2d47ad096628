/* admin/console_private: the console's own state; for admin/console*.c only.
 *
 * One statement is under way at a time.  It came by a script (a Query message)
 * or by a portal (Execute); when it waits for other threads the session is
 * SESSION_CONSOLE_BUSY, and console_finish() goes on where it stopped.
 */
#pragma once

#include "admin/admin.h"
#include "admin/console.h"
#include "admin/gather.h"
#include "admin/query.h"
#include "admin/rows.h"
#include "admin/show.h"
#include "base/list.h"

enum {
    CONSOLE_MESSAGE_MAX = 65536, /* bytes of one message */
    CONSOLE_STATEMENT_MAX = 64,  /* prepared ones, and portals, that one client may have */
};

/* What a statement's rows will look like. */
struct console_shape {
    const struct show *show; /* NULL: one value, or no rows */
    bool is_single;          /* one value: a setting or a parameter */
    struct column single;
};

struct console_statement {
    struct list_link link;
    char *name, *text; /* owned */
    size_t text_size;
    unsigned parameter_count;
    uint32_t types[QUERY_PARAMETER_MAX]; /* of parameters, as declared; 0: not */
};

struct console_portal {
    struct list_link link;
    char *name;         /* owned */
    struct query query; /* with its parameters' values */
    bool is_begun;      /* it has run */
    struct rows rows;   /* what is left of its answer from `next` on */
    size_t next;
    uint16_t *formats; /* owned; NULL: all text */
    size_t format_count;
    struct console_shape shape;
};

enum console_result { CONSOLE_DONE, CONSOLE_FAILED, CONSOLE_WAITS };

struct console {
    struct session *session;   /* borrowed; it closes the console */
    const struct admin *admin; /* borrowed */
    bool may_change;           /* of admin_users */
    char status;               /* of ReadyForQuery */
    bool is_skipping;          /* after an error, until Sync */
    struct query query;        /* under way */
    struct rows rows;          /* its answer */
    struct error error;        /* why it failed */
    struct console_shape shape;
    char *script; /* owned: the Query message under way; NULL: none */
    size_t script_size, script_at;
    bool script_was_empty;
    struct console_portal *portal; /* under way by Execute; NULL: none */
    uint32_t portal_max;           /* rows asked for; 0: all */
    struct list statements, portals;
    struct gather *gather;         /* under way */
    struct console_errand *errand; /* in the control thread, under way */
    bool undoes_pause;       /* PAUSE is under way, and nobody else's: given up, it's undone */
    struct loop_timer again; /* what waits for others asks again then */
};

/* ---- console_run.c ---- */

/* Runs console->query: its answer is in console->rows, or console->error says why not, or
 * console_finish() follows. */
[[nodiscard]] enum console_result console_run(struct console *console);

/* What query will answer; 42704 when it names what there is not. */
[[nodiscard]] bool console_find_shape(const struct query *query, struct console_shape *shape,
                                      struct error *err);

/* Gives up what waits. */
void console_stop(struct console *console);

/* ---- console_command.c ---- */

/* What is no SHOW. */
[[nodiscard]] enum console_result console_command(struct console *console);
void console_undo(
    struct console *console); /* waits no longer; undoes a PAUSE that was waited for */
void console_leave_errand(struct console *console);

/* ---- console.c ---- */

/* What console_run() left waiting has ended. */
void console_finish(struct console *console, bool is_ok);

/* Writes an error, and what it does to the transaction. */
void console_say_error(struct console *console, const struct error *error);

/* ---- console_write.c: false when memory ran out ---- */

[[nodiscard]] bool console_write_description(struct buffer *out, const struct console_shape *shape,
                                             const uint16_t *formats, size_t format_count);
[[nodiscard]] bool console_write_rows(struct buffer *out, const struct rows *rows, size_t from,
                                      size_t to, const uint16_t *formats, size_t format_count);
[[nodiscard]] bool console_write_complete(struct buffer *out, const char *tag);

/* ---- console_extended.c ---- */

/* One message of the extended protocol.  False and console->error: it failed. */
[[nodiscard]] bool console_extended(struct console *console, char type, const char *body,
                                    size_t size);
/* The portal under way has its answer, or failed. */
[[nodiscard]] bool console_portal_answer(struct console *console, bool is_ok);
void console_forget_portals(struct console *console);
void console_forget_statements(struct console *console);
