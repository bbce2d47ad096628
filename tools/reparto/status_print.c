#include "reparto/status_print.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/terminal.h"

enum { CELL_SIZE = 64, PLAIN_COLUMNS = 80, NODES_MAX = 64 };

/* What is unknown is shown as this. */
static const char unknown[] = "–";

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : unknown;
}

static bool has(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value != NULL && !json_is_null(value);
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* "4.0 s", "2 min 5 s", "3 h 10 min"; rounded down from a minute on. */
static const char *seconds_text(char cell[CELL_SIZE], double seconds)
{
    long whole = (long)seconds;

    if (seconds < 60) {
        snprintf(cell, CELL_SIZE, "%.1f s", seconds);
    } else if (seconds < 3600) {
        snprintf(cell, CELL_SIZE, "%ld min %ld s", whole / 60, whole % 60);
    } else {
        snprintf(cell, CELL_SIZE, "%ld h %ld min", whole / 3600, whole / 60 % 60);
    }
    return cell;
}

static const char *integer_text(char cell[CELL_SIZE], const json_t *object, const char *key)
{
    char number[TEXT_NUMBER_SIZE];

    if (!has(object, key)) {
        return unknown;
    }
    text_grouped(number, (int64_t)number_of(object, key), ',');
    snprintf(cell, CELL_SIZE, "%s", number);
    return cell;
}

static const char *bytes_text(char cell[CELL_SIZE], const json_t *object, const char *key)
{
    double bytes = number_of(object, key);

    if (!has(object, key)) {
        return unknown;
    }
    if (bytes < 10 * 1024) {
        snprintf(cell, CELL_SIZE, "%.0f B", bytes);
    } else if (bytes < 10 * 1048576.0) {
        snprintf(cell, CELL_SIZE, "%.0f kB", bytes / 1024);
    } else {
        snprintf(cell, CELL_SIZE, "%.0f MB", bytes / 1048576);
    }
    return cell;
}

static const char *lag_text(char cell[CELL_SIZE], const json_t *object, const char *key)
{
    if (!has(object, key)) {
        return unknown;
    }
    snprintf(cell, CELL_SIZE, "%.2f ms", number_of(object, key));
    return cell;
}

/* "0.0 s", "≥ 4.1 s", "unknown"; empty for a primary, which is what the others are measured by. */
static const char *staleness_text(char cell[CELL_SIZE], const json_t *node)
{
    const json_t *staleness = json_object_get(node, "staleness");
    char seconds[CELL_SIZE];

    if (!json_is_object(staleness)) {
        return strcmp(text_of(node, "role"), "primary") == 0 ? "" : "unknown";
    }
    if (!has(staleness, "ms")) {
        return "unknown";
    }
    bool is_least = strcmp(text_of(staleness, "basis"), "at least") == 0;
    snprintf(cell, CELL_SIZE, "%s%s", is_least ? "≥ " : "",
             seconds_text(seconds, number_of(staleness, "ms") / 1000));
    return cell;
}

struct page {
    struct text *out; /* borrowed */
    bool has_color;
};

static void color(struct page *page, enum terminal_color which)
{
    text_append(page->out, terminal_color(which, page->has_color));
}

/* A colour must not count as columns, so it goes around the padded cell. */
static void left_cell(struct page *page, const char *text, size_t columns,
                      enum terminal_color which)
{
    if (which != TERMINAL_PLAIN) {
        color(page, which);
    }
    text_append_left(page->out, text, columns);
    if (which != TERMINAL_PLAIN) {
        color(page, TERMINAL_PLAIN);
    }
}

static void heading(struct page *page, const char *format, const char *argument)
{
    color(page, TERMINAL_BOLD);
    text_appendf(page->out, "%s%s", format, argument);
    color(page, TERMINAL_PLAIN);
}

/* A sentence broken between words into lines of 80 columns, all but the first indented. */
static void wrapped(struct page *page, const char *sentence, size_t indent)
{
    size_t column = indent;

    while (*sentence != '\0') {
        char word[256];
        size_t size = strcspn(sentence, " ");
        snprintf(word, sizeof word, "%.*s", (int)size, sentence);
        if (column > indent && column + 1 + text_columns(word) > PLAIN_COLUMNS) {
            text_append(page->out, "\n");
            text_append_repeated(page->out, " ", indent);
            column = indent;
        } else if (column > indent) {
            text_append(page->out, " ");
            column++;
        }
        text_append(page->out, word);
        column += text_columns(word);
        sentence += size + strspn(sentence + size, " ");
    }
    text_append(page->out, "\n");
}

/* Of all replicas: the largest staleness, in seconds; *is_known false when one has none. */
static double worst_staleness(const json_t *document, size_t *node_count, bool *is_known)
{
    double worst = 0;
    size_t i, k;
    json_t *shard, *node;

    *node_count = 0;
    *is_known = true;
    json_array_foreach(json_object_get(document, "shards"), i, shard)
    {
        json_array_foreach(json_object_get(shard, "nodes"), k, node)
        {
            const json_t *staleness = json_object_get(node, "staleness");
            (*node_count)++;
            if (strcmp(text_of(node, "role"), "replica") == 0) {
                *is_known = *is_known && strcmp(text_of(staleness, "basis"), "measured") == 0;
                worst = fmax(worst, number_of(staleness, "ms") / 1000);
            }
        }
    }
    return worst;
}

static void print_verdict(struct page *page, const json_t *document)
{
    const json_t *problems = json_object_get(document, "problems");
    size_t i, nodes, count = json_array_size(problems);
    size_t shards = json_array_size(json_object_get(document, "shards"));
    bool is_known;
    json_t *problem;
    char seconds[CELL_SIZE];
    double worst = worst_staleness(document, &nodes, &is_known);

    if (count == 0) {
        left_cell(page, "PASS", 4, TERMINAL_GREEN);
        text_appendf(page->out, "  %zu %s, %zu %s", shards, shards == 1 ? "shard" : "shards", nodes,
                     nodes == 1 ? "node answers" : "nodes answer");
        text_appendf(page->out,
                     worst < 0.05 ? "; no replica is stale" : "; the stalest replica: %s",
                     seconds_text(seconds, worst));
        text_append(page->out, is_known ? "\n" : ", as far as is known\n");
        return;
    }
    json_array_foreach(problems, i, problem)
    {
        left_cell(page, "FAIL", 4, TERMINAL_RED);
        text_append(page->out, "  ");
        wrapped(page, json_string_value(problem), 6);
    }
}

static void print_node(struct page *page, const json_t *node)
{
    char cell[CELL_SIZE];
    bool is_answering = strcmp(text_of(node, "state"), "answering") == 0;

    text_append(page->out, "  ");
    text_append_left(page->out, text_of(node, "name"), 8);
    text_append_left(page->out, has(node, "role") ? text_of(node, "role") : "unknown", 9);
    left_cell(page, text_of(node, "state"), 15, is_answering ? TERMINAL_PLAIN : TERMINAL_RED);
    text_append_left(page->out, text_of(node, "lsn"), 14);
    text_append_right(page->out, integer_text(cell, node, "timeline"), 4);
    text_append_right(page->out, staleness_text(cell, node), 13);
    bool is_primary = strcmp(text_of(node, "role"), "primary") == 0;
    text_append_right(page->out, is_primary ? "" : bytes_text(cell, node, "bytes_behind"), 11);
    text_append(page->out, "\n");
    const json_t *staleness = json_object_get(node, "staleness");
    if (has(staleness, "why")) {
        text_append_repeated(page->out, " ", 10);
        text_appendf(page->out, "≥: %s\n", text_of(staleness, "why"));
    }
}

static void print_nodes(struct page *page, const json_t *shard)
{
    size_t i;
    json_t *node;

    text_append(page->out, "  ");
    text_append_left(page->out, "node", 8);
    text_append_left(page->out, "role", 9);
    text_append_left(page->out, "state", 15);
    text_append_left(page->out, "WAL position", 14);
    text_append_right(page->out, "line", 4);
    text_append_right(page->out, "stale", 13);
    text_append_right(page->out, "behind", 11);
    text_append(page->out, "\n");
    json_array_foreach(json_object_get(shard, "nodes"), i, node)
    {
        print_node(page, node);
    }
}

static void print_replication(struct page *page, const json_t *node)
{
    const json_t *senders = json_object_get(json_object_get(node, "details"), "replication");
    char cell[CELL_SIZE];
    size_t i;
    json_t *sender;

    if (json_array_size(senders) == 0) {
        return;
    }
    heading(page, "\n  streaming from ", text_of(node, "name"));
    text_append(page->out, ", as pg_stat_replication says (– is NULL: not known)\n  ");
    text_append_left(page->out, "to", 14);
    text_append_left(page->out, "state", 12);
    text_append_left(page->out, "sync_state", 12);
    text_append_right(page->out, "write_lag", 12);
    text_append_right(page->out, "flush_lag", 13);
    text_append_right(page->out, "replay_lag", 13);
    text_append(page->out, "\n");
    json_array_foreach(senders, i, sender)
    {
        text_append(page->out, "  ");
        text_append_left(page->out, text_of(sender, "name"), 14);
        text_append_left(page->out, text_of(sender, "state"), 12);
        text_append_left(page->out, text_of(sender, "sync_state"), 12);
        text_append_right(page->out, lag_text(cell, sender, "write_lag_ms"), 12);
        text_append_right(page->out, lag_text(cell, sender, "flush_lag_ms"), 13);
        text_append_right(page->out, lag_text(cell, sender, "replay_lag_ms"), 13);
        text_append(page->out, "\n");
    }
}

static void print_slots(struct page *page, const json_t *node)
{
    const json_t *slots = json_object_get(json_object_get(node, "details"), "slots");
    char cell[CELL_SIZE];
    size_t i;
    json_t *slot;

    if (json_array_size(slots) == 0) {
        return;
    }
    heading(page, "\n  slots on ", text_of(node, "name"));
    text_append(page->out, "\n");
    json_array_foreach(slots, i, slot)
    {
        bool is_active = json_is_true(json_object_get(slot, "active"));
        text_append(page->out, "  ");
        text_append_left(page->out, text_of(slot, "name"), 14);
        left_cell(page, is_active ? "active" : "not in use", 12,
                  is_active ? TERMINAL_PLAIN : TERMINAL_YELLOW);
        text_appendf(page->out, "keeps %s of WAL, %s\n", bytes_text(cell, slot, "retained_bytes"),
                     text_of(slot, "wal_status"));
    }
}

/* One "name text" for each node, broken into lines of 80 columns. */
static void print_parts(struct page *page, const char *title, char parts[][160], size_t count)
{
    size_t column = 15;

    text_append(page->out, "  ");
    text_append_left(page->out, title, 13);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && column + text_columns(parts[i]) > PLAIN_COLUMNS) {
            text_append(page->out, "\n");
            text_append_repeated(page->out, " ", 15);
            column = 15;
        }
        text_appendf(page->out, "%s%s", parts[i], i + 1 < count ? "   " : "");
        column += text_columns(parts[i]) + 3;
    }
    text_append(page->out, "\n");
}

static void print_places(struct page *page, const json_t *shard)
{
    char parts[NODES_MAX][160];
    size_t i, count = 0;
    json_t *node;

    json_array_foreach(json_object_get(shard, "nodes"), i, node)
    {
        if (count < NODES_MAX) {
            snprintf(parts[count++], sizeof parts[0], "%s %s", text_of(node, "name"),
                     text_of(node, "place"));
        }
    }
    text_append(page->out, "\n");
    print_parts(page, "addresses", parts, count);
}

static void print_connections(struct page *page, const json_t *shard)
{
    char parts[NODES_MAX][160];
    char cell[CELL_SIZE];
    size_t i, count = 0;
    json_t *node;

    json_array_foreach(json_object_get(shard, "nodes"), i, node)
    {
        const json_t *connections =
            json_object_get(json_object_get(node, "details"), "connections");
        if (count == NODES_MAX) {
            break;
        }
        if (!json_is_object(connections)) {
            snprintf(parts[count++], sizeof parts[0], "%s %s", text_of(node, "name"), unknown);
            continue;
        }
        snprintf(parts[count++], sizeof parts[0], "%s %s of %.0f", text_of(node, "name"),
                 integer_text(cell, connections, "used"), number_of(connections, "limit"));
    }
    print_parts(page, "connections", parts, count);
}

/* Whether a node's sessions were hidden from the user who asked. */
static bool is_hidden(const json_t *shard, const char *key)
{
    size_t i;
    json_t *node;

    json_array_foreach(json_object_get(shard, "nodes"), i, node)
    {
        const json_t *details = json_object_get(node, "details");
        if (json_is_object(details) && !has(details, key)) {
            return true;
        }
    }
    return false;
}

/* "long_queries" or "idle_in_transaction" of all nodes of a shard. */
static void print_queries(struct page *page, const json_t *shard, const char *key,
                          const char *title)
{
    size_t i, k, count = 0;
    json_t *node, *query;
    char cell[CELL_SIZE];

    json_array_foreach(json_object_get(shard, "nodes"), i, node)
    {
        json_array_foreach(json_object_get(json_object_get(node, "details"), key), k, query)
        {
            if (count++ == 0) {
                text_append(page->out, "\n");
                heading(page, "  ", title);
                text_append(page->out, "\n");
            }
            text_appendf(page->out, "  %s, %s, %s, pid %.0f, %s\n", text_of(node, "name"),
                         seconds_text(cell, number_of(query, "seconds")), text_of(query, "user"),
                         number_of(query, "pid"), text_of(query, "state"));
            text_appendf(page->out, "      %s\n", text_of(query, "query"));
        }
    }
    if (is_hidden(shard, key)) {
        text_appendf(page->out, "  %s: hidden; the user needs the role pg_monitor\n", title);
    } else if (count == 0) {
        text_appendf(page->out, "  %s: none\n", title);
    }
}

static void print_shard(struct page *page, const json_t *shard, double watched_s)
{
    char cell[CELL_SIZE];
    size_t i;
    json_t *node;

    heading(page, "\nshard ", text_of(shard, "name"));
    text_appendf(page->out, ", watched for %s\n", seconds_text(cell, watched_s));
    print_nodes(page, shard);
    json_array_foreach(json_object_get(shard, "nodes"), i, node)
    {
        print_replication(page, node);
        print_slots(page, node);
    }
    print_places(page, shard);
    print_connections(page, shard);
    print_queries(page, shard, "long_queries", "long-running queries");
    print_queries(page, shard, "idle_in_transaction", "idle in transaction");
}

void status_print(struct text *out, const json_t *document, bool has_color)
{
    struct page page = {.out = out, .has_color = has_color};
    size_t i;
    json_t *shard;

    print_verdict(&page, document);
    json_array_foreach(json_object_get(document, "shards"), i, shard)
    {
        print_shard(&page, shard, number_of(document, "watched_s"));
    }
}
