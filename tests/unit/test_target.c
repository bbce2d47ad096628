/* Names of nodes, and what is refused before anything is connected to. */
#include "check.h"

#include <string.h>

#include "load_test/target.h"

enum { DSN_MAX = 3 };

static void nodes_are_named_by_application_name_or_order(void **)
{
    static const char *const replicas[] = {"host=127.0.0.1 port=2",
                                           "host=127.0.0.1 port=3 application_name=madrid",
                                           "postgresql://u:secret@127.0.0.1:4/shop",
                                           "host=127.0.0.1 port=5 application_name='my app'"};
    static const char *const names[] = {"r1", "madrid", "r3", "r4"};
    struct target target;
    struct error err = {0};

    assert_true(target_resolve(&target, "host=127.0.0.1 port=1", replicas, 4, NULL, NULL, &err));
    assert_string_equal(target.primary.name, "p");
    assert_string_equal(target.primary.place, "127.0.0.1:1");
    assert_int_equal(target.replica_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(target.replicas[i].name, names[i]);
        assert_string_equal(target.replicas[i].dsn, replicas[i]);
    }
    assert_string_equal(target.replicas[2].place, "127.0.0.1:4");
    target_done(&target);
}

static void what_cannot_be_a_target_is_refused(void **)
{
    static const struct {
        const char *primary, *replicas[DSN_MAX], *lab, *shard, *message;
    } cases[] = {
        {NULL, {"port=2"}, NULL, NULL, "--replica without --primary"},
        {"port=1", {0}, NULL, "s0", "--primary and --shard exclude each other"},
        {"port=1", {0}, "/tmp/lab", NULL, "--primary and --lab exclude each other"},
        {"host=127.0.0.1 port=1",
         {"port=1 host=127.0.0.1"},
         NULL,
         NULL,
         "p and r1 are the same server, 127.0.0.1:1"},
        {"port=1", {"port=2", "port=2"}, NULL, NULL, "r1 and r2 are the same server, localhost:2"},
        {"port=1",
         {"port=2 application_name=r2", "port=3"},
         NULL,
         NULL,
         "two servers are called r2: localhost:2 and localhost:3"},
        {"port=1 application_name=a",
         {"port=2 application_name=a"},
         NULL,
         NULL,
         "two servers are called a: localhost:1 and localhost:2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct target target;
        struct error err = {0};
        size_t count = 0;
        while (count < DSN_MAX && cases[i].replicas[count] != NULL) {
            count++;
        }
        assert_false(target_resolve(&target, cases[i].primary, cases[i].replicas, count,
                                    cases[i].lab, cases[i].shard, &err));
        assert_string_equal(err.message, cases[i].message);
        target_done(&target);
    }
}

static void a_malformed_dsn_is_refused_without_telling_its_password(void **)
{
    static const char *const replicas[] = {"host=a password=tell_nobody port"};
    struct target target;
    struct error err = {0};

    assert_false(target_resolve(&target, "port=1", replicas, 1, NULL, NULL, &err));
    assert_non_null(strstr(err.message, "r1: malformed DSN"));
    assert_null(strstr(err.message, "tell_nobody"));
    target_done(&target);
}

static void too_many_replicas_are_refused(void **)
{
    const char *replicas[REPORT_REPLICA_MAX + 1];
    struct target target;
    struct error err = {0};

    for (size_t i = 0; i <= REPORT_REPLICA_MAX; i++) {
        replicas[i] = "port=2";
    }
    assert_false(
        target_resolve(&target, "port=1", replicas, REPORT_REPLICA_MAX + 1, NULL, NULL, &err));
    assert_string_equal(err.message, "17 replicas are more than 16");
    target_done(&target);
}

static void without_a_lab_the_hint_says_how_to_go_on(void **)
{
    struct target target;
    struct error err = {0};

    assert_false(target_resolve(&target, NULL, NULL, 0, "/nonexistent/lab", NULL, &err));
    assert_true(error_is_set(&err));
    assert_non_null(strstr(err.hint, "lab up"));
    target_done(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_named_by_application_name_or_order),
        cmocka_unit_test(what_cannot_be_a_target_is_refused),
        cmocka_unit_test(a_malformed_dsn_is_refused_without_telling_its_password),
        cmocka_unit_test(too_many_replicas_are_refused),
        cmocka_unit_test(without_a_lab_the_hint_says_how_to_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
