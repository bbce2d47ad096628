#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "load_test/output.h"
#include "load_test/sharded.h"

enum { BAR_COLUMNS = 24, NAME_COLUMNS = 10, PLACE_COLUMNS = 21, ROWS_COLUMNS = 11 };
#define CHANCE_LIMIT 0.01 /* below it we don't call a spread chance */

struct page {
    const struct sharded_plan *plan;
    bool is_spanish;
    char separator;
    struct text *out; /* borrowed */
};

/* A macro, so that the compiler can check both formats. */
#define SAY(english, spanish) (page->is_spanish ? (spanish) : (english))

static void append_number(const struct page *page, uint64_t number)
{
    char buffer[TEXT_NUMBER_SIZE];

    text_append(page->out, text_grouped(buffer, (int64_t)number, page->separator));
}

static void print_title(const struct page *page, const struct sharded_result *result)
{
    switch (result->scheme) {
    case SHARD_MD5_MODULO: text_appendf(page->out, "md5 %% %zu", page->plan->shard_count); break;
    case SHARD_RING:
        text_append(page->out, SAY("consistent hash, ", "hash consistente, "));
        append_number(page, result->vnodes);
        text_append(page->out, SAY(" virtual nodes per shard", " nodos virtuales por shard"));
        break;
    case SHARD_SLOTS:
        append_number(page, SHARD_SLOT_COUNT);
        text_append(page->out, SAY(" slots", " ranuras (slots)"));
        break;
    case SHARD_PG_HASH:
    case SHARD_SCHEME_COUNT: break;
    }
    text_append(page->out, "\n");
}

static void print_shard(const struct page *page, const struct sharded_result *result, size_t shard)
{
    char number[TEXT_NUMBER_SIZE], bar[TERMINAL_BAR_SIZE];
    const struct sharded_rows *rows = &result->rows[shard];
    uint64_t shown = result->is_written && rows->is_counted ? rows->counted : rows->routed;
    double share = (double)shown / (double)page->plan->keys;
    double mean = 1.0 / (double)page->plan->shard_count;

    text_append(page->out, "  ");
    text_append_left(page->out, page->plan->shards[shard].name, NAME_COLUMNS);
    text_append_left(page->out, page->plan->shards[shard].place, PLACE_COLUMNS);
    if (result->is_written && !rows->is_counted) {
        text_append_right(page->out, "?", ROWS_COLUMNS);
        text_append(page->out, SAY("  not counted\n", "  sin contar\n"));
        return;
    }
    text_append_right(page->out, text_grouped(number, (int64_t)shown, page->separator),
                      ROWS_COLUMNS);
    /* A bar of the mean is 5/6 of the width. */
    terminal_bar(bar, fmin(share / mean / 1.2, 1), BAR_COLUMNS);
    text_appendf(page->out, "  %5.1f %%  %s", 100 * share, bar);
    if (rows->write_seconds > 0) {
        text_append_right(page->out,
                          text_grouped(number, llround((double)rows->written / rows->write_seconds),
                                       page->separator),
                          9);
        text_append(page->out, SAY(" rows/s", " filas/s"));
    }
    text_append(page->out, "\n");
}

static void print_verdict(const struct page *page, const struct sharded_result *result)
{
    struct text *out = page->out;

    text_appendf(out, SAY("  fullest %.3f of the mean", "  el más lleno, %.3f de la media"),
                 result->fullest);
    if (result->degrees == 0) {
        text_append(out, SAY(": one shard has all\n", ": un solo shard lo tiene todo\n"));
        return;
    }
    text_appendf(out, SAY("; chi-square %.1f, %u d.f., ", "; chi-cuadrado %.1f, %u g.l., "),
                 result->chi_square, result->degrees);
    text_appendf(out, result->p < 0.001 ? "p < 0.001" : "p = %.3f", result->p);
    text_append(out, result->p >= CHANCE_LIMIT
                         ? SAY(": as even as chance", ": tan parejo como el azar")
                         : SAY(": uneven", ": desigual"));
    text_append(out, "\n");
    if (result->scheme != SHARD_RING) {
        return;
    }
    text_append(out, "  ");
    append_number(page, result->vnodes);
    text_append(out, result->fullest <= result->expected_skew
                         ? SAY(" points a shard allow about ", " puntos por shard dan hasta ")
                         : SAY(" points a shard usually give at most ",
                               " puntos por shard suelen dar como mucho "));
    text_appendf(out, "%.3f; ", result->expected_skew);
    append_number(page, result->other_vnodes);
    text_appendf(out, SAY(" give %.3f\n", " dan %.3f\n"), result->other_fullest);
}

static void print_failures(const struct page *page, const struct sharded_result *result,
                           size_t shard)
{
    const struct sharded_rows *rows = &result->rows[shard];
    const char *name = page->plan->shards[shard].name;
    struct text *out = page->out;

    if (error_is_set(&rows->fail)) {
        text_appendf(out,
                     SAY("  FAIL  %s: %" PRIu64 " of its %" PRIu64 " rows acknowledged, %" PRIu64
                         " without an answer: %s\n",
                         "  FALLO %s: %" PRIu64 " de sus %" PRIu64 " filas confirmadas, %" PRIu64
                         " sin respuesta: %s\n"),
                     name, rows->written, rows->routed, rows->unknown, rows->fail.message);
    }
    if (rows->is_counted &&
        (rows->counted < rows->written || rows->counted > rows->written + rows->unknown)) {
        text_appendf(out,
                     SAY("  FAIL  %s: %" PRIu64 " rows acknowledged, %" PRIu64 " counted\n",
                         "  FALLO %s: %" PRIu64 " filas confirmadas, %" PRIu64 " contadas\n"),
                     name, rows->written, rows->counted);
    }
    if (rows->misplaced + rows->misplaced_sql + rows->altered + rows->doubled > 0) {
        text_appendf(out,
                     SAY("  FAIL  %s: %" PRIu64 " rows of another shard (by its own SQL %" PRIu64
                         "), %" PRIu64 " changed, %" PRIu64 " also elsewhere\n",
                         "  FALLO %s: %" PRIu64 " filas de otro shard (según su propio SQL %" PRIu64
                         "), %" PRIu64 " alteradas, %" PRIu64 " también en otro\n"),
                     name, rows->misplaced, rows->misplaced_sql, rows->altered, rows->doubled);
    }
    if (rows->is_left) {
        text_appendf(out,
                     SAY("  note  %s still has the table %s: drop it\n",
                         "  nota  %s aún tiene la tabla %s: bórrela\n"),
                     name, result->table);
    }
}

static void print_scheme(const struct page *page, const struct sharded_result *result)
{
    struct text *out = page->out;

    text_append(out, "\n");
    print_title(page, result);
    for (size_t i = 0; i < page->plan->shard_count; i++) {
        print_shard(page, result, i);
    }
    print_verdict(page, result);
    text_append(out, SAY("  one more shard would move ", "  un shard más movería "));
    append_number(page, result->moved);
    text_appendf(out, SAY(" keys, %.1f %%\n", " claves, %.1f %%\n"),
                 100 * (double)result->moved / (double)page->plan->keys);
    for (size_t i = 0; result->is_written && i < page->plan->shard_count; i++) {
        print_failures(page, result, i);
    }
}

static void print_checked(const struct page *page, const struct sharded_result *results,
                          size_t count)
{
    struct text *out = page->out;
    uint64_t routed = 0, counted = 0;
    size_t with_sql = 0;
    bool are_all_counted = true;
    int code = sharded_exit_code(page->plan, results, count);

    for (size_t i = 0; i < count; i++) {
        with_sql += results[i].has_sql;
        for (size_t j = 0; j < page->plan->shard_count; j++) {
            routed += results[i].rows[j].routed;
            counted += results[i].rows[j].is_counted ? results[i].rows[j].counted : 0;
            are_all_counted &= results[i].rows[j].is_counted;
        }
    }
    text_append(out, SAY("\nCHECKED  routed ", "\nCOMPROBADO  dirigidas "));
    append_number(page, routed);
    text_append(out, routed == counted ? " = " : " ≠ ");
    text_append(out, are_all_counted ? SAY("counted on the shards ", "contadas en los shards ")
                                     : SAY("counted on the shards that answer ",
                                           "contadas en los shards que responden "));
    append_number(page, counted);
    if (code == 0) {
        text_append(out, SAY("; every key on its own shard only", "; cada clave solo en su "
                                                                  "shard"));
        if (with_sql > 0) {
            text_appendf(
                out,
                SAY(",\n         of %zu of %zu schemes also by the server's own hash",
                    ",\n         en %zu de %zu esquemas también según el hash del servidor"),
                with_sql, count);
        }
    }
    text_append(out, "\n");
}

void sharded_print(const struct sharded_plan *plan, const struct sharded_result *results,
                   size_t count, enum report_language language, struct text *out)
{
    const struct page self = {.plan = plan,
                              .is_spanish = language == REPORT_SPANISH,
                              .separator = language == REPORT_SPANISH ? '.' : ',',
                              .out = out};
    const struct page *page = &self;

    append_number(page, (uint64_t)plan->keys);
    text_append(out, SAY(" keys user:0 .. user:", " claves user:0 .. user:"));
    text_appendf(out, SAY("%ld over %zu shards", "%ld sobre %zu shards"), plan->keys - 1,
                 plan->shard_count);
    text_append(out, count > 0 && results[0].is_written
                         ? SAY(", written and counted\n", ", escritas y contadas\n")
                         : SAY(", routed only: nothing was written\n",
                               ", solo dirigidas: no se escribió nada\n"));
    for (size_t i = 0; i < count; i++) {
        print_scheme(page, &results[i]);
    }
    if (count > 0 && results[0].is_written) {
        print_checked(page, results, count);
    }
}

static json_t *number_or_null(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

static json_t *shard_json(const struct sharded_shard *shard, const struct sharded_rows *rows,
                          bool is_written)
{
    json_t *object = json_pack("{s:s, s:s, s:I}", "name", shard->name, "place", shard->place,
                               "routed", (json_int_t)rows->routed);

    if (object == NULL || !is_written) {
        return object;
    }
    json_object_set_new(object, "written", json_integer((json_int_t)rows->written));
    json_object_set_new(object, "unknown", json_integer((json_int_t)rows->unknown));
    json_object_set_new(object, "counted",
                        rows->is_counted ? json_integer((json_int_t)rows->counted) : json_null());
    json_object_set_new(
        object, "misplaced",
        json_integer((json_int_t)rows->misplaced + (json_int_t)rows->misplaced_sql));
    json_object_set_new(object, "altered", json_integer((json_int_t)rows->altered));
    json_object_set_new(object, "doubled", json_integer((json_int_t)rows->doubled));
    json_object_set_new(object, "write_seconds", json_real(rows->write_seconds));
    json_object_set_new(object, "error",
                        error_is_set(&rows->fail) ? json_string(rows->fail.message) : json_null());
    return object;
}

static json_t *scheme_json(const struct sharded_plan *plan, const struct sharded_result *result)
{
    json_t *shards = json_array();
    json_t *object =
        json_pack("{s:s, s:f, s:i, s:I, s:b}", "scheme", shard_scheme_name(result->scheme),
                  "fullest", result->fullest, "degrees", (int)result->degrees, "moved",
                  (json_int_t)result->moved, "checked_by_sql", result->has_sql);

    for (size_t i = 0; i < plan->shard_count; i++) {
        json_array_append_new(shards,
                              shard_json(&plan->shards[i], &result->rows[i], result->is_written));
    }
    json_object_set_new(object, "vnodes",
                        result->vnodes > 0 ? json_integer(result->vnodes) : json_null());
    json_object_set_new(object, "chi_square", number_or_null(result->chi_square));
    json_object_set_new(object, "p", number_or_null(result->p));
    json_object_set_new(object, "shards", shards);
    return object;
}

bool sharded_json(const struct sharded_plan *plan, const struct sharded_result *results,
                  size_t count, struct text *out, struct error *err)
{
    json_t *schemes = json_array();

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(schemes, scheme_json(plan, &results[i]));
    }
    json_t *document =
        json_pack("{s:i, s:s, s:I, s:I, s:b, s:o}", "format", 1, "mode", "sharded-writes", "keys",
                  (json_int_t)plan->keys, "seed", (json_int_t)plan->seed, "written",
                  count > 0 && results[0].is_written, "schemes", schemes);
    return output_json(document, 17, out) ? true
                                          : error_set(err, "53200", "out of memory for the JSON");
}
