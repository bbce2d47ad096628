/* backend/holds: which databases an operator holds back, in one worker.
 *
 * PAUSE, KILL and DISABLE of the console outlive the pools that they meet: a
 * pool made later asks here.  As long as nobody holds anything, nothing is
 * allocated.  Of one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct hold {
    char *database; /* owned */
    bool is_paused, is_disabled;
};

struct holds {
    bool all_paused;   /* PAUSE without a name */
    struct hold *list; /* owned */
    size_t count;
};

void holds_done(struct holds *holds);

[[nodiscard]] bool holds_is_paused(const struct holds *holds, const char *database);
[[nodiscard]] bool holds_is_disabled(const struct holds *holds, const char *database);

/* False when out of memory: nothing changed. */
[[nodiscard]] bool holds_pause(struct holds *holds, const char *database, bool is_paused);
[[nodiscard]] bool holds_disable(struct holds *holds, const char *database, bool is_disabled);
