/* What the look at a statement costs: ns a statement of effects_may_be(), of effects_read(), and of
 * the lexer alone.  CPU time, best of short rounds, as other work on the machine only adds. In the
 * last line each call is on another statement, so that branches are not learnt by heart.
 *
 * usage: bench_sql */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sql/effects.h"
#include "sql/lexer.h"

enum { ROUNDS = 40, REPEATS = 2000, KINDS = 3 };

static const struct {
    const char *sql;
    bool may_be; /* what effects_may_be() has to say */
} statements[] = {
    {"BEGIN;", false},
    {"END;", false},
    {"SELECT abalance FROM pgbench_accounts WHERE aid = 4711;", false},
    {"UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 4711;", false},
    {"INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, 4711, -1234, "
     "CURRENT_TIMESTAMP);",
     false},
    {"SELECT u.\"id\", u.name, count(o.id) FROM users u LEFT JOIN orders o ON o.user_id = u.id "
     "WHERE u.email = 'someone@example.com' AND o.created_at > $1 GROUP BY u.id ORDER BY 3 DESC "
     "LIMIT 20",
     false},
    {"DELETE FROM sessions WHERE id = $1 AND expires_at < now()", false},
    {"/* app: web */ SELECT 1", true},
    {"SET search_path TO app, public", true},
    {"SELECT set_config('app.user', '42', false)", true},
};

enum { STATEMENTS = sizeof statements / sizeof statements[0] };

static int64_t cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What one step of a chain of additions takes now: busy neighbours make it longer, and all else. */
static double addition(void)
{
    int64_t start = cpu_now();
    uint64_t sum = 0;

    for (int i = 0; i < REPEATS * 10; i++) {
        sum += 3;
        __asm__ volatile("" : "+r"(sum));
    }
    return (double)(cpu_now() - start) / (REPEATS * 10);
}

static size_t count_tokens(const char *sql, size_t size)
{
    struct lexer lexer;
    size_t count = 0;

    lexer_begin(&lexer, sql, size, true);
    while (lexer_next(&lexer).kind != TOKEN_END) {
        count++;
    }
    return count;
}

static size_t run(int kind, const char *sql, size_t size)
{
    if (kind == 0) {
        return effects_may_be(sql, size);
    }
    if (kind == 1) {
        struct effects effects;
        effects_read(sql, size, true, &effects);
        return effects.count;
    }
    return count_tokens(sql, size);
}

/* ns for one call on that statement, alone in its loop. */
static double measure(int kind, size_t statement, size_t *sum)
{
    const char *sql = statements[statement].sql;
    size_t size = strlen(sql);
    int64_t start = cpu_now();

    for (int i = 0; i < REPEATS; i++) {
        *sum += run(kind, sql, size);
    }
    return (double)(cpu_now() - start) / REPEATS;
}

/* ns for one call when each is on another statement. */
static double measure_mixed(int kind, size_t *sum)
{
    size_t sizes[STATEMENTS], at = 0;

    for (size_t i = 0; i < STATEMENTS; i++) {
        sizes[i] = strlen(statements[i].sql);
    }
    int64_t start = cpu_now();
    for (int i = 0; i < REPEATS; i++) {
        *sum += run(kind, statements[at].sql, sizes[at]);
        at = (at * 7 + 3 + (size_t)(i >> 3)) % STATEMENTS;
    }
    return (double)(cpu_now() - start) / REPEATS;
}

static void keep_best(double *best, size_t round, double time)
{
    *best = round == 0 || time < *best ? time : *best;
}

int main(void)
{
    double times[KINDS][STATEMENTS + 1];
    double step = 0;
    size_t sum = 0;
    int status = 0;

    for (size_t round = 0; round < ROUNDS; round++) {
        keep_best(&step, round, addition());
        for (int kind = 0; kind < KINDS; kind++) {
            for (size_t i = 0; i < STATEMENTS; i++) {
                keep_best(&times[kind][i], round, measure(kind, i, &sum));
            }
            keep_best(&times[kind][STATEMENTS], round, measure_mixed(kind, &sum));
        }
    }
    printf("ns a statement, best of %d rounds; an addition takes %.2f ns\n  may_be  read  lexer  "
           "bytes\n",
           ROUNDS, step);
    for (size_t i = 0; i <= STATEMENTS; i++) {
        const char *sql = i < STATEMENTS ? statements[i].sql : "all of these, mixed";
        printf("  %6.1f %5.0f %6.0f  %5zu  %.60s\n", times[0][i], times[1][i], times[2][i],
               i < STATEMENTS ? strlen(sql) : 0, sql);
        if (i < STATEMENTS && effects_may_be(sql, strlen(sql)) != statements[i].may_be) {
            fprintf(stderr, "bench_sql: effects_may_be() says the wrong thing of %s\n", sql);
            status = 1;
        }
    }
    return sum == 0 ? 1 : status;
}
