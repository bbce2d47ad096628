/* The identity maps: lines "map system-user database-user". */
#include <stdlib.h>
#include <string.h>

#include "config/hba_private.h"

static bool parse_system_name(struct hba *hba, const struct hba_item *item, struct report *report,
                              struct hba_mapping *mapping)
{
    mapping->system_name = (struct hba_name){.kind = HBA_NAME_TEXT, .text = item->text};
    if (item->is_quoted || item->text[0] != '/') {
        return true;
    }
    mapping->system_name.kind = HBA_NAME_REGEX;
    mapping->system_name.regex = hba_add_regex(hba, item, report);
    return mapping->system_name.regex != NULL;
}

static bool parse_user(const struct hba_item *item, struct report *report,
                       struct hba_mapping *mapping)
{
    const regex_t *regex = mapping->system_name.regex;

    mapping->user = item->text;
    mapping->is_any_user = !item->is_quoted && strcmp(item->text, "all") == 0;
    if (!item->is_quoted && (item->text[0] == '/' || item->text[0] == '+')) {
        return report_error(report, item->place, "name one user, or all",
                            "\"%.60s\" is no user that can be mapped to", item->text);
    }
    if (strstr(item->text, "\\1") != NULL && (regex == NULL || regex->re_nsub == 0)) {
        return report_error(report, item->place, "as in /^(.*)@example\\.com$",
                            "\\1 needs an expression with (…) before it");
    }
    return true;
}

static void parse_mapping(struct hba *hba, const struct hba_line *line, struct report *report)
{
    struct hba_mapping *mapping = arena_alloc(&hba->arena, sizeof *mapping);

    if (mapping == NULL) {
        report_error(report, line->end, NULL, "out of memory");
        return;
    }
    if (line->count != 3) {
        report_error(report, line->count < 3 ? line->end : line->fields[3]->place, NULL,
                     "a line has three names: map, system user, database user");
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        if (line->fields[i]->next != NULL) {
            report_error(report, line->fields[i]->next->place, NULL, "lists are not supported");
            return;
        }
    }
    mapping->map = line->fields[0]->text;
    if (parse_system_name(hba, line->fields[1], report, mapping) &&
        parse_user(line->fields[2], report, mapping)) {
        *hba->last_mapping = mapping;
        hba->last_mapping = &mapping->next;
    }
}

bool hba_parse_map_reported(struct hba *hba, struct report *report, struct error *err)
{
    struct hba_reader reader = {&hba->arena, report, 0, 1, 1};
    struct hba_line line;

    if (report->size > HBA_SIZE_MAX) {
        report_error(report, (struct report_place){0}, NULL, "has %zu bytes, more than %d",
                     report->size, HBA_SIZE_MAX);
    }
    while (report->size <= HBA_SIZE_MAX && hba_line_next(&reader, &line)) {
        parse_mapping(hba, &line, report);
    }
    return report->error_count == 0 || report_first_error(report, err);
}

bool hba_parse_map(struct hba *hba, const char *text, size_t size, const char *path,
                   struct error *err)
{
    struct report report;

    report_init(&report, path, text, size);
    bool is_ok = hba_parse_map_reported(hba, &report, err);
    report_done(&report);
    return is_ok;
}
