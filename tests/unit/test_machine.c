/* A machine follows its table, and an empty cell runs on_unexpected. */
#include "check.h"

#include <stdio.h>

#include "base/machine.h"

enum { SHUT, OPEN, BROKEN, STATE_COUNT };
enum { IN_TURN, IN_KICK, INPUT_COUNT };

static int on_turn(void *self, const void *)
{
    int *turns = self;
    return ++*turns % 2 == 1 ? OPEN : SHUT;
}

static int on_unexpected(void *, const void *)
{
    return BROKEN;
}

static const struct machine_rule rules[STATE_COUNT][INPUT_COUNT] = {
    [SHUT][IN_TURN] = {on_turn, TO(OPEN)},
    [OPEN][IN_TURN] = {on_turn, TO(SHUT)},
};
static const char *const state_names[] = {"shut", "open", "broken"};
static const char *const input_names[] = {"turn", "kick"};
static const struct machine door = {.name = "door",
                                    .state_count = STATE_COUNT,
                                    .input_count = INPUT_COUNT,
                                    .state_names = state_names,
                                    .input_names = input_names,
                                    .rules = rules[0],
                                    .on_unexpected = {on_unexpected, TO(BROKEN)}};

static void table_is_followed(void **)
{
    int turns = 0;
    int state = machine_step(&door, SHUT, IN_TURN, &turns, NULL);
    assert_int_equal(state, OPEN);
    state = machine_step(&door, state, IN_TURN, &turns, NULL);
    assert_int_equal(state, SHUT);
    assert_int_equal(machine_step(&door, state, IN_KICK, &turns, NULL), BROKEN);
    assert_int_equal(turns, 2);
}

static void drawing_is_the_table(void **)
{
    char text[500] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    machine_draw(&door, out);
    fclose(out);
    assert_string_equal(text,
                        "stateDiagram-v2\n    shut --> open: turn\n    open --> shut: turn\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_followed),
        cmocka_unit_test(drawing_is_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
