#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_test/output.h"
#include "load_test/policies.h"

enum { NAME_COLUMNS = 24, FIGURE_COLUMNS = 9, REPLICA_COLUMNS = 11 };

struct page {
    const struct policy_result *results;
    const struct target *target;
    bool is_spanish;
    struct text *out; /* borrowed */
};

/* A macro, so that the compiler can check both formats. */
#define SAY(english, spanish) (page->is_spanish ? (spanish) : (english))

static const char *name_of(const struct page *page, size_t policy)
{
    return SAY(policies[policy].name, policies[policy].spanish);
}

/* "-" for what was not measured, "never" where it did not come before the end. */
static void append_figure(const struct page *page, double value, int decimals, const char *unit,
                          size_t columns)
{
    char number[TEXT_NUMBER_SIZE];

    if (isnan(value)) {
        snprintf(number, sizeof number, "-");
    } else if (isinf(value)) {
        snprintf(number, sizeof number, "%s", SAY("never", "nunca"));
    } else {
        snprintf(number, sizeof number, "%.*f%s", decimals, value, unit);
    }
    char *point = page->is_spanish ? strchr(number, '.') : NULL;
    if (point != NULL) {
        *point = ',';
    }
    text_append_right(page->out, number, columns);
}

static void print_heading(const struct page *page, double rate)
{
    struct text *out = page->out;

    text_appendf(out, SAY("%d policies, %s", "%d políticas, %s"), POLICY_COUNT,
                 page->target->primary.name);
    for (size_t i = 0; i < page->target->replica_count; i++) {
        text_appendf(out, " %s", page->target->replicas[i].name);
    }
    text_appendf(
        out,
        SAY("; every policy set with ALTER SYSTEM and put back\n"
            "most: a closed loop; the rest: %.0f writes/s due, the same for all\n\n",
            "; cada política puesta con ALTER SYSTEM y restituida\n"
            "máx.: bucle cerrado; el resto: %.0f escrituras/s debidas, igual para todas\n\n"),
        rate);
    text_append_left(out, "", NAME_COLUMNS);
    text_append(out,
                SAY(" writes/s     commit, ms since due    first read misses the commit\n",
                    "escrit./s    commit, ms desde su hora   primera lectura sin el commit\n"));
    text_append_left(out, "", NAME_COLUMNS);
    text_append_right(out, SAY("most", "máx."), FIGURE_COLUMNS);
    text_append_right(out, "p50", FIGURE_COLUMNS);
    text_append_right(out, "p99", FIGURE_COLUMNS);
    text_append_right(out, "p99.9", FIGURE_COLUMNS);
    for (size_t i = 0; i < page->target->replica_count; i++) {
        text_append(out, " "); /* a long name must not touch what stands before it */
        text_append_right(out, page->target->replicas[i].name, REPLICA_COLUMNS - 1);
    }
    text_append(out, "\n");
}

static void print_row(const struct page *page, size_t policy)
{
    const struct policy_result *result = &page->results[policy];
    char number[TEXT_NUMBER_SIZE];

    text_append(page->out, "  ");
    text_append_left(page->out, name_of(page, policy), NAME_COLUMNS - 2);
    if (result->is_skipped) {
        text_append(page->out, SAY("  skipped: it needs two replicas\n",
                                   "  omitida: necesita dos réplicas\n"));
        return;
    }
    text_append_right(page->out,
                      text_grouped(number, llround(policies_median(result->rates, result->repeats)),
                                   page->is_spanish ? '.' : ','),
                      FIGURE_COLUMNS);
    append_figure(page, policies_median(result->p50, result->repeats), 2, "", FIGURE_COLUMNS);
    append_figure(page, policies_median(result->p99, result->repeats), 2, "", FIGURE_COLUMNS);
    append_figure(page, policies_median(result->p999, result->repeats), 2, "", FIGURE_COLUMNS);
    for (size_t i = 0; i < page->target->replica_count; i++) {
        append_figure(page, 100 * policies_missed(result, i), 1, " %", REPLICA_COLUMNS);
    }
    text_append(page->out, "\n");
}

/* What the samplers have proven, beside what the readers met. */
static void print_visible(const struct page *page)
{
    struct text *out = page->out;

    text_append(out, SAY("\nproven by replay positions: not visible at the acknowledgement, and "
                         "visible p50 ms\n",
                         "\ndemostrado por las posiciones: no visible al confirmarse, y visible "
                         "p50 en ms\n"));
    for (size_t i = 0; i < POLICY_COUNT; i++) {
        if (page->results[i].is_skipped) {
            continue;
        }
        text_append(out, "  ");
        text_append_left(out, name_of(page, i), NAME_COLUMNS - 2);
        for (size_t j = 0; j < page->target->replica_count; j++) {
            const struct policy_replica *replica = &page->results[i].replicas[j];
            text_appendf(out, "  %s", page->target->replicas[j].name);
            append_figure(page, 100 * replica->stale, 1, " %", 9);
            append_figure(page, replica->visible_p50, 2, " ms", 12);
        }
        text_append(out, "\n");
    }
}

/* Whether no first read missed, and none was proven stale, on any replica. */
static bool is_never_stale(const struct page *page, size_t policy)
{
    const struct policy_result *result = &page->results[policy];

    for (size_t i = 0; i < page->target->replica_count; i++) {
        if (!(policies_missed(result, i) == 0) || result->replicas[i].stale > 0) {
            return false;
        }
    }
    return !result->is_skipped && page->target->replica_count > 0;
}

static double worst(const struct page *page, size_t policy, bool is_max)
{
    double value = NAN;

    for (size_t i = 0; i < page->target->replica_count; i++) {
        const struct policy_replica *replica = &page->results[policy].replicas[i];
        value = fmax(value, is_max ? replica->visible_max : replica->visible_p50);
    }
    return value;
}

static void print_consistent(const struct page *page)
{
    struct text *out = page->out;
    size_t count = 0;

    text_append(out, "  inventory, orders   CP: ");
    for (size_t i = 0; i < POLICY_COUNT; i++) {
        if (is_never_stale(page, i)) {
            text_appendf(out, "%s%s", count++ > 0 ? "; " : SAY("only ", "solo "), name_of(page, i));
        }
    }
    if (count == 0) {
        text_append(out, SAY("no policy kept every replica from answering with older data here:\n"
                             "                      read on the primary.\n",
                             "ninguna política evitó aquí que una réplica diera datos viejos:\n"
                             "                      lea del primario.\n"));
        return;
    }
    text_append(out, SAY(" let no replica answer with older data.\n"
                         "                      With ANY 2 of two, commits stop when one replica "
                         "stops.\n",
                         " no dejó que una réplica diera datos viejos.\n"
                         "                      Con ANY 2 de dos, los commits paran si para una "
                         "réplica.\n"));
}

static void print_domains(const struct page *page)
{
    enum { COMMIT_OFF = 0, ASYNC = 1, SYNC = 3 };
    struct text *out = page->out;
    double found = NAN, missed = NAN;

    for (size_t i = 0; i < page->target->replica_count; i++) {
        found = fmin(found, page->results[ASYNC].replicas[i].found);
        missed = fmax(missed, policies_missed(&page->results[SYNC], i));
    }
    text_append(out, SAY("\nWhat it says for the domains of shop.yaml\n",
                         "\nLo que dice para los dominios de shop.yaml\n"));
    print_consistent(page);
    text_append(out, SAY("  profiles            on, FIRST 1: nothing is lost with the primary; ",
                         "  profiles            on, FIRST 1: con el primario no se pierde nada; "));
    append_figure(page, 100 * missed, 1, " %", 0);
    text_append(out,
                SAY(" of first\n                      reads miss, so a reader of its own write "
                    "must wait for it.\n",
                    " de las primeras\n                      lecturas fallan: quien lee lo "
                    "suyo debe esperarlo.\n"));
    text_append(out, SAY("  cart                AP: async; 2 ms after the commit at least ",
                         "  cart                AP: asíncrona; 2 ms tras el commit la halla al "
                         "menos el "));
    append_figure(page, 100 * found, 0, " %", 0);
    text_append(out, SAY(" of reads find it.\n", " de las lecturas.\n"));
    text_append(out, SAY("  commit off          replicas see the row ",
                         "  commit off          las réplicas ven la fila "));
    append_figure(page, worst(page, COMMIT_OFF, false), 1, " ms", 0);
    text_append(out, SAY(" later (p50), ", " después (p50), "));
    append_figure(page, worst(page, COMMIT_OFF, true), 1, " ms", 0);
    text_append(out,
                SAY(" at worst; a crash of the\n                      primary loses what was "
                    "acknowledged last.\n",
                    " a lo peor; si cae el\n                      primario se pierde lo último "
                    "confirmado.\n"));
}

static void print_checked(const struct page *page)
{
    struct text *out = page->out;
    char number[TEXT_NUMBER_SIZE];
    double acknowledged = 0, lost = 0, twice = 0;
    size_t repeats = page->results[0].repeats;

    for (size_t i = 0; i < POLICY_COUNT; i++) {
        const struct policy_result *result = &page->results[i];
        acknowledged += result->acknowledged;
        lost += result->lost;
        twice += result->twice;
        if (result->fail[0] != '\0') {
            text_appendf(out, "\n%s  %s: %s", SAY("FAIL", "FALLO"), name_of(page, i), result->fail);
        }
    }
    text_appendf(out,
                 SAY("\nCHECKED  %s acknowledged writes counted on every node: %.0f lost, %.0f "
                     "twice\n",
                     "\nCOMPROBADO  %s escrituras confirmadas, contadas en cada nodo: %.0f "
                     "perdidas, %.0f dobles\n"),
                 text_grouped(number, llround(acknowledged), page->is_spanish ? '.' : ','), lost,
                 twice);
    if (repeats < 2) {
        text_append(out, SAY("One repetition: no spread is known; --repeat 3 shows it.\n",
                             "Una sola repetición: no se conoce la dispersión; --repeat 3 la "
                             "muestra.\n"));
        return;
    }
    text_appendf(out,
                 SAY("Spread over %zu repetitions: most writes/s within %.0f %%. Differences under "
                     "that are not claimed.\n",
                     "Dispersión en %zu repeticiones: máx. escrituras/s dentro del %.0f %%. No se "
                     "afirman diferencias menores.\n"),
                 repeats, 100 * policies_spread(page->results));
}

void policies_print(const struct policy_result results[POLICY_COUNT], const struct target *target,
                    double rate, enum report_language language, struct text *out)
{
    const struct page self = {
        .results = results, .target = target, .is_spanish = language == REPORT_SPANISH, .out = out};
    const struct page *page = &self;

    print_heading(page, rate);
    for (size_t i = 0; i < POLICY_COUNT; i++) {
        print_row(page, i);
    }
    print_visible(page);
    print_domains(page);
    print_checked(page);
}

static json_t *number_or_null(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

static json_t *repeats_json(const double *values, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(array, number_or_null(values[i]));
    }
    return array;
}

static json_t *replica_json(const struct policy_result *result, const struct target *target,
                            size_t index)
{
    const struct policy_replica *replica = &result->replicas[index];

    return json_pack(
        "{s:s, s:f, s:o, s:o, s:o, s:o, s:o}", "name", target->replicas[index].name, "probes",
        replica->probes, "missed", number_or_null(policies_missed(result, index)), "stale",
        number_or_null(replica->stale), "found_2ms", number_or_null(replica->found), "visible_p50",
        number_or_null(replica->visible_p50), "visible_max", number_or_null(replica->visible_max));
}

static json_t *policy_json(const struct policy *policy, const struct policy_result *result,
                           const struct target *target)
{
    char names[POLICY_NAMES_SIZE];
    json_t *replicas = json_array();

    for (size_t i = 0; !result->is_skipped && i < target->replica_count; i++) {
        json_array_append_new(replicas, replica_json(result, target, i));
    }
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:s, s:o}", "name", policy->name,
        "synchronous_commit", policy->synchronous_commit, "synchronous_standby_names",
        policy_names(names, policy->standbys, target), "skipped", result->is_skipped,
        "writes_per_second_max", repeats_json(result->rates, result->repeats), "write_p50",
        repeats_json(result->p50, result->repeats), "write_p99",
        repeats_json(result->p99, result->repeats), "write_p999",
        repeats_json(result->p999, result->repeats), "acknowledged", result->acknowledged, "lost",
        result->lost, "twice", result->twice, "fail", result->fail, "replicas", replicas);
}

bool policies_json(const struct policy_result results[POLICY_COUNT], const struct target *target,
                   double rate, struct text *out, struct error *err)
{
    json_t *list = json_array();

    for (size_t i = 0; i < POLICY_COUNT; i++) {
        json_array_append_new(list, policy_json(&policies[i], &results[i], target));
    }
    json_t *document = json_pack("{s:i, s:s, s:f, s:o}", "format", 1, "mode", "policies", "rate",
                                 rate, "policies", list);
    return output_json(document, 17, out) ? true
                                          : error_set(err, "53200", "out of memory for the JSON");
}
