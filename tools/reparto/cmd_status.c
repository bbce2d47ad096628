/* reparto status: what runs, how far it is, and what is wrong with it. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "common/options.h"
#include "common/pg.h"
#include "common/terminal.h"
#include "lab/lab_state.h"
#include "lab/launch.h"
#include "lab/watch.h"
#include "reparto/commands.h"
#include "reparto/status_check.h"
#include "reparto/status_details.h"
#include "reparto/status_print.h"
#include "version.h"

enum { EXIT_HEALTHY = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_WRONG = 3 };
enum { TARGETS_MAX = LAB_SHARDS_MAX * (1 + LAB_REPLICAS_MAX), ASK_LIMIT_S = 5 };

/* Without a history: long enough for a dozen samples, and for a node that needs a second attempt.
 */
static const int64_t sample_time = 1200 * CLOCK_MS, sample_time_max = 2500 * CLOCK_MS;

struct arguments {
    const char *directory, *primary;
    struct option_list replicas;
    bool is_json, is_watch;
    int64_t long_query, stale_max;
};

#define AT(field) offsetof(struct arguments, field)

static const struct option_row rows[] = {
    {"dir", "DIR", OPTION_TEXT, AT(directory), 0, 0,
     "The lab's directory; default $REPARTO_LAB, else ${TMPDIR:-/tmp}/reparto-lab-UID."},
    {"json", NULL, OPTION_FLAG, AT(is_json), 0, 0,
     "One JSON document (docs/status.schema.json); with --watch one a line."},
    {"long-query", "TIME", OPTION_DURATION, AT(long_query), 0, 86400,
     "List queries and idle transactions that last longer than this (default 1s)."},
    {"max-stale", "TIME", OPTION_DURATION, AT(stale_max), 0, 31536000,
     "A replica whose data is older is a problem (default 5s)."},
    {"primary", "DSN", OPTION_TEXT, AT(primary), 0, 0, "Look at this primary instead of the lab."},
    {"replica", "DSN", OPTION_LIST, AT(replicas), 0, 0,
     "And at this replica of it; may be given several times."},
    {"watch", NULL, OPTION_FLAG, AT(is_watch), 0, 0, "Draw it again every second, until Ctrl-C."},
};

static const struct option_table table = {
    .program = "reparto status",
    .usage = "  reparto status [--dir DIR] [--watch] [--json]\n"
             "  reparto status --primary DSN [--replica DSN]... [--watch] [--json]\n",
    .description =
        "Shows each node's role, WAL position and timeline, how stale each replica is, streaming,\n"
        "slots, connections and long-running queries.  Staleness is measured by position, on one\n"
        "clock: right too when a replica is cut off or frozen, and 0 when the primary is idle.\n"
        "The lab is watched all the time; other servers for a moment, so \"≥\" means at least.\n",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .epilogue = "examples:\n"
                "  reparto status\n"
                "  reparto status --watch --max-stale 500ms\n"
                "  reparto status --json | jq '.shards[].nodes[] | {name, staleness}'\n"
                "  reparto status --primary 'host=127.0.0.1 port=5433 dbname=shop' \\\n"
                "                 --replica 'host=127.0.0.1 port=5434 dbname=shop'\n"
                "\n"
                "exit status: 0 healthy, 1 could not run, 2 wrong usage, 3 something is wrong\n",
};

struct source {
    const struct arguments *arguments; /* borrowed */
    struct lab_state state;            /* of the lab; zeroed when targets were given */
    struct watch *watch;               /* owned; NULL with a lab, whose supervisor watches */
    struct status_details *details;    /* owned */
    size_t target_count;
    struct status_target targets[TARGETS_MAX];
    char names[TARGETS_MAX][16];          /* without a lab */
    char dsns[TARGETS_MAX][LAB_DSN_SIZE]; /* with a lab; hold its password */
};

/* ---- opening ---- */

static void list_lab_targets(struct source *source)
{
    const struct lab_state *state = &source->state;

    for (size_t i = 0; i < state->shard_count; i++) {
        const struct lab_shard *shard = &state->shards[i];
        for (size_t k = 0; k < shard->node_count && source->target_count < TARGETS_MAX; k++) {
            size_t at = source->target_count++;
            source->targets[at] = (struct status_target){
                shard->nodes[k].name, lab_state_dsn(state, &shard->nodes[k], source->dsns[at])};
        }
    }
}

static bool open_direct(struct source *source, struct error *err)
{
    const struct arguments *arguments = source->arguments;
    struct watch_node nodes[OPTION_LIST_MAX + 1];
    int64_t now = clock_now();

    for (size_t i = 0; i <= arguments->replicas.count; i++) {
        const char *dsn = i == 0 ? arguments->primary : arguments->replicas.items[i - 1];
        if (!pg_check_dsn(dsn, err)) {
            return error_wrap(err, i == 0 ? "--primary" : "--replica");
        }
        snprintf(source->names[i], sizeof source->names[i], i == 0 ? "p" : "r%zu", i);
        source->targets[i] = (struct status_target){source->names[i], dsn};
        nodes[i] = (struct watch_node){source->names[i], dsn};
    }
    source->target_count = 1 + arguments->replicas.count;
    source->watch = watch_create(now);
    if (source->watch == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    return watch_add(source->watch, "s0", nodes, source->target_count, now, err);
}

static bool open_source(struct source *source, const struct arguments *arguments, struct error *err)
{
    source->arguments = arguments;
    bool is_ok = arguments->primary != NULL
                     ? open_direct(source, err)
                     : lab_state_load(arguments->directory, &source->state, err);
    if (!is_ok) {
        return false;
    }
    if (source->watch == NULL) {
        list_lab_targets(source);
    }
    source->details =
        status_details_create(source->targets, source->target_count, arguments->long_query);
    return source->details != NULL || error_set(err, "53200", "out of memory");
}

static void close_source(struct source *source)
{
    status_details_destroy(source->details);
    watch_destroy(source->watch);
    lab_state_done(&source->state);
    explicit_bzero(source->dsns, sizeof source->dsns);
    free(source);
}

/* ---- gathering ---- */

static const char *expected_role(const struct source *source, const char *name)
{
    struct error ignored = {0}; /* a name that lab.json does not have is expected to be nothing */

    if (source->watch != NULL) {
        return strcmp(name, "p") == 0 ? "primary" : "replica";
    }
    const struct lab_node *node = lab_state_node(&source->state, name, &ignored);
    return node != NULL ? lab_role_name(node->role) : NULL;
}

static void add_expected_roles(const struct source *source, json_t *document)
{
    size_t i, k;
    json_t *shard, *node;

    json_array_foreach(json_object_get(document, "shards"), i, shard)
    {
        json_array_foreach(json_object_get(shard, "nodes"), k, node)
        {
            const char *name = json_string_value(json_object_get(node, "name"));
            const char *role = name != NULL ? expected_role(source, name) : NULL;
            json_object_set_new(node, "expected_role",
                                role != NULL ? json_string(role) : json_null());
        }
    }
}

/* Whether the supervisor's watch is so young that a node may just not have answered yet. */
static bool is_beginning(const json_t *facts)
{
    size_t i, k;
    json_t *shard, *node;
    double limit_s = (double)sample_time_max / (double)CLOCK_SECOND;

    if (json_number_value(json_object_get(facts, "watched_s")) > limit_s) {
        return false;
    }
    json_array_foreach(json_object_get(facts, "shards"), i, shard)
    {
        json_array_foreach(json_object_get(shard, "nodes"), k, node)
        {
            const char *state = json_string_value(json_object_get(node, "state"));
            if (state != NULL && strcmp(state, node_contact_name(NODE_NEVER_ANSWERED)) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Roles change by promotion, so lab.json is read each time. */
static json_t *ask_lab(struct source *source, struct error *err)
{
    struct lab_state state;

    if (!lab_state_load(source->arguments->directory, &state, err)) {
        lab_state_done(&state);
        return NULL;
    }
    /* Names in `targets` are borrowed from the first load; they don't change. */
    for (size_t i = 0; i < source->state.shard_count && i < state.shard_count; i++) {
        const struct lab_shard *from = &state.shards[i];
        struct lab_shard *to = &source->state.shards[i];
        for (size_t k = 0; k < to->node_count && k < from->node_count; k++) {
            to->nodes[k].role = from->nodes[k].role;
        }
    }
    lab_state_done(&state);
    json_t *request = json_pack("{s:s}", "command", "monitor");
    json_t *answer = lab_ask(source->arguments->directory, request, ASK_LIMIT_S, err);
    while (answer != NULL && is_beginning(answer)) {
        json_decref(answer);
        clock_sleep_until(clock_now() + 100 * CLOCK_MS);
        answer = lab_ask(source->arguments->directory, request, ASK_LIMIT_S, err);
    }
    json_decref(request);
    return answer;
}

/* The caller owns the result; NULL with `err`. */
static json_t *gather(struct source *source, struct error *err)
{
    char now[CLOCK_TEXT_SIZE];
    json_t *facts =
        source->watch != NULL ? watch_json(source->watch, clock_now()) : ask_lab(source, err);
    if (facts == NULL) {
        if (!error_is_set(err)) {
            error_set(err, "53200", "out of memory");
        }
        return NULL;
    }
    json_t *document =
        json_pack("{s:i, s:s, s:s, s:O, s:O}", "format", 1, "time", clock_iso(now, clock_utc()),
                  "source", source->watch != NULL ? "direct" : "lab", "watched_s",
                  json_object_get(facts, "watched_s"), "shards", json_object_get(facts, "shards"));
    json_decref(facts);
    if (document == NULL) {
        error_set(err, "22023", "the supervisor's answer lacks a part");
        return NULL;
    }
    add_expected_roles(source, document);
    status_details_add(source->details, document);
    status_check(document, (double)source->arguments->stale_max / 1e6);
    return document;
}

/* ---- showing ---- */

static bool show_json(const json_t *document, bool is_line)
{
    bool is_ok = json_dumpf(document, stdout, is_line ? JSON_COMPACT : JSON_INDENT(2)) == 0;
    return is_ok && putchar('\n') != EOF && fflush(stdout) == 0;
}

/* In place: each line is cleared to its end, so that nothing flickers. */
static void draw(const struct text *page)
{
    const char *line = text_cstr(page);

    fputs("\x1b[H", stdout);
    while (*line != '\0') {
        size_t size = strcspn(line, "\n");
        fwrite(line, 1, size, stdout);
        fputs("\x1b[K\n", stdout);
        line += size + (line[size] == '\n');
    }
    fputs("\x1b[J", stdout);
}

static bool show_page(const json_t *document, bool is_screen, bool is_watch)
{
    struct text page = {0};

    status_print(&page, document, terminal_has_color(stdout));
    if (is_watch) {
        text_appendf(&page, "\n%s%s\n", json_string_value(json_object_get(document, "time")),
                     is_screen ? "   Ctrl-C ends" : "");
    }
    if (page.has_failed) {
        text_done(&page);
        return false;
    }
    if (is_screen) {
        draw(&page);
    } else {
        fputs(text_cstr(&page), stdout);
    }
    text_done(&page);
    return fflush(stdout) == 0;
}

static bool show(const struct arguments *arguments, const json_t *document, struct error *err)
{
    bool is_screen = arguments->is_watch && isatty(STDOUT_FILENO);
    bool is_ok = arguments->is_json ? show_json(document, arguments->is_watch)
                                    : show_page(document, is_screen, arguments->is_watch);
    return is_ok || error_set(err, "58030", "cannot write the status: %s", strerror(errno));
}

/* ---- once, or again and again ---- */

static int run_once(struct source *source, struct error *err)
{
    if (source->watch != NULL) {
        int64_t start = clock_now();
        watch_run(source->watch, start + sample_time);
        while (!watch_is_settled(source->watch, clock_now()) &&
               clock_now() < start + sample_time_max) {
            watch_run(source->watch, clock_now() + 100 * CLOCK_MS);
        }
    }
    json_t *document = gather(source, err);
    if (document == NULL) {
        return EXIT_FAILED;
    }
    bool is_healthy = json_is_true(json_object_get(document, "healthy"));
    bool is_shown = show(source->arguments, document, err);
    json_decref(document);
    return !is_shown ? EXIT_FAILED : is_healthy ? EXIT_HEALTHY : EXIT_WRONG;
}

/* True: told to end. */
static bool wait_until(struct source *source, int signals, int64_t until)
{
    struct pollfd fd = {.fd = signals, .events = POLLIN};

    while (clock_now() < until) {
        int timeout = clock_poll_timeout(until, clock_now());
        if (source->watch != NULL) {
            int64_t slice = clock_now() + 50 * CLOCK_MS;
            watch_run(source->watch, slice < until ? slice : until);
            timeout = 0;
        }
        if (poll(&fd, 1, timeout) > 0) {
            return true;
        }
    }
    return poll(&fd, 1, 0) > 0;
}

static int watch_loop(struct source *source, int signals, struct error *err)
{
    int64_t next = clock_now() + (source->watch != NULL ? sample_time : 0);

    while (!wait_until(source, signals, next)) {
        json_t *document = gather(source, err);
        bool is_shown = document != NULL && show(source->arguments, document, err);
        json_decref(document);
        if (!is_shown) {
            return EXIT_FAILED;
        }
        next += CLOCK_SECOND;
        next = next < clock_now() ? clock_now() : next; /* a slow answer is not made up for */
    }
    return EXIT_HEALTHY;
}

static int run_watch(struct source *source, struct error *err)
{
    bool is_screen = !source->arguments->is_json && isatty(STDOUT_FILENO);
    sigset_t wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    int signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) {
        error_set(err, "58000", "cannot wait for signals: %s", strerror(errno));
        return EXIT_FAILED;
    }
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    if (is_screen) {
        fputs("\x1b[?25l\x1b[2J", stdout); /* no cursor, an empty screen */
    }
    int status = watch_loop(source, signals, err);
    if (is_screen) {
        fputs("\x1b[?25h\n", stdout);
        fflush(stdout);
    }
    close(signals);
    return status;
}

static bool check_arguments(const struct arguments *arguments, const struct option_list *words,
                            struct error *err)
{
    if (words->count > 0) {
        error_set(err, "42601", "'%s' is too much: there are only options", words->items[0]);
        return error_hint(err, "'reparto status --help' lists them");
    }
    if (arguments->primary == NULL && arguments->replicas.count > 0) {
        error_set(err, "42601", "--replica needs --primary");
        return error_hint(err, "staleness is measured against the primary of the replica");
    }
    if (arguments->primary != NULL && arguments->directory != NULL) {
        return error_set(err, "42601", "give either --dir or --primary");
    }
    if (arguments->replicas.count >= LAG_NODES_MAX) {
        return error_set(err, "42601", "at most %d replicas", LAG_NODES_MAX - 1);
    }
    return true;
}

static int fail(const struct error *err, int status)
{
    error_print(err, "reparto status", stderr);
    return status;
}

int cmd_status(int argc, char **argv)
{
    struct arguments arguments = {.long_query = CLOCK_SECOND, .stale_max = 5 * CLOCK_SECOND};
    struct option_list words = {0};
    struct error err = {0};

    switch (options_parse(&table, argc, argv, &arguments, &words, &err)) {
    case OPTIONS_HELP: options_help(&table, stdout); return EXIT_HEALTHY;
    case OPTIONS_VERSION:
        printf("reparto %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT);
        return EXIT_HEALTHY;
    case OPTIONS_BAD: return fail(&err, EXIT_USAGE);
    case OPTIONS_OK: break;
    }
    if (!check_arguments(&arguments, &words, &err)) {
        return fail(&err, EXIT_USAGE);
    }
    struct source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        error_set(&err, "53200", "out of memory");
        return fail(&err, EXIT_FAILED);
    }
    int status = EXIT_FAILED;
    if (open_source(source, &arguments, &err)) {
        status = arguments.is_watch ? run_watch(source, &err) : run_once(source, &err);
    }
    if (error_is_set(&err)) {
        error_print(&err, "reparto status", stderr);
    }
    close_source(source);
    return status;
}
