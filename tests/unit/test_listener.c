/* Clients get in by every address that was asked for, and by no other; nothing is stolen or left.
 */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/listener.h"

enum { CLIENT_MAX = 200, PATH_SIZE = 108 };

struct door {
    struct loop *loop;
    struct listener *listener;
    char directory[32];
    unsigned port; /* a free one, for plans */
    int accepted[CLIENT_MAX];
    sa_family_t families[CLIENT_MAX];
    int count, rests, rest_error;
};

static void on_accept(void *self, int fd, const struct sockaddr *address, socklen_t size)
{
    struct door *door = self;

    assert_true(door->count < CLIENT_MAX);
    assert_true(size >= sizeof address->sa_family);
    door->families[door->count] = address->sa_family;
    door->accepted[door->count++] = fd;
}

static void on_rest(void *self, int error)
{
    struct door *door = self;

    door->rests++;
    door->rest_error = error;
}

/* A port that nobody has; some time ago at least. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int set_up(void **state)
{
    struct error err = {0};
    struct door *door = calloc(1, sizeof *door);

    assert_non_null(door);
    memcpy(door->directory, "/tmp/reparto_door_XXXXXX", sizeof "/tmp/reparto_door_XXXXXX");
    assert_non_null(mkdtemp(door->directory));
    door->loop = loop_create(&err);
    assert_non_null(door->loop);
    door->port = free_port();
    *state = door;
    return 0;
}

static void drop_accepted(struct door *door)
{
    while (door->count > 0) {
        close(door->accepted[--door->count]);
    }
}

/* Nothing may be left in the directory. */
static int tear_down(void **state)
{
    struct door *door = *state;

    drop_accepted(door);
    listener_close(door->listener);
    loop_destroy(door->loop);
    assert_int_equal(rmdir(door->directory), 0);
    free(door);
    return 0;
}

static struct listener_plan plan_of(const struct door *door, bool has_tcp, bool has_unix)
{
    return (struct listener_plan){.addresses = has_tcp ? "127.0.0.1" : "",
                                  .port = door->port,
                                  .backlog = CLIENT_MAX,
                                  .directory = has_unix ? door->directory : "",
                                  .mode = 0700};
}

static struct listener *listener_of(struct door *door, const struct listener_plan *plan,
                                    struct error *err)
{
    const struct listener_owner owner = {on_accept, on_rest, door};

    return listener_open(plan, door->loop, &owner, err);
}

static void open_door(struct door *door, const struct listener_plan *plan)
{
    struct error err = {0};

    door->listener = listener_of(door, plan, &err);
    assert_string_equal(err.message, "");
    assert_non_null(door->listener);
}

static const char *door_path(const struct door *door, const char *suffix, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "%s/.s.PGSQL.%u%s", door->directory, door->port, suffix);
    return path;
}

static int connect_to(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (connect(fd, address, size) == 0) {
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int connect_tcp(unsigned port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect_to((const struct sockaddr *)&address, sizeof address);
}

static int connect_tcp6(unsigned port)
{
    const struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                         .sin6_port = htons((uint16_t)port),
                                         .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    return connect_to((const struct sockaddr *)&address, sizeof address);
}

static int connect_unix(const struct door *door)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)door_path(door, "", address.sun_path);
    return connect_to((const struct sockaddr *)&address, sizeof address);
}

static void run_until(struct door *door, int count)
{
    int64_t deadline = clock_now() + 10 * CLOCK_SECOND;

    while (door->count < count) {
        assert_true(clock_now() < deadline);
        loop_turn(door->loop, deadline);
    }
}

static void run_for(struct door *door, int64_t time)
{
    int64_t deadline = clock_now() + time;

    while (clock_now() < deadline) {
        loop_turn(door->loop, deadline);
    }
}

/* ---- coming in ---- */

static void clients_come_in_by_each_address(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, true, true);
    int value = 0;
    socklen_t size = sizeof value;

    open_door(door, &plan);
    assert_int_equal(listener_port(door->listener), door->port);
    int tcp = connect_tcp(door->port), local = connect_unix(door);
    assert_true(tcp >= 0 && local >= 0);
    run_until(door, 2);
    assert_int_equal(door->families[0] + door->families[1], AF_INET + AF_UNIX);
    for (int i = 0; i < 2; i++) {
        assert_true((fcntl(door->accepted[i], F_GETFL) & O_NONBLOCK) != 0);
        assert_true((fcntl(door->accepted[i], F_GETFD) & FD_CLOEXEC) != 0);
    }
    int accepted = door->accepted[door->families[0] == AF_INET ? 0 : 1];
    assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    assert_int_not_equal(value, 0);
    assert_int_equal(getsockopt(accepted, SOL_SOCKET, SO_KEEPALIVE, &value, &size), 0);
    assert_int_not_equal(value, 0);
    close(tcp);
    close(local);
}

static void a_star_is_every_address_and_a_repeated_one_is_one(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, true, false);
    int sockets[LISTENER_SOCKET_MAX];

    plan.addresses = "*, 127.0.0.1 ,*";
    /* 127.0.0.1 is in use by 0.0.0.0, but is another address: that must be told. */
    struct error err = {0};
    assert_null(listener_of(door, &plan, &err));
    assert_string_equal(err.sqlstate, "55006");
    plan.addresses = "*,*";
    open_door(door, &plan);
    int fd = connect_tcp(door->port);
    assert_true(fd >= 0);
    int fd6 = connect_tcp6(door->port);
    bool has_ipv6 = fd6 >= 0;
    assert_int_equal(listener_sockets(door->listener, sockets), has_ipv6 ? 2 : 1);
    run_until(door, has_ipv6 ? 2 : 1);
    close(fd);
    if (has_ipv6) {
        close(fd6);
    }
}

static void keepalive_is_handed_to_clients_and_taken_back(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, true, false);
    const struct keepalive none = {0};
    int value = 0, fds[2];
    socklen_t size = sizeof value;

    plan.keepalive = (struct keepalive){77, 7, 3, 5000};
    open_door(door, &plan);
    fds[0] = connect_tcp(door->port);
    run_until(door, 1);
    assert_int_equal(getsockopt(door->accepted[0], IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
    assert_int_equal(value, 77);
    assert_int_equal(getsockopt(door->accepted[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size),
                     0);
    assert_int_equal(value, 5000);
    listener_keep_alive(door->listener, &none);
    fds[1] = connect_tcp(door->port);
    run_until(door, 2);
    assert_int_equal(getsockopt(door->accepted[1], IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
    assert_int_not_equal(value, 77);
    assert_int_equal(getsockopt(door->accepted[1], IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size),
                     0);
    assert_int_equal(value, 0);
    close(fds[0]);
    close(fds[1]);
}

static void a_crowd_comes_in_over_several_turns(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, true, false);
    int clients[CLIENT_MAX];

    open_door(door, &plan);
    for (int i = 0; i < CLIENT_MAX; i++) {
        clients[i] = connect_tcp(door->port);
        assert_true(clients[i] >= 0);
    }
    loop_turn(door->loop, clock_now() + CLOCK_SECOND);
    assert_in_range(door->count, 1,
                    CLIENT_MAX / 2); /* bounded, the rest comes without a new edge */
    run_until(door, CLIENT_MAX);
    for (int i = 0; i < CLIENT_MAX; i++) {
        close(clients[i]);
    }
}

static void while_paused_clients_wait(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, true, true);

    open_door(door, &plan);
    listener_pause(door->listener);
    int tcp = connect_tcp(door->port), local = connect_unix(door);
    run_for(door, 30 * CLOCK_MS);
    assert_int_equal(door->count, 0);
    listener_resume(door->listener);
    run_until(door, 2);
    close(tcp);
    close(local);
}

static void without_descriptors_it_rests_and_then_goes_on(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, true, false);
    struct rlimit before, few;
    int turns = 0;

    open_door(door, &plan);
    int client = connect_tcp(door->port);
    int next = dup(client); /* the lowest free descriptor */
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int64_t end = clock_now() + 350 * CLOCK_MS;
    while (clock_now() < end) {
        loop_turn(door->loop, end);
        turns++;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(door->count, 0);
    assert_int_equal(door->rest_error, EMFILE);
    assert_in_range(door->rests, 2, 5);
    assert_in_range(turns, 2, 20); /* it does not spin */
    run_until(door, 1);
    close(client);
}

/* ---- refusals ---- */

static void an_address_that_cannot_be_is_refused_with_its_reason(void **state)
{
    struct door *door = *state;
    struct listener_plan busy = plan_of(door, true, false);
    char too_long[200];

    open_door(door, &busy);
    memset(too_long, 'x', sizeof too_long);
    too_long[sizeof too_long - 1] = '\0';
    const struct {
        const char *addresses, *directory, *sqlstate;
        unsigned port;
    } cases[] = {
        {"127.0.0.1", "", "55006", door->port},
        {"", "", "22023", door->port},
        {" , ,", "", "22023", door->port},
        {"127.0.0.256", "", "22023", door->port},
        {"192.0.2.1", "", "58030", door->port}, /* for documentation: no address of ours */
        {"", "/nowhere/at/all", "58030", door->port},
        {"", too_long, "22023", door->port},
        {"", door->directory, "22023", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        const struct listener_plan plan = {.addresses = cases[i].addresses,
                                           .port = cases[i].port,
                                           .backlog = 1,
                                           .directory = cases[i].directory,
                                           .mode = 0700};
        assert_null(listener_of(door, &plan, &err));
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
    }
}

/* ---- the Unix socket's file ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static long locked_by(const struct door *door)
{
    char path[PATH_SIZE], text[32] = "";
    FILE *file = fopen(door_path(door, ".lock", path), "r");

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    assert_int_equal(fclose(file), 0);
    return strtol(text, NULL, 10);
}

static void the_file_has_its_mode_a_lock_and_goes_at_the_end(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, false, true);
    char path[PATH_SIZE];
    struct stat status;

    plan.mode = 0720;
    open_door(door, &plan);
    assert_int_equal(stat(door_path(door, "", path), &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0720);
    assert_int_equal(locked_by(door), getpid());
    assert_int_equal(listener_port(door->listener), 0);
} /* tear_down finds the directory empty */

/* A process that lives until it's told; for its pid. */
static pid_t start_other(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    return pid;
}

static void end_other(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_name_that_lives_is_refused_and_a_dead_one_taken(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, false, true);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATH_SIZE], text[32];
    struct error err = {0};
    pid_t other = start_other();

    (void)door_path(door, ".lock", path);
    (void)door_path(door, "", address.sun_path);
    (void)snprintf(text, sizeof text, "%ld\n", (long)other);
    write_file(path, text);
    assert_null(listener_of(door, &plan, &err));
    assert_string_equal(err.sqlstate, "F0001");
    assert_int_equal(locked_by(door), other); /* untouched */
    end_other(other);
    /* What it left: a lock, and a socket that nobody answers at. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    open_door(door, &plan);
    assert_int_equal(locked_by(door), getpid());
    int client = connect_unix(door);
    assert_true(client >= 0);
    run_until(door, 1);
    close(client);
}

static void what_is_in_the_way_is_not_removed(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, false, true);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char lock[PATH_SIZE];
    struct stat status;
    struct error err = {0};

    (void)door_path(door, "", address.sun_path);
    (void)door_path(door, ".lock", lock);
    /* Somebody who listens without a lock, as PgBouncer does. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 0), 0);
    int fill[2] = {connect_unix(door), -1}; /* its backlog is full, too */
    assert_null(listener_of(door, &plan, &err));
    assert_string_equal(err.sqlstate, "F0001");
    assert_int_equal(stat(address.sun_path, &status), 0);
    assert_int_equal(stat(lock, &status), -1);
    close(fill[0]);
    close(fd);
    assert_int_equal(unlink(address.sun_path), 0);
    /* A file that is no socket. */
    write_file(address.sun_path, "precious");
    err = (struct error){0};
    assert_null(listener_of(door, &plan, &err));
    assert_string_equal(err.sqlstate, "58030");
    assert_int_equal(unlink(address.sun_path), 0);
    /* A lock without a pid: not ours to judge. */
    write_file(lock, "");
    err = (struct error){0};
    assert_null(listener_of(door, &plan, &err));
    assert_string_equal(err.sqlstate, "F0001");
    assert_int_equal(unlink(lock), 0);
}

/* ---- handing over ---- */

/* Copies of the door's sockets, as another process would get them. */
static size_t copy_sockets(const struct door *door, int copies[LISTENER_SOCKET_MAX])
{
    size_t count = listener_sockets(door->listener, copies);

    for (size_t i = 0; i < count; i++) {
        copies[i] = fcntl(copies[i], F_DUPFD_CLOEXEC, 0);
        assert_true(copies[i] >= 0);
    }
    return count;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void a_new_owner_serves_whoever_waited(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, true, true);
    int copies[LISTENER_SOCKET_MAX];

    open_door(door, &plan);
    listener_pause(door->listener);
    int tcp = connect_tcp(door->port), local = connect_unix(door);
    assert_true(tcp >= 0 && local >= 0);
    plan.inherited_count = copy_sockets(door, copies);
    plan.inherited = copies;
    listener_hand_over(door->listener, true);
    listener_close(door->listener);
    open_door(door, &plan);
    run_until(door, 2);
    assert_int_equal(locked_by(door), getpid());
    close(tcp);
    close(local);
}

static void a_changed_plan_binds_what_is_missing_and_closes_what_is_over(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, true, false);
    int copies[LISTENER_SOCKET_MAX];

    open_door(door, &plan);
    plan.inherited_count = copy_sockets(door, copies);
    plan.inherited = copies;
    listener_close(door->listener);
    door->listener = NULL;
    plan.addresses = "";
    plan.directory = "/nowhere/at/all";
    struct error err = {0};
    assert_null(listener_of(door, &plan, &err)); /* fails: they stay the caller's */
    assert_true(is_open(copies[0]));
    plan.directory = door->directory;
    open_door(door, &plan);
    assert_false(is_open(copies[0]));
    int local = connect_unix(door);
    run_until(door, 1);
    assert_int_equal(connect_tcp(door->port), -1);
    close(local);
}

static void activated_sockets_are_all_there_is(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, true, true);
    struct listener_plan other = {.addresses = "127.0.0.1", .port = 1, .is_activated = true};
    int copies[LISTENER_SOCKET_MAX], pipes[2];
    char path[PATH_SIZE];
    struct stat status;

    open_door(door, &plan);
    other.inherited_count = copy_sockets(door, copies);
    other.inherited = copies;
    listener_hand_over(door->listener, true);
    listener_close(door->listener);
    open_door(door, &other);
    int local = connect_unix(door), tcp = connect_tcp(door->port);
    run_until(door, 2);
    listener_close(door->listener);
    door->listener = NULL;
    assert_int_equal(stat(door_path(door, "", path), &status), 0); /* systemd's, not ours */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(door_path(door, ".lock", path)), 0);
    close(local);
    close(tcp);
    struct error err = {0};
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    other.inherited = pipes;
    other.inherited_count = 2;
    assert_null(listener_of(door, &other, &err));
    assert_string_equal(err.sqlstate, "22023");
    close(pipes[0]);
    close(pipes[1]);
}

static void a_hand_over_that_failed_is_taken_back(void **state)
{
    struct door *door = *state;
    struct listener_plan plan = plan_of(door, false, true);
    char path[PATH_SIZE];

    open_door(door, &plan);
    listener_hand_over(door->listener, true);
    write_file(door_path(door, ".lock", path), "1\n"); /* the other has taken it over, and died */
    listener_hand_over(door->listener, false);
    assert_int_equal(locked_by(door), getpid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(clients_come_in_by_each_address),
        CASE(a_star_is_every_address_and_a_repeated_one_is_one),
        CASE(keepalive_is_handed_to_clients_and_taken_back),
        CASE(a_crowd_comes_in_over_several_turns),
        CASE(while_paused_clients_wait),
        CASE(without_descriptors_it_rests_and_then_goes_on),
        CASE(an_address_that_cannot_be_is_refused_with_its_reason),
        CASE(the_file_has_its_mode_a_lock_and_goes_at_the_end),
        CASE(a_name_that_lives_is_refused_and_a_dead_one_taken),
        CASE(what_is_in_the_way_is_not_removed),
        CASE(a_new_owner_serves_whoever_waited),
        CASE(a_changed_plan_binds_what_is_missing_and_closes_what_is_over),
        CASE(activated_sockets_are_all_there_is),
        CASE(a_hand_over_that_failed_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
