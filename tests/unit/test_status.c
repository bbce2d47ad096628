/* What a status document says is wrong, and how the page shows it: nothing unknown becomes 0. */
#include "check.h"

#include <string.h>

#include "reparto/status_check.h"
#include "reparto/status_print.h"

#define STALE(basis, why, ms)                                                                      \
    "\"staleness\":{\"basis\":\"" basis "\",\"why\":" why ",\"ms\":" ms                            \
    ",\"at_most_ms\":null,\"error_ms\":0}"

#define NODE(name, expected, role, state, extra)                                                   \
    "{\"name\":\"" name "\",\"place\":\"127.0.0.1:5433\",\"expected_role\":\"" expected            \
    "\",\"role\":\"" role "\",\"state\":\"" state                                                  \
    "\",\"silent_ms\":4200,\"error\":null,\"lsn\":\"0/1\",\"timeline\":1,"                         \
    "\"system_identifier\":\"7\",\"bytes_behind\":0," extra "}"

#define DETAILS(extra)                                                                             \
    "\"details\":{\"version\":\"15\",\"connections\":{\"used\":3,\"limit\":100},"                  \
    "\"replication\":[{\"name\":\"r1\",\"state\":\"streaming\",\"sync_state\":\"async\","          \
    "\"write_lag_ms\":null,\"flush_lag_ms\":0.5,\"replay_lag_ms\":null}],"                         \
    "\"long_queries\":[],\"idle_in_transaction\":[],\"slots\":[" extra "]}"

#define SHARD(verdict, primary, nodes)                                                             \
    "{\"watched_s\":75,\"shards\":[{\"name\":\"s0\",\"verdict\":\"" verdict                        \
    "\",\"primary\":" primary ",\"nodes\":[" nodes "]}]}"

#define GOOD_PRIMARY NODE("p", "primary", "primary", "answering", "\"staleness\":null," DETAILS(""))
#define REPLICA(staleness) NODE("r1", "replica", "replica", "answering", staleness)
#define FRESH STALE("measured", "null", "0")

static const struct {
    const char *document;
    const char *problem; /* part of the first; NULL: all is well */
    const char *page;    /* part of the page */
} cases[] = {
    {SHARD("primary found", "\"p\"", GOOD_PRIMARY "," REPLICA(FRESH)), NULL,
     "PASS  1 shard, 2 nodes answer; no replica is stale\n"},
    {SHARD("primary found", "\"p\"", GOOD_PRIMARY "," REPLICA(STALE("measured", "null", "4100"))),
     NULL, " 4.1 s "},
    {SHARD("primary found", "\"p\"", GOOD_PRIMARY "," REPLICA(STALE("measured", "null", "5100"))),
     "r1 is 5.1 s stale, more than 5.0 s", "FAIL  r1 is 5.1 s stale"},
    {SHARD("primary found", "\"p\"",
           GOOD_PRIMARY
           "," REPLICA(STALE("at least", "\"it was behind before the watch began\"", "5100"))),
     "r1 is at least 5.1 s stale", "≥ 5.1 s"},
    {SHARD("primary found", "\"p\"", GOOD_PRIMARY "," REPLICA(STALE("unknown", "null", "null"))),
     NULL, "unknown"},
    {SHARD("primary found", "\"p\"",
           GOOD_PRIMARY
           "," REPLICA(STALE("at least", "\"it does not follow the primary's timeline\"", "1"))),
     "r1 does not follow the primary's timeline", "another history"},
    {SHARD("two primaries: none is trusted", "null", GOOD_PRIMARY),
     "shard s0: two primaries: none is trusted", "two primaries: none is trusted"},
    {SHARD("no primary", "null", NODE("p", "primary", "primary", "down", "\"staleness\":null")),
     "shard s0: no primary", "p (127.0.0.1:5433): down for 4.2 s"},
    {SHARD("no primary", "null",
           NODE("p", "primary", "replica", "answering", FRESH ",\"details\":null")),
     "shard s0: no primary", "is a replica, but was expected to be a primary"},
    {SHARD("primary found", "\"p\"",
           GOOD_PRIMARY "," NODE("old", "former primary", "primary", "down", "\"staleness\":null")),
     "rebuild it: reparto lab start old", "FAIL  old was primary"},
    /* A slot that lost its WAL, and a replica that answers but doesn't stream. */
    {SHARD("primary found", "\"p\"",
           NODE("p", "primary", "primary", "answering",
                "\"staleness\":null," DETAILS(
                    "{\"name\":\"r1\",\"type\":\"physical\",\"active\":false,"
                    "\"wal_status\":\"lost\",\"retained_bytes\":null}")) "," REPLICA(FRESH)),
     "slot r1 on p: its WAL is gone", "keeps – of WAL, lost"},
    {SHARD("primary found", "\"p\"",
           GOOD_PRIMARY
           "," REPLICA(FRESH) "," NODE("r2", "replica", "replica", "answering", FRESH)),
     "p streams to 1 of the 2 replicas that answer", "look at the"},
};

static json_t *load(const char *text)
{
    json_error_t reason;
    json_t *document = json_loads(text, 0, &reason);
    if (document == NULL) {
        fail_msg("%s at %d of %s", reason.text, reason.position, text);
    }
    return document;
}

static void problems_are_found_and_shown(void **)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *document = load(cases[i].document);
        struct text page = {0};
        assert_int_equal(status_check(document, 5000), cases[i].problem == NULL);
        const json_t *problems = json_object_get(document, "problems");
        const char *first = json_string_value(json_array_get(problems, 0));
        if (cases[i].problem == NULL) {
            assert_null(first);
        } else {
            assert_non_null(first);
            assert_non_null(strstr(first, cases[i].problem));
        }
        status_print(&page, document, false);
        if (strstr(text_cstr(&page), cases[i].page) == NULL) {
            fail_msg("case %zu: \"%s\" is not in\n%s", i, cases[i].page, text_cstr(&page));
        }
        text_done(&page);
        json_decref(document);
    }
}

static void no_line_is_wider_than_80_columns(void **)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *document = load(cases[i].document);
        struct text page = {0};
        status_check(document, 5000);
        status_print(&page, document, false);
        assert_null(strchr(text_cstr(&page), '\x1b')); /* no colour unless wanted */
        for (const char *line = text_cstr(&page); *line != '\0';) {
            size_t size = strcspn(line, "\n");
            char copy[400];
            assert_true(size < sizeof copy);
            memcpy(copy, line, size);
            copy[size] = '\0';
            assert_true(text_columns(copy) <= 80);
            line += size + (line[size] == '\n');
        }
        text_done(&page);
        json_decref(document);
    }
}

static void null_lags_are_dashes(void **)
{
    json_t *document = load(cases[0].document);
    struct text page = {0};

    status_check(document, 5000);
    status_print(&page, document, false);
    const char *row = strstr(text_cstr(&page), "streaming   async");
    assert_non_null(row);
    const char *end = strchr(row, '\n');
    assert_non_null(memmem(row, (size_t)(end - row), "–", strlen("–")));
    assert_non_null(memmem(row, (size_t)(end - row), "0.50 ms", 7));
    assert_null(memmem(row, (size_t)(end - row), "0.00 ms", 7));
    text_done(&page);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_are_found_and_shown),
        cmocka_unit_test(no_line_is_wider_than_80_columns),
        cmocka_unit_test(null_lags_are_dashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
