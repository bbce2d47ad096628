/* What every tool relies on to find the lab: right answers, and refusal of what is no lab. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lab/lab_state.h"

#define NODE(name, role, port)                                                                     \
    "{\"name\":\"" name "\",\"role\":\"" role "\",\"host\":\"127.0.0.1\",\"port\":" port           \
    ",\"data\":\"/d/" name "\",\"log\":\"/l/" name "\"}"
#define HEAD                                                                                       \
    "{\"format\":1,\"directory\":\"/d\",\"supervisor_pid\":7,\"database\":\"shop\",\"user\":"      \
    "\"postgres\",\"password\":\"5ec12e7\",\"bin\":\"/b\",\"shards\":"

static const char good[] =
    HEAD "[{\"name\":\"s0\",\"nodes\":[" NODE("s0p", "former primary", "5433") "," NODE(
        "s0r1", "primary", "5434") "]},{\"name\":\"s1\",\"nodes\":[" NODE("s1p", "replica",
                                                                          "5435") "]}]}";

struct place {
    char directory[64];
    int lock;
};

static void write_file(const char *directory, const char *name, const char *content)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A directory whose lock is held, as by a running lab. */
static struct place make_place(const char *content)
{
    struct place place = {.directory = "/tmp/reparto-unit-XXXXXX"};
    char path[128];

    assert_non_null(mkdtemp(place.directory));
    snprintf(path, sizeof path, "%s/" LAB_LOCK_FILE, place.directory);
    place.lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(place.lock >= 0);
    assert_int_equal(flock(place.lock, LOCK_EX | LOCK_NB), 0);
    if (content != NULL) {
        write_file(place.directory, "lab.json", content);
    }
    return place;
}

static void remove_place(const struct place *place)
{
    char path[128];
    const char *names[] = {"lab.json", LAB_LOCK_FILE};

    close(place->lock);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", place->directory, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(place->directory), 0);
}

static void a_running_lab_is_read(void **)
{
    struct place place = make_place(good);
    struct lab_state state;
    struct error err = {0};
    char dsn[LAB_DSN_SIZE];

    assert_true(lab_state_load(place.directory, &state, &err));
    assert_int_equal(state.shard_count, 2);
    assert_int_equal(state.supervisor_pid, 7);
    assert_int_equal(state.shards[0].nodes[0].role, LAB_FORMER);
    assert_ptr_equal(lab_shard_primary(&state.shards[0]), &state.shards[0].nodes[1]);
    assert_null(lab_shard_primary(&state.shards[1]));
    assert_ptr_equal(lab_state_shard(&state, NULL, &err), &state.shards[0]);
    assert_ptr_equal(lab_state_shard(&state, "s1", &err), &state.shards[1]);
    const struct lab_node *node = lab_state_node(&state, "s1p", &err);
    assert_non_null(node);
    assert_string_equal(node->log, "/l/s1p");
    assert_string_equal(lab_state_dsn(&state, node, dsn),
                        "host=127.0.0.1 hostaddr=127.0.0.1 port=5435 dbname=shop user=postgres "
                        "password=5ec12e7 sslmode=disable");
    lab_state_done(&state);
    remove_place(&place);
}

static void an_unknown_name_gets_a_suggestion(void **)
{
    struct place place = make_place(good);
    struct lab_state state;
    struct error err = {0}, shard_err = {0};

    assert_true(lab_state_load(place.directory, &state, &err));
    assert_null(lab_state_node(&state, "s0r2", &err));
    assert_string_equal(err.hint, "did you mean s0r1? There are: s0p, s0r1, s1p");
    assert_null(lab_state_shard(&state, "nothing like it", &shard_err));
    assert_string_equal(shard_err.hint, "there are: s0, s1");
    lab_state_done(&state);
    remove_place(&place);
}

static void what_is_no_lab_state_is_refused(void **)
{
    static const struct {
        const char *content, *sqlstate;
    } cases[] = {
        {NULL, "57P03"}, /* the lock is held, but nothing was written yet */
        {"", "22023"},
        {"{", "22023"},
        {"[]", "22023"},
        {"{\"format\":2}", "22023"},
        {HEAD "[]}", "22023"},
        {HEAD "{}}", "22023"},
        {HEAD "[{\"name\":\"s0\",\"nodes\":[]}]}", "22023"},
        {HEAD "[{\"name\":\"s0\",\"nodes\":[{}]}]}", "22023"},
        {HEAD "[{\"name\":\"s0\",\"nodes\":[" NODE("p", "primary", "0") "]}]}", "22023"},
        {HEAD "[{\"name\":\"s0\",\"nodes\":[" NODE("p", "primary", "65536") "]}]}", "22023"},
        {HEAD "[{\"name\":\"s0\",\"nodes\":[" NODE("p", "boss", "5433") "]}]}", "22023"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct place place = make_place(cases[i].content);
        struct lab_state state;
        struct error err = {0};
        assert_false(lab_state_load(place.directory, &state, &err));
        assert_string_equal(err.sqlstate, cases[i].sqlstate);
        assert_true(err.hint[0] != '\0');
        lab_state_done(&state);
        remove_place(&place);
    }
}

static void every_cut_off_state_is_refused(void **)
{
    for (size_t size = 0; size < sizeof good - 1; size++) {
        char content[sizeof good];
        struct lab_state state;
        struct error err = {0};
        memcpy(content, good, size);
        content[size] = '\0';
        struct place place = make_place(content);
        assert_false(lab_state_load(place.directory, &state, &err));
        assert_string_equal(err.sqlstate, "22023");
        lab_state_done(&state);
        remove_place(&place);
    }
}

static void a_lab_that_crashed_is_no_lab(void **)
{
    struct place place = make_place(good);
    struct lab_state state;
    struct error err = {0};

    assert_int_equal(flock(place.lock, LOCK_UN), 0);
    assert_false(lab_state_load(place.directory, &state, &err));
    assert_string_equal(err.sqlstate, "58P01");
    assert_string_equal(err.hint, "start one with: reparto lab up");
    lab_state_done(&state);
    remove_place(&place);
}

static void the_directory_is_the_option_else_the_variable_else_temporary(void **)
{
    char path[LAB_PATH_SIZE], expected[64], long_name[2 * LAB_PATH_SIZE];
    struct error err = {0};

    setenv("TMPDIR", "/var/tmp", 1);
    unsetenv("REPARTO_LAB");
    snprintf(expected, sizeof expected, "/var/tmp/reparto-lab-%u", (unsigned)getuid());
    assert_true(lab_directory(NULL, path, &err));
    assert_string_equal(path, expected);
    setenv("REPARTO_LAB", "/x//", 1);
    assert_true(lab_directory(NULL, path, &err));
    assert_string_equal(path, "/x");
    assert_true(lab_directory("/y/z/", path, &err));
    assert_string_equal(path, "/y/z");
    assert_int_equal(chdir("/"), 0);
    assert_true(lab_directory("q", path, &err));
    assert_string_equal(path, "/q");
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    assert_false(lab_directory(long_name, path, &err));
    assert_string_equal(err.sqlstate, "22023");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_lab_is_read),
        cmocka_unit_test(an_unknown_name_gets_a_suggestion),
        cmocka_unit_test(what_is_no_lab_state_is_refused),
        cmocka_unit_test(every_cut_off_state_is_refused),
        cmocka_unit_test(a_lab_that_crashed_is_no_lab),
        cmocka_unit_test(the_directory_is_the_option_else_the_variable_else_temporary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
