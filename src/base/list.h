/* base/list: a doubly linked list whose links live inside its members.
 *
 * Nothing is allocated and nothing is owned: the list borrows its members,
 * which must be removed before they die.  Insertion and removal are O(1), and
 * a member knows whether it is in a list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next, *previous; /* both NULL while in no list */
};

struct list {
    struct list_link head; /* next: first member; previous: last */
    size_t count;
};

void list_init(struct list *list);
[[nodiscard]] bool list_is_empty(const struct list *list);
[[nodiscard]] bool list_contains_link(const struct list_link *link); /* in any list at all */

/* `link` must be in no list. */
void list_push_first(struct list *list, struct list_link *link);
void list_push_last(struct list *list, struct list_link *link);

/* `link` must be in `list`. */
void list_remove(struct list *list, struct list_link *link);

/* Removes and returns the first link; NULL when the list is empty. */
[[nodiscard]] struct list_link *list_pop_first(struct list *list);

/* For loops: the first link, and the one after `link`; NULL at the end. */
[[nodiscard]] struct list_link *list_first(const struct list *list);
[[nodiscard]] struct list_link *list_next(const struct list *list, const struct list_link *link);

/* The member of type `type` whose field `field` is `link`; `link` must not be NULL.
 * A macro, because C has no other way to name a type. */
#define LIST_MEMBER(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))
