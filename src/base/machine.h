/* base/machine: the one way to write a state machine here.
 *
 * A machine is a table: in this state, on this input, run this handler, which
 * returns the next state.  Each entry lists the states the handler may return,
 * so one table drives the code, is checked on every step, and draws the
 * diagram in docs/machines/.  A handler does its work and returns: it never
 * blocks and never steps its own machine.  An empty entry means that the input
 * is not legal in that state, and runs `on_unexpected`.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#define TO(state) (1u << (state))

typedef int machine_handler(void *self, const void *input);

struct machine_rule {
    machine_handler *handler;
    uint32_t may_lead_to; /* TO(a) | TO(b) */
};

struct machine {
    const char *name;
    int state_count, input_count;
    const char *const *state_names, *const *input_names;
    const struct machine_rule *rules; /* [state_count][input_count] */
    struct machine_rule on_unexpected;
};

/* Returns the state that `input` leads to from `state`. */
[[nodiscard]] int machine_step(const struct machine *machine, int state, int input_kind, void *self,
                               const void *input);

/* Writes the table as a Mermaid state diagram. */
void machine_draw(const struct machine *machine, FILE *out);
