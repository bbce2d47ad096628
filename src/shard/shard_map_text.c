/* shard/shard_map: its text form; see shard_map.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/shard_map.h"

static const char first_line[] = "reparto shard map 1";

/* --- printing --- */

static void print_owners(const struct shard_map *map, struct text *out)
{
    const uint16_t *owners = shard_map_owners(map);
    uint32_t count = shard_map_partition_count(map);
    for (uint32_t first = 0; first < count;) {
        uint32_t end = first + 1;
        while (end < count && owners[end] == owners[first]) {
            end++;
        }
        text_appendf(out, "owner %" PRIu32 "-%" PRIu32 " %s\n", first, end - 1,
                     shard_map_shard(map, owners[first])->name);
        first = end;
    }
}

void shard_map_print(const struct shard_map *map, struct text *out)
{
    text_appendf(out, "%s\nversion %" PRIu64 "\nscheme %s\n", first_line, shard_map_version(map),
                 shard_scheme_name(shard_map_scheme(map)));
    if (shard_map_scheme(map) == SHARD_RING) {
        text_appendf(out, "vnodes %" PRIu32 "\nlayout %s\n", shard_map_vnodes(map),
                     ring_layout_name(shard_map_layout(map)));
    } else {
        text_appendf(out, "partitions %" PRIu32 "\n", shard_map_partition_count(map));
    }
    for (size_t i = 0; i < shard_map_shard_count(map); i++) {
        char weight[SHARD_WEIGHT_TEXT_SIZE];
        const struct shard *shard = shard_map_shard(map, i);
        text_appendf(out, "shard %s weight %s\n", shard->name,
                     shard_weight_print(weight, shard->weight));
    }
    print_owners(map, out);
    text_append(out, "end\n");
}

/* --- parsing --- */

enum { WORD_SIZE = 72, WORDS_MAX = 4 };

struct reader {
    const char *at, *end; /* borrowed */
    unsigned long line;   /* the one in `words` */
    size_t word_count;
    char words[WORDS_MAX][WORD_SIZE];
    struct error *err;
};

[[gnu::format(printf, 2, 3)]] static bool bad_line(const struct reader *reader, const char *format,
                                                   ...)
{
    char what[120];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return error_set(reader->err, "22023", "shard map, line %lu: %s", reader->line, what);
}

/* Reads the next line and cuts it at single blanks. */
static bool read_line(struct reader *reader)
{
    reader->line++;
    reader->word_count = 0;
    const char *line_end = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    if (line_end == NULL) {
        return bad_line(reader, "the map ends without an \"end\" line");
    }
    while (true) {
        const char *word_end = memchr(reader->at, ' ', (size_t)(line_end - reader->at));
        word_end = word_end != NULL ? word_end : line_end;
        size_t size = (size_t)(word_end - reader->at);
        if (size == 0 || size >= WORD_SIZE || reader->word_count == WORDS_MAX ||
            memchr(reader->at, '\0', size) != NULL) {
            return bad_line(reader, "not a line of a shard map");
        }
        memcpy(reader->words[reader->word_count], reader->at, size);
        reader->words[reader->word_count++][size] = '\0';
        reader->at = word_end + 1;
        if (word_end == line_end) {
            return true;
        }
    }
}

static bool is_line(const struct reader *reader, const char *keyword, size_t word_count)
{
    return reader->word_count == word_count && strcmp(reader->words[0], keyword) == 0;
}

/* Decimal without leading zeros, as we print it. */
static bool read_number(const char *text, const char *end, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (text == end || (*text == '0' && end - text > 1)) {
        return false;
    }
    for (; text < end; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
            return false;
        }
    }
    *number = value;
    return value <= max;
}

/* "keyword NUMBER", at least 1. */
static bool read_count(struct reader *reader, const char *keyword, uint64_t max, uint64_t *number)
{
    const char *text = reader->words[1];
    if (!read_line(reader)) {
        return false;
    }
    if (!is_line(reader, keyword, 2) || !read_number(text, text + strlen(text), max, number) ||
        *number == 0) {
        return bad_line(reader, "expected \"%s NUMBER\", within its limits", keyword);
    }
    return true;
}

static bool read_scheme(struct reader *reader, struct shard_map_plan *plan)
{
    uint64_t count = 0;
    if (!read_line(reader)) {
        return false;
    }
    if (!is_line(reader, "scheme", 2) || !shard_scheme_find(reader->words[1], &plan->scheme)) {
        return bad_line(reader, "expected \"scheme md5_modulo|ring|slots|pg_hash\"");
    }
    if (plan->scheme != SHARD_RING) {
        bool is_ok = read_count(reader, "partitions", SHARD_PARTITION_COUNT_MAX, &count);
        plan->partition_count = is_ok ? (uint32_t)count : 0;
        return is_ok;
    }
    if (!read_count(reader, "vnodes", SHARD_VNODES_MAX, &count)) {
        return false;
    }
    plan->vnodes = (uint32_t)count;
    if (!read_line(reader)) {
        return false;
    }
    return (is_line(reader, "layout", 2) && ring_layout_find(reader->words[1], &plan->layout)) ||
           bad_line(reader, "expected \"layout plain|ketama\"");
}

/* Weights have one form only, so that printing gives back the same bytes. */
static bool read_weight(const char *text, uint32_t *weight)
{
    char printed[SHARD_WEIGHT_TEXT_SIZE];
    return shard_weight_parse(text, strlen(text), weight) &&
           strcmp(shard_weight_print(printed, *weight), text) == 0;
}

/* Reads "shard" lines; leaves the line after them in the reader. */
static bool read_shards(struct reader *reader, struct shard *shards, size_t *count)
{
    for (*count = 0; read_line(reader); (*count)++) {
        struct shard shard = {0};
        if (strcmp(reader->words[0], "shard") != 0) {
            return true;
        }
        if (!is_line(reader, "shard", 4) || strcmp(reader->words[2], "weight") != 0 ||
            strlen(reader->words[1]) >= SHARD_NAME_SIZE ||
            !read_weight(reader->words[3], &shard.weight)) {
            return bad_line(reader, "expected \"shard NAME weight WEIGHT\"");
        }
        if (*count == SHARD_COUNT_MAX) {
            return bad_line(reader, "too many shards");
        }
        memcpy(shard.name, reader->words[1], strlen(reader->words[1]));
        shards[*count] = shard;
    }
    return false;
}

static int find_shard(const struct shard_map_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->shard_count; i++) {
        if (strcmp(plan->shards[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* One "owner A-B NAME" line that begins at partition `next`. */
static bool read_owner(struct reader *reader, const struct shard_map_plan *plan, uint32_t *next,
                       uint16_t *owners)
{
    uint64_t first = 0, last = 0, limit = plan->partition_count;
    const char *range = reader->words[1];
    const char *dash = is_line(reader, "owner", 3) ? strchr(range, '-') : NULL;

    if (dash == NULL || !read_number(range, dash, limit, &first) ||
        !read_number(dash + 1, range + strlen(range), limit, &last)) {
        return bad_line(reader, "expected \"owner FIRST-LAST NAME\"");
    }
    int shard = find_shard(plan, reader->words[2]);
    if (shard < 0) {
        return bad_line(reader, "the owner is no shard of this map");
    }
    if (first != *next || last < first || last >= limit) {
        return bad_line(reader,
                        "the owners' ranges must ascend without gaps, to the last partition");
    }
    if (first > 0 && owners[first - 1] == shard) {
        return bad_line(reader, "the range continues the one before: they are one");
    }
    while (*next <= last) {
        owners[(*next)++] = (uint16_t)shard;
    }
    return true;
}

static bool read_owners(struct reader *reader, const struct shard_map_plan *plan, uint16_t *owners)
{
    for (uint32_t next = 0; next < plan->partition_count;) {
        if (!read_owner(reader, plan, &next, owners) || !read_line(reader)) {
            return false;
        }
    }
    return true;
}

static struct shard_map *read_map(struct reader *reader, struct shard *shards, uint16_t *owners)
{
    struct shard_map_plan plan = {.shards = shards};
    uint64_t version = 0;

    if (!read_count(reader, "version", UINT64_MAX, &version) || !read_scheme(reader, &plan) ||
        !read_shards(reader, shards, &plan.shard_count) || !read_owners(reader, &plan, owners)) {
        return NULL;
    }
    if (!is_line(reader, "end", 1) || reader->at != reader->end) {
        bad_line(reader, "expected \"end\" as the last line");
        return NULL;
    }
    return shard_map_restore(&plan, version, plan.scheme == SHARD_RING ? NULL : owners,
                             reader->err);
}

struct shard_map *shard_map_parse(const char *bytes, size_t size, struct error *err)
{
    struct reader reader = {.at = bytes, .end = bytes + size, .line = 1, .err = err};
    size_t header = sizeof first_line - 1;

    if (size > SHARD_MAP_TEXT_SIZE_MAX) {
        error_set(err, "54000", "a shard map of %zu bytes is larger than %d", size,
                  SHARD_MAP_TEXT_SIZE_MAX);
        return NULL;
    }
    if (size <= header || memcmp(bytes, first_line, header) != 0 || bytes[header] != '\n') {
        bad_line(&reader, "expected \"reparto shard map 1\"");
        error_hint(err, "'shard_router --print-map' prints one");
        return NULL;
    }
    reader.at += header + 1;
    struct shard *shards = calloc(SHARD_COUNT_MAX, sizeof *shards);
    uint16_t *owners = calloc(SHARD_PARTITION_COUNT_MAX, sizeof *owners);
    struct shard_map *map = NULL;
    if (shards == NULL || owners == NULL) {
        error_set(err, "53200", "out of memory for a shard map");
    } else {
        map = read_map(&reader, shards, owners);
    }
    free(owners);
    free(shards);
    return map;
}
