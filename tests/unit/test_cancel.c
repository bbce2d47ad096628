/* A request to cancel against a server of ours: it's over when the server closes, and only then. */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/cancel.h"
#include "base/clock.h"
#include "wire/startup.h"

struct scene {
    struct loop *loop;
    struct cancel *cancel;
    int listener, client; /* the server's */
    struct sockaddr_in address;
    int ends; /* how often the owner was told */
    struct error err;
};

static void on_end(void *owner, const struct error *err)
{
    struct scene *scene = owner;

    scene->ends++;
    scene->err = err != NULL ? *err : (struct error){0};
    cancel_destroy(scene->cancel); /* as an owner may */
    scene->cancel = NULL;
}

static const unsigned char key[] = "a key of 16 byte";

static void scene_begin(struct scene *scene, struct tls_context *tls, int64_t limit)
{
    socklen_t size = sizeof scene->address;
    struct error err = {0};

    *scene = (struct scene){.client = -1};
    scene->loop = loop_create(&err);
    scene->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    scene->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_return_code(bind(scene->listener, (struct sockaddr *)&scene->address, size), errno);
    assert_return_code(listen(scene->listener, 4), errno);
    assert_return_code(getsockname(scene->listener, (struct sockaddr *)&scene->address, &size),
                       errno);
    const struct cancel_plan plan = {.address = (struct sockaddr *)&scene->address,
                                     .address_size = sizeof scene->address,
                                     .host = "n1",
                                     .tls_mode = TLS_REQUIRE,
                                     .tls = tls,
                                     .pid = 77,
                                     .key = key,
                                     .key_size = 16,
                                     .deadline = clock_now() + limit};
    scene->cancel = cancel_start(scene->loop, &plan, on_end, scene, &err);
    assert_string_equal(err.message, "");
    scene->client = accept4(scene->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_return_code(scene->client, errno);
}

/* Until the owner was told, or nothing happens for a while; what is left to do needs no time. */
static void scene_run(struct scene *scene, int64_t limit)
{
    for (int64_t end = clock_now() + limit; scene->ends == 0 && clock_now() < end;) {
        loop_turn(scene->loop, end);
    }
}

static void scene_end(struct scene *scene)
{
    cancel_destroy(scene->cancel);
    close(scene->client);
    close(scene->listener);
    loop_destroy(scene->loop);
}

/* The server reads one packet; runs the client meanwhile. */
static size_t take(struct scene *scene, char *bytes, size_t size)
{
    ssize_t count = -1;

    for (int turn = 0; turn < 1000 && count < 0; turn++) {
        loop_turn(scene->loop, clock_now() + CLOCK_MS);
        count = recv(scene->client, bytes, size, MSG_DONTWAIT);
    }
    assert_true(count > 0);
    return (size_t)count;
}

static void expect_request(const char *bytes, size_t size)
{
    struct startup startup;
    struct error err = {0};
    size_t consumed;

    assert_int_equal(startup_read(bytes, size, &startup, &consumed, &err), STARTUP_OK);
    assert_int_equal(consumed, size);
    assert_int_equal(startup.kind, STARTUP_CANCEL);
    assert_int_equal(startup.cancel_pid, 77);
    assert_int_equal(startup.cancel_key_size, 16);
    assert_memory_equal(startup.cancel_key, key, 16);
}

static void it_is_over_when_the_server_closes_and_not_before(void **)
{
    struct scene scene;
    char bytes[64];

    scene_begin(&scene, NULL, 10 * CLOCK_SECOND);
    expect_request(bytes, take(&scene, bytes, sizeof bytes));
    scene_run(&scene, 20 * CLOCK_MS);
    assert_int_equal(scene.ends, 0);
    shutdown(scene.client, SHUT_WR);
    scene_run(&scene, 10 * CLOCK_SECOND);
    assert_int_equal(scene.ends, 1);
    assert_string_equal(scene.err.message, "");
    scene_end(&scene);
}

/* Where the server hangs up with a reset, or answers, nobody knows. */
static void other_ends_are_failures(void **)
{
    static const struct {
        const char *answer;
        const char *sqlstate;
    } cases[] = {{"", "08006"}, {"E", "08P01"}, {"N", "08P01"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        struct scene scene;
        char bytes[64];

        scene_begin(&scene, NULL, 10 * CLOCK_SECOND);
        expect_request(bytes, take(&scene, bytes, sizeof bytes));
        if (cases[i].answer[0] != '\0') {
            assert_int_equal(send(scene.client, cases[i].answer, 1, 0), 1);
        } else {
            (void)setsockopt(scene.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            close(scene.client);
        }
        scene_run(&scene, 10 * CLOCK_SECOND);
        assert_int_equal(scene.ends, 1);
        assert_string_equal(scene.err.sqlstate, cases[i].sqlstate);
        assert_non_null(strstr(scene.err.message, "cancelling at n1: "));
        if (cases[i].answer[0] == '\0') {
            scene.client = dup(scene.listener); /* for scene_end() */
        }
        scene_end(&scene);
    }
}

static void the_deadline_holds(void **)
{
    struct scene scene;

    scene_begin(&scene, NULL, 20 * CLOCK_MS);
    scene_run(&scene, 10 * CLOCK_SECOND);
    assert_int_equal(scene.ends, 1);
    assert_string_equal(scene.err.sqlstate, "57014");
    scene_end(&scene);
}

static void a_key_of_a_session_with_tls_never_goes_in_clear(void **)
{
    static const struct {
        const char *answer;
        const char *sqlstate;
    } cases[] = {{"N", "08001"}, {"E", "08P01"}, {"x", "08P01"}, {"S\x16", "08P01"}};
    const struct tls_files files = {"", "", "", "", "TLSv1.2", ""};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        struct tls_context *tls = tls_client(&files, TLS_REQUIRE, &err);
        struct scene scene;
        char bytes[64];

        scene_begin(&scene, tls, 10 * CLOCK_SECOND);
        tls_release(tls);
        assert_int_equal(take(&scene, bytes, sizeof bytes), 8);
        assert_memory_equal(bytes, "\0\0\0\x08\x04\xd2\x16\x2f", 8);
        size_t size = strlen(cases[i].answer);
        assert_int_equal(send(scene.client, cases[i].answer, size, 0), size);
        scene_run(&scene, 10 * CLOCK_SECOND);
        assert_int_equal(scene.ends, 1);
        assert_string_equal(scene.err.sqlstate, cases[i].sqlstate);
        assert_true(recv(scene.client, bytes, sizeof bytes, MSG_DONTWAIT) <= 0);
        scene_end(&scene);
    }
}

static void a_server_that_is_not_there_is_a_failure(void **)
{
    struct scene scene;
    struct error err = {0};

    scene_begin(&scene, NULL, 10 * CLOCK_SECOND);
    cancel_destroy(scene.cancel); /* given up under way: no word to the owner */
    close(scene.listener);
    const struct cancel_plan plan = {.address = (struct sockaddr *)&scene.address,
                                     .address_size = sizeof scene.address,
                                     .host = "n1",
                                     .key = key,
                                     .key_size = 4,
                                     .deadline = clock_now() + 10 * CLOCK_SECOND};
    scene.cancel = cancel_start(scene.loop, &plan, on_end, &scene, &err);
    assert_int_equal(scene.ends, 0);
    if (scene.cancel != NULL) {
        scene_run(&scene, 10 * CLOCK_SECOND);
        assert_int_equal(scene.ends, 1);
        err = scene.err;
    }
    assert_string_equal(err.sqlstate, "08001");
    scene.listener = dup(scene.client);
    scene_end(&scene);
}

static void every_state_is_reachable(void **)
{
    uint32_t reached = TO(0);

    for (int pass = 0; pass < cancel_machine.state_count; pass++) {
        for (int i = 0; i < cancel_machine.state_count * cancel_machine.input_count; i++) {
            if (reached & TO(i / cancel_machine.input_count)) {
                reached |= cancel_machine.rules[i].may_lead_to;
            }
        }
    }
    assert_int_equal(reached, TO(cancel_machine.state_count) - 1);
}

int main(int argc, char **)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_over_when_the_server_closes_and_not_before),
        cmocka_unit_test(other_ends_are_failures),
        cmocka_unit_test(the_deadline_holds),
        cmocka_unit_test(a_key_of_a_session_with_tls_never_goes_in_clear),
        cmocka_unit_test(a_server_that_is_not_there_is_a_failure),
        cmocka_unit_test(every_state_is_reachable),
    };
    if (argc > 1) { /* --draw: prints docs/machines/cancel.mmd */
        machine_draw(&cancel_machine, stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
