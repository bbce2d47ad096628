/* reparto: everything an operator does, one subcommand each. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/options.h"
#include "reparto/commands.h"
#include "version.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"check-config", cmd_check_config, "whether a configuration can be used, and what is wrong"},
    {"demo", cmd_demo, "a replicated, sharded shop under load, measured, in about a minute"},
    {"import-config", cmd_import_config, "a pgbouncer.ini as a configuration of ours"},
    {"lab", cmd_lab, "a real cluster on this machine: start it, look at it, break it"},
    {"report", cmd_report, "what the primaries logged, by pgBadger"},
    {"serve", cmd_serve, "the router: pools the connections of PostgreSQL clients"},
    {"status", cmd_status, "what runs, how far it is, how stale, and what is wrong"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fprintf(out, "usage: reparto COMMAND [options]\n\n"
                 "Reparto routes PostgreSQL statements to primaries, replicas and shards.\n\n"
                 "commands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(out, "  %-14s %s\n", commands[i].name, commands[i].help);
    }
    fprintf(out, "  %-14s %s\n  %-14s %s\n  %-14s %s\n\n", "--check-config", "as check-config",
            "--help", "print this and exit", "--version", "print the version and exit");
    fprintf(out, "'reparto COMMAND --help' tells more about one.\n\n"
                 "examples:\n"
                 "  reparto lab up --shards 2 --replicas 2\n"
                 "  reparto lab psql s0p\n"
                 "  reparto lab down\n\n"
                 "exit status: 0 done, 1 could not run or failed, 2 wrong usage\n");
}

static int unknown_command(const char *word)
{
    const char *names[COMMAND_COUNT + 1] = {0};
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        names[i] = commands[i].name;
    }
    return options_unknown_word("reparto", "command", word, names);
}

/* Else the first socket would be stdout to what prints, here or in a program that we start. */
static bool open_closed_descriptors(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO) {
        fd = open("/dev/null", O_RDWR);
    }
    return fd >= 0 && close(fd) == 0;
}

int main(int argc, char **argv)
{
    if (!open_closed_descriptors()) {
        return 1; /* maybe there is nowhere to say so */
    }
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("reparto %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT);
        return 0;
    }
    if (strcmp(word, "--check-config") == 0) { /* as other servers spell it */
        return cmd_check_config(argc - 1, argv + 1);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, word) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    return unknown_command(word);
}
