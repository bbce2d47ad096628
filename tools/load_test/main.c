/* load_test: what replication and sharding really do under load, on any PostgreSQL. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/options.h"
#include "load_test/mode.h"

static const struct mode {
    const char *name;
    int (*run)(int argc, char **argv);
} modes[] = {
    {"compare", mode_compare}, {"policies", mode_policies},
    {"run", mode_run},         {"sharded-writes", mode_sharded_writes},
    {"verify", mode_verify},
};

enum { MODE_COUNT = sizeof modes / sizeof modes[0] };

static int unknown_mode(const char *word)
{
    const char *names[MODE_COUNT + 1] = {0};
    for (size_t i = 0; i < MODE_COUNT; i++) {
        names[i] = modes[i].name;
    }
    return options_unknown_word("load_test", "mode", word, names);
}

int main(int argc, char **argv)
{
    /* A reader of our pipe that goes away shows as a failed write, which is reported. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);

    if (argc < 2 || argv[1][0] == '-') {
        return mode_run(argc, argv);
    }
    for (size_t i = 0; i < MODE_COUNT; i++) {
        if (strcmp(modes[i].name, argv[1]) == 0) {
            return modes[i].run(argc - 1, argv + 1);
        }
    }
    return unknown_mode(argv[1]);
}
