#include "load_test/options.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "version.h"

#define AT(field) offsetof(struct load_options, field)

const struct option_row load_option_rows[] = {
    {"allow-failures", NULL, OPTION_FLAG, AT(allow_failures), 0, 0,
     "failed writes and reads are reported, but do not fail the run"},
    {"closed", NULL, OPTION_FLAG, AT(is_closed), 0, 0,
     "closed loop: each writer sends when the last write is done"},
    {"csv", "FILE", OPTION_TEXT, AT(csv), 0, 0, "writes, reads and lag of each second"},
    {"duration", "TIME", OPTION_DURATION, AT(duration), 0.1, 86400, "measured time (default 10s)"},
    {"expect", "EXPR", OPTION_LIST, AT(expects), 0, 0,
     "e.g. 'visible.p99<50ms'; missed: exit 3; several allowed"},
    {"hgrm", "FILE", OPTION_TEXT, AT(hgrm), 0, 0, "latency histogram for HdrHistogram's plotter"},
    {"json", "FILE", OPTION_TEXT, AT(json), 0, 0, "the report as docs/load_test.schema.json says"},
    {"keep-table", NULL, OPTION_FLAG, AT(keep_table), 0, 0,
     "leave the run's table in schema load_test"},
    {"lab", "DIR", OPTION_TEXT, AT(lab_dir), 0, 0,
     "the lab to test (default $REPARTO_LAB or the running one)"},
    {"label", "NAME", OPTION_TEXT, AT(label), 0, 0, "a name for this run in compare"},
    {"lang", "LANG", OPTION_TEXT, AT(lang), 0, 0, "language of the report: en or es"},
    {"log", "FILE", OPTION_TEXT, AT(log), 0, 0, "one line per write: due, sent, ack, LSN, seen"},
    {"no-data", NULL, OPTION_FLAG, AT(no_data), 0, 0,
     "print the page only, without the DATA block that compare reads"},
    {"no-verify", NULL, OPTION_FLAG, AT(no_verify), 0, 0,
     "do not count the acknowledged writes at the end"},
    {"output", "DIR", OPTION_TEXT, AT(output), 0, 0,
     "folder for the ids of lost or unchecked writes (default .)"},
    {"primary", "DSN", OPTION_TEXT, AT(primary), 0, 0, "the primary (default: of the lab)"},
    {"quiet", NULL, OPTION_FLAG, AT(quiet), 0, 0, "no progress line"},
    {"rate", "N", OPTION_DECIMAL, AT(rate), 0.1, 1000000,
     "writes/s (default: 70 % of a calibration of 2 s)"},
    {"read-from", "WHERE", OPTION_TEXT, AT(read_from), 0, 0, "replicas (default) or primary"},
    {"read-rate", "N", OPTION_DECIMAL, AT(read_rate), 0.1, 1000000,
     "reads/s of all readers (default: unpaced)"},
    {"readers", "N", OPTION_INTEGER, AT(readers), 0, PLAN_READER_MAX,
     "connections that read (default 8)"},
    {"repeat", "N", OPTION_INTEGER, AT(repeat), 1, 100,
     "runs, one after another; the last is shown, all are saved"},
    {"replica", "DSN", OPTION_LIST, AT(replicas), 0, 0, "a replica; once for each"},
    {"sample-rate", "N", OPTION_DECIMAL, AT(sample_rate), 0, 10000,
     "replay positions/s read on each replica (default 1000)"},
    {"seed", "N", OPTION_TEXT, AT(seed), 0, 0,
     "same seed, same arrivals and reads (default: random)"},
    {"shard", "NAME", OPTION_TEXT, AT(shard), 0, 0, "shard of the lab (default: the first)"},
    {"synchronous-commit", "MODE", OPTION_TEXT, AT(synchronous_commit), 0, 0,
     "of the writers: off local remote_write on remote_apply"},
    {"timeout", "TIME", OPTION_DURATION, AT(timeout), 0.05, 600,
     "for one connect or answer (default 5s)"},
    {"verify-timeout", "TIME", OPTION_DURATION, AT(verify_timeout), 0.1, 86400,
     "for a node to replay and be counted (default 30s)"},
    {"wait-node", "TIME", OPTION_DURATION, AT(wait_node), 0, 86400,
     "wait for a node that is down before counting (default 0)"},
    {"warmup", "TIME", OPTION_DURATION, AT(warmup), 0, 3600, "load before measuring (default 2s)"},
    {"writers", "N", OPTION_INTEGER, AT(writers), 1, PLAN_WRITER_MAX,
     "connections that write (default 4)"},
    {"writes", "N", OPTION_INTEGER, AT(writes), 1, PLAN_WRITE_MAX,
     "measure N writes instead of a time"},
};
const size_t load_option_count = sizeof load_option_rows / sizeof load_option_rows[0];
static_assert(sizeof load_option_rows / sizeof load_option_rows[0] <= OPTION_LIST_MAX);

void load_options_init(struct load_options *options)
{
    struct run_plan plan;

    plan_init(&plan);
    memset(options, 0, sizeof *options);
    options->writers = plan.writers;
    options->readers = plan.readers;
    options->duration = plan.duration;
    options->warmup = plan.warmup;
    options->sample_rate = plan.sample_rate;
    options->timeout = plan.timeout;
    options->verify_timeout = plan.verify_timeout;
    options->output = plan.output;
    options->lang = "en";
    options->read_from = "replicas";
    options->repeat = 1;
}

bool load_options_parse(const struct option_table *table, int argc, char **argv,
                        struct load_options *options, struct option_list *words, int *status)
{
    struct error err = {0};

    switch (options_parse(table, argc, argv, options, words, &err)) {
    case OPTIONS_OK: return true;
    case OPTIONS_HELP:
        options_help(table, stdout);
        *status = fflush(stdout) == 0 ? 0 : 1;
        return false;
    case OPTIONS_VERSION:
        printf("load_test %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT);
        *status = fflush(stdout) == 0 ? 0 : 1;
        return false;
    case OPTIONS_BAD: break;
    }
    error_print(&err, table->program, stderr);
    *status = 2;
    return false;
}

static bool parse_seed(const char *text, uint64_t *seed, struct error *err)
{
    char *end;

    if (text == NULL) {
        /* Short enough to be typed again. */
        if (getrandom(seed, sizeof *seed, 0) != (ssize_t)sizeof *seed) {
            return error_set(err, "58000", "no random seed: %s", strerror(errno));
        }
        *seed %= 1000000;
        return true;
    }
    errno = 0;
    *seed = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || text[0] == '-') {
        return error_set(err, "22023", "--seed: \"%s\" is not a whole number of at least 0", text);
    }
    return true;
}

static bool is_one_of(const char *word, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(word, *names) == 0) {
            return true;
        }
    }
    return false;
}

static bool resolve_words(const struct load_options *options, struct run_plan *plan,
                          enum report_language *language, struct error *err)
{
    static const char *const modes[] = {"off", "local", "remote_write", "on", "remote_apply", NULL};

    if (strcmp(options->lang, "en") != 0 && strcmp(options->lang, "es") != 0) {
        return error_set(err, "22023", "--lang: \"%s\" is neither en nor es", options->lang);
    }
    *language = strcmp(options->lang, "es") == 0 ? REPORT_SPANISH : REPORT_ENGLISH;
    if (strcmp(options->read_from, "replicas") != 0 && strcmp(options->read_from, "primary") != 0) {
        return error_set(err, "22023", "--read-from: \"%s\" is neither replicas nor primary",
                         options->read_from);
    }
    plan->read_from =
        strcmp(options->read_from, "primary") == 0 ? PLAN_READ_PRIMARY : PLAN_READ_REPLICAS;
    if (options->synchronous_commit != NULL && !is_one_of(options->synchronous_commit, modes)) {
        return error_set(err, "22023",
                         "--synchronous-commit: \"%s\" is none of off, local, remote_write, on, "
                         "remote_apply",
                         options->synchronous_commit);
    }
    plan->synchronous_commit = options->synchronous_commit;
    return true;
}

bool load_options_plan(const struct load_options *options, struct run_plan *plan,
                       enum report_language *language, struct error *err)
{
    plan_init(plan);
    if (!resolve_words(options, plan, language, err) ||
        !parse_seed(options->seed, &plan->seed, err)) {
        return false;
    }
    if (options->is_closed && options->rate > 0) {
        return error_set(err, "22023",
                         "--closed and --rate exclude each other: a closed loop "
                         "takes the rate that the server gives");
    }
    plan->writers = (int)options->writers;
    plan->readers = (int)options->readers;
    plan->rate = options->rate;
    plan->is_closed = options->is_closed;
    plan->writes = options->writes;
    plan->duration = options->duration;
    plan->warmup = options->warmup;
    plan->read_rate = options->read_rate;
    plan->sample_rate = options->sample_rate;
    plan->timeout = options->timeout;
    plan->verify_timeout = options->verify_timeout;
    plan->wait_node = options->wait_node;
    plan->is_verified = !options->no_verify;
    plan->is_table_kept = options->keep_table;
    plan->may_fail = options->allow_failures;
    plan->label = options->label;
    plan->output = options->output;
    return true;
}

bool load_options_target(const struct load_options *options, struct target *target,
                         struct error *err)
{
    return target_resolve(target, options->primary, options->replicas.items,
                          options->replicas.count, options->lab_dir, options->shard, err);
}
