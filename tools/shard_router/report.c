#include "shard_router/report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/statistics.h"
#include "base/text.h"
#include "common/terminal.h"

enum { PAIRS_SHOWN = 24, BAR_COLUMNS = 24 };

/* --- counting --- */

static void weigh(struct report *report)
{
    const struct shard_map *map = shard_router_map(report->before);
    double total = 0;
    for (size_t i = 0; i < report->before_count; i++) {
        total += shard_map_shard(map, i)->weight;
    }
    for (size_t i = 0; i < report->before_count; i++) {
        report->expected_share[i] = shard_map_shard(map, i)->weight / total;
    }
}

bool report_init(struct report *report, const struct shard_router *before,
                 const struct shard_router *after, struct error *err)
{
    size_t before_count = shard_map_shard_count(shard_router_map(before));
    size_t after_count = after == NULL ? 1 : shard_map_shard_count(shard_router_map(after));

    *report = (struct report){
        .before = before, .after = after, .before_count = before_count, .after_count = after_count};
    report->counts = calloc(before_count * after_count, sizeof *report->counts);
    report->expected_share = calloc(before_count, sizeof *report->expected_share);
    if (report->counts == NULL || report->expected_share == NULL) {
        report_done(report);
        return error_set(err, "53200", "out of memory for a report on %zu shards", before_count);
    }
    weigh(report);
    if (!shard_overlap_init(&report->own, before, before, err) ||
        (after != NULL && !shard_overlap_init(&report->growth, before, after, err))) {
        report_done(report);
        return false;
    }
    return true;
}

void report_done(struct report *report)
{
    free(report->counts);
    free(report->expected_share);
    shard_overlap_done(&report->own);
    shard_overlap_done(&report->growth);
    *report = (struct report){0};
}

void report_count(struct report *report, const struct key_text *key)
{
    size_t before = shard_router_shard(report->before, key);
    size_t after = report->after == NULL ? 0 : shard_router_shard(report->after, key);
    report->counts[before * report->after_count + after]++;
    report->total++;
}

static uint64_t count_of(const struct report *report, size_t before)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < report->after_count; i++) {
        sum += report->counts[before * report->after_count + i];
    }
    return sum;
}

static uint64_t moved(const struct report *report, size_t after_limit)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < report->before_count; i++) {
        for (size_t j = 0; j < after_limit; j++) {
            sum += i != j ? report->counts[i * report->after_count + j] : 0;
        }
    }
    return sum;
}

uint64_t report_moved_between_old(const struct report *report)
{
    return moved(report, report->before_count);
}

bool report_promises_stillness(const struct report *report)
{
    const struct shard_map *map = shard_router_map(report->before);
    switch (shard_map_scheme(map)) {
    case SHARD_SLOTS: return true;
    case SHARD_RING:
        /* A ketama shard's number of points hangs on the sum of all weights. */
        for (size_t i = 0; i < report->before_count; i++) {
            if (shard_map_layout(map) == RING_KETAMA &&
                shard_map_points(map, i) != shard_map_points(shard_router_map(report->after), i)) {
                return false;
            }
        }
        return true;
    case SHARD_MD5_MODULO:
    case SHARD_PG_HASH:
        return shard_map_partition_count(map) ==
               shard_map_partition_count(shard_router_map(report->after));
    case SHARD_SCHEME_COUNT: break;
    }
    return false;
}

/* --- figures --- */

struct evenness {
    double skew; /* the largest count over what is expected of that shard */
    double chi_square, p;
    unsigned degrees;
    bool is_known; /* enough shards and keys for the test */
};

/* `share` by shard, with `stride` between entries; all must be above 0. */
static struct evenness measure(const struct report *report, const double *share, size_t stride)
{
    struct evenness result = {.degrees = (unsigned)report->before_count - 1};
    bool is_known = report->before_count > 1 && report->total > 0;
    double chi_square = 0;

    for (size_t i = 0; i < report->before_count; i++) {
        uint64_t count = count_of(report, i);
        double expected = share[i * stride] * (double)report->total;
        if (!(expected >= 1)) { /* the test's approximation fails below */
            is_known = false;
            continue;
        }
        double ratio = (double)count / expected;
        result.skew = ratio > result.skew ? ratio : result.skew;
        chi_square += statistics_chi_square(&count, &expected, 1);
    }
    result.is_known = is_known;
    result.chi_square = chi_square;
    result.p = is_known ? statistics_chi_square_p(chi_square, result.degrees) : 1;
    return result;
}

static struct evenness against_weights(const struct report *report)
{
    return measure(report, report->expected_share, 1);
}

static struct evenness against_shares(const struct report *report)
{
    return measure(report, report->own.share, report->own.after_count + 1);
}

/* --- text --- */

static size_t name_columns(const struct report *report)
{
    size_t columns = 5;
    for (size_t i = 0; i < report->before_count; i++) {
        size_t size = strlen(shard_map_shard(shard_router_map(report->before), i)->name);
        columns = size > columns ? size : columns;
    }
    return columns;
}

static void print_title(const struct report *report, FILE *out)
{
    const struct shard_map *map = shard_router_map(report->before);
    char total[TEXT_NUMBER_SIZE], count[TEXT_NUMBER_SIZE];
    text_grouped(total, (int64_t)report->total, ',');
    text_grouped(count, shard_router_partition_count(report->before), ',');
    fprintf(out, "%s keys over %zu shards by %s, ", total, report->before_count,
            shard_scheme_name(shard_map_scheme(map)));
    if (shard_map_scheme(map) == SHARD_RING) {
        fprintf(out, "%s layout, %" PRIu32 " virtual nodes a shard, %s points\n\n",
                ring_layout_name(shard_map_layout(map)), shard_map_vnodes(map), count);
        return;
    }
    fprintf(out, "%s partitions\n\n", count);
}

static void print_row(const struct report *report, size_t shard, uint64_t largest, int columns,
                      FILE *out)
{
    char number[TEXT_NUMBER_SIZE], bar[TERMINAL_BAR_SIZE];
    uint64_t count = count_of(report, shard);
    double share = report->total > 0 ? (double)count / (double)report->total : 0;
    double length = largest > 0 ? (double)count / (double)largest : 0;

    fprintf(out, "  %-*s %12s  %6.2f %%  %6.2f %%  %s\n", columns,
            shard_map_shard(shard_router_map(report->before), shard)->name,
            text_grouped(number, (int64_t)count, ','), share * 100,
            report->expected_share[shard] * 100, terminal_bar(bar, length, BAR_COLUMNS));
}

static const char *p_text(char buffer[24], double p)
{
    snprintf(buffer, 24, p < 0.001 ? "p < 0.001" : "p = %.3f", p);
    return buffer;
}

static const char *judge(const struct evenness *evenness)
{
    return evenness->p < 0.001 ? "uneven" : "as even as chance";
}

static void print_evenness(const struct report *report, FILE *out)
{
    struct evenness weights = against_weights(report), shares = against_shares(report);
    char p[24];

    if (!weights.is_known) {
        fprintf(out, "\n  too few keys or shards to judge how even this is\n");
        return;
    }
    fprintf(out, "\n  fullest %.3f of its mean; chi-square %.1f, %u d.f., %s: %s\n", weights.skew,
            weights.chi_square, weights.degrees, p_text(p, weights.p), judge(&weights));
    if (shard_map_scheme(shard_router_map(report->before)) != SHARD_RING) {
        return;
    }
    fprintf(out, "  this many points allow about %.3f\n",
            shard_router_expected_skew(report->before));
    if (shares.is_known) {
        fprintf(out, "  against the true lengths of the arcs: chi-square %.1f, %s: %s\n",
                shares.chi_square, p_text(p, shares.p), judge(&shares));
    }
}

void report_print_distribution(const struct report *report, FILE *out)
{
    int columns = (int)name_columns(report);
    uint64_t largest = 0;
    for (size_t i = 0; i < report->before_count; i++) {
        uint64_t count = count_of(report, i);
        largest = count > largest ? count : largest;
    }
    print_title(report, out);
    fprintf(out, "  %-*s %12s  %8s  %8s\n", columns, "shard", "keys", "share", "expected");
    for (size_t i = 0; i < report->before_count; i++) {
        print_row(report, i, largest, columns, out);
    }
    print_evenness(report, out);
}

struct pair {
    size_t from, to;
    uint64_t count;
};

static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left, *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return a->from != b->from ? (a->from < b->from ? -1 : 1) : (a->to < b->to ? -1 : a->to > b->to);
}

/* The PAIRS_SHOWN largest moves, largest first; `*all` counts the others too. */
static size_t largest_pairs(const struct report *report, struct pair pairs[PAIRS_SHOWN + 1],
                            size_t *all)
{
    size_t kept = 0;
    *all = 0;
    for (size_t i = 0; i < report->before_count; i++) {
        for (size_t j = 0; j < report->after_count; j++) {
            uint64_t count = report->counts[i * report->after_count + j];
            if (i == j || count == 0) {
                continue;
            }
            ++*all;
            pairs[kept++] = (struct pair){i, j, count};
            qsort(pairs, kept, sizeof pairs[0], compare_pairs);
            kept = kept > PAIRS_SHOWN ? PAIRS_SHOWN : kept;
        }
    }
    return kept;
}

void report_print_growth(const struct report *report, FILE *out)
{
    const struct shard_map *before = shard_router_map(report->before);
    const struct shard_map *after = shard_router_map(report->after);
    struct pair pairs[PAIRS_SHOWN + 1];
    char number[TEXT_NUMBER_SIZE], total[TEXT_NUMBER_SIZE];
    size_t all, shown = largest_pairs(report, pairs, &all);
    uint64_t count = moved(report, report->after_count);
    int columns = (int)name_columns(report);

    fprintf(out, "adding %s moves %s of %s keys, %.2f %%; of all possible keys %.2f %%\n\n",
            shard_map_shard(after, report->before_count)->name,
            text_grouped(number, (int64_t)count, ','),
            text_grouped(total, (int64_t)report->total, ','),
            report->total > 0 ? (double)count * 100 / (double)report->total : 0,
            shard_overlap_moved(&report->growth) * 100);
    for (size_t i = 0; i < shown; i++) {
        fprintf(out, "  %-*s -> %-*s %12s\n", columns, shard_map_shard(before, pairs[i].from)->name,
                columns, shard_map_shard(after, pairs[i].to)->name,
                text_grouped(number, (int64_t)pairs[i].count, ','));
    }
    if (all > shown) {
        fprintf(out, "  and %zu smaller moves; --json lists all\n", all - shown);
    }
    uint64_t old = report_moved_between_old(report);
    fprintf(out, "\n  between old shards: %s keys%s\n", text_grouped(number, (int64_t)old, ','),
            old == 0                            ? ""
            : report_promises_stillness(report) ? "; there should be none"
                                                : ", as this scheme must");
}

/* --- JSON --- */

static json_t *json_evenness(const struct evenness *evenness)
{
    if (!evenness->is_known) {
        return json_null();
    }
    return json_pack("{s:f,s:f,s:i,s:f}", "skew", evenness->skew, "chi_square",
                     evenness->chi_square, "degrees", (int)evenness->degrees, "p", evenness->p);
}

static json_t *json_shards(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->before_count; i++) {
        json_array_append_new(list,
                              json_pack("{s:s,s:I,s:f,s:f}", "name",
                                        shard_map_shard(shard_router_map(report->before), i)->name,
                                        "keys", (json_int_t)count_of(report, i), "expected_share",
                                        report->expected_share[i], "true_share",
                                        report->own.share[i * report->own.after_count + i]));
    }
    return list;
}

static json_t *json_moves(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->before_count; i++) {
        for (size_t j = 0; j < report->after_count; j++) {
            uint64_t count = report->counts[i * report->after_count + j];
            if (i != j && count > 0) {
                json_array_append_new(
                    list, json_pack("{s:s,s:s,s:I}", "from",
                                    shard_map_shard(shard_router_map(report->before), i)->name,
                                    "to", shard_map_shard(shard_router_map(report->after), j)->name,
                                    "keys", (json_int_t)count));
            }
        }
    }
    return list;
}

static json_t *json_growth(const struct report *report)
{
    if (report->after == NULL) {
        return json_null();
    }
    return json_pack("{s:s,s:I,s:f,s:I,s:o}", "shard",
                     shard_map_shard(shard_router_map(report->after), report->before_count)->name,
                     "moved_keys", (json_int_t)moved(report, report->after_count), "moved_share",
                     shard_overlap_moved(&report->growth), "moved_between_old_keys",
                     (json_int_t)report_moved_between_old(report), "moves", json_moves(report));
}

bool report_print_json(const struct report *report, FILE *out)
{
    struct evenness weights = against_weights(report), shares = against_shares(report);
    json_t *root = json_pack(
        "{s:i,s:s,s:I,s:I,s:o,s:o,s:o,s:f,s:o}", "format", 1, "scheme",
        shard_scheme_name(shard_map_scheme(shard_router_map(report->before))), "keys",
        (json_int_t)report->total, "partitions",
        (json_int_t)shard_router_partition_count(report->before), "shards", json_shards(report),
        "evenness", json_evenness(&weights), "evenness_of_true_shares", json_evenness(&shares),
        "expected_skew", shard_router_expected_skew(report->before), "growth", json_growth(report));
    if (root == NULL) {
        return false;
    }
    char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL) {
        return false;
    }
    fprintf(out, "%s\n", text);
    free(text);
    return true;
}
