/* base/error: why an operation failed, told once, carried upward.
 *
 * A function that can fail returns bool and takes `struct error *err` as its
 * last parameter.  The lowest function sets it, each caller may wrap it with
 * what it was trying to do, and only the owner of the work (a session, or
 * main) logs it or turns it into an ErrorResponse or an exit status.  No
 * allocation: it works when memory is what ran out.  Longer texts are cut.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct error {
    char sqlstate[6];  /* "" while no error is set */
    char message[400]; /* outermost context first: "login to n2: bad salt" */
    char hint[240];    /* what to do about it; "" when there is nothing to say */
};

/* All return false, so that a failing path is one line: return error_set(...);
 * `err` must not hold an error yet. */
[[gnu::format(printf, 3, 4)]] bool error_set(struct error *err, const char sqlstate[6],
                                             const char *format, ...);

/* Puts "context: " before the message.  `err` must hold an error. */
[[gnu::format(printf, 2, 3)]] bool error_wrap(struct error *err, const char *format, ...);

/* Sets the hint unless a lower layer, which knows better, has set one. */
[[gnu::format(printf, 2, 3)]] bool error_hint(struct error *err, const char *format, ...);

/* Whether an error is set. */
[[nodiscard]] bool error_is_set(const struct error *err);

/* Writes "program: message" and, if there is one, "  hint: …" as lines of their own. */
void error_print(const struct error *err, const char *program, FILE *out);
