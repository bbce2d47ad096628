/* reparto/commands: the subcommands of the program.
 *
 * Each gets argv from its own name on (argv[0] is "lab", …), prints its own
 * errors and returns the exit status: 0 done, 1 failed, 2 usage.
 */
#pragma once

int cmd_check_config(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_import_config(int argc, char **argv);
int cmd_lab(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_status(int argc, char **argv);
