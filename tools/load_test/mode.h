/* load_test/mode: the subcommands, each a main() of its own.
 *
 * They return the exit status: 0 pass, 1 could not run, 2 usage, 3 an
 * expectation missed, 4 verification failed.
 */
#pragma once

int mode_run(int argc, char **argv);
int mode_verify(int argc, char **argv);
int mode_sharded_writes(int argc, char **argv);
int mode_policies(int argc, char **argv);
int mode_compare(int argc, char **argv);
