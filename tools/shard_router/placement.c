#include "shard_router/placement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/options.h"

bool placement_parse_shard(const char *text, size_t size, struct shard *shard, struct error *err)
{
    const char *equals = memchr(text, '=', size);
    size_t name_size = equals != NULL ? (size_t)(equals - text) : size;
    struct shard result = {.weight = SHARD_WEIGHT_ONE};

    if (name_size >= sizeof result.name) {
        return error_set(err, "42602", "\"%.*s\": a shard's name has at most %d bytes",
                         (int)name_size, text, SHARD_NAME_SIZE - 1);
    }
    memcpy(result.name, text, name_size);
    if (equals != NULL && !shard_weight_parse(equals + 1, size - name_size - 1, &result.weight)) {
        return error_set(err, "22023",
                         "shard %s: a weight is 0.001 to 1000, with three decimals at most",
                         result.name);
    }
    *shard = result;
    return true;
}

/* "4" is s0,s1,s2,s3. */
static void name_shards(struct shard *shards, long count)
{
    for (long i = 0; i < count; i++) {
        shards[i] = (struct shard){.weight = SHARD_WEIGHT_ONE};
        snprintf(shards[i].name, sizeof shards[i].name, "s%ld", i);
    }
}

static bool parse_shards(const char *text, struct shard *shards, size_t *count, struct error *err)
{
    long number;
    if (strspn(text, "0123456789") == strlen(text)) {
        if (!options_integer(text, 1, SHARD_COUNT_MAX, &number)) {
            return error_set(err, "22023", "--shards: \"%s\" is not a number in 1..%d", text,
                             SHARD_COUNT_MAX);
        }
        name_shards(shards, number);
        *count = (size_t)number;
        return true;
    }
    for (*count = 0; true; (*count)++) {
        size_t size = strcspn(text, ",");
        if (*count == SHARD_COUNT_MAX) {
            return error_set(err, "54000", "--shards: more than %d", SHARD_COUNT_MAX);
        }
        if (!placement_parse_shard(text, size, &shards[*count], err)) {
            return error_wrap(err, "--shards");
        }
        if (text[size] == '\0') {
            (*count)++;
            return true;
        }
        text += size + 1;
    }
}

static bool parse_weights(const char *text, struct shard *shards, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = strcspn(text, ",");
        if (!shard_weight_parse(text, size, &shards[i].weight)) {
            return error_set(err, "22023", "--weights: number %zu is not a weight in 0.001..1000",
                             i + 1);
        }
        bool is_last = text[size] == '\0';
        if (is_last != (i + 1 == count)) {
            return error_set(err, "22023", "--weights: there must be %zu, one for each shard",
                             count);
        }
        text += size + !is_last;
    }
    return true;
}

static bool find_names(const struct placement_options *options, struct shard_map_plan *plan,
                       struct error *err)
{
    plan->scheme = SHARD_SLOTS;
    if (options->scheme != NULL && !shard_scheme_find(options->scheme, &plan->scheme)) {
        error_set(err, "22023", "--scheme: there is no scheme \"%s\"", options->scheme);
        return error_hint(err, "md5_modulo, ring, slots or pg_hash");
    }
    if (options->layout != NULL && !ring_layout_find(options->layout, &plan->layout)) {
        error_set(err, "22023", "--layout: there is no layout \"%s\"", options->layout);
        return error_hint(err, "plain or ketama");
    }
    bool is_ring = plan->scheme == SHARD_RING;
    if (!is_ring && (options->layout != NULL || options->vnodes != 0)) {
        return error_set(err, "22023", "--vnodes and --layout are for --scheme ring");
    }
    if ((is_ring || plan->scheme == SHARD_SLOTS) && options->partitions != 0) {
        return error_set(err, "22023", "--partitions is for --scheme md5_modulo and pg_hash");
    }
    return true;
}

static struct shard_map *load(const char *path, struct error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        error_set(err, "58P01", "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct shard_map *map = NULL;
    char *bytes = malloc(SHARD_MAP_TEXT_SIZE_MAX + 1);
    size_t size = bytes == NULL ? 0 : fread(bytes, 1, SHARD_MAP_TEXT_SIZE_MAX + 1, file);
    if (bytes == NULL) {
        error_set(err, "53200", "out of memory to read %s", path);
    } else if (ferror(file)) {
        error_set(err, "58030", "%s: %s", path, strerror(errno));
    } else {
        map = shard_map_parse(bytes, size, err);
        if (map == NULL) {
            error_wrap(err, "%s", path);
        }
    }
    free(bytes);
    fclose(file);
    return map;
}

static struct shard_map *create(const struct placement_options *options, struct shard *shards,
                                struct error *err)
{
    struct shard_map_plan plan = {.shards = shards,
                                  .vnodes = (uint32_t)options->vnodes,
                                  .partition_count = (uint32_t)options->partitions};
    if (!find_names(options, &plan, err) ||
        !parse_shards(options->shards, shards, &plan.shard_count, err)) {
        return NULL;
    }
    if (options->weights != NULL &&
        !parse_weights(options->weights, shards, plan.shard_count, err)) {
        return NULL;
    }
    return shard_map_create(&plan, err);
}

struct shard_map *placement_create(const struct placement_options *options, struct error *err)
{
    if (options->map_file != NULL) {
        if (options->shards != NULL || options->scheme != NULL || options->weights != NULL ||
            options->layout != NULL || options->vnodes != 0 || options->partitions != 0) {
            error_set(err, "42601", "--map says all that the other options would");
            return NULL;
        }
        return load(options->map_file, err);
    }
    if (options->shards == NULL) {
        error_set(err, "42601", "no shards given");
        error_hint(err, "--shards 4, --shards a,b,c or --map FILE");
        return NULL;
    }
    struct shard *shards = calloc(SHARD_COUNT_MAX, sizeof *shards);
    if (shards == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    struct shard_map *map = create(options, shards, err);
    free(shards);
    return map;
}
