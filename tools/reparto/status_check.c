#include "reparto/status_check.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct checker {
    json_t *problems; /* borrowed */
    double stale_ms_max;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static bool is_text(const json_t *object, const char *key, const char *expected)
{
    return strcmp(text_of(object, key), expected) == 0;
}

[[gnu::format(printf, 2, 3)]] static void add(struct checker *checker, const char *format, ...)
{
    char buffer[512];
    va_list args;

    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    json_t *line = json_string(buffer);
    json_array_append_new(checker->problems,
                          line != NULL ? line : json_string("a problem whose text is not UTF-8"));
}

static void check_contact(struct checker *checker, const json_t *node)
{
    double silent_s = json_number_value(json_object_get(node, "silent_ms")) / 1000;

    add(checker, "%s (%s): %s for %.1f s%s%s", text_of(node, "name"), text_of(node, "place"),
        text_of(node, "state"), silent_s, text_of(node, "error")[0] != '\0' ? ": " : "",
        text_of(node, "error"));
}

static void check_role(struct checker *checker, const json_t *node)
{
    const char *expected = text_of(node, "expected_role");

    if (strcmp(expected, "former primary") == 0) {
        add(checker, "%s was primary until another was promoted; rebuild it: reparto lab start %s",
            text_of(node, "name"), text_of(node, "name"));
        return;
    }
    if (expected[0] != '\0' && !is_text(node, "role", expected)) {
        add(checker, "%s (%s) is a %s, but was expected to be a %s", text_of(node, "name"),
            text_of(node, "place"), text_of(node, "role"), expected);
    }
}

static void check_staleness(struct checker *checker, const json_t *node)
{
    const json_t *staleness = json_object_get(node, "staleness");
    double ms = json_number_value(json_object_get(staleness, "ms"));

    if (is_text(staleness, "why", "it does not follow the primary's timeline")) {
        add(checker, "%s does not follow the primary's timeline: its data is of another history",
            text_of(node, "name"));
        return;
    }
    if (ms > checker->stale_ms_max) {
        add(checker, "%s is %s%.1f s stale, more than %.1f s", text_of(node, "name"),
            is_text(staleness, "basis", "at least") ? "at least " : "", ms / 1000,
            checker->stale_ms_max / 1000);
    }
}

static void check_details(struct checker *checker, const json_t *node)
{
    const json_t *details = json_object_get(node, "details");
    const json_t *connections = json_object_get(details, "connections");
    double used = json_number_value(json_object_get(connections, "used"));
    double limit = json_number_value(json_object_get(connections, "limit"));
    json_t *slot;
    size_t i;

    if (text_of(node, "details_error")[0] != '\0') {
        add(checker, "%s: %s", text_of(node, "name"), text_of(node, "details_error"));
    }
    if (limit > 0 && used >= 0.9 * limit) {
        add(checker, "%s uses %.0f of its %.0f connections", text_of(node, "name"), used, limit);
    }
    json_array_foreach(json_object_get(details, "slots"), i, slot)
    {
        if (is_text(slot, "wal_status", "lost") || is_text(slot, "wal_status", "unreserved")) {
            add(checker, "slot %s on %s: its WAL is %s; the replica has to be rebuilt",
                text_of(slot, "name"), text_of(node, "name"),
                is_text(slot, "wal_status", "lost") ? "gone" : "about to go");
        }
    }
}

static size_t count_streaming(const json_t *primary)
{
    size_t i, count = 0;
    json_t *sender;

    json_array_foreach(json_object_get(json_object_get(primary, "details"), "replication"), i,
                       sender)
    {
        if (json_is_null(json_object_get(sender, "state"))) {
            return SIZE_MAX; /* hidden from a user without pg_monitor: nothing can be said */
        }
        count += is_text(sender, "state", "streaming") && !is_text(sender, "name", "pg_basebackup");
    }
    return count;
}

/* Names differ between application_name and ours without a lab, so only the count is compared. */
static void check_streams(struct checker *checker, const json_t *shard)
{
    const json_t *primary = NULL;
    size_t i, replicas = 0;
    json_t *node;

    json_array_foreach(json_object_get(shard, "nodes"), i, node)
    {
        replicas += is_text(node, "role", "replica") && is_text(node, "state", "answering");
        if (is_text(node, "name", text_of(shard, "primary"))) {
            primary = node;
        }
    }
    if (primary == NULL || !json_is_object(json_object_get(primary, "details"))) {
        return;
    }
    size_t streaming = count_streaming(primary);
    if (streaming < replicas) {
        add(checker,
            "%s streams to %zu of the %zu replicas that answer: look at the replicas' logs",
            text_of(primary, "name"), streaming, replicas);
    }
}

static void check_systems(struct checker *checker, const json_t *shard)
{
    const char *first = "", *first_name = "";
    size_t i;
    json_t *node;

    json_array_foreach(json_object_get(shard, "nodes"), i, node)
    {
        const char *system = text_of(node, "system_identifier");
        if (first[0] == '\0') {
            first = system;
            first_name = text_of(node, "name");
        }
        if (system[0] != '\0' && strcmp(system, first) != 0) {
            add(checker, "%s and %s are not of one cluster: system identifiers %s and %s",
                first_name, text_of(node, "name"), first, system);
        }
    }
}

static void check_shard(struct checker *checker, const json_t *shard)
{
    size_t i;
    json_t *node;

    if (!json_is_string(json_object_get(shard, "primary"))) {
        add(checker, "shard %s: %s", text_of(shard, "name"), text_of(shard, "verdict"));
    }
    json_array_foreach(json_object_get(shard, "nodes"), i, node)
    {
        if (is_text(node, "expected_role", "former primary")) {
            check_role(checker, node);
            continue;
        }
        if (!is_text(node, "state", "answering")) {
            check_contact(checker, node);
            check_staleness(checker, node);
            continue;
        }
        check_role(checker, node);
        check_staleness(checker, node);
        check_details(checker, node);
    }
    check_systems(checker, shard);
    check_streams(checker, shard);
}

bool status_check(json_t *document, double stale_ms_max)
{
    struct checker checker = {.problems = json_array(), .stale_ms_max = stale_ms_max};
    size_t i;
    json_t *shard;

    json_array_foreach(json_object_get(document, "shards"), i, shard)
    {
        check_shard(&checker, shard);
    }
    bool is_healthy = json_array_size(checker.problems) == 0;
    json_object_set_new(document, "healthy", json_boolean(is_healthy));
    json_object_set_new(document, "problems", checker.problems);
    return is_healthy;
}
