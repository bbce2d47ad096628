/* shard_router: keys in, shards out; how they spread, and what a new shard would move. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/options.h"
#include "shard/shard_router.h"
#include "shard/shard_sql.h"
#include "shard_router/key_source.h"
#include "shard_router/placement.h"
#include "shard_router/report.h"
#include "version.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_VERIFICATION = 4 };

struct options {
    struct placement_options placement;
    const char *type, *add, *sql, *owned_by;
    long keys; /* 0: read lines */
    bool is_stats, is_json, is_print_map, is_show_partition;
};

#define AT(field) offsetof(struct options, field)

static const struct option_row rows[] = {
    {"add", "NAME", OPTION_TEXT, AT(add), 0, 0,
     "what one more shard, NAME or NAME=WEIGHT, would move."},
    {"json", NULL, OPTION_FLAG, AT(is_json), 0, 0, "print JSON."},
    {"keys", "N", OPTION_INTEGER, AT(keys), 1, 1e9,
     "generate N keys, user:0 and so on, instead of reading them."},
    {"layout", "NAME", OPTION_TEXT, AT(placement.layout), 0, 0,
     "the ring's points: plain (default) or ketama."},
    {"map", "FILE", OPTION_TEXT, AT(placement.map_file), 0, 0,
     "read the shard map from FILE instead of making one."},
    {"owned-by", "NAME", OPTION_TEXT, AT(owned_by), 0, 0,
     "with --sql: a condition for the rows of shard NAME."},
    {"partitions", "N", OPTION_INTEGER, AT(placement.partitions), 1, SHARD_PARTITION_COUNT_MAX,
     "for md5_modulo and pg_hash: the modulus (default: one for each shard)."},
    {"print-map", NULL, OPTION_FLAG, AT(is_print_map), 0, 0,
     "print the shard map (with --add: the next version) and exit."},
    {"scheme", "NAME", OPTION_TEXT, AT(placement.scheme), 0, 0,
     "md5_modulo, ring, slots (default) or pg_hash."},
    {"shards", "LIST", OPTION_TEXT, AT(placement.shards), 0, 0,
     "4 for s0..s3, or names: a,b,c or a=2,b=1 with weights."},
    {"show-partition", NULL, OPTION_FLAG, AT(is_show_partition), 0, 0,
     "print the partition behind the shard."},
    {"sql", "COLUMN", OPTION_TEXT, AT(sql), 0, 0,
     "print the SQL expression for COLUMN's partition and exit."},
    {"stats", NULL, OPTION_FLAG, AT(is_stats), 0, 0, "print how the keys spread."},
    {"type", "TYPE", OPTION_TEXT, AT(type), 0, 0,
     "int2, int4, int8, uuid, text (default), varchar(n), char(n), date."},
    {"vnodes", "N", OPTION_INTEGER, AT(placement.vnodes), 1, SHARD_VNODES_MAX,
     "the ring's points a shard (default 1024; ketama 160)."},
    {"weights", "LIST", OPTION_TEXT, AT(placement.weights), 0, 0, "one for each shard: 2,1,0.5."},
};

static const struct option_table table = {
    .program = "shard_router",
    .usage = "shard_router --shards LIST [options] < keys",
    .description =
        "Reads keys, one a line, and prints each with its shard, separated by a tab; or\n"
        "reports how they spread and what one more shard would move.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .epilogue = "examples:\n"
                "  seq 10 | shard_router --scheme md5_modulo --shards 4 --type int8\n"
                "  shard_router --scheme ring --shards a,b,c --keys 100000 --stats --add d\n"
                "  shard_router --scheme ring --shards a=2,b=1 --vnodes 160 < keys\n"
                "  shard_router --scheme slots --shards 4 --sql user_id --type int8\n\n"
                "exit status: 0 done; 1 a bad key, or reading or writing failed; 2 wrong usage;\n"
                "4 a new shard moved keys between old ones although the scheme promises not to",
};

static int fail(const struct error *err, int status)
{
    error_print(err, "shard_router", stderr);
    return status;
}

static bool cannot_write(struct error *err)
{
    return error_set(err, "58030", "cannot write the output: %s", strerror(errno));
}

/* Makes sure that all output arrived; a full disk shows only here. */
static int finish(int status)
{
    struct error err = {0};
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cannot_write(&err);
        return fail(&err, EXIT_FAILED);
    }
    return status;
}

/* --- a line for each key --- */

static bool print_json_line(const struct key_text *key, const char *shard, uint32_t partition,
                            bool shows_partition, struct error *err)
{
    json_t *line =
        json_pack("{s:s%,s:s}", "key", key_text_bytes(key), (size_t)key->size, "shard", shard);
    if (line != NULL && shows_partition) {
        json_object_set_new(line, "partition", json_integer(partition));
    }
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    if (text == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    bool is_ok = printf("%s\n", text) > 0 || cannot_write(err);
    free(text);
    return is_ok;
}

static bool print_line(const struct options *options, const struct shard_router *router,
                       const struct key_text *key, struct error *err)
{
    uint32_t partition = options->is_show_partition ? shard_router_partition(router, key) : 0;
    const char *shard =
        shard_map_shard(shard_router_map(router), shard_router_shard(router, key))->name;

    if (options->is_json) {
        return print_json_line(key, shard, partition, options->is_show_partition, err);
    }
    bool is_ok = fwrite(key_text_bytes(key), 1, key->size, stdout) == key->size &&
                 fputc('\t', stdout) != EOF && fputs(shard, stdout) != EOF &&
                 (!options->is_show_partition || printf("\t%u", partition) > 0) &&
                 fputc('\n', stdout) != EOF;
    return is_ok || cannot_write(err);
}

/* --- the three jobs --- */

static bool start_source(struct key_source *source, const struct options *options,
                         struct error *err)
{
    struct key_type type = {.kind = KEY_TEXT};
    if (options->type != NULL && !key_type_parse(options->type, &type, err)) {
        return error_wrap(err, "--type");
    }
    if (options->keys > 0) {
        key_source_generate(source, (uint64_t)options->keys, &type);
        return true;
    }
    key_source_lines(source, stdin, &type);
    return true;
}

static int route_lines(const struct options *options, struct key_source *source,
                       const struct shard_router *router)
{
    struct error err = {0};
    struct key_text key;
    enum key_source_result result;

    while ((result = key_source_next(source, &key, &err)) == KEY_SOURCE_KEY) {
        if (!print_line(options, router, &key, &err)) {
            return fail(&err, EXIT_FAILED);
        }
    }
    int status = finish(0);
    return result == KEY_SOURCE_BAD ? fail(&err, EXIT_FAILED) : status;
}

static int print_report(const struct options *options, const struct report *report)
{
    if (options->is_json) {
        if (!report_print_json(report, stdout)) {
            struct error err = {0};
            error_set(&err, "53200", "out of memory");
            return fail(&err, EXIT_FAILED);
        }
    } else {
        if (options->is_stats) {
            report_print_distribution(report, stdout);
        }
        if (options->is_stats && options->add != NULL) {
            printf("\n");
        }
        if (options->add != NULL) {
            report_print_growth(report, stdout);
        }
    }
    bool is_broken = options->add != NULL && report_promises_stillness(report) &&
                     report_moved_between_old(report) > 0;
    return finish(is_broken ? EXIT_VERIFICATION : 0);
}

static int report_keys(const struct options *options, struct key_source *source,
                       const struct shard_router *before, const struct shard_router *after)
{
    struct error err = {0};
    struct report report;
    struct key_text key;
    enum key_source_result result;

    if (!report_init(&report, before, after, &err)) {
        return fail(&err, EXIT_FAILED);
    }
    while ((result = key_source_next(source, &key, &err)) == KEY_SOURCE_KEY) {
        report_count(&report, &key);
    }
    int status =
        result == KEY_SOURCE_BAD ? fail(&err, EXIT_FAILED) : print_report(options, &report);
    report_done(&report);
    return status;
}

static int print_sql(const struct options *options, const struct shard_map *map)
{
    struct error err = {0};
    struct text text = {0};
    struct key_type type = {.kind = KEY_TEXT};
    bool is_ok = options->type == NULL || key_type_parse(options->type, &type, &err) ||
                 error_wrap(&err, "--type");
    int shard = options->owned_by != NULL ? shard_map_find(map, options->owned_by) : 0;

    if (is_ok && shard < 0) {
        is_ok = error_set(&err, "42704", "--owned-by: there is no shard \"%s\"", options->owned_by);
    }
    is_ok = is_ok && (options->owned_by != NULL
                          ? shard_sql_owned(map, &type, options->sql, (size_t)shard, &text, &err)
                          : shard_sql_partition(map, &type, options->sql, &text, &err));
    if (is_ok) {
        printf("%s\n", text_cstr(&text));
    }
    text_done(&text);
    return is_ok ? finish(0) : fail(&err, EXIT_USAGE);
}

static int print_map(const struct shard_map *map)
{
    struct text text = {0};
    struct error err = {0};
    shard_map_print(map, &text);
    if (text.has_failed) {
        error_set(&err, "53200", "out of memory");
        text_done(&text);
        return fail(&err, EXIT_FAILED);
    }
    fputs(text_cstr(&text), stdout);
    text_done(&text);
    return finish(0);
}

static int route_keys(const struct options *options, const struct shard_map *map,
                      const struct shard_map *next)
{
    struct error err = {0};
    struct key_source *source = calloc(1, sizeof *source);
    struct shard_router *before = shard_router_create(map, &err);
    struct shard_router *after =
        before != NULL && next != NULL ? shard_router_create(next, &err) : NULL;
    int status;

    if (source == NULL && !error_is_set(&err)) {
        error_set(&err, "53200", "out of memory");
    }
    if (error_is_set(&err)) {
        status = fail(&err, EXIT_FAILED);
    } else if (!start_source(source, options, &err)) {
        status = fail(&err, EXIT_USAGE);
    } else if (options->is_stats || next != NULL) {
        status = report_keys(options, source, before, after);
    } else {
        status = route_lines(options, source, before);
    }
    shard_router_destroy(after);
    shard_router_destroy(before);
    free(source);
    return status;
}

static struct shard_map *add_shard(const struct shard_map *map, const char *text, struct error *err)
{
    struct shard shard;
    struct shard_map *next = placement_parse_shard(text, strlen(text), &shard, err)
                                 ? shard_map_add(map, &shard, err)
                                 : NULL;
    if (next == NULL) {
        error_wrap(err, "--add");
    }
    return next;
}

static int run(const struct options *options)
{
    struct error err = {0};
    struct shard_map *map = placement_create(&options->placement, &err), *next = NULL;
    if (map == NULL) {
        return fail(&err, EXIT_USAGE);
    }
    int status;
    if (options->add != NULL && (next = add_shard(map, options->add, &err)) == NULL) {
        status = fail(&err, EXIT_USAGE);
    } else if (options->sql != NULL) {
        status = print_sql(options, map);
    } else if (options->is_print_map) {
        status = print_map(next != NULL ? next : map);
    } else {
        status = route_keys(options, map, next);
    }
    shard_map_destroy(next);
    shard_map_destroy(map);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct option_list words;
    struct error err = {0};
    /* A reader that went away is an error to report, not a reason to die silently. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);

    switch (options_parse(&table, argc, argv, &options, &words, &err)) {
    case OPTIONS_BAD: return fail(&err, EXIT_USAGE);
    case OPTIONS_HELP: options_help(&table, stdout); return finish(0);
    case OPTIONS_VERSION:
        printf("shard_router %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT);
        return finish(0);
    case OPTIONS_OK: break;
    }
    if (words.count > 0) {
        error_set(&err, "42601", "\"%s\": keys are read from standard input", words.items[0]);
        return fail(&err, EXIT_USAGE);
    }
    if (options.owned_by != NULL && options.sql == NULL) {
        error_set(&err, "42601", "--owned-by needs --sql");
        return fail(&err, EXIT_USAGE);
    }
    return run(&options);
}
