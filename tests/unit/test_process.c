/* Finding processes by their directory, and those that are ending too. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "lab/process.h"
#include "lab/supervisor_private.h"

/* What a process holds open is released after its directory and before it is a zombie: that
 * much takes a while. */
enum { HELD_BYTES = 256 * 1024 * 1024 };

static pid_t start_in(const char *directory, bool is_heavy)
{
    int ends[2];
    char ready;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int held = is_heavy ? memfd_create("held", 0) : 0;
        if (chdir(directory) != 0 || (is_heavy && fallocate(held, 0, 0, HELD_BYTES) != 0) ||
            write(ends[1], "r", 1) != 1) {
            _exit(1);
        }
        pause();
        _exit(0);
    }
    assert_true(pid > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    return pid;
}

static void an_ending_child_is_seen_until_it_is_a_zombie(void **)
{
    struct process_seen seen[PROCESS_SEEN_MAX];
    char directory[] = "/tmp/reparto-process-XXXXXX";

    assert_non_null(mkdtemp(directory));
    pid_t pid = start_in(directory, true);
    assert_int_equal(process_find(directory, false, seen), 1);
    assert_int_equal(seen[0].pid, pid);
    assert_int_equal(seen[0].parent, getpid());
    kill(pid, SIGKILL);
    while (process_find(directory, false, seen) > 0) {
    }
    assert_int_equal(waitpid(pid, NULL, WNOHANG), pid);
    assert_int_equal(rmdir(directory), 0);
}

static void only_with_below_are_deeper_ones_found(void **)
{
    struct process_seen seen[PROCESS_SEEN_MAX];
    char directory[] = "/tmp/reparto-process-XXXXXX", deeper[64], beside[64];

    assert_non_null(mkdtemp(directory));
    snprintf(deeper, sizeof deeper, "%s/data", directory);
    snprintf(beside, sizeof beside, "%s2", directory); /* begins with its name */
    assert_int_equal(mkdir(deeper, 0700) | mkdir(beside, 0700), 0);
    pid_t pids[] = {start_in(deeper, false), start_in(beside, false)};

    assert_int_equal(process_find(directory, false, seen), 0);
    assert_int_equal(process_find(directory, true, seen), 1);
    assert_int_equal(seen[0].pid, pids[0]);
    for (size_t i = 0; i < 2; i++) {
        kill(pids[i], SIGKILL);
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
    }
    assert_int_equal(rmdir(deeper) | rmdir(beside) | rmdir(directory), 0);
}

int main(int argc, char **)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ending_child_is_seen_until_it_is_a_zombie),
        cmocka_unit_test(only_with_below_are_deeper_ones_found),
    };
    if (argc > 1) { /* --draw: prints docs/machines/lab_node.mmd */
        machine_draw(&node_machine, stdout);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
