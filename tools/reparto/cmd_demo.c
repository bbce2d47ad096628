/* reparto demo: the whole system on this machine, seen and measured in a minute.
 *
 * Each part is one of our own programs run as a user would run it (the lab, load_test, report,
 * status), so what the demo shows can be repeated by hand with the lines that it prints.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "common/options.h"
#include "common/pg.h"
#include "common/terminal.h"
#include "lab/lab_state.h"
#include "reparto/commands.h"
#include "reparto/prompt.h"
#include "reparto/shop.h"
#include "reparto/spawn.h"

enum { SHARDS_MAX = 16, ARGUMENTS_MAX = 16, NUMBER_SIZE = 24 };

struct demo {
    long shards, replicas, keys, port;
    double rate;
    int64_t duration;
    const char *directory, *output;
    bool is_kept, is_prompt_off;

    char reparto[SPAWN_PATH_SIZE], load_test[SPAWN_PATH_SIZE];
    char place[LAB_PATH_SIZE]; /* of the lab */
    pid_t lab;                 /* the child that holds it; 0 when none runs */
    bool has_color;
};

#define AT(field) offsetof(struct demo, field)
static const struct option_row rows[] = {
    {"dir", "DIR", OPTION_TEXT, AT(directory), 0, 0,
     "where the lab lives; default: a new directory in $TMPDIR or /tmp"},
    {"duration", "TIME", OPTION_DURATION, AT(duration), 1, 600,
     "the load on all shards together; default 12s"},
    {"keep", NULL, OPTION_FLAG, AT(is_kept), 0, 0, "leave the lab's directory behind"},
    {"keys", "N", OPTION_INTEGER, AT(keys), 100, 10000000,
     "rows of the sharding test; default 20000"},
    {"no-prompt", NULL, OPTION_FLAG, AT(is_prompt_off), 0, 0, "end after the report"},
    {"output", "DIR", OPTION_TEXT, AT(output), 0, 0, "where reports are saved; default artifacts"},
    {"port", "N", OPTION_INTEGER, AT(port), 1024, 65000,
     "the first port; default: free ones from 5433 on"},
    {"rate", "N", OPTION_DECIMAL, AT(rate), 1, 100000, "writes/s on each primary; default 400"},
    {"replicas", "N", OPTION_INTEGER, AT(replicas), 1, 8, "of each primary; default 2"},
    {"shards", "N", OPTION_INTEGER, AT(shards), 1, SHARDS_MAX, "default 2"},
};

static const struct option_table table = {
    .program = "reparto demo",
    .usage = "reparto demo [options]",
    .description =
        "Starts shards of one primary and streaming replicas, fills them with a shop, puts load\n"
        "on them, reports writes/s, reads/s, replication lag and rows per shard, and\n"
        "waits at a prompt for you to break things. Without a terminal it just ends.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .epilogue =
        "exit status: 0 all of it worked, 1 something did not, 2 wrong usage, 130 interrupted",
};

static volatile sig_atomic_t signal_stop; /* a handler has nowhere else to write */

static void on_signal(int number)
{
    signal_stop = number;
}

static void catch_signals(void)
{
    /* No SA_RESTART: a wait for the user's line must end. */
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static void headline(const struct demo *demo, const char *title)
{
    printf("\n%s── %s %s", terminal_color(TERMINAL_BOLD, demo->has_color), title,
           terminal_color(TERMINAL_PLAIN, demo->has_color));
    for (size_t i = text_columns(title) + 4; i < 80; i++) {
        fputs("─", stdout);
    }
    printf("\n");
    fflush(stdout);
}

/* Runs one of our programs, showing the line that a user would type. */
static bool run(struct demo *demo, const char *program, const char *const *words, struct error *err)
{
    const char *argv[ARGUMENTS_MAX + 2] = {program};
    const char *slash = strrchr(program, '/');
    struct text line = {0};

    text_appendf(&line, "build/%s", slash != NULL ? slash + 1 : program);
    for (int i = 0; words[i] != NULL && i < ARGUMENTS_MAX; i++) {
        argv[i + 1] = words[i];
        text_appendf(&line, " %s", words[i]);
    }
    headline(demo, text_cstr(&line));
    const struct spawn_signals signals = {.last = &signal_stop};
    int status = spawn_run(argv, &signals, err);
    if (status > 0 && signal_stop == 0) {
        error_set(err, "XX000", "'%s' ended with status %d", text_cstr(&line), status);
        error_hint(err, "its own message stands above");
    }
    text_done(&line);
    return status == 0 && signal_stop == 0;
}

static bool start_lab(struct demo *demo, struct error *err)
{
    char shards[NUMBER_SIZE], replicas[NUMBER_SIZE], port[NUMBER_SIZE];
    snprintf(shards, sizeof shards, "%ld", demo->shards);
    snprintf(replicas, sizeof replicas, "%ld", demo->replicas);
    snprintf(port, sizeof port, "%ld", demo->port);
    const char *argv[ARGUMENTS_MAX] = {demo->reparto, "lab",       "up",       "--foreground",
                                       "--dir",       demo->place, "--shards", shards,
                                       "--replicas",  replicas,    "--brief"};
    int at = 11;
    if (demo->port != 0) {
        argv[at++] = "--port";
        argv[at++] = port;
    }
    if (demo->is_kept) {
        argv[at++] = "--keep";
    }
    demo->lab = spawn_start(argv, true, err);
    return demo->lab > 0;
}

/* Waits until the lab is up; its own lines tell how far it is. */
static bool await_lab(struct demo *demo, struct error *err)
{
    while (signal_stop == 0) {
        struct lab_state state = {0};
        struct error waiting = {0};
        bool is_up = lab_state_load(demo->place, &state, &waiting);
        lab_state_done(&state);
        if (is_up) {
            return true;
        }
        if (waitpid(demo->lab, NULL, WNOHANG) == demo->lab) {
            demo->lab = 0;
            return error_set(err, "58000", "the lab did not start; its message stands above");
        }
        clock_sleep_until(clock_now() + 50 * CLOCK_MS);
    }
    return error_set(err, "57014", "interrupted");
}

static void stop_lab(struct demo *demo)
{
    if (demo->lab > 0) {
        kill(demo->lab, SIGTERM);
        int status = spawn_wait(demo->lab);
        (void)status; /* the lab has said what was wrong */
        demo->lab = 0;
    }
}

static bool fill_shard(const struct lab_state *state, size_t shard, struct shop_rows *counts,
                       struct error *err)
{
    char dsn[LAB_DSN_SIZE];
    const struct lab_node *primary = lab_shard_primary(&state->shards[shard]);

    if (primary == NULL) {
        return error_set(err, "57P03", "shard %s has no primary", state->shards[shard].name);
    }
    PGconn *connection = pg_connect(lab_state_dsn(state, primary, dsn), "reparto demo", 10, err);
    if (connection == NULL) {
        return false;
    }
    int number = (int)shard, shards = (int)state->shard_count;
    bool is_ok = shop_create(connection, number, shards, err) &&
                 shop_count(connection, number, shards, counts, err);
    PQfinish(connection);
    return is_ok ? true : error_wrap(err, "filling shard %s", state->shards[shard].name);
}

static void print_rows(const struct lab_state *state, const struct shop_rows *counts)
{
    char number[TEXT_NUMBER_SIZE];
    struct text line = {0};

    text_append_left(&line, "  rows of", 16);
    for (size_t i = 0; i < state->shard_count; i++) {
        text_append_right(&line, state->shards[i].name, 10);
    }
    text_append_right(&line, "key", 14);
    printf("%s\n", text_cstr(&line));
    for (int row = 0; row < SHOP_TABLE_COUNT; row++) {
        text_clear(&line);
        text_append(&line, "  ");
        text_append_left(&line, shop_table_name((enum shop_table)row), 14);
        for (size_t i = 0; i < state->shard_count; i++) {
            text_append_right(&line, text_grouped(number, counts[i].rows[row], ','), 10);
        }
        text_append_right(&line, shop_table_key((enum shop_table)row), 14);
        printf("%s\n", text_cstr(&line));
    }
    text_done(&line);
}

static bool fill(struct demo *demo, const struct lab_state *state, struct error *err)
{
    struct shop_rows counts[SHARDS_MAX] = {0};
    int64_t strays = 0;
    int64_t began = clock_now();

    headline(demo, "the shop, sharded by md5(key) % shards");
    for (size_t i = 0; i < state->shard_count; i++) {
        if (!fill_shard(state, i, &counts[i], err)) {
            return false;
        }
        strays += counts[i].strays;
    }
    print_rows(state, counts);
    printf("  filled in %.1f s; rows on a shard that is not theirs: %lld\n",
           (double)(clock_now() - began) / 1e9, (long long)strays);
    fflush(stdout);
    return strays == 0
               ? true
               : error_set(err, "XX001", "%lld rows are on the wrong shard", (long long)strays);
}

static bool load(struct demo *demo, const struct lab_state *state, struct error *err)
{
    char rate[NUMBER_SIZE], duration[NUMBER_SIZE], keys[NUMBER_SIZE];
    snprintf(rate, sizeof rate, "%g", demo->rate);
    snprintf(duration, sizeof duration, "%.1fs",
             (double)demo->duration / 1e9 / (double)state->shard_count);
    snprintf(keys, sizeof keys, "%ld", demo->keys);

    for (size_t i = 0; i < state->shard_count; i++) {
        const char *const words[] = {
            "--shard", state->shards[i].name, "--rate", rate, "--duration", duration, "--warmup",
            "1s",      "--no-data",           NULL};
        if (!run(demo, demo->load_test, words, err)) {
            return false;
        }
    }
    const char *const sharded[] = {"sharded-writes", "--keys", keys, NULL};
    return run(demo, demo->load_test, sharded, err);
}

static bool show(struct demo *demo, struct error *err)
{
    const char *const report[] = {"report", "--output", demo->output, NULL};
    const char *const status[] = {"status", NULL};
    return run(demo, demo->reparto, report, err) && run(demo, demo->reparto, status, err);
}

static void print_things_to_try(struct demo *demo, const struct lab_state *state)
{
    const char *replica = state->shards[0].nodes[1].name;
    const struct lab_node *primary = lab_shard_primary(&state->shards[0]);

    headline(demo, "things to try");
    printf(
        "  look      build/reparto status --watch\n"
        "            build/reparto lab psql %s\n"
        "            SELECT count(*) FROM shop.orders;  SELECT * FROM pg_stat_replication;\n"
        "  measure   ./load_test --duration 10s\n"
        "            ./load_test policies            what each synchronous_commit costs and buys\n"
        "  break     build/reparto lab freeze %s     its staleness grows; lab thaw %s\n"
        "            build/reparto lab kill %s       then lab promote %s, or lab start %s\n"
        "  the lab's commands in another terminal need: export REPARTO_LAB=%s\n",
        primary != NULL ? primary->name : state->shards[0].nodes[0].name, replica, replica,
        state->shards[0].nodes[0].name, replica, state->shards[0].nodes[0].name, demo->place);
    fflush(stdout);
}

static bool play(struct demo *demo, struct error *err)
{
    struct lab_state state = {0};
    bool is_ok = start_lab(demo, err) && await_lab(demo, err) &&
                 lab_state_load(demo->place, &state, err) && fill(demo, &state, err) &&
                 load(demo, &state, err) && show(demo, err);

    if (is_ok) {
        print_things_to_try(demo, &state);
        if (!demo->is_prompt_off && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
            prompt_run(demo->reparto, demo->load_test, &signal_stop);
        }
    }
    lab_state_done(&state);
    return is_ok;
}

static bool choose_places(struct demo *demo, struct error *err)
{
    const char *folder = getenv("TMPDIR");

    char chosen[LAB_PATH_SIZE];
    snprintf(chosen, sizeof chosen, "%s/reparto-demo.%d",
             folder != NULL && folder[0] == '/' ? folder : "/tmp", (int)getpid());
    if (!lab_directory(demo->directory != NULL ? demo->directory : chosen, demo->place, err)) {
        return false;
    }
    if (lab_is_running(demo->place)) { /* ours would be refused, and we would use that one */
        error_set(err, "55006", "a lab is running at %s already", demo->place);
        return error_hint(err, "stop it with 'reparto lab down', or choose another --dir");
    }
    if (setenv("REPARTO_LAB", demo->place, 1) != 0) {
        return error_set(err, "53200", "out of memory");
    }
    return spawn_find("reparto", demo->reparto, err) &&
           spawn_find("load_test", demo->load_test, err);
}

int cmd_demo(int argc, char **argv)
{
    struct demo demo = {.shards = 2,
                        .replicas = 2,
                        .keys = 20000,
                        .rate = 400,
                        .duration = 12 * CLOCK_SECOND,
                        .output = "artifacts",
                        .has_color = terminal_has_color(stdout)};
    struct option_list words;
    struct error err = {0};

    enum options_result parsed = options_parse(&table, argc, argv, &demo, &words, &err);
    if (parsed == OPTIONS_HELP) {
        options_help(&table, stdout);
        return 0;
    }
    if (parsed == OPTIONS_OK && words.count > 0) {
        error_set(&err, "42601", "unexpected argument \"%s\"", words.items[0]);
    }
    if (error_is_set(&err)) {
        error_print(&err, "reparto demo", stderr);
        return 2;
    }
    catch_signals();
    int64_t began = clock_now();
    bool is_ok = choose_places(&demo, &err) && play(&demo, &err);
    stop_lab(&demo);
    if (signal_stop != 0) {
        fprintf(stderr, "\nreparto demo: interrupted; the lab is stopped%s\n",
                demo.is_kept ? "" : " and removed");
        return 130;
    }
    if (!is_ok) {
        error_print(&err, "reparto demo", stderr);
        return 1;
    }
    printf("\nThe lab is stopped%s after %.0f s; the reports are in %s/.\n",
           demo.is_kept ? ", its directory kept," : " and removed",
           (double)(clock_now() - began) / 1e9, demo.output);
    return 0;
}
