#include "shard/shard_map.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shard_map {
    uint64_t version;
    enum shard_scheme scheme;
    enum ring_layout layout;
    uint32_t vnodes;          /* ring; else 0 */
    uint32_t partition_count; /* 0 for ring */
    uint16_t *owners;         /* owned; [partition_count]; NULL for ring */
    size_t shard_count;
    struct shard *shards; /* owned */
};

static_assert(SHARD_COUNT_MAX <= UINT16_MAX);
static_assert((int)SHARD_SLOT_COUNT <= (int)SHARD_PARTITION_COUNT_MAX);

static const char *const scheme_names[SHARD_SCHEME_COUNT] = {
    [SHARD_MD5_MODULO] = "md5_modulo",
    [SHARD_RING] = "ring",
    [SHARD_SLOTS] = "slots",
    [SHARD_PG_HASH] = "pg_hash",
};

static const char *const layout_names[RING_LAYOUT_COUNT] = {
    [RING_PLAIN] = "plain",
    [RING_KETAMA] = "ketama",
};

/* --- names and plain values --- */

const char *shard_scheme_name(enum shard_scheme scheme)
{
    assert(scheme < SHARD_SCHEME_COUNT);
    return scheme_names[scheme];
}

bool shard_scheme_find(const char *name, enum shard_scheme *scheme)
{
    for (size_t i = 0; i < SHARD_SCHEME_COUNT; i++) {
        if (strcmp(scheme_names[i], name) == 0) {
            *scheme = (enum shard_scheme)i;
            return true;
        }
    }
    return false;
}

const char *ring_layout_name(enum ring_layout layout)
{
    assert(layout < RING_LAYOUT_COUNT);
    return layout_names[layout];
}

bool ring_layout_find(const char *name, enum ring_layout *layout)
{
    for (size_t i = 0; i < RING_LAYOUT_COUNT; i++) {
        if (strcmp(layout_names[i], name) == 0) {
            *layout = (enum ring_layout)i;
            return true;
        }
    }
    return false;
}

bool shard_weight_parse(const char *bytes, size_t size, uint32_t *weight)
{
    uint64_t value = 0;
    int decimals = -1; /* digits behind the point; -1 before it */

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '.' && decimals < 0 && i > 0) {
            decimals = 0;
            continue;
        }
        if (bytes[i] < '0' || bytes[i] > '9' || decimals == 3 || value > SHARD_WEIGHT_MAX) {
            return false;
        }
        value = value * 10 + (uint64_t)(bytes[i] - '0');
        decimals += decimals >= 0;
    }
    if (size == 0 || decimals == 0) {
        return false;
    }
    for (int i = decimals < 0 ? 0 : decimals; i < 3; i++) {
        value *= 10;
    }
    if (value == 0 || value > SHARD_WEIGHT_MAX) {
        return false;
    }
    *weight = (uint32_t)value;
    return true;
}

const char *shard_weight_print(char buffer[SHARD_WEIGHT_TEXT_SIZE], uint32_t weight)
{
    int size = snprintf(buffer, SHARD_WEIGHT_TEXT_SIZE, "%u.%03u", weight / 1000, weight % 1000);
    while (buffer[size - 1] == '0') {
        size--;
    }
    if (buffer[size - 1] == '.') {
        size--;
    }
    buffer[size] = '\0';
    return buffer;
}

/* --- checks --- */

static bool is_name_character(char c, bool is_first)
{
    bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return is_word || (!is_first && c != '\0' && strchr("._-:", c) != NULL);
}

static bool check_name(const char name[SHARD_NAME_SIZE], struct error *err)
{
    size_t size = strnlen(name, SHARD_NAME_SIZE);
    bool is_ok = size > 0 && size < SHARD_NAME_SIZE;
    for (size_t i = 0; i < size && is_ok; i++) {
        is_ok = is_name_character(name[i], i == 0);
    }
    if (!is_ok) {
        error_set(err, "42602", "\"%.*s\" is no name for a shard", (int)size, name);
        return error_hint(err, "1 to %d letters, digits, and . _ - : after the first",
                          SHARD_NAME_SIZE - 1);
    }
    return true;
}

struct named {
    const char *name; /* borrowed */
};

static int compare_names(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static bool check_duplicates(const struct shard *shards, size_t count, struct error *err)
{
    struct named sorted[SHARD_COUNT_MAX];
    for (size_t i = 0; i < count; i++) {
        sorted[i].name = shards[i].name;
    }
    qsort(sorted, count, sizeof sorted[0], compare_names);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1].name, sorted[i].name) == 0) {
            return error_set(err, "42710", "shard %s is named twice", sorted[i].name);
        }
    }
    return true;
}

static bool check_shards(const struct shard *shards, size_t count, struct error *err)
{
    if (count == 0 || count > SHARD_COUNT_MAX) {
        return error_set(err, "54000", "%zu shards: there may be 1 to %d", count, SHARD_COUNT_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!check_name(shards[i].name, err)) {
            return false;
        }
        if (shards[i].weight == 0 || shards[i].weight > SHARD_WEIGHT_MAX) {
            return error_set(err, "22023", "shard %s: a weight is 0.001 to 1000", shards[i].name);
        }
    }
    return check_duplicates(shards, count, err);
}

static uint64_t total_weight(const struct shard_map *map)
{
    uint64_t total = 0;
    for (size_t i = 0; i < map->shard_count; i++) {
        total += map->shards[i].weight;
    }
    return total;
}

uint32_t shard_map_points(const struct shard_map *map, size_t index)
{
    assert(index < map->shard_count);
    uint64_t vnodes = map->vnodes, weight = map->shards[index].weight;
    if (map->scheme != SHARD_RING) {
        return 0;
    }
    if (map->layout == RING_KETAMA) {
        /* Each MD5 gives four points; a shard has its weight's share of them all. */
        return (uint32_t)(vnodes / 4 * map->shard_count * weight / total_weight(map) * 4);
    }
    uint64_t points = (vnodes * weight + SHARD_WEIGHT_ONE / 2) / SHARD_WEIGHT_ONE;
    return points == 0 ? 1 : (uint32_t)points;
}

static bool check_ring(const struct shard_map *map, struct error *err)
{
    if (map->vnodes == 0 || map->vnodes > SHARD_VNODES_MAX) {
        return error_set(err, "22023", "%u virtual nodes: there may be 1 to %d", map->vnodes,
                         SHARD_VNODES_MAX);
    }
    if (map->layout == RING_KETAMA && map->vnodes % 4 != 0) {
        return error_set(err, "22023", "%u virtual nodes: ketama takes a multiple of 4",
                         map->vnodes);
    }
    uint64_t total = 0;
    for (size_t i = 0; i < map->shard_count; i++) {
        uint32_t points = shard_map_points(map, i);
        if (points == 0) {
            return error_set(err, "22023", "shard %s gets no point: its weight is too small",
                             map->shards[i].name);
        }
        total += points;
    }
    if (total > SHARD_POINT_COUNT_MAX) {
        return error_set(err, "54000", "the ring would have %" PRIu64 " points, more than %d",
                         total, SHARD_POINT_COUNT_MAX);
    }
    return true;
}

static bool check_partition_count(const struct shard_map *map, struct error *err)
{
    if (map->scheme == SHARD_SLOTS && map->partition_count != SHARD_SLOT_COUNT) {
        return error_set(err, "22023", "%u partitions: slots always has %d", map->partition_count,
                         SHARD_SLOT_COUNT);
    }
    if (map->partition_count == 0 || map->partition_count > SHARD_PARTITION_COUNT_MAX) {
        return error_set(err, "22023", "%u partitions: there may be 1 to %d", map->partition_count,
                         SHARD_PARTITION_COUNT_MAX);
    }
    if (map->partition_count < map->shard_count) {
        return error_set(err, "22023", "%u partitions are too few for %zu shards",
                         map->partition_count, map->shard_count);
    }
    return true;
}

static bool check_equal_weights(const struct shard_map *map, struct error *err)
{
    for (size_t i = 1; i < map->shard_count; i++) {
        if (map->shards[i].weight != map->shards[0].weight) {
            error_set(err, "22023",
                      "one partition for each of %zu shards leaves no room for weights",
                      map->shard_count);
            return error_hint(err, "give the map more partitions than shards");
        }
    }
    return true;
}

/* --- making --- */

static bool out_of_memory(struct error *err)
{
    return error_set(err, "53200", "out of memory for a shard map");
}

/* A map with its own copy of the shards and room for the owners. */
static struct shard_map *allocate(const struct shard_map *facts, const struct shard *shards,
                                  struct error *err)
{
    assert(facts->shard_count > 0);
    struct shard_map *map = malloc(sizeof *map);
    if (map == NULL) {
        out_of_memory(err);
        return NULL;
    }
    *map = *facts;
    map->shards = calloc(map->shard_count, sizeof *map->shards);
    map->owners =
        map->partition_count == 0 ? NULL : calloc(map->partition_count, sizeof *map->owners);
    if (map->shards == NULL || (map->partition_count > 0 && map->owners == NULL)) {
        out_of_memory(err);
        shard_map_destroy(map);
        return NULL;
    }
    memcpy(map->shards, shards, map->shard_count * sizeof *map->shards);
    return map;
}

void shard_map_destroy(struct shard_map *map)
{
    if (map == NULL) {
        return;
    }
    free(map->owners);
    free(map->shards);
    free(map);
}

/* Contiguous ranges in the shards' order, as long as their weights say. */
static bool hand_out(struct shard_map *map, struct error *err)
{
    uint64_t total = total_weight(map), before = 0;
    uint32_t next = 0;
    for (size_t i = 0; i < map->shard_count; i++) {
        before += map->shards[i].weight;
        uint32_t end = (uint32_t)(before * map->partition_count / total);
        if (end == next) {
            error_set(err, "22023", "shard %s gets none of the %u partitions", map->shards[i].name,
                      map->partition_count);
            return error_hint(err, "give it more weight, or the map more partitions");
        }
        while (next < end) {
            map->owners[next++] = (uint16_t)i;
        }
    }
    return true;
}

static bool has_partition_each(const struct shard_map *map)
{
    return (map->scheme == SHARD_MD5_MODULO || map->scheme == SHARD_PG_HASH) &&
           map->partition_count == map->shard_count;
}

static bool distribute(struct shard_map *map, struct error *err)
{
    return (!has_partition_each(map) || check_equal_weights(map, err)) && hand_out(map, err);
}

/* `is_fresh`: the partitions are handed out; else the caller fills the owners. */
static struct shard_map *make(const struct shard_map_plan *plan, bool is_fresh, struct error *err)
{
    bool is_ring = plan->scheme == SHARD_RING;
    struct shard_map facts = {.version = 1,
                              .scheme = plan->scheme,
                              .layout = is_ring ? plan->layout : RING_PLAIN,
                              .vnodes = is_ring ? plan->vnodes : 0,
                              .partition_count = plan->partition_count,
                              .shard_count = plan->shard_count};

    if (!check_shards(plan->shards, plan->shard_count, err)) {
        return NULL;
    }
    if (is_ring && plan->partition_count != 0) {
        error_set(err, "22023", "a ring's partitions follow from its points");
        error_hint(err, "set the virtual nodes instead");
        return NULL;
    }
    if (is_ring && facts.vnodes == 0) {
        facts.vnodes = facts.layout == RING_KETAMA ? SHARD_VNODES_KETAMA : SHARD_VNODES_DEFAULT;
    }
    if (!is_ring && facts.partition_count == 0) {
        facts.partition_count =
            plan->scheme == SHARD_SLOTS ? SHARD_SLOT_COUNT : (uint32_t)plan->shard_count;
    }
    if (!is_ring && !check_partition_count(&facts, err)) {
        return NULL;
    }
    struct shard_map *map = allocate(&facts, plan->shards, err);
    if (map != NULL && !(is_ring ? check_ring(map, err) : !is_fresh || distribute(map, err))) {
        shard_map_destroy(map);
        return NULL;
    }
    return map;
}

struct shard_map *shard_map_create(const struct shard_map_plan *plan, struct error *err)
{
    return make(plan, true, err);
}

struct shard_map *shard_map_restore(const struct shard_map_plan *plan, uint64_t version,
                                    const uint16_t *owners, struct error *err)
{
    struct shard_map *map = make(plan, owners == NULL, err);
    if (map == NULL) {
        return NULL;
    }
    map->version = version;
    for (uint32_t i = 0; owners != NULL && i < map->partition_count; i++) {
        assert(owners[i] < map->shard_count);
        map->owners[i] = owners[i];
    }
    return map;
}

/* --- the next version --- */

static void count_owned(const struct shard_map *map, uint32_t counts[SHARD_COUNT_MAX])
{
    memset(counts, 0, SHARD_COUNT_MAX * sizeof counts[0]);
    for (uint32_t i = 0; i < map->partition_count; i++) {
        counts[map->owners[i]]++;
    }
}

/* The shard with the most partitions for its weight, before the last, new one. */
static size_t find_fullest(const struct shard_map *map, const uint32_t counts[SHARD_COUNT_MAX])
{
    size_t fullest = 0;
    for (size_t i = 1; i + 1 < map->shard_count; i++) {
        if ((uint64_t)counts[i] * map->shards[fullest].weight >
            (uint64_t)counts[fullest] * map->shards[i].weight) {
            fullest = i;
        }
    }
    return fullest;
}

/* The last shard, which is new, gets its share from the fullest ones, each time
 * their highest partition. */
static bool feed_newcomer(struct shard_map *map, struct error *err)
{
    uint32_t counts[SHARD_COUNT_MAX], place[SHARD_COUNT_MAX];
    size_t newcomer = map->shard_count - 1;
    uint32_t wanted = (uint32_t)((uint64_t)map->partition_count * map->shards[newcomer].weight /
                                 total_weight(map));

    if (wanted == 0) {
        error_set(err, "22023", "shard %s gets none of the %u partitions",
                  map->shards[newcomer].name, map->partition_count);
        return error_hint(err, "give it more weight; the number of partitions is fixed for ever");
    }
    count_owned(map, counts);
    for (size_t i = 0; i < map->shard_count; i++) {
        place[i] = map->partition_count;
    }
    while (wanted-- > 0) {
        size_t donor = find_fullest(map, counts);
        do {
            place[donor]--;
        } while (map->owners[place[donor]] != donor);
        map->owners[place[donor]] = (uint16_t)newcomer;
        counts[donor]--;
    }
    return true;
}

/* Copies facts and owners for a map that differs in its shards only. */
static struct shard_map *next_version(const struct shard_map *map, const struct shard *shards,
                                      size_t shard_count, uint32_t partition_count,
                                      struct error *err)
{
    struct shard_map facts = *map;
    if (map->version == UINT64_MAX) {
        error_set(err, "54000", "the shard map has no version after %" PRIu64, map->version);
        return NULL;
    }
    facts.version++;
    facts.shard_count = shard_count;
    facts.partition_count = partition_count;
    struct shard_map *next = allocate(&facts, shards, err);
    if (next != NULL && partition_count > 0 && partition_count == map->partition_count) {
        memcpy(next->owners, map->owners, partition_count * sizeof *next->owners);
    }
    return next;
}

struct shard_map *shard_map_add(const struct shard_map *map, const struct shard *shard,
                                struct error *err)
{
    size_t count = map->shard_count + 1;
    bool is_remade = has_partition_each(map);
    if (count > SHARD_COUNT_MAX) {
        error_set(err, "54000", "more than %d shards", SHARD_COUNT_MAX);
        return NULL;
    }
    struct shard *shards = calloc(count, sizeof *shards);
    if (shards == NULL) {
        out_of_memory(err);
        return NULL;
    }
    memcpy(shards, map->shards, map->shard_count * sizeof *shards);
    shards[count - 1] = *shard;
    struct shard_map *next = NULL;
    if (check_shards(shards, count, err)) {
        next = next_version(map, shards, count, map->partition_count + is_remade, err);
    }
    free(shards);
    if (next == NULL) {
        return NULL;
    }
    bool is_ok = map->scheme == SHARD_RING           ? check_ring(next, err)
                 : !check_partition_count(next, err) ? false
                 : is_remade                         ? distribute(next, err)
                                                     : feed_newcomer(next, err);
    if (!is_ok) {
        shard_map_destroy(next);
        return NULL;
    }
    return next;
}

struct shard_map *shard_map_move(const struct shard_map *map, uint32_t first, uint32_t last,
                                 size_t shard, struct error *err)
{
    if (map->scheme == SHARD_RING) {
        error_set(err, "0A000", "the partitions of a ring cannot be moved one by one");
        error_hint(err, "add a shard, or use the scheme slots");
        return NULL;
    }
    if (first > last || last >= map->partition_count || shard >= map->shard_count) {
        error_set(err, "22023", "partitions %u-%u to shard %zu: outside the map", first, last,
                  shard);
        return NULL;
    }
    struct shard_map *next =
        next_version(map, map->shards, map->shard_count, map->partition_count, err);
    for (uint32_t i = first; next != NULL && i <= last; i++) {
        next->owners[i] = (uint16_t)shard;
    }
    return next;
}

/* --- reading --- */

enum shard_scheme shard_map_scheme(const struct shard_map *map)
{
    return map->scheme;
}
uint64_t shard_map_version(const struct shard_map *map)
{
    return map->version;
}
size_t shard_map_shard_count(const struct shard_map *map)
{
    return map->shard_count;
}
uint32_t shard_map_partition_count(const struct shard_map *map)
{
    return map->partition_count;
}
uint32_t shard_map_vnodes(const struct shard_map *map)
{
    return map->vnodes;
}
enum ring_layout shard_map_layout(const struct shard_map *map)
{
    return map->layout;
}
const uint16_t *shard_map_owners(const struct shard_map *map)
{
    return map->owners;
}

const struct shard *shard_map_shard(const struct shard_map *map, size_t index)
{
    assert(index < map->shard_count);
    return &map->shards[index];
}

int shard_map_find(const struct shard_map *map, const char *name)
{
    for (size_t i = 0; i < map->shard_count; i++) {
        if (strcmp(map->shards[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}
