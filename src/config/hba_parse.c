/* The rules: each line of the file is one, checked when it's read. */
#include <stdlib.h>
#include <string.h>

#include "config/hba_private.h"

enum { ARENA_CHUNK = 4096, ARENA_LIMIT = 64 << 20 };

struct parse {
    struct hba *hba;
    struct report *report;
};

static bool is_word(const struct hba_item *item, const char *word)
{
    return !item->is_quoted && strcmp(item->text, word) == 0;
}

/* The index of the item's keyword among `words` (ends with NULL); -1: none of them. */
static int find_word(const struct hba_item *item, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (is_word(item, words[i])) {
            return i;
        }
    }
    return -1;
}

/* Field `index` as one item; NULL when it was reported. */
static const struct hba_item *single(struct parse *parse, const struct hba_line *line, size_t index,
                                     const char *what)
{
    if (index >= line->count) {
        report_error(parse->report, line->end, NULL, "the line ends before its %s", what);
        return NULL;
    }
    if (line->fields[index]->next != NULL) {
        report_error(parse->report, line->fields[index]->next->place, NULL, "more than one %s",
                     what);
        return NULL;
    }
    return line->fields[index];
}

/* ---- databases and users ---- */

/* What PostgreSQL understands and we don't; NULL: nothing of that kind. */
static const char *find_refused(const struct hba_item *item, bool is_user)
{
    if (item->is_quoted) {
        return NULL;
    }
    if (item->text[0] == '@') {
        return "names from another file (@) are not supported";
    }
    if (is_user && item->text[0] == '+') {
        return "members of a role (+) are not supported: roles are the servers'";
    }
    if (!is_user && (is_word(item, "samerole") || is_word(item, "samegroup"))) {
        return "samerole is not supported: roles are the servers'";
    }
    return NULL;
}

static bool parse_name(struct parse *parse, const struct hba_item *item, bool is_user,
                       struct hba_name *name)
{
    const char *refused = find_refused(item, is_user);

    if (refused != NULL) {
        return report_error(parse->report, item->place, NULL, "%s", refused);
    }
    name->kind = HBA_NAME_TEXT;
    name->text = item->text;
    if (is_word(item, "all")) {
        name->kind = HBA_NAME_ALL;
    } else if (!is_user && is_word(item, "sameuser")) {
        name->kind = HBA_NAME_SAME;
    } else if (!is_user && is_word(item, "replication")) {
        name->kind = HBA_NAME_NONE;
    } else if (!item->is_quoted && item->text[0] == '/') {
        name->kind = HBA_NAME_REGEX;
        name->regex = hba_add_regex(parse->hba, item, parse->report);
        return name->regex != NULL;
    }
    return true;
}

static bool parse_names(struct parse *parse, const struct hba_line *line, size_t index,
                        bool is_user, struct hba_name **names)
{
    if (index >= line->count) {
        return report_error(parse->report, line->end, NULL, "the line ends before its %s",
                            is_user ? "users" : "databases");
    }
    for (const struct hba_item *item = line->fields[index]; item != NULL; item = item->next) {
        struct hba_name *name = arena_alloc(&parse->hba->arena, sizeof *name);
        if (name == NULL) {
            return report_error(parse->report, item->place, NULL, "out of memory");
        }
        if (!parse_name(parse, item, is_user, name)) {
            return false;
        }
        *names = name;
        names = &name->next;
    }
    return true;
}

/* ---- the address ---- */

static bool parse_mask(struct parse *parse, const struct hba_item *item,
                       struct address_network *network)
{
    struct hba_address mask;

    if (!address_parse(item->text, &mask) || mask.size != network->address.size) {
        return report_error(parse->report, item->place, "as in 10.0.0.0/8 or 10.0.0.0 255.0.0.0",
                            "is no mask of the address before it");
    }
    network->mask = mask;
    return true;
}

/* `*next`: the field behind the address. */
static bool parse_address(struct parse *parse, const struct hba_line *line, struct hba_rule *rule,
                          size_t *next)
{
    static const char *const refused[] = {"samehost", "samenet", NULL};
    const struct hba_item *item = single(parse, line, (*next)++, "address");
    bool has_prefix = false;

    if (item == NULL) {
        return false;
    }
    if (is_word(item, "all")) {
        rule->is_any_address = true;
        return true;
    }
    if (find_word(item, refused) >= 0) {
        return report_error(parse->report, item->place, "write the network: 10.0.0.0/8",
                            "%s is not supported", item->text);
    }
    if (!address_parse_network(item->text, &rule->network, &has_prefix)) {
        return report_error(parse->report, item->place, "host names are not looked up",
                            "\"%.60s\" is no address or network", item->text);
    }
    if (has_prefix) {
        return true;
    }
    item = single(parse, line, (*next)++, "mask");
    return item != NULL && parse_mask(parse, item, &rule->network);
}

/* ---- method and options ---- */

static const char *const methods[] = {
    [HBA_REJECT] = "reject",       [HBA_TRUST] = "trust",
    [HBA_SCRAM] = "scram-sha-256", [HBA_MD5] = "md5",
    [HBA_PASSWORD] = "password",   [HBA_CERT] = "cert",
    [HBA_PEER] = "peer",           NULL,
};

static bool parse_method(struct parse *parse, const struct hba_line *line, size_t index,
                         struct hba_rule *rule)
{
    const struct hba_item *item = single(parse, line, index, "method");

    if (item == NULL) {
        return false;
    }
    int method = find_word(item, methods);
    if (method < 0) {
        return report_error(parse->report, item->place,
                            "trust, reject, scram-sha-256, md5, password, cert or peer",
                            "\"%.60s\" is no method that we have", item->text);
    }
    rule->result.method = (enum hba_method)method;
    if (method == HBA_PEER && !rule->is_local) {
        return report_error(parse->report, item->place, NULL, "peer works only on local lines");
    }
    if (method == HBA_CERT && (!rule->is_for_tls || rule->is_for_clear)) {
        return report_error(parse->report, item->place, NULL, "cert works only on hostssl lines");
    }
    if (method == HBA_CERT) {
        rule->result.certificate = HBA_CERTIFICATE_FULL;
    }
    return true;
}

static bool parse_client_certificate(struct parse *parse, const struct hba_item *item,
                                     const char *value, struct hba_rule *rule)
{
    bool is_full = strcmp(value, "verify-full") == 0;

    if (!rule->is_for_tls || rule->is_for_clear) {
        return report_error(parse->report, item->place, NULL,
                            "clientcert works only on hostssl lines");
    }
    if (!is_full && strcmp(value, "verify-ca") != 0) {
        return report_error(parse->report, item->place, "verify-ca or verify-full",
                            "clientcert can't be \"%.60s\"", value);
    }
    if (!is_full && rule->result.method == HBA_CERT) {
        return report_error(parse->report, item->place, NULL,
                            "clientcert=verify-ca is less than cert asks for");
    }
    rule->result.certificate = is_full ? HBA_CERTIFICATE_FULL : HBA_CERTIFICATE_CA;
    return true;
}

static bool parse_option(struct parse *parse, const struct hba_item *item, struct hba_rule *rule)
{
    enum { MAP_SIZE = sizeof "map=" - 1, CLIENTCERT_SIZE = sizeof "clientcert=" - 1 };

    if (strncmp(item->text, "map=", MAP_SIZE) == 0) {
        if (rule->result.method != HBA_PEER && rule->result.method != HBA_CERT) {
            return report_error(parse->report, item->place, NULL,
                                "map works only with peer and cert");
        }
        rule->result.map = item->text + MAP_SIZE;
        return rule->result.map[0] != '\0' ||
               report_error(parse->report, item->place, NULL, "the map has no name");
    }
    if (strncmp(item->text, "clientcert=", CLIENTCERT_SIZE) == 0) {
        return parse_client_certificate(parse, item, item->text + CLIENTCERT_SIZE, rule);
    }
    return report_error(parse->report, item->place, "map=NAME or clientcert=verify-full",
                        "\"%.60s\" is no option that we have", item->text);
}

/* ---- a line ---- */

static bool parse_type(struct parse *parse, const struct hba_line *line, struct hba_rule *rule)
{
    enum { LOCAL, HOST, HOSTSSL, HOSTNOSSL };
    static const char *const types[] = {"local", "host", "hostssl", "hostnossl", NULL};
    static const char *const includes[] = {"include", "include_if_exists", "include_dir", NULL};
    const struct hba_item *item = single(parse, line, 0, "type");

    if (item == NULL) {
        return false;
    }
    if (find_word(item, includes) >= 0) {
        return report_error(parse->report, item->place, "put its lines here", "%s is not supported",
                            item->text);
    }
    int type = find_word(item, types);
    if (type < 0) {
        return report_error(parse->report, item->place, "local, host, hostssl or hostnossl",
                            "\"%.60s\" is no type that we have", item->text);
    }
    rule->is_local = type == LOCAL;
    rule->is_for_tls = type == HOST || type == HOSTSSL;
    rule->is_for_clear = type == HOST || type == HOSTNOSSL;
    return true;
}

static void parse_rule(struct parse *parse, const struct hba_line *line)
{
    struct hba_rule *rule = arena_alloc(&parse->hba->arena, sizeof *rule);
    size_t next = 3;

    if (rule == NULL) {
        report_error(parse->report, line->end, NULL, "out of memory");
        return;
    }
    rule->result.line = line->number;
    if (!parse_type(parse, line, rule) || !parse_names(parse, line, 1, false, &rule->databases) ||
        !parse_names(parse, line, 2, true, &rule->users) ||
        (!rule->is_local && !parse_address(parse, line, rule, &next)) ||
        !parse_method(parse, line, next++, rule)) {
        return;
    }
    for (; next < line->count; next++) {
        const struct hba_item *item = single(parse, line, next, "option");
        if (item == NULL || !parse_option(parse, item, rule)) {
            return;
        }
    }
    *parse->hba->last_rule = rule;
    parse->hba->last_rule = &rule->next;
}

/* ---- the file ---- */

static bool is_small(struct report *report)
{
    return report->size <= HBA_SIZE_MAX ||
           report_error(report, (struct report_place){0}, NULL, "has %zu bytes, more than %d",
                        report->size, HBA_SIZE_MAX);
}

static struct hba *create(void)
{
    struct hba *hba = calloc(1, sizeof *hba);

    if (hba != NULL) {
        arena_init(&hba->arena, ARENA_CHUNK, ARENA_LIMIT);
        hba->last_rule = &hba->rules;
        hba->last_mapping = &hba->mappings;
    }
    return hba;
}

struct hba *hba_parse_reported(struct report *report, struct error *err)
{
    struct parse parse = {.hba = create(), .report = report};
    struct hba_line line;

    if (parse.hba == NULL) {
        error_set(err, "53200", "%s: out of memory", report->path);
        return NULL;
    }
    struct hba_reader reader = {&parse.hba->arena, report, 0, 1, 1};
    while (is_small(report) && hba_line_next(&reader, &line)) {
        parse_rule(&parse, &line);
    }
    if (report->error_count > 0) {
        hba_destroy(parse.hba);
        report_first_error(report, err);
        return NULL;
    }
    return parse.hba;
}

struct hba *hba_parse(const char *text, size_t size, const char *path, struct error *err)
{
    struct report report;

    report_init(&report, path, text, size);
    struct hba *hba = hba_parse_reported(&report, err);
    report_done(&report);
    return hba;
}
