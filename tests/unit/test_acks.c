/* What was written is read back; a file that was cut or altered is refused with its line. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "load_test/acks.h"
#include "load_test/verify.h"

static void fill(struct write_log *log, size_t count)
{
    struct random random;

    random_init(&random, 7, 1);
    for (size_t i = 0; i < count; i++) {
        struct write_record *record = write_log_append(log, SIZE_MAX);
        assert_non_null(record);
        record->writer = (uint16_t)random_below(&random, 65536);
        record->sequence = random_next(&random) >> (1 + random_below(&random, 63));
        record->state = (uint8_t)random_below(&random, 5);
    }
}

/* The file's bytes; the caller frees them. */
static char *written(const struct write_log *log, size_t *size)
{
    char *bytes = NULL;
    FILE *file = open_memstream(&bytes, size);

    assert_non_null(file);
    acks_write(file, "load_test.run_41", log);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

static bool read_back(const char *bytes, size_t size, struct write_log *log, struct error *err)
{
    char table[REPORT_VALUE_SIZE], empty[] = "";
    char *copy = size > 0 ? malloc(size) : empty;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    FILE *file = size > 0 ? fmemopen(copy, size, "r") : fopen("/dev/null", "re");
    assert_non_null(file);
    bool is_read = acks_read(file, table, log, err);
    fclose(file);
    if (size > 0) {
        free(copy);
    }
    assert_true(!is_read || strcmp(table, "load_test.run_41") == 0);
    return is_read;
}

static void what_was_written_is_read_back(void **)
{
    struct write_log log = {0}, back = {0};
    struct error err = {0};
    size_t size, at = 0;

    fill(&log, 1000);
    char *bytes = written(&log, &size);
    assert_true(read_back(bytes, size, &back, &err));
    for (size_t i = 0; i < log.count; i++) {
        uint8_t state = log.records[i].state;
        if (state == WRITE_UNSENT) {
            continue; /* never left: nothing to look for */
        }
        assert_true(at < back.count);
        assert_int_equal(back.records[at].writer, log.records[i].writer);
        assert_true(back.records[at].sequence == log.records[i].sequence);
        assert_int_equal(back.records[at].state, state == WRITE_SENT ? WRITE_UNKNOWN : state);
        at++;
    }
    assert_int_equal(at, back.count);
    free(bytes);
    write_log_done(&log);
    write_log_done(&back);
}

static void every_cut_and_every_altered_byte_is_refused(void **)
{
    struct write_log log = {0};
    size_t size;

    fill(&log, 20);
    char *bytes = written(&log, &size);
    for (size_t cut = 0; cut < size; cut++) {
        struct write_log back = {0};
        struct error err = {0};
        assert_false(read_back(bytes, cut, &back, &err));
        assert_non_null(strstr(err.message, "line "));
        write_log_done(&back);
    }
    for (size_t i = 0; i < size; i++) {
        for (unsigned char flip = 1; flip < 128; flip = (unsigned char)(flip * 2)) {
            struct write_log back = {0};
            struct error err = {0};
            bytes[i] = (char)(bytes[i] ^ flip);
            if (read_back(bytes, size, &back, &err)) {
                fail_msg("byte %zu with %#x altered is accepted", i, flip);
            }
            bytes[i] = (char)(bytes[i] ^ flip);
            write_log_done(&back);
        }
    }
    free(bytes);
    write_log_done(&log);
}

#define HEAD "load_test acknowledgements 1\ntable load_test.run_41\n"

static void bad_files_are_refused_with_the_line(void **)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "line 1: the file ends too early"},
        {"PGDMP\n", "line 1: not a file of acknowledgements"},
        {"load_test acknowledgements 2\n", "line 1: not a file of acknowledgements"},
        {"load_test acknowledgements 1\n", "line 2: the file ends too early"},
        {"load_test acknowledgements 1\ntable \n", "line 2: not \"table NAME\""},
        {HEAD "0 1 acked\n", "line 4: the file ends too early"},
        {HEAD "0 1 acked", "line 3: a line that is too long, or cut"},
        {HEAD "0 1 sent\n", "line 3: the state is none of acked, failed, unknown"},
        {HEAD "0 1 acked\n65536 1 acked\n", "line 4: not \"writer sequence state\""},
        {HEAD "0 9223372036854775808 acked\n", "line 3: not \"writer sequence state\""},
        {HEAD "0 99999999999999999999999 acked\n", "line 3: not \"writer sequence state\""},
        {HEAD "-1 1 acked\n", "line 3: not \"writer sequence state\""},
        {HEAD "00 1 acked\n", "line 3: not \"writer sequence state\""},
        {HEAD " 0 1 acked\n", "line 3: not \"writer sequence state\""},
        {HEAD "0 1  acked\n", "line 3: the state is none of acked, failed, unknown"},
        {HEAD "end 1 0000000000000000\n",
         "line 3: the number of lines or the checksum is not that of the file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct write_log back = {0};
        struct error err = {0};
        assert_false(read_back(cases[i].text, strlen(cases[i].text), &back, &err));
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.sqlstate, "22023");
        write_log_done(&back);
    }
}

static void what_follows_the_end_is_refused(void **)
{
    struct write_log log = {0}, back = {0};
    struct error err = {0};
    size_t size;
    char longer[4096];

    fill(&log, 3);
    char *bytes = written(&log, &size);
    assert_true(size + 1 < sizeof longer);
    memcpy(longer, bytes, size);
    longer[size] = '\n';
    assert_false(read_back(longer, size + 1, &back, &err));
    assert_non_null(strstr(err.message, "something follows the end"));
    free(bytes);
    write_log_done(&log);
    write_log_done(&back);
}

static void a_save_that_fails_leaves_what_was_there(void **)
{
    struct write_log log = {0}, back = {0};
    struct error err = {0};
    char folder[] = "/tmp/reparto-acks-XXXXXX", path[64], partial[80], table[REPORT_VALUE_SIZE];

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/acks", folder);
    snprintf(partial, sizeof partial, "%s.partial", path);
    fill(&log, 100);
    assert_true(verify_save(path, "load_test.run_41", &log, &err));
    assert_int_equal(symlink("/dev/full", partial), 0);
    assert_false(verify_save(path, "load_test.run_42", &log, &err));
    assert_non_null(strstr(err.message, "No space left on device"));
    assert_int_not_equal(access(partial, F_OK), 0);

    err = (struct error){0};
    assert_true(verify_load(path, table, &back, &err));
    assert_string_equal(table, "load_test.run_41");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_false(verify_load(path, table, &back, &err));
    assert_non_null(strstr(err.message, path));
    write_log_done(&log);
    write_log_done(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(every_cut_and_every_altered_byte_is_refused),
        cmocka_unit_test(bad_files_are_refused_with_the_line),
        cmocka_unit_test(what_follows_the_end_is_refused),
        cmocka_unit_test(a_save_that_fails_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
