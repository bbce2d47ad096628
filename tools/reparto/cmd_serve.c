/* reparto serve: runs the router in the foreground. */
#include <stdio.h>

#include "common/options.h"
#include "reparto/commands.h"
#include "server/router.h"

struct serve {
    const char *config;
};

static const struct option_row rows[] = {
    {"config", "FILE", OPTION_TEXT, offsetof(struct serve, config), 0, 0,
     "the configuration (default reparto.yaml)"},
};

static const struct option_table table = {
    .program = "reparto serve",
    .usage = "reparto serve [--config FILE]",
    .description =
        "Pools connections of PostgreSQL clients, in the foreground, until it's told to stop.\n"
        "HUP reloads the configuration and logs what changed; USR2 starts a new process that\n"
        "takes over, so that no connection is refused; TERM lets clients finish, a second TERM\n"
        "stops; INT and QUIT stop at once.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .epilogue = "examples:\n"
                "  reparto serve --config /etc/reparto/reparto.yaml\n"
                "  reparto check-config reparto.yaml\n\n"
                "exit status: 0 it was told to stop, 1 it could not start, 2 wrong usage",
};

int cmd_serve(int argc, char **argv)
{
    struct serve serve = {.config = "reparto.yaml"};
    struct option_list words;
    struct error err = {0};

    enum options_result parsed = options_parse(&table, argc, argv, &serve, &words, &err);
    if (parsed == OPTIONS_HELP) {
        options_help(&table, stdout);
        return 0;
    }
    if (parsed == OPTIONS_OK && words.count > 0) {
        error_set(&err, "42601", "unexpected argument \"%s\"", words.items[0]);
    }
    if (error_is_set(&err)) {
        error_print(&err, "reparto serve", stderr);
        return 2;
    }
    struct router_plan plan = {
        .config_path = serve.config, .argv = argv - 1, /* as main() got it */
    };
    if (!router_run(&plan, &err)) {
        error_print(&err, "reparto serve", stderr);
        return 1;
    }
    return 0;
}
