/* `load_test sharded-writes`: do rows land where the library routes them, and how evenly? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "common/options.h"
#include "common/pg.h"
#include "lab/lab_state.h"
#include "load_test/mode.h"
#include "load_test/output.h"
#include "load_test/sharded.h"
#include "version.h"

static const char program[] = "load_test sharded-writes";

struct sharded_options {
    long keys, vnodes, seed;
    int64_t timeout;
    const char *scheme, *lang, *json, *lab_dir;
    struct option_list dsns;
    bool is_dry, quiet;
};

#define AT(field) offsetof(struct sharded_options, field)

static const struct option_row rows[] = {
    {"dry", NULL, OPTION_FLAG, AT(is_dry), 0, 0, "route only: nothing is written"},
    {"json", "FILE", OPTION_TEXT, AT(json), 0, 0, "the figures as JSON"},
    {"keys", "N", OPTION_INTEGER, AT(keys), 1, SHARDED_KEY_MAX,
     "keys user:0 .. user:N-1 (default 20000)"},
    {"lab", "DIR", OPTION_TEXT, AT(lab_dir), 0, 0,
     "the lab to test (default $REPARTO_LAB or the running one)"},
    {"lang", "LANG", OPTION_TEXT, AT(lang), 0, 0, "language of the report: en or es"},
    {"quiet", NULL, OPTION_FLAG, AT(quiet), 0, 0, "no progress line"},
    {"scheme", "NAME", OPTION_TEXT, AT(scheme), 0, 0, "all (default), md5_modulo, ring or slots"},
    {"seed", "N", OPTION_INTEGER, AT(seed), 0, 4e15, "of the rows' values (default 1)"},
    {"shard-dsn", "DSN", OPTION_LIST, AT(dsns), 0, 0,
     "a shard's primary; once for each (default: the lab's)"},
    {"timeout", "TIME", OPTION_DURATION, AT(timeout), 0.05, 600,
     "for one connect or answer (default 10s)"},
    {"vnodes", "N", OPTION_INTEGER, AT(vnodes), 1, SHARD_VNODES_MAX,
     "of the ring: points per shard (default 160)"},
};

static const char epilogue[] =
    "The rows go into a table of schema load_test on each shard, which is dropped at the end.\n\n"
    "examples:\n"
    "  load_test sharded-writes\n"
    "  load_test sharded-writes --keys 100000 --scheme ring --vnodes 1\n"
    "  load_test sharded-writes --shard-dsn 'host=db1 dbname=shop' --shard-dsn 'host=db2 "
    "dbname=shop'\n\n"
    "exit status: 0 every row is where it was routed, 1 a shard could not be written or counted,\n"
    "2 wrong usage, 4 rows are not what was routed";

static bool add_shard(struct sharded_plan *plan, const char *name, const char *dsn,
                      struct error *err)
{
    struct sharded_shard *shard = &plan->shards[plan->shard_count];

    if (plan->shard_count == SHARDED_SHARD_MAX) {
        return error_set(err, "54000", "more than %d shards", SHARDED_SHARD_MAX);
    }
    if (!pg_check_dsn(dsn, err)) {
        return error_wrap(err, "shard %s", name);
    }
    snprintf(shard->name, sizeof shard->name, "%s", name);
    pg_place(shard->place, dsn);
    for (size_t i = 0; i < plan->shard_count; i++) {
        if (strcmp(plan->shards[i].place, shard->place) == 0 &&
            strcmp(plan->shards[i].dsn, dsn) == 0) {
            return error_set(err, "42710", "shards %s and %s are the same server, %s",
                             plan->shards[i].name, name, shard->place);
        }
    }
    shard->dsn = strdup(dsn);
    if (shard->dsn == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    plan->shard_count++;
    return true;
}

static bool add_lab(struct sharded_plan *plan, const char *lab_dir, struct error *err)
{
    struct lab_state state = {0};
    bool is_done = lab_state_load(lab_dir, &state, err);

    if (!is_done) {
        error_hint(err, "start one with 'reparto lab up --shards 2', or name the shards' "
                        "primaries: --shard-dsn DSN");
    }
    for (size_t i = 0; is_done && i < state.shard_count; i++) {
        char dsn[LAB_DSN_SIZE];
        const struct lab_node *primary = lab_shard_primary(&state.shards[i]);
        is_done = primary != NULL ? add_shard(plan, state.shards[i].name,
                                              lab_state_dsn(&state, primary, dsn), err)
                                  : error_set(err, "08001", "shard %s of the lab has no primary",
                                              state.shards[i].name);
    }
    lab_state_done(&state);
    return is_done;
}

static bool find_shards(const struct sharded_options *options, struct sharded_plan *plan,
                        struct error *err)
{
    if (options->dsns.count == 0) {
        return add_lab(plan, options->lab_dir, err);
    }
    for (size_t i = 0; i < options->dsns.count; i++) {
        char name[SHARD_NAME_SIZE];
        snprintf(name, sizeof name, "s%zu", i);
        if (!add_shard(plan, name, options->dsns.items[i], err)) {
            return false;
        }
    }
    return true;
}

/* Fills the schemes to do; 22023 for an unknown one. */
static bool choose(const char *name, enum shard_scheme schemes[SHARDED_SCHEME_MAX], size_t *count,
                   struct error *err)
{
    static const char *const names[] = {"all", "md5_modulo", "ring", "slots", NULL};
    enum shard_scheme scheme;

    *count = 0;
    if (strcmp(name, "all") == 0) {
        schemes[(*count)++] = SHARD_MD5_MODULO;
        schemes[(*count)++] = SHARD_RING;
        schemes[(*count)++] = SHARD_SLOTS;
        return true;
    }
    if (shard_scheme_find(name, &scheme) && scheme != SHARD_PG_HASH) {
        schemes[(*count)++] = scheme;
        return true;
    }
    const char *nearest = options_nearest(name, names);
    error_set(err, "22023", "--scheme: \"%s\" is not all, md5_modulo, ring or slots", name);
    return nearest != NULL ? error_hint(err, "did you mean %s?", nearest) : false;
}

static bool tell_what_is_left(const struct sharded_plan *plan, const struct sharded_result *result,
                              struct error *err)
{
    for (size_t i = 0; i < plan->shard_count; i++) {
        if (result->rows[i].is_left) {
            error_hint(err, "%s may still have the table %s: drop it", plan->shards[i].name,
                       result->table);
        }
    }
    return false;
}

static bool run_schemes(const struct sharded_plan *plan, const struct sharded_options *options,
                        const enum shard_scheme *schemes, size_t count,
                        struct sharded_result *results, struct interrupt *interrupt,
                        struct error *err)
{
    struct progress progress;

    progress_init(&progress, stderr, options->quiet);
    for (size_t i = 0; i < count; i++) {
        if (!sharded_route(plan, schemes[i], &results[i], err)) {
            return false;
        }
        if (options->is_dry) {
            continue;
        }
        if (!sharded_write(plan, interrupt, &progress, &results[i], err)) {
            return tell_what_is_left(plan, &results[i], err);
        }
    }
    return true;
}

static bool put_out(const struct sharded_plan *plan, const struct sharded_options *options,
                    const struct sharded_result *results, size_t count, struct error *err)
{
    struct text page = {0}, json = {0};
    enum report_language language =
        strcmp(options->lang, "es") == 0 ? REPORT_SPANISH : REPORT_ENGLISH;

    sharded_print(plan, results, count, language, &page);
    bool is_done = output_text(&page, err);
    if (is_done && options->json != NULL) {
        is_done = sharded_json(plan, results, count, &json, err) &&
                  output_file(options->json, &json, err);
    }
    text_done(&page);
    text_done(&json);
    return is_done;
}

static int run_all(const struct sharded_options *options, const enum shard_scheme *schemes,
                   size_t count, struct error *err)
{
    struct interrupt interrupt = {.fd = -1};
    struct sharded_plan plan = {.keys = options->keys,
                                .seed = (uint64_t)options->seed,
                                .vnodes = (uint32_t)options->vnodes,
                                .timeout = options->timeout};
    struct sharded_result *results = calloc(SHARDED_SCHEME_MAX, sizeof *results);
    int status = 1;

    if (results == NULL) {
        error_set(err, "53200", "out of memory");
    } else if (interrupt_init(&interrupt, err) && find_shards(options, &plan, err) &&
               run_schemes(&plan, options, schemes, count, results, &interrupt, err) &&
               put_out(&plan, options, results, count, err)) {
        status = sharded_exit_code(&plan, results, count);
    }
    for (size_t i = 0; i < plan.shard_count; i++) {
        free(plan.shards[i].dsn);
    }
    free(results);
    interrupt_done(&interrupt);
    return status;
}

static bool check_words(const struct sharded_options *options, const struct option_list *words,
                        struct error *err)
{
    if (words->count > 0) {
        return error_set(err, "42601", "unexpected argument \"%s\"", words->items[0]);
    }
    if (strcmp(options->lang, "en") != 0 && strcmp(options->lang, "es") != 0) {
        return error_set(err, "22023", "--lang: \"%s\" is not en or es", options->lang);
    }
    if (options->dsns.count > 0 && options->lab_dir != NULL) {
        return error_set(err, "42601", "--shard-dsn and --lab exclude each other");
    }
    return true;
}

int mode_sharded_writes(int argc, char **argv)
{
    const struct option_table table = {
        .program = program,
        .usage = "load_test sharded-writes [options]",
        .description = "Routes keys by each sharding scheme, writes them to the shards, and counts "
                       "them there.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0],
        .epilogue = epilogue};
    struct sharded_options options = {.keys = 20000,
                                      .vnodes = SHARDED_VNODES_FEW,
                                      .seed = 1,
                                      .timeout = 10 * CLOCK_SECOND,
                                      .scheme = "all",
                                      .lang = "en"};
    enum shard_scheme schemes[SHARDED_SCHEME_MAX];
    struct option_list words = {0};
    struct error err = {0};
    size_t count = 0;
    int status = 2;

    switch (options_parse(&table, argc, argv, &options, &words, &err)) {
    case OPTIONS_HELP: options_help(&table, stdout); return fflush(stdout) == 0 ? 0 : 1;
    case OPTIONS_VERSION:
        printf("load_test %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT);
        return fflush(stdout) == 0 ? 0 : 1;
    case OPTIONS_BAD: break;
    case OPTIONS_OK:
        if (check_words(&options, &words, &err) && choose(options.scheme, schemes, &count, &err)) {
            status = run_all(&options, schemes, count, &err);
        }
        break;
    }
    if (error_is_set(&err)) {
        error_print(&err, program, stderr);
    }
    return status;
}
