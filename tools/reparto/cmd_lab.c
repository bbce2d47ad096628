/* reparto lab: starts a cluster, looks at it, breaks it. */
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "common/options.h"
#include "common/pg.h"
#include "common/terminal.h"
#include "lab/lab_state.h"
#include "lab/launch.h"
#include "reparto/commands.h"
#include "version.h"

enum { DONE = 0, FAILED = 1, USAGE = 2, JOB_TIMEOUT_S = 900 };

struct lab_arguments {
    const char *directory, *bin, *user;
    long shards, replicas, port;
    bool is_brief, is_kept, is_foreground, is_json, is_forced, is_rebuilt, is_receiver;
    struct option_list settings;
};

#define AT(field) offsetof(struct lab_arguments, field)
#define ROW_DIR                                                                                    \
    {                                                                                              \
        "dir", "DIR", OPTION_TEXT, AT(directory), 0, 0,                                            \
            "the lab's directory [$REPARTO_LAB, else $TMPDIR/reparto-lab-UID]"                     \
    }
#define ROW_JSON                                                                                   \
    {                                                                                              \
        "json", NULL, OPTION_FLAG, AT(is_json), 0, 0, "print one JSON document"                    \
    }

/* ---- output ---- */

static int fail(const struct error *err, bool is_json)
{
    if (is_json) {
        json_t *document = json_pack("{s:b, s:s, s:s, s:s}", "ok", 0, "sqlstate", err->sqlstate,
                                     "message", err->message, "hint", err->hint);
        json_dumpf(document, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(document);
    }
    error_print(err, "reparto lab", stderr);
    return strcmp(err->sqlstate, "42601") == 0 ? USAGE : FAILED;
}

static void print_json(json_t *document) /* takes the reference */
{
    json_dumpf(document, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(document);
}

/* ---- up ---- */

struct view {
    struct progress progress;
    bool is_json;
    json_t *timings; /* owned */
};

static void show_event(void *context, const json_t *event)
{
    struct view *view = context;
    const char *kind = json_string_value(json_object_get(event, "event"));
    const char *node = json_string_value(json_object_get(event, "node"));
    double seconds = (double)json_integer_value(json_object_get(event, "elapsed_ms")) / 1000;

    if (kind == NULL) {
        return;
    }
    if (strcmp(kind, "step") == 0) {
        progress_show(&view->progress, " %.1f s  %s: %s", seconds, node,
                      json_string_value(json_object_get(event, "what")));
        return;
    }
    progress_erase(&view->progress);
    if (view->is_json) {
        json_array_append_new(view->timings, json_deep_copy(event));
        return;
    }
    if (strcmp(kind, "postgres") == 0) {
        printf("%4.1f s  %s in %s, running as %s\n", seconds,
               json_string_value(json_object_get(event, "version")),
               json_string_value(json_object_get(event, "bin")),
               json_string_value(json_object_get(event, "user")));
    }
    if (strcmp(kind, "node") == 0) {
        const char *role = json_string_value(json_object_get(event, "role"));
        printf("%4.1f s  %-5s %-30s %s:%d\n", seconds, node,
               strcmp(role, "replica") == 0 ? "replica, streaming" : role,
               json_string_value(json_object_get(event, "host")),
               (int)json_integer_value(json_object_get(event, "port")));
    }
    fflush(stdout);
}

static void print_next(const struct lab_arguments *arguments, const char *directory)
{
    const char *node = arguments->shards > 1 ? "s0p" : "p";
    const char *replica = arguments->shards > 1 ? "s0r1" : "r1";

    if (arguments->directory != NULL) {
        printf("\n first  export REPARTO_LAB=%s      or add --dir to each of these", directory);
    }
    printf("\n look   reparto lab status\n        reparto lab psql %s\n", node);
    if (arguments->replicas > 0) {
        printf(" break  reparto lab freeze %s      and: reparto lab thaw %s\n"
               "        reparto lab kill %s        then: reparto lab promote %s\n",
               replica, replica, node, replica);
    }
    printf(" end    %s, which %s %s\n", arguments->is_foreground ? "Ctrl-C" : "reparto lab down",
           arguments->is_kept ? "keeps" : "removes", directory);
    fflush(stdout);
}

struct ready_view {
    struct view view;
    const struct lab_arguments *arguments;
    char directory[LAB_PATH_SIZE];
};

static void show_start(void *context, const json_t *event)
{
    struct ready_view *ready = context;
    const char *kind = json_string_value(json_object_get(event, "event"));

    show_event(&ready->view, event);
    if (kind == NULL || strcmp(kind, "ready") != 0) {
        return;
    }
    if (ready->view.is_json) {
        print_json(json_pack("{s:b, s:s, s:O}", "ok", 1, "directory", ready->directory, "events",
                             ready->view.timings));
        fflush(stdout);
        return;
    }
    if (!ready->arguments->is_brief) {
        print_next(ready->arguments, ready->directory);
    }
}

static int run_up(const struct lab_arguments *arguments, const struct option_list *,
                  struct error *err)
{
    struct ready_view view = {.arguments = arguments};
    struct lab_options options = {.directory = arguments->directory,
                                  .bin = arguments->bin,
                                  .user = arguments->user,
                                  .shards = arguments->shards,
                                  .replicas = arguments->replicas,
                                  .port = arguments->port,
                                  .is_kept = arguments->is_kept,
                                  .is_foreground = arguments->is_foreground,
                                  .settings = arguments->settings.items,
                                  .setting_count = arguments->settings.count};

    if (!lab_directory(arguments->directory, view.directory, err)) {
        return FAILED;
    }
    view.view.is_json = arguments->is_json;
    view.view.timings = json_array();
    progress_init(&view.view.progress, stderr, false);
    bool is_ok = lab_up(&options, show_start, &view, err);
    progress_erase(&view.view.progress);
    json_decref(view.view.timings);
    return is_ok ? DONE : FAILED;
}

/* ---- down ---- */

static int run_down(const struct lab_arguments *arguments, const struct option_list *,
                    struct error *err)
{
    char directory[LAB_PATH_SIZE];

    if (!lab_directory(arguments->directory, directory, err) ||
        !lab_down(arguments->directory, err)) {
        return FAILED;
    }
    if (arguments->is_json) {
        print_json(json_pack("{s:b, s:s}", "ok", 1, "directory", directory));
        return DONE;
    }
    printf("the lab at %s is stopped\n", directory);
    return DONE;
}

/* ---- status ---- */

/* The node's position, as text; "" when it can't be asked now. */
static void read_lsn(const struct lab_state *state, const char *name, char *lsn, size_t size)
{
    char dsn[LAB_DSN_SIZE];
    struct error ignored = {0}; /* the table shows "-" then, and the state why */
    const struct lab_node *node = lab_state_node(state, name, &ignored);
    PGconn *connection =
        node != NULL ? pg_connect(lab_state_dsn(state, node, dsn), "reparto/status", 2, &ignored)
                     : NULL;
    PGresult *result =
        connection == NULL
            ? NULL
            : pg_query(connection,
                       "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
                       " ELSE pg_current_wal_flush_lsn() END",
                       0, NULL, &ignored);

    if (result != NULL && PQntuples(result) == 1) {
        snprintf(lsn, size, "%s", PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    PQfinish(connection);
}

/* Adds "lsn" to the nodes of a shard; null where it can't be asked. */
static void add_shard_positions(const struct lab_state *state, json_t *nodes)
{
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        json_t *node = json_array_get(nodes, i);
        const char *name = json_string_value(json_object_get(node, "name"));
        const char *now = json_string_value(json_object_get(node, "state"));
        char lsn[32] = "";
        if (name != NULL && now != NULL && strcmp(now, "running") == 0) {
            read_lsn(state, name, lsn, sizeof lsn);
        }
        json_object_set_new(node, "lsn", lsn[0] != '\0' ? json_string(lsn) : json_null());
    }
}

static void add_positions(const char *directory, json_t *status)
{
    struct lab_state state;
    struct error ignored = {0}; /* still starting: there is nothing to ask yet */
    json_t *shards = json_object_get(status, "shards");

    if (lab_state_load(directory, &state, &ignored)) {
        for (size_t i = 0; i < json_array_size(shards); i++) {
            add_shard_positions(&state, json_object_get(json_array_get(shards, i), "nodes"));
        }
    }
    lab_state_done(&state);
}

static void describe_state(const json_t *node, char *text, size_t size)
{
    json_int_t delay = json_integer_value(json_object_get(node, "delay_ms"));
    char delayed[40] = "";

    if (delay > 0) {
        snprintf(delayed, sizeof delayed, ", link +%lld ms", (long long)delay);
    }
    snprintf(text, size, "%s%s%s%s", json_string_value(json_object_get(node, "state")),
             json_is_true(json_object_get(node, "walreceiver_frozen")) ? ", walreceiver frozen"
                                                                       : "",
             json_is_true(json_object_get(node, "cut")) ? ", link cut" : "", delayed);
}

static void print_status(const json_t *status)
{
    size_t i, k;
    const json_t *shard, *node;

    printf("%s at %s%s\n\n%-6s %-15s %-28s %-16s %8s  %s\n",
           json_string_value(json_object_get(status, "version")),
           json_string_value(json_object_get(status, "directory")),
           json_is_true(json_object_get(status, "ready")) ? "" : " (starting)", "node", "role",
           "state", "address", "pid", "LSN");
    json_array_foreach(json_object_get(status, "shards"), i, shard)
    {
        json_array_foreach(json_object_get(shard, "nodes"), k, node)
        {
            const char *lsn = json_string_value(json_object_get(node, "lsn"));
            json_int_t pid = json_integer_value(json_object_get(node, "pid"));
            char state[120], address[80], pid_text[24] = "-";
            describe_state(node, state, sizeof state);
            snprintf(address, sizeof address, "%s:%lld",
                     json_string_value(json_object_get(node, "host")),
                     (long long)json_integer_value(json_object_get(node, "port")));
            if (pid > 0) {
                snprintf(pid_text, sizeof pid_text, "%lld", (long long)pid);
            }
            printf("%-6s %-15s %-28s %-16s %8s  %s\n",
                   json_string_value(json_object_get(node, "name")),
                   json_string_value(json_object_get(node, "role")), state, address, pid_text,
                   lsn != NULL ? lsn : "-");
        }
    }
}

static int run_status(const struct lab_arguments *arguments, const struct option_list *,
                      struct error *err)
{
    json_t *request = json_pack("{s:s}", "command", "status");
    json_t *status = lab_ask(arguments->directory, request, 10, err);

    json_decref(request);
    if (status == NULL) {
        return FAILED;
    }
    add_positions(arguments->directory, status);
    if (arguments->is_json) {
        print_json(status);
        return DONE;
    }
    print_status(status);
    json_decref(status);
    return DONE;
}

/* ---- psql ---- */

static int run_psql(const struct lab_arguments *arguments, const struct option_list *words,
                    struct error *err)
{
    struct lab_state state;
    char path[LAB_PATH_SIZE + 16], password_file[LAB_PATH_SIZE + 16], port[16];
    const char *argv[OPTION_LIST_MAX + 10];
    size_t count = 0;

    const struct lab_node *node = lab_state_load(arguments->directory, &state, err)
                                      ? lab_state_node(&state, words->items[0], err)
                                      : NULL;
    if (node == NULL) {
        lab_state_done(&state);
        return FAILED;
    }
    snprintf(path, sizeof path, "%s/psql", state.bin);
    snprintf(password_file, sizeof password_file, "%s/psql.pass", state.directory);
    snprintf(port, sizeof port, "%d", node->port);
    const char *fixed[] = {path, "-h",       node->host, "-p",          port,
                           "-U", state.user, "-d",       state.database};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        argv[count++] = fixed[i];
    }
    for (size_t i = 1; i < words->count; i++) {
        argv[count++] = words->items[i];
    }
    argv[count] = NULL;
    setenv("PGPASSFILE", password_file, 1);
    unsetenv("PGPASSWORD");
    unsetenv("PGSERVICE");
    unsetenv("PGHOSTADDR");
    setenv("PGSSLMODE", "disable", 1);
    /* execv() takes char *const[] for historical reasons and changes nothing. */
    const union {
        const char *const *ours;
        char *const *theirs;
    } all = {.ours = argv};
    execv(path, all.theirs);
    error_set(err, "58P01", "cannot run %s", path);
    error_hint(err, "apt install postgresql-client-15");
    lab_state_done(&state);
    return FAILED;
}

/* ---- commands to the supervisor ---- */

static bool check_node(const char *directory, const char *name, struct error *err)
{
    struct lab_state state;
    bool is_ok =
        lab_state_load(directory, &state, err) && lab_state_node(&state, name, err) != NULL;

    lab_state_done(&state);
    return is_ok;
}

/* Takes the reference to `request`, which gets "node". */
static int send_command(const struct lab_arguments *arguments, const char *node, json_t *request,
                        struct error *err)
{
    json_t *answer = NULL;

    json_object_set_new(request, "node", json_string(node));
    if (check_node(arguments->directory, node, err)) {
        answer = lab_ask(arguments->directory, request, JOB_TIMEOUT_S, err);
    }
    json_decref(request);
    if (answer == NULL) {
        return FAILED;
    }
    if (arguments->is_json) {
        print_json(answer);
        return DONE;
    }
    const char *told = json_string_value(json_object_get(answer, "told"));
    fputs(told != NULL ? told : "", stdout);
    json_decref(answer);
    return DONE;
}

static int run_simple(const char *command, const struct lab_arguments *arguments,
                      const struct option_list *words, struct error *err)
{
    return send_command(arguments, words->items[0],
                        json_pack("{s:s, s:b, s:b, s:b}", "command", command, "force",
                                  arguments->is_forced, "rebuild", arguments->is_rebuilt,
                                  "walreceiver", arguments->is_receiver),
                        err);
}

static int run_promote(const struct lab_arguments *arguments, const struct option_list *words,
                       struct error *err)
{
    return run_simple("promote", arguments, words, err);
}

static int run_freeze(const struct lab_arguments *arguments, const struct option_list *words,
                      struct error *err)
{
    return run_simple("freeze", arguments, words, err);
}

static int run_thaw(const struct lab_arguments *arguments, const struct option_list *words,
                    struct error *err)
{
    return run_simple("thaw", arguments, words, err);
}

static int run_kill(const struct lab_arguments *arguments, const struct option_list *words,
                    struct error *err)
{
    return run_simple("kill", arguments, words, err);
}

static int run_start(const struct lab_arguments *arguments, const struct option_list *words,
                     struct error *err)
{
    return run_simple("start", arguments, words, err);
}

static int run_cut(const struct lab_arguments *arguments, const struct option_list *words,
                   struct error *err)
{
    return run_simple("cut", arguments, words, err);
}

static int run_heal(const struct lab_arguments *arguments, const struct option_list *words,
                    struct error *err)
{
    return run_simple("heal", arguments, words, err);
}

static int run_lag(const struct lab_arguments *arguments, const struct option_list *words,
                   struct error *err)
{
    long ms;

    if (!options_integer(words->items[1], 0, 60000, &ms)) {
        error_set(err, "42601", "\"%s\" is not a delay of 0..60000 ms", words->items[1]);
        error_hint(err, "for example: reparto lab lag %s 500; 0 takes the delay away",
                   words->items[0]);
        return USAGE;
    }
    return send_command(arguments, words->items[0],
                        json_pack("{s:s, s:I}", "command", "lag", "ms", (json_int_t)ms), err);
}

/* ---- the table ---- */

typedef int lab_run(const struct lab_arguments *arguments, const struct option_list *words,
                    struct error *err);

static const struct option_row up_rows[] = {
    {"bin", "DIR", OPTION_TEXT, AT(bin), 0, 0, "PostgreSQL's programs [looked for]"},
    {"brief", NULL, OPTION_FLAG, AT(is_brief), 0, 0, "no lines on what to do next"},
    ROW_DIR,
    {"foreground", NULL, OPTION_FLAG, AT(is_foreground), 0, 0,
     "stay; Ctrl-C stops all and removes the directory"},
    ROW_JSON,
    {"keep", NULL, OPTION_FLAG, AT(is_kept), 0, 0, "leave the directory there at the end"},
    {"port", "PORT", OPTION_INTEGER, AT(port), 1024, 65000,
     "the first node's port, the others follow [free ones from 5433 on]"},
    {"replicas", "N", OPTION_INTEGER, AT(replicas), 0, LAB_REPLICAS_MAX,
     "replicas of each shard [2]"},
    {"settings", "K=V", OPTION_LIST, AT(settings), 0, 0,
     "a line for postgresql.conf; may be repeated"},
    {"shards", "N", OPTION_INTEGER, AT(shards), 1, LAB_SHARDS_MAX, "primaries [1]"},
    {"user", "NAME", OPTION_TEXT, AT(user), 0, 0,
     "run as this user when started as root [postgres]"},
};
static const struct option_row plain_rows[] = {ROW_DIR, ROW_JSON};
static const struct option_row psql_rows[] = {ROW_DIR};
static const struct option_row freeze_rows[] = {
    ROW_DIR,
    ROW_JSON,
    {"walreceiver", NULL, OPTION_FLAG, AT(is_receiver), 0, 0,
     "only the process that receives: reads go on, nothing new arrives"}};
static const struct option_row promote_rows[] = {
    ROW_DIR,
    {"force", NULL, OPTION_FLAG, AT(is_forced), 0, 0,
     "although the old primary runs, or another replica has more"},
    ROW_JSON};
static const struct option_row start_rows[] = {
    ROW_DIR,
    ROW_JSON,
    {"rebuild", NULL, OPTION_FLAG, AT(is_rebuilt), 0, 0,
     "copy it from the primary anew; a former primary always is"}};

#define ROWS(rows) rows, sizeof(rows) / sizeof(rows)[0]
static const struct lab_command {
    const char *name;
    lab_run *run;
    const char *words; /* as in the usage line */
    size_t word_count, word_max;
    const struct option_row *rows;
    size_t row_count;
    const char *help;
} commands[] = {
    {"up", run_up, "", 0, 0, ROWS(up_rows), "start a lab; returns when all of it streams"},
    {"down", run_down, "", 0, 0, ROWS(plain_rows), "stop it and remove its directory"},
    {"status", run_status, "", 0, 0, ROWS(plain_rows), "its nodes: role, state, address, LSN"},
    {"psql", run_psql, "NODE [-- ARGUMENTS]", 1, OPTION_LIST_MAX, ROWS(psql_rows),
     "psql on a node, logged in"},
    {"promote", run_promote, "NODE", 1, 1, ROWS(promote_rows),
     "make a replica the primary; the other replicas follow it"},
    {"freeze", run_freeze, "NODE", 1, 1, ROWS(freeze_rows),
     "stop every process of it (SIGSTOP): it hangs"},
    {"thaw", run_thaw, "NODE", 1, 1, ROWS(plain_rows), "let it go on"},
    {"kill", run_kill, "NODE", 1, 1, ROWS(plain_rows), "kill -9 of every process of it"},
    {"start", run_start, "NODE", 1, 1, ROWS(start_rows),
     "start it again; a former primary is rebuilt as a replica"},
    {"cut", run_cut, "NODE", 1, 1, ROWS(plain_rows),
     "cut a replica's link to its primary; of a primary: all its links"},
    {"heal", run_heal, "NODE", 1, 1, ROWS(plain_rows), "mend the link"},
    {"lag", run_lag, "NODE MS", 2, 2, ROWS(plain_rows),
     "delay what the primary sends on that link; 0 ends it"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fprintf(out, "usage: reparto lab COMMAND [options]\n\n"
                 "A real cluster on this machine: primaries, streaming replicas, faults.\n\n"
                 "commands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].words);
        fprintf(out, "  %-26s %s\n", left, commands[i].help);
    }
    fprintf(out, "\n'reparto lab COMMAND --help' tells more about one.\n\n"
                 "examples:\n"
                 "  reparto lab up --shards 2 --replicas 2\n"
                 "  reparto lab psql s0p -- -c 'SELECT now()'\n"
                 "  reparto lab freeze s0r1; reparto lab status; reparto lab thaw s0r1\n"
                 "  reparto lab kill s0p; reparto lab promote s0r1; reparto lab start s0p\n"
                 "  reparto lab down\n\n"
                 "exit status: 0 done, 1 could not run or failed, 2 wrong usage\n");
}

static int unknown_command(const char *word)
{
    const char *names[COMMAND_COUNT + 1] = {0};
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
    }
    return options_unknown_word("reparto lab", "command", word, names);
}

static int run_command(const struct lab_command *command, int argc, char **argv)
{
    char program[64], usage[128];
    struct lab_arguments arguments = {.shards = 1, .replicas = 2};
    struct option_list words;
    struct error err = {0};

    snprintf(program, sizeof program, "reparto lab %s", command->name);
    snprintf(usage, sizeof usage, "%s %s[options]", program,
             command->words[0] != '\0' ? command->words : "");
    if (command->words[0] != '\0') {
        snprintf(usage, sizeof usage, "%s [options] %s", program, command->words);
    }
    const struct option_table table = {.program = program,
                                       .usage = usage,
                                       .description = command->help,
                                       .rows = command->rows,
                                       .row_count = command->row_count,
                                       .epilogue =
                                           "exit status: 0 done, 1 could not run or failed, 2 "
                                           "wrong usage"};
    switch (options_parse(&table, argc, argv, &arguments, &words, &err)) {
    case OPTIONS_HELP: options_help(&table, stdout); return DONE;
    case OPTIONS_VERSION: printf("reparto %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT); return DONE;
    case OPTIONS_BAD: fail(&err, arguments.is_json); return USAGE;
    case OPTIONS_OK: break;
    }
    if (words.count < command->word_count || words.count > command->word_max) {
        error_set(&err, "42601",
                  words.count < command->word_count ? "%s needs %s" : "%s takes no more than: %s",
                  command->name, command->words[0] != '\0' ? command->words : "options");
        error_hint(&err, "usage: %s", usage);
        return fail(&err, arguments.is_json);
    }
    int status = command->run(&arguments, &words, &err);
    return error_is_set(&err) ? fail(&err, arguments.is_json) : status;
}

int cmd_lab(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, word) == 0) {
            return run_command(&commands[i], argc - 1, argv + 1);
        }
    }
    return unknown_command(word);
}
