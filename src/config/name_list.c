#include "config/name_list.h"

#include <string.h>

static const char blanks[] = " \t\r\n";

bool name_list_next(const char **at, const char **item, size_t *size)
{
    if (*at == NULL) {
        return false;
    }
    const char *start = *at + strspn(*at, blanks);
    size_t length = strcspn(start, ",");
    bool is_last = start[length] == '\0';
    const char *behind = start + length;

    while (length > 0 && strchr(blanks, start[length - 1]) != NULL) {
        length--;
    }
    if (is_last && length == 0) { /* an empty list, or behind a last comma */
        *at = NULL;
        return false;
    }
    *item = start;
    *size = length;
    *at = is_last ? NULL : behind + 1;
    return true;
}

bool name_list_contains(const char *list, const char *name)
{
    const char *item;
    size_t size;

    while (name_list_next(&list, &item, &size)) {
        if (size == strlen(name) && memcmp(item, name, size) == 0) {
            return true;
        }
    }
    return false;
}
