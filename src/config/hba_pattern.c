#include "config/hba_pattern.h"

#include <string.h>

/* Behind the bracket expression that begins at `at`; its own first ] is a member. */
static const char *skip_bracket(const char *at)
{
    at++;
    at += *at == '^';
    at += *at == ']';
    while (*at != '\0' && *at != ']') {
        bool is_class = at[0] == '[' && at[1] != '\0' && strchr(":.=", at[1]) != NULL;
        const char *end = is_class ? strstr(at + 2, "]") : NULL; /* of [:alpha:] */
        at = end != NULL ? end + 1 : at + 1;
    }
    return *at == ']' ? at : at - 1;
}

/* glibc copies what stands before a +, so nested ones double it each time. */
enum { PLUS_MAX = 4 };

/* What is wrong with the pattern; NULL: nothing. */
static const char *find_fault(const char *pattern)
{
    int plus_count = 0;

    for (const char *at = pattern; *at != '\0'; at++) {
        if (*at == '[') {
            const char *end = skip_bracket(at);
            if (memchr(at, '\\', (size_t)(end - at)) != NULL) {
                return "a backslash in [] means another thing here than in PostgreSQL";
            }
            at = end;
        } else if (*at == '\\') {
            at++;
            if (*at == '\0' || strchr(".[]()*+?{}|^$\\/@-", *at) == NULL) {
                return "a backslash may stand only before a special character";
            }
        } else if (*at == '{') {
            return "{…} is not supported";
        } else if (*at == '(' && at[1] == '?') {
            return "(?…) is not supported";
        } else if (strchr("*+?", *at) != NULL) {
            if (at[1] != '\0' && strchr("*+?{", at[1]) != NULL) {
                return "a repetition of a repetition (*?, ++, …) is not supported";
            }
            plus_count += *at == '+';
        }
    }
    return plus_count > PLUS_MAX ? "more than four + are not supported" : NULL;
}

bool hba_pattern_compile(const struct hba_item *item, regex_t *regex, struct report *report)
{
    const char *fault = find_fault(item->text + 1);
    char why[100];

    if (item->text[1] == '\0') {
        return report_error(report, item->place, NULL, "an empty regular expression");
    }
    if (fault != NULL) {
        return report_error(report, item->place, NULL, "%s", fault);
    }
    int code = regcomp(regex, item->text + 1, REG_EXTENDED);
    if (code == 0) {
        return true;
    }
    regerror(code, NULL, why, sizeof why);
    return report_error(report, item->place, NULL, "is no regular expression: %s", why);
}
