#include "backend/holds.h"

#include <stdlib.h>
#include <string.h>

void holds_done(struct holds *holds)
{
    for (size_t i = 0; i < holds->count; i++) {
        free(holds->list[i].database);
    }
    free(holds->list);
    *holds = (struct holds){0};
}

static struct hold *find(const struct holds *holds, const char *database)
{
    for (size_t i = 0; i < holds->count; i++) {
        if (strcmp(holds->list[i].database, database) == 0) {
            return &holds->list[i];
        }
    }
    return NULL;
}

bool holds_is_paused(const struct holds *holds, const char *database)
{
    const struct hold *hold = holds->count == 0 ? NULL : find(holds, database);
    return holds->all_paused || (hold != NULL && hold->is_paused);
}

bool holds_is_disabled(const struct holds *holds, const char *database)
{
    const struct hold *hold = holds->count == 0 ? NULL : find(holds, database);
    return hold != NULL && hold->is_disabled;
}

static struct hold *find_or_add(struct holds *holds, const char *database)
{
    struct hold *hold = find(holds, database);
    if (hold != NULL) {
        return hold;
    }
    struct hold *list = reallocarray(holds->list, holds->count + 1, sizeof *list);
    if (list == NULL) {
        return NULL;
    }
    holds->list = list;
    char *copy = strdup(database);
    if (copy == NULL) {
        return NULL;
    }
    list[holds->count] = (struct hold){.database = copy};
    return &list[holds->count++];
}

/* One that holds nothing any more is forgotten. */
static void tidy(struct holds *holds, struct hold *hold)
{
    if (hold->is_paused || hold->is_disabled) {
        return;
    }
    free(hold->database);
    *hold = holds->list[--holds->count];
}

bool holds_pause(struct holds *holds, const char *database, bool is_paused)
{
    struct hold *hold = is_paused ? find_or_add(holds, database) : find(holds, database);
    if (hold == NULL) {
        return !is_paused;
    }
    hold->is_paused = is_paused;
    tidy(holds, hold);
    return true;
}

bool holds_disable(struct holds *holds, const char *database, bool is_disabled)
{
    struct hold *hold = is_disabled ? find_or_add(holds, database) : find(holds, database);
    if (hold == NULL) {
        return !is_disabled;
    }
    hold->is_disabled = is_disabled;
    tidy(holds, hold);
    return true;
}
