#include "base/list.h"

#include <assert.h>

void list_init(struct list *list)
{
    list->head.next = &list->head;
    list->head.previous = &list->head;
    list->count = 0;
}

bool list_is_empty(const struct list *list)
{
    return list->count == 0;
}

bool list_contains_link(const struct list_link *link)
{
    return link->next != NULL;
}

static void insert_between(struct list_link *link, struct list_link *before,
                           struct list_link *after)
{
    assert(!list_contains_link(link));
    link->previous = before;
    link->next = after;
    before->next = link;
    after->previous = link;
}

void list_push_first(struct list *list, struct list_link *link)
{
    insert_between(link, &list->head, list->head.next);
    list->count++;
}

void list_push_last(struct list *list, struct list_link *link)
{
    insert_between(link, list->head.previous, &list->head);
    list->count++;
}

void list_remove(struct list *list, struct list_link *link)
{
    assert(list_contains_link(link));
    assert(list->count > 0);
    link->previous->next = link->next;
    link->next->previous = link->previous;
    *link = (struct list_link){0};
    list->count--;
}

struct list_link *list_pop_first(struct list *list)
{
    struct list_link *link = list_first(list);
    if (link != NULL) {
        list_remove(list, link);
    }
    return link;
}

struct list_link *list_first(const struct list *list)
{
    return list->count == 0 ? NULL : list->head.next;
}

struct list_link *list_next(const struct list *list, const struct list_link *link)
{
    return link->next == &list->head ? NULL : link->next;
}
