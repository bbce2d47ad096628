/* `load_test policies`: what each synchronous_commit costs in writes, and buys in fresh reads. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "load_test/mode.h"
#include "load_test/options.h"
#include "load_test/output.h"
#include "load_test/policies.h"

static const char program[] = "load_test policies";

struct policies_options {
    struct load_options load; /* first: load_option_rows' offsets are of it */
    bool is_quick;
};
static_assert(offsetof(struct policies_options, load) == 0);

static const char epilogue[] =
    "Each of the 8 policies is measured in a closed loop (most writes/s), then at --rate, the same "
    "for\n"
    "all, by default half of the slowest policy's most. A superuser is needed: "
    "synchronous_standby_names\n"
    "is set by ALTER SYSTEM, and put back at the end, after a failure and after Ctrl-C; after a "
    "kill -9 by\n"
    "the next start.\n\n"
    "examples:\n"
    "  load_test policies\n"
    "  load_test policies --rate 800 --repeat 3 > policies.txt\n"
    "  load_test policies --quick --json policies.json\n\n"
    "exit status: 0 pass, 1 could not run or operations failed, 2 wrong usage, 4 an acknowledged\n"
    "write is lost or there twice";

/* Those of the plain run that mean something here, in the same words. */
static const char *const option_names[] = {
    "duration",       "json",   "lab",     "lang", "output", "primary",     "quiet",
    "rate",           "repeat", "replica", "seed", "shard",  "sample-rate", "timeout",
    "verify-timeout", "warmup", "writers"};

enum { OPTION_COUNT = sizeof option_names / sizeof option_names[0] };

static const struct option_row quick_row = {"quick",
                                            NULL,
                                            OPTION_FLAG,
                                            offsetof(struct policies_options, is_quick),
                                            0,
                                            0,
                                            "the short form: 1 s per phase, 0.3 s warm-up"};

static bool is_wanted(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(option_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Sorted by name, as load_option_rows are. */
static void pick_options(struct option_row rows[OPTION_COUNT + 1])
{
    size_t count = 0;
    bool has_quick = false;

    for (size_t i = 0; i < load_option_count; i++) {
        const struct option_row *row = &load_option_rows[i];
        if (!has_quick && strcmp(row->name, quick_row.name) > 0) {
            rows[count++] = quick_row;
            has_quick = true;
        }
        if (is_wanted(row->name)) {
            assert(count < OPTION_COUNT + 1);
            rows[count++] = *row;
            if (strcmp(row->name, "duration") == 0) {
                rows[count - 1].help = "measured time of each phase (default 3s)";
            } else if (strcmp(row->name, "rate") == 0) {
                rows[count - 1].help = "writes/s (default: half of the slowest policy's most)";
            } else if (strcmp(row->name, "warmup") == 0) {
                rows[count - 1].help = "load before measuring (default 1s)";
            }
        }
    }
    assert(count == OPTION_COUNT + 1);
}

static bool put_out(const struct policy_result *results, const struct target *target, double rate,
                    enum report_language language, const char *json, struct error *err)
{
    struct text page = {0}, document = {0};

    policies_print(results, target, rate, language, &page);
    bool is_done = output_text(&page, err);
    if (is_done && json != NULL) {
        is_done = policies_json(results, target, rate, &document, err) &&
                  output_file(json, &document, err);
    }
    text_done(&page);
    text_done(&document);
    return is_done;
}

/* Says what the person should know of the settings, as it is not in the report. */
static void tell_restored(const struct policy_settings *settings)
{
    if (settings->was_restored) {
        fprintf(stderr,
                "%s: an earlier run was killed before it put synchronous_standby_names of %s back: "
                "done now\n",
                program, settings->target->primary.place);
    }
}

/* Measures with the settings changed, and puts them back in any case. */
static bool measure(const struct policies_plan *plan, const struct target *target,
                    struct interrupt *interrupt, bool is_quiet, struct policy_result *results,
                    double *rate, struct error *err)
{
    struct policy_settings settings;
    struct progress progress;
    struct error put_back = {0};

    progress_init(&progress, stderr, is_quiet);
    bool is_done = policy_settings_init(&settings, target, interrupt, plan->run.timeout, err);
    tell_restored(&settings);
    is_done = is_done && policies_measure(plan, &settings, &progress, results, rate, err);
    progress_erase(&progress);
    bool is_back = policy_settings_put_back(&settings, &put_back);
    policy_settings_done(&settings);
    if (is_back) {
        return is_done;
    }
    if (error_is_set(err)) {
        error_print(&put_back, program, stderr);
    } else {
        *err = put_back;
    }
    return false;
}

static int run_all(const struct load_options *options, const struct policies_plan *plan,
                   enum report_language language, const struct target *target,
                   struct interrupt *interrupt, struct error *err)
{
    struct policy_result results[POLICY_COUNT] = {0};
    struct run_report checked;
    double rate = 0;
    int status = 1;

    report_init(&checked);
    if (target->replica_count == 0) {
        error_set(err, "22023", "no replica: policies differ only by what replicas do");
        error_hint(err, "name them with --replica DSN, or start a lab with replicas");
    } else if (target_check(target, plan->run.timeout, interrupt, &checked, err) &&
               measure(plan, target, interrupt, options->quiet, results, &rate, err) &&
               put_out(results, target, rate, language, options->json, err)) {
        status = policies_exit_code(results);
    }
    report_done(&checked);
    return status;
}

static bool make_plan(const struct policies_options *options, const struct option_list *words,
                      struct policies_plan *plan, enum report_language *language, struct error *err)
{
    struct load_options load = options->load;

    if (words->count > 0) {
        return error_set(err, "42601", "unexpected argument \"%s\"", words->items[0]);
    }
    if (load.repeat > POLICY_REPEAT_MAX) {
        return error_set(err, "22023", "--repeat: at most %d", POLICY_REPEAT_MAX);
    }
    if (options->is_quick) {
        load.duration = CLOCK_SECOND;
        load.warmup = 300 * CLOCK_MS;
    }
    plan->rate = load.rate;
    plan->repeats = (size_t)load.repeat;
    return load_options_plan(&load, &plan->run, language, err);
}

int mode_policies(int argc, char **argv)
{
    struct option_row rows[OPTION_COUNT + 1];
    const struct option_table table = {
        .program = program,
        .usage = "load_test policies [options]",
        .description = "Measures what each synchronous_commit and synchronous_standby_names costs "
                       "and buys.",
        .rows = rows,
        .row_count = OPTION_COUNT + 1,
        .epilogue = epilogue};
    struct policies_options options = {0};
    struct policies_plan plan = {0};
    struct option_list words = {0};
    enum report_language language = REPORT_ENGLISH;
    struct target target = {0};
    struct interrupt interrupt = {.fd = -1};
    struct error err = {0};
    int status;

    pick_options(rows);
    load_options_init(&options.load);
    options.load.duration = 3 * CLOCK_SECOND;
    options.load.warmup = CLOCK_SECOND;
    if (!load_options_parse(&table, argc, argv, &options.load, &words, &status)) {
        return status;
    }
    if (!make_plan(&options, &words, &plan, &language, &err)) {
        error_print(&err, program, stderr);
        return 2;
    }
    status = 1;
    if (interrupt_init(&interrupt, &err) && load_options_target(&options.load, &target, &err)) {
        status = run_all(&options.load, &plan, language, &target, &interrupt, &err);
    }
    target_done(&target);
    interrupt_done(&interrupt);
    if (error_is_set(&err)) {
        error_print(&err, program, stderr);
    }
    return status;
}
