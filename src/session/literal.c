#include "session/literal.h"

#include <string.h>

void literal_append(struct text *text, const char *value)
{
    text_append(text, strchr(value, '\\') == NULL ? "'" : "E'");
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\'' || *at == '\\') {
            text_append_bytes(text, at, 1);
        }
        text_append_bytes(text, at, 1);
    }
    text_append(text, "'");
}
