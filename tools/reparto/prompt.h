/* reparto/prompt: the demo's command line, where a user looks at the cluster and breaks it.
 *
 * Words are those of the other programs, shortened: "freeze s0r1" runs
 * `reparto lab freeze s0r1`, "load" runs load_test.  A failing command prints
 * its own message and the prompt goes on.  Quotes, single or double, keep blanks in a word.
 * Ctrl-C in a command is that command's; at the prompt it ends the prompt.
 */
#pragma once

#include <signal.h>

/* Reads lines from stdin until "quit", its end, or a signal that sets *stop. */
void prompt_run(const char *reparto, const char *load_test, volatile sig_atomic_t *stop);
