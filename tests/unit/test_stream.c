/* A stream in clear: every byte once and in order, ends and failures told for what they are. */
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

#include "net_pair.h"

enum { BIG = 2000000 };

static char *random_bytes(size_t size, uint64_t seed)
{
    struct random random;
    char *bytes = malloc(size);

    assert_non_null(bytes);
    random_init(&random, seed, 0);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)random_below(&random, 256);
    }
    return bytes;
}

static bool server_has_all(const struct pair *pair)
{
    return buffer_size(&pair->server.in) == BIG;
}

static bool server_has_ended(const struct pair *pair)
{
    return pair->server.stream.is_at_end || pair->server.stream.state == STREAM_FAILED;
}

static bool client_has_failed(const struct pair *pair)
{
    return pair->client.stream.state == STREAM_FAILED;
}

/* ---- writing ---- */

static void nothing_leaves_before_a_flush(void **)
{
    struct pair pair;
    char bytes[16];

    pair_open(&pair, 0);
    assert_true(stream_write(&pair.client.stream, "one", 3));
    assert_true(buffer_append(stream_out(&pair.client.stream), "two", 3));
    assert_int_equal(stream_pending(&pair.client.stream), 6);
    pair_settle(&pair);
    assert_int_equal(buffer_size(&pair.server.in), 0);
    pair.server.is_lazy = true;
    stream_flush(&pair.client.stream);
    assert_int_equal(stream_pending(&pair.client.stream), 0);
    pair_settle(&pair);
    assert_int_equal(stream_read(&pair.server.stream, bytes, sizeof bytes), 6);
    assert_memory_equal(bytes, "onetwo", 6);
    assert_int_equal(stream_read(&pair.server.stream, bytes, sizeof bytes), 0);
    pair_close(&pair);
}

static void what_the_socket_does_not_take_follows_and_an_event_tells(void **)
{
    struct pair pair;
    char *out = random_bytes(BIG, 1);

    pair_open(&pair, 4096);
    pair.server.is_lazy = true;
    assert_true(stream_write(&pair.client.stream, "", 0));
    for (size_t sent = 0; sent < BIG; sent += 40000) { /* above and below what goes directly */
        assert_true(stream_write(&pair.client.stream, out + sent, 10000));
        assert_true(stream_write(&pair.client.stream, out + sent + 10000, 30000));
    }
    stream_flush(&pair.client.stream);
    pair_settle(&pair);
    assert_true(stream_pending(&pair.client.stream) > BIG / 2);
    assert_false(pair.client.stream.may_write);
    int events = pair.client.events;
    pair.server.is_lazy = false; /* it goes on by itself, without an event for what is there */
    side_read(&pair.server);
    pair_run(&pair, server_has_all);
    assert_memory_equal(buffer_bytes(&pair.server.in), out, BIG);
    assert_int_equal(stream_pending(&pair.client.stream), 0);
    assert_true(pair.client.events > events);
    pair_close(&pair);
    free(out);
}

/* ---- ends ---- */

static void what_came_before_the_end_is_read_first(void **)
{
    static const size_t sizes[] = {
        0, 1, SIDE_READ_SIZE - 1, SIDE_READ_SIZE, SIDE_READ_SIZE + 1, 3UL * SIDE_READ_SIZE};
    char *out = random_bytes(3UL * SIDE_READ_SIZE, 2);

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pair pair;
        pair_open(&pair, 0);
        assert_true(stream_write(&pair.client.stream, out, sizes[i]));
        stream_flush(&pair.client.stream);
        assert_int_equal(stream_pending(&pair.client.stream), 0);
        shutdown(pair.client.stream.source.fd, SHUT_WR);
        pair_run(&pair, server_has_ended);
        assert_int_equal(pair.server.stream.state, STREAM_OPEN);
        assert_int_equal(buffer_size(&pair.server.in), sizes[i]);
        /* The other direction still works. */
        assert_true(stream_write(&pair.server.stream, "bye", 3));
        stream_flush(&pair.server.stream);
        pair_settle(&pair);
        assert_int_equal(buffer_size(&pair.client.in), 3);
        pair_close(&pair);
    }
    free(out);
}

static void a_reset_fails_it_and_later_writes_are_dropped(void **)
{
    const struct linger abort_it = {.l_onoff = 1};
    struct pair pair;
    char byte;

    pair_open(&pair, 0);
    setsockopt(pair.client.stream.source.fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
    assert_true(stream_write(&pair.server.stream, "never sent", 10));
    stream_close(&pair.client.stream);
    pair_run(&pair, server_has_ended);
    assert_int_equal(pair.server.stream.state, STREAM_FAILED);
    assert_int_equal(pair.server.stream.error, ECONNRESET);
    assert_string_equal(stream_error(&pair.server.stream), "Connection reset by peer");
    assert_int_equal(stream_pending(&pair.server.stream), 0);
    assert_true(stream_write(&pair.server.stream, "dropped", 7));
    assert_int_equal(stream_pending(&pair.server.stream), 0);
    assert_int_equal(stream_read(&pair.server.stream, &byte, 1), -1);
    pair_close(&pair); /* the client's for the second time: allowed */
}

static void a_byte_can_be_looked_at(void **)
{
    struct pair pair;
    unsigned char byte = 0;

    pair_open(&pair, 0);
    pair.server.is_lazy = true;
    assert_int_equal(stream_peek(&pair.server.stream, &byte), 0);
    assert_true(stream_write(&pair.client.stream, "\x16", 1));
    stream_flush(&pair.client.stream);
    pair_settle(&pair);
    assert_int_equal(stream_peek(&pair.server.stream, &byte), 1);
    assert_int_equal(byte, 0x16);
    side_read(&pair.server);
    assert_int_equal(buffer_size(&pair.server.in), 1); /* it was still there */
    stream_close(&pair.client.stream);
    pair_settle(&pair);
    assert_int_equal(stream_peek(&pair.server.stream, &byte), -1);
    pair_close(&pair);
}

/* ---- connecting ---- */

/* A listening socket on loopback, or one that was: nobody's port. */
static int make_listener(struct sockaddr_in *address, bool is_closed)
{
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
    if (is_closed) {
        close(fd);
        return -1;
    }
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void begin(struct pair *pair)
{
    struct error err = {0};

    *pair = (struct pair){.loop = loop_create(&err)};
    assert_non_null(pair->loop);
}

static void a_connection_is_open_when_it_stands_and_sends_what_waited(void **)
{
    struct sockaddr_in address;
    struct pair pair;
    struct error err = {0};

    begin(&pair);
    int listener = make_listener(&address, false);
    assert_true(stream_connect(&pair.client.stream, pair.loop, (struct sockaddr *)&address,
                               sizeof address, side_on_event, &pair.client, &err));
    assert_int_equal(pair.client.stream.state, STREAM_CONNECTING);
    assert_true(stream_write(&pair.client.stream, "hello", 5));
    stream_flush(&pair.client.stream);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(stream_open(&pair.server.stream, pair.loop, fd, side_on_event, &pair.server, &err));
    pair_settle(&pair);
    assert_int_equal(pair.client.stream.state, STREAM_OPEN);
    assert_int_equal(buffer_size(&pair.server.in), 5);
    close(listener);
    pair_close(&pair);
}

static void a_refused_connection_says_so(void **)
{
    struct sockaddr_in address;
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
    struct pair pair;
    struct error err = {0};

    begin(&pair);
    (void)make_listener(&address, true);
    assert_true(stream_connect(&pair.client.stream, pair.loop, (struct sockaddr *)&address,
                               sizeof address, side_on_event, &pair.client, &err));
    pair_run(&pair, client_has_failed);
    assert_int_equal(pair.client.stream.error, ECONNREFUSED);
    assert_true(pair.client.events > 0);
    assert_false(stream_connect(&pair.server.stream, pair.loop, (struct sockaddr *)&nowhere,
                                sizeof nowhere, side_on_event, &pair.server, &err));
    assert_string_equal(err.sqlstate, "08001");
    assert_int_equal(pair.server.stream.state, STREAM_CLOSED);
    pair_close(&pair);
}

/* ---- moving ---- */

static void a_stream_goes_to_another_loop_with_all_it_has(void **)
{
    struct pair pair;
    struct error err = {0};
    char *out = random_bytes(BIG, 3);

    pair_open(&pair, 4096);
    pair.client.is_lazy = true;
    assert_true(stream_write(&pair.client.stream, out, BIG));
    stream_flush(&pair.client.stream);
    assert_true(stream_write(&pair.server.stream, "meanwhile", 9));
    stream_flush(&pair.server.stream);
    pair_settle(&pair); /* the client has had the event for these, and did not read */
    stream_leave(&pair.client.stream);
    struct loop *second = loop_create(&err);
    assert_non_null(second);
    struct side moved = {.stream = pair.client.stream};
    moved.stream.owner = &moved;
    pair.client.stream = (struct stream){.state = STREAM_CLOSED};
    assert_true(stream_join(&moved.stream, second, &err));
    int64_t deadline = clock_now() + 10 * CLOCK_SECOND;
    while (buffer_size(&pair.server.in) < BIG || buffer_size(&moved.in) < 9) {
        assert_true(clock_now() < deadline);
        loop_turn(second, clock_now() + CLOCK_MS);
        loop_turn(pair.loop, clock_now() + CLOCK_MS);
    }
    assert_memory_equal(buffer_bytes(&pair.server.in), out, BIG);
    assert_memory_equal(buffer_bytes(&moved.in), "meanwhile", 9);
    stream_leave(&moved.stream);
    stream_close(&moved.stream); /* between two loops, too */
    buffer_done(&moved.in);
    loop_destroy(second);
    pair_close(&pair);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_leaves_before_a_flush),
        cmocka_unit_test(what_the_socket_does_not_take_follows_and_an_event_tells),
        cmocka_unit_test(what_came_before_the_end_is_read_first),
        cmocka_unit_test(a_reset_fails_it_and_later_writes_are_dropped),
        cmocka_unit_test(a_byte_can_be_looked_at),
        cmocka_unit_test(a_connection_is_open_when_it_stands_and_sends_what_waited),
        cmocka_unit_test(a_refused_connection_says_so),
        cmocka_unit_test(a_stream_goes_to_another_loop_with_all_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
