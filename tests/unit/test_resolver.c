/* Names are looked up beside the loop; what needs no asking is answered at once. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "net/resolver.h"

/* A label has at most 63 bytes, so that nobody is asked for this one. */
#define NO_NAME "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg.test"

struct asked {
    struct loop *loop;
    struct resolver *resolver;
    struct resolver_client *client;
    struct address_list addresses;
    struct error err;
    int answers;
};

static void on_answer(void *self, const struct address_list *addresses, const struct error *err)
{
    struct asked *asked = self;

    asked->answers++;
    if (err != NULL) {
        asked->err = *err;
        return;
    }
    asked->addresses = *addresses;
}

static void begin(struct asked *asked)
{
    struct error err = {0};

    *asked = (struct asked){.loop = loop_create(&err)};
    assert_non_null(asked->loop);
    asked->resolver = resolver_create(&err);
    assert_non_null(asked->resolver);
    asked->client = resolver_join(asked->resolver, asked->loop, &err);
    assert_non_null(asked->client);
}

static void end(struct asked *asked)
{
    resolver_destroy(asked->resolver);
    resolver_leave(asked->client);
    loop_destroy(asked->loop);
}

static enum resolver_result ask(struct asked *asked, const char *host, unsigned port,
                                struct resolver_question **question)
{
    const struct resolver_asker asker = {on_answer, asked};

    asked->err = (struct error){0};
    return resolver_ask(asked->client, host, port, &asker, &asked->addresses, question,
                        &asked->err);
}

static void run_until(const struct asked *asked, int answers)
{
    int64_t deadline = clock_now() + 20 * CLOCK_SECOND;

    while (asked->answers < answers) {
        assert_true(clock_now() < deadline);
        loop_turn(asked->loop, deadline);
    }
}

static void addresses_and_directories_need_no_thread(void **)
{
    struct asked asked;
    struct resolver_question *question;

    begin(&asked);
    assert_int_equal(ask(&asked, "192.0.2.7", 5432, &question), RESOLVER_NOW);
    assert_int_equal(asked.addresses.count, 1);
    const struct sockaddr_in *four = (const void *)&asked.addresses.all[0].bytes;
    assert_int_equal(four->sin_family, AF_INET);
    assert_int_equal(ntohs(four->sin_port), 5432);
    assert_int_equal(ntohl(four->sin_addr.s_addr), 0xc0000207);
    assert_int_equal(ask(&asked, "2001:db8::1", 1, &question), RESOLVER_NOW);
    assert_int_equal(asked.addresses.all[0].bytes.ss_family, AF_INET6);
    assert_int_equal(asked.addresses.all[0].size, sizeof(struct sockaddr_in6));
    assert_int_equal(ask(&asked, "/run/postgresql", 5433, &question), RESOLVER_NOW);
    const struct sockaddr_un *local = (const void *)&asked.addresses.all[0].bytes;
    assert_int_equal(local->sun_family, AF_UNIX);
    assert_string_equal(local->sun_path, "/run/postgresql/.s.PGSQL.5433");
    assert_int_equal(asked.answers, 0);
    end(&asked);
}

static void a_name_is_answered_later(void **)
{
    struct asked asked;
    struct resolver_question *question;

    begin(&asked);
    assert_int_equal(ask(&asked, "localhost", 5432, &question), RESOLVER_LATER);
    assert_int_equal(asked.answers, 0);
    run_until(&asked, 1);
    assert_string_equal(asked.err.message, "");
    assert_true(asked.addresses.count > 0);
    for (size_t i = 0; i < asked.addresses.count; i++) {
        const struct sockaddr_in *address = (const void *)&asked.addresses.all[i].bytes;
        assert_true(address->sin_family == AF_INET || address->sin_family == AF_INET6);
        assert_int_equal(ntohs(address->sin_port), 5432);
    }
    end(&asked);
}

static void a_name_that_is_none_is_told(void **)
{
    struct asked asked;
    struct resolver_question *question;

    begin(&asked);
    assert_int_equal(ask(&asked, NO_NAME, 5432, &question), RESOLVER_LATER);
    run_until(&asked, 1);
    assert_string_equal(asked.err.sqlstate, "08001");
    assert_non_null(strstr(asked.err.message, "could not translate host name \"" NO_NAME "\""));
    end(&asked);
}

static void what_cannot_be_a_host_is_refused(void **)
{
    struct asked asked;
    struct resolver_question *question;
    char name[300], directory[200];

    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    memset(directory, '/', sizeof directory);
    directory[sizeof directory - 1] = '\0';
    const char *const hosts[] = {"", name, directory};
    begin(&asked);
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        assert_int_equal(ask(&asked, hosts[i], 1, &question), RESOLVER_REFUSED);
        assert_string_equal(asked.err.sqlstate, "22023");
    }
    end(&asked);
}

static void a_dropped_question_gets_no_answer(void **)
{
    struct asked asked;
    struct resolver_question *first, *second;

    begin(&asked);
    assert_int_equal(ask(&asked, NO_NAME, 1, &first), RESOLVER_LATER);
    assert_int_equal(ask(&asked, NO_NAME, 2, &second), RESOLVER_LATER);
    resolver_drop(first);
    run_until(&asked, 1); /* answers come in order: the first's has been by then */
    end(&asked);
    assert_int_equal(asked.answers, 1);
}

static void questions_are_bounded_and_all_are_answered_at_the_end(void **)
{
    struct asked asked;
    struct resolver_question *question;

    begin(&asked);
    for (int i = 0; i < RESOLVER_QUESTION_MAX; i++) {
        assert_int_equal(ask(&asked, NO_NAME, 1, &question), RESOLVER_LATER);
    }
    assert_int_equal(ask(&asked, NO_NAME, 1, &question), RESOLVER_REFUSED);
    assert_string_equal(asked.err.sqlstate, "53400");
    assert_int_equal(ask(&asked, "127.0.0.1", 1, &question), RESOLVER_NOW);
    end(&asked);
    assert_int_equal(asked.answers, RESOLVER_QUESTION_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_directories_need_no_thread),
        cmocka_unit_test(a_name_is_answered_later),
        cmocka_unit_test(a_name_that_is_none_is_told),
        cmocka_unit_test(what_cannot_be_a_host_is_refused),
        cmocka_unit_test(a_dropped_question_gets_no_answer),
        cmocka_unit_test(questions_are_bounded_and_all_are_answered_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
