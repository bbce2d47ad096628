#include "config/hba.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config/hba_pattern.h"
#include "config/hba_private.h"

const regex_t *hba_add_regex(struct hba *hba, const struct hba_item *item, struct report *report)
{
    struct hba_regex *regex = arena_alloc(&hba->arena, sizeof *regex);

    if (regex == NULL) {
        report_error(report, item->place, NULL, "out of memory");
        return NULL;
    }
    if (hba->regex_count == HBA_REGEXES_MAX) {
        report_error(report, item->place, NULL, "more than %d regular expressions",
                     HBA_REGEXES_MAX);
        return NULL;
    }
    if (!hba_pattern_compile(item, &regex->regex, report)) {
        return NULL;
    }
    hba->regex_count++;
    regex->next = hba->regexes;
    hba->regexes = regex;
    return &regex->regex;
}

void hba_destroy(struct hba *hba)
{
    if (hba == NULL) {
        return;
    }
    for (struct hba_regex *regex = hba->regexes; regex != NULL; regex = regex->next) {
        regfree(&regex->regex);
    }
    arena_done(&hba->arena);
    free(hba);
}

bool hba_name_matches(const struct hba_name *name, const char *text)
{
    switch (name->kind) {
    case HBA_NAME_TEXT: return strcmp(name->text, text) == 0;
    case HBA_NAME_REGEX: return regexec(name->regex, text, 0, NULL, 0) == 0;
    case HBA_NAME_ALL: return true;
    case HBA_NAME_SAME:
    case HBA_NAME_NONE: return false;
    }
    assert(false);
    return false;
}

static bool is_listed(const struct hba_name *names, const char *text, const char *user)
{
    for (; names != NULL; names = names->next) {
        if (hba_name_matches(names, text) ||
            (names->kind == HBA_NAME_SAME && strcmp(text, user) == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_for(const struct hba_rule *rule, const struct hba_address *address, bool has_tls)
{
    if (address == NULL) {
        return rule->is_local;
    }
    if (has_tls ? !rule->is_for_tls : !rule->is_for_clear) {
        return false;
    }
    return rule->is_any_address || address_is_in(address, &rule->network);
}

struct hba_result hba_find(const struct hba *hba, const struct hba_address *address, bool has_tls,
                           const char *database, const char *user)
{
    for (const struct hba_rule *rule = hba->rules; rule != NULL; rule = rule->next) {
        if (is_for(rule, address, has_tls) && is_listed(rule->databases, database, user) &&
            is_listed(rule->users, user, user)) {
            return rule->result;
        }
    }
    return (struct hba_result){.method = HBA_REJECT};
}

/* ---- identity maps ---- */

enum { NAME_SIZE = 256 };

/* `user` with \1 put in.  False when it doesn't fit, or the expression has no such part. */
static bool expand(const struct hba_mapping *mapping, const char *system_name, char user[NAME_SIZE])
{
    regmatch_t parts[2] = {{-1, -1}, {-1, -1}};
    const char *hole = strstr(mapping->user, "\\1");

    if (regexec(mapping->system_name.regex, system_name, 2, parts, 0) != 0) {
        return false;
    }
    if (hole == NULL) {
        return snprintf(user, NAME_SIZE, "%s", mapping->user) < NAME_SIZE;
    }
    if (parts[1].rm_so < 0) {
        return false;
    }
    return snprintf(user, NAME_SIZE, "%.*s%.*s%s", (int)(hole - mapping->user), mapping->user,
                    (int)(parts[1].rm_eo - parts[1].rm_so), system_name + parts[1].rm_so,
                    hole + 2) < NAME_SIZE;
}

static bool is_mapped(const struct hba_mapping *mapping, const char *system_name, const char *user)
{
    char expanded[NAME_SIZE];

    if (mapping->is_any_user) {
        return hba_name_matches(&mapping->system_name, system_name);
    }
    if (mapping->system_name.kind == HBA_NAME_REGEX) {
        return expand(mapping, system_name, expanded) && strcmp(expanded, user) == 0;
    }
    return hba_name_matches(&mapping->system_name, system_name) && strcmp(mapping->user, user) == 0;
}

bool hba_maps(const struct hba *hba, const char *map, const char *system_name, const char *user)
{
    if (map == NULL) {
        return strcmp(system_name, user) == 0;
    }
    const struct hba_mapping *mapping = hba != NULL ? hba->mappings : NULL;
    for (; mapping != NULL; mapping = mapping->next) {
        if (strcmp(mapping->map, map) == 0 && is_mapped(mapping, system_name, user)) {
            return true;
        }
    }
    return false;
}
