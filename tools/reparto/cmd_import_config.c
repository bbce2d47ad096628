/* reparto import-config: a pgbouncer.ini as a configuration of ours. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/options.h"
#include "config/config.h"
#include "reparto/commands.h"
#include "reparto/read_file.h"
#include "version.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const struct option_table table = {
    .program = "reparto import-config",
    .usage = "  reparto import-config FILE > reparto.yaml\n",
    .description =
        "Writes a pgbouncer.ini as a configuration of Reparto to stdout.  What has no\n"
        "counterpart becomes a comment that says why; PgBouncer's defaults are written down\n"
        "where ours differ.  %include is refused.  What the result lacks is told on stderr.\n",
    .epilogue = "examples:\n"
                "  reparto import-config /etc/pgbouncer/pgbouncer.ini > reparto.yaml\n"
                "  reparto check-config reparto.yaml\n"
                "\n"
                "exit status: 0 done, 1 could not be read or translated, 2 wrong usage\n",
};

/* Tells on stderr what an operator has to mend in the result; that's no failure of the import. */
static void check_result(const struct text *yaml)
{
    struct text report = {0};
    struct error err = {0};

    config_release(config_parse(text_cstr(yaml), yaml->size, "the result", &report, &err));
    fputs(text_cstr(&report), stderr);
    text_done(&report);
}

static bool import(const char *path, struct error *err)
{
    struct text ini = {0}, yaml = {0};
    bool is_ok =
        read_file(path, &ini, err) && config_import(text_cstr(&ini), ini.size, path, &yaml, err);

    if (is_ok) {
        check_result(&yaml);
        is_ok = fwrite(text_cstr(&yaml), 1, yaml.size, stdout) == yaml.size && fflush(stdout) == 0;
        if (!is_ok) {
            error_set(err, "58030", "cannot write to stdout: %s", strerror(errno));
        }
    }
    read_file_wipe(&ini);
    read_file_wipe(&yaml);
    return is_ok;
}

static int fail(const struct error *err, int status)
{
    error_print(err, "reparto import-config", stderr);
    return status;
}

int cmd_import_config(int argc, char **argv)
{
    struct option_list words = {0};
    struct error err = {0};
    char none;

    switch (options_parse(&table, argc, argv, &none, &words, &err)) {
    case OPTIONS_HELP: options_help(&table, stdout); return EXIT_DONE;
    case OPTIONS_VERSION:
        printf("reparto %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT);
        return EXIT_DONE;
    case OPTIONS_BAD: return fail(&err, EXIT_USAGE);
    case OPTIONS_OK: break;
    }
    if (words.count != 1) {
        error_set(&err, "42601", "expected one FILE, not %zu", words.count);
        error_hint(&err, "'reparto import-config --help' tells more");
        return fail(&err, EXIT_USAGE);
    }
    return import(words.items[0], &err) ? EXIT_DONE : fail(&err, EXIT_FAILED);
}
