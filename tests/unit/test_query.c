/* The console's grammar: what is read from a statement, and what is refused. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "admin/query.h"

/* The statement written out again, with all that was read. */
static const char *read_back(const char *sql, const struct query_parameters *parameters, char *out,
                             size_t size)
{
    static const char *const operators[] = {"=", "<>", "<", "<=", ">", ">=", "~", "!~"};
    struct error err = {0};
    struct query query;
    size_t used = 0, length = 0;

    if (!query_read(sql, strlen(sql), parameters, &query, &used, &err)) {
        snprintf(out, size, "%s", err.sqlstate);
        return out;
    }
    length += (size_t)snprintf(out, size, "%s %s%s%s", query_tag(query.kind), query.name,
                               query.value[0] != '\0' ? "=" : "", query.value);
    for (size_t i = 0; i < query.term_count; i++) {
        const struct query_term *term = &query.terms[i];
        length += (size_t)snprintf(out + length, size - length, " [%s%s%s]", term->column,
                                   operators[term->operator], term->is_null ? "NULL" : term->value);
    }
    for (size_t i = 0; i < query.order_count; i++) {
        length +=
            (size_t)snprintf(out + length, size - length, " %s%s",
                             query.orders[i].is_descending ? "-" : "+", query.orders[i].column);
    }
    if (query.limit >= 0) {
        length += (size_t)snprintf(out + length, size - length, " #%lld", (long long)query.limit);
    }
    snprintf(out + length, size - length, "%s", query.waits_for_clients ? " waits" : "");
    return out;
}

static void statements_are_read(void **)
{
    static const struct {
        const char *sql, *read;
    } cases[] = {
        {"", " "},
        {" -- nothing\n;; ", " "},
        {"SHOW CLIENTS", "SHOW clients"},
        {"show \"Pools\";", "SHOW Pools"},
        {"SHOW clients WHERE user = 'ann' AND wait >= 5", "SHOW clients [user=ann] [wait>=5]"},
        {"show clients where a<>'b' and c != -1 and d<1 and e<=1 and f>1 and g like '%x' and h not "
         "like 'y'",
         "SHOW clients [a<>b] [c<>-1] [d<1] [e<=1] [f>1] [g~%x] [h!~y]"},
        {"SHOW pools ORDER BY a, b DESC, c ASC LIMIT 7", "SHOW pools +a -b +c #7"},
        {"SHOW pools WHERE a='x''y' ORDER BY a LIMIT 0", "SHOW pools [a=x'y] +a #0"},
        {"PAUSE", "PAUSE "},
        {"pause Shop", "PAUSE shop"},
        {"PAUSE \"Shop\"", "PAUSE Shop"},
        {"pause 'Shop'", "PAUSE Shop"},
        {"RESUME x;", "RESUME x"},
        {"KILL x", "KILL x"},
        {"RELOAD", "RELOAD "},
        {"WAIT_CLOSE", "WAIT_CLOSE "},
        {"SHUTDOWN", "SHUTDOWN "},
        {"SHUTDOWN wait_for_clients", "SHUTDOWN  waits"},
        {"SET a = 5", "SET a=5"},
        {"SET a TO '5s'", "SET a=5s"},
        {"set a = Transaction", "SET a=Transaction"},
        {"set a = -1", "SET a=-1"},
        {"BEGIN", "BEGIN "},
        {"start transaction", "BEGIN "},
        {"end work", "COMMIT "},
        {"SHOW a; SHOW b", "SHOW a"},
        {"SHOW b WHERE a = $1 LIMIT $2", "SHOW b [a=1] #1"}, /* nothing bound yet */
    };
    const struct query_parameters unbound = {0};
    char out[600];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(read_back(cases[i].sql, &unbound, out, sizeof out), cases[i].read);
    }
}

static void what_it_does_not_know_is_refused(void **)
{
    static const struct {
        const char *sql, *sqlstate;
    } cases[] = {
        {"SELECT 1", "42601"},
        {"SHOW", "42601"},
        {"SHOW a b", "42601"},
        {"SHOW a WHERE", "42601"},
        {"SHOW a WHERE b", "42601"},
        {"SHOW a WHERE b = ", "42601"},
        {"SHOW a WHERE b = c", "42601"},
        {"SHOW a WHERE b == 1", "42601"},
        {"SHOW a WHERE b = 1 OR c = 2", "42601"},
        {"SHOW a WHERE (b = 1)", "42601"},
        {"SHOW a WHERE b NOT 1", "42601"},
        {"SHOW a WHERE b = - 'x'", "42601"},
        {"SHOW a ORDER b", "42601"},
        {"SHOW a ORDER BY b,", "42601"},
        {"SHOW a LIMIT", "42601"},
        {"SHOW a LIMIT -1", "2201W"},
        {"SHOW a LIMIT 1.5", "2201W"},
        {"SHOW a LIMIT 99999999999999999999", "2201W"},
        {"SHOW a LIMIT 1 WHERE b = 1", "42601"},
        {"KILL", "42601"},
        {"PAUSE a b", "42601"},
        {"PAUSE \"\"", "42601"},
        {"RELOAD now", "42601"},
        {"SHUTDOWN immediate", "42601"},
        {"SET a", "42601"},
        {"SET = 5", "42601"},
        {"SET a = ", "42601"},
        {"SHOW 'a", "42601"},
        {"SHOW a WHERE b = $0", "42P02"},
        {"SHOW a WHERE b = $33", "42P02"},
        {"SHOW a WHERE b = $99999999999999999999", "42P02"},
        {"SHOW a WHERE b=1 AND b=1 AND b=1 AND b=1 AND b=1 AND b=1 AND b=1 AND b=1 AND b=1 AND b=1 "
         "AND b=1 AND b=1 AND b=1 AND b=1 AND b=1 AND b=1 AND b=1",
         "54000"},
        {"SHOW a ORDER BY b,b,b,b,b,b,b,b,b", "54000"},
    };
    const struct query_parameters unbound = {0};
    char out[600];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(read_back(cases[i].sql, &unbound, out, sizeof out), cases[i].sqlstate);
    }
}

static void parameters_stand_for_literals_and_names(void **)
{
    const char *const values[] = {"x' OR 'y", NULL, "4"};
    const struct query_parameters bound = {values, 3}, one = {values, 1};
    char out[600];

    assert_string_equal(
        read_back("SHOW a WHERE b = $1 AND c < $2 LIMIT $3", &bound, out, sizeof out),
        "SHOW a [b=x' OR 'y] [c<NULL] #4");
    assert_string_equal(read_back("SHOW a LIMIT $2", &bound, out, sizeof out), "SHOW a");
    assert_string_equal(read_back("PAUSE $1", &bound, out, sizeof out), "PAUSE x' OR 'y");
    assert_string_equal(read_back("PAUSE $2", &bound, out, sizeof out), "22004");
    assert_string_equal(read_back("SET a = $3", &bound, out, sizeof out), "SET a=4");
    assert_string_equal(read_back("SET a = $2", &bound, out, sizeof out), "22004");
    assert_string_equal(read_back("SHOW a WHERE b = $2", &one, out, sizeof out), "08P01");
}

static void a_name_from_a_parameter_has_its_limit(void **)
{
    char name[TOKEN_NAME_SIZE + 1];
    const char *const values[] = {name};
    const struct query_parameters bound = {values, 1};
    char out[600];

    memset(name, 'n', sizeof name);
    name[TOKEN_NAME_SIZE] = '\0';
    assert_string_equal(read_back("PAUSE $1", &bound, out, sizeof out), "22001");
    name[TOKEN_NAME_SIZE - 1] = '\0';
    assert_memory_equal(read_back("PAUSE $1", &bound, out, sizeof out), "PAUSE nnn", 9);
}

static void statements_follow_each_other(void **)
{
    static const char sql[] = "SHOW a; PAUSE;; RESUME b ;";
    const enum query_kind kinds[] = {QUERY_SHOW, QUERY_PAUSE, QUERY_RESUME, QUERY_EMPTY};
    const struct query_parameters unbound = {0};
    size_t at = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct error err = {0};
        struct query query;
        size_t used = 0;
        assert_true(query_read(sql + at, sizeof sql - 1 - at, &unbound, &query, &used, &err));
        assert_int_equal(query.kind, kinds[i]);
        at += used;
    }
    assert_int_equal(at, sizeof sql - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_read),
        cmocka_unit_test(what_it_does_not_know_is_refused),
        cmocka_unit_test(parameters_stand_for_literals_and_names),
        cmocka_unit_test(a_name_from_a_parameter_has_its_limit),
        cmocka_unit_test(statements_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
