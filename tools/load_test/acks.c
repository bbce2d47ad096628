#include "load_test/acks.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/hashmap.h"
#include "load_test/plan.h"
#include "load_test/verify.h"

static const char first_line[] = "load_test acknowledgements 1";
static const char *const state_names[] = {[WRITE_SENT] = "unknown",
                                          [WRITE_ACKED] = "acked",
                                          [WRITE_FAILED] = "failed",
                                          [WRITE_UNKNOWN] = "unknown",
                                          [WRITE_UNSENT] = NULL};

enum { LINE_SIZE = REPORT_VALUE_SIZE + 32 };

/* Each line's hash is the next one's key: order counts. */
static uint64_t add_line(uint64_t sum, const char *line)
{
    return hashmap_hash((const uint64_t[2]){sum, 0}, line, strlen(line));
}

void acks_write(FILE *file, const char *table, const struct write_log *writes)
{
    uint64_t sum = add_line(0, table);
    size_t count = 0;

    fprintf(file, "%s\ntable %s\n", first_line, table);
    for (size_t i = 0; i < writes->count; i++) {
        const struct write_record *record = &writes->records[i];
        char line[LINE_SIZE];
        if (state_names[record->state] == NULL) {
            continue;
        }
        snprintf(line, sizeof line, "%u %" PRIu64 " %s", (unsigned)record->writer, record->sequence,
                 state_names[record->state]);
        sum = add_line(sum, line);
        count++;
        fprintf(file, "%s\n", line);
    }
    fprintf(file, "end %zu %016" PRIx64 "\n", count, sum);
}

struct reader {
    FILE *file;
    size_t number; /* of the line read last */
    char line[LINE_SIZE];
};

static bool refuse(const struct reader *reader, const char *what, struct error *err)
{
    error_set(err, "22023", "line %zu: %s", reader->number, what);
    return error_hint(err, "the file is not one that load_test wrote, or was cut or altered since");
}

/* Reads the next line, without its end. */
static bool next_line(struct reader *reader, struct error *err)
{
    reader->number++;
    errno = 0;
    if (fgets(reader->line, sizeof reader->line, reader->file) == NULL) {
        if (ferror(reader->file)) {
            return error_set(err, "58030", "cannot read: %s", strerror(errno));
        }
        return refuse(reader, "the file ends too early", err);
    }
    size_t size = strlen(reader->line);
    if (size == 0 || reader->line[size - 1] != '\n') {
        return refuse(reader, "a line that is too long, or cut", err);
    }
    reader->line[size - 1] = '\0';
    return true;
}

/* Digits as we write them, then `end`; moves *text behind it. */
static bool take_number(char **text, char end, uint64_t max, uint64_t *number)
{
    char *at = *text;

    *number = 0;
    if (*at == '0' && at[1] != end) {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (*number > (max - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    if (at == *text || *at != end) {
        return false;
    }
    *text = end == '\0' ? at : at + 1;
    return true;
}

static bool read_write(const struct reader *reader, struct write_log *writes, struct error *err)
{
    uint64_t writer, sequence;
    char copy[LINE_SIZE];
    char *at = copy;
    uint8_t state = WRITE_ACKED;

    memcpy(copy, reader->line, sizeof copy);
    if (!take_number(&at, ' ', UINT16_MAX, &writer) ||
        !take_number(&at, ' ', INT64_MAX, &sequence)) {
        return refuse(reader, "not \"writer sequence state\"", err);
    }
    while (state <= WRITE_UNKNOWN && strcmp(at, state_names[state]) != 0) {
        state++;
    }
    if (state > WRITE_UNKNOWN) {
        return refuse(reader, "the state is none of acked, failed, unknown", err);
    }
    struct write_record *record = write_log_append(writes, PLAN_WRITE_MAX);
    if (record == NULL) {
        return error_set(err, "53200", "line %zu: more writes than memory holds", reader->number);
    }
    record->writer = (uint16_t)writer;
    record->sequence = sequence;
    record->state = state;
    return true;
}

static bool check_end(struct reader *reader, size_t count, uint64_t sum, struct error *err)
{
    char expected[64];

    snprintf(expected, sizeof expected, "end %zu %016" PRIx64, count, sum);
    if (strcmp(reader->line, expected) != 0) {
        return refuse(reader, "the number of lines or the checksum is not that of the file", err);
    }
    if (fgetc(reader->file) != EOF) {
        reader->number++;
        return refuse(reader, "something follows the end", err);
    }
    return true;
}

bool acks_read(FILE *file, char table[REPORT_VALUE_SIZE], struct write_log *writes,
               struct error *err)
{
    static const char table_word[] = "table ";
    struct reader reader = {.file = file};
    size_t count = 0;

    if (!next_line(&reader, err)) {
        return false;
    }
    if (strcmp(reader.line, first_line) != 0) {
        return refuse(&reader, "not a file of acknowledgements", err);
    }
    if (!next_line(&reader, err)) {
        return false;
    }
    const char *name = reader.line + sizeof table_word - 1;
    if (strncmp(reader.line, table_word, sizeof table_word - 1) != 0 || name[0] == '\0' ||
        strlen(name) >= REPORT_VALUE_SIZE) {
        return refuse(&reader, "not \"table NAME\"", err);
    }
    snprintf(table, REPORT_VALUE_SIZE, "%.*s", REPORT_VALUE_SIZE - 1, name);
    for (uint64_t sum = add_line(0, table);; count++) {
        if (!next_line(&reader, err)) {
            return false;
        }
        if (strncmp(reader.line, "end ", 4) == 0) {
            return check_end(&reader, count, sum, err);
        }
        if (!read_write(&reader, writes, err)) {
            return false;
        }
        sum = add_line(sum, reader.line);
    }
}

/* Beside its place first: a full disk must not cost the file of the same name that is there. */
bool verify_save(const char *path, const char *table, const struct write_log *writes,
                 struct error *err)
{
    char partial[1024];

    if (snprintf(partial, sizeof partial, "%s.partial", path) >= (int)sizeof partial) {
        return error_set(err, "22023", "the path %.60s… is too long", path);
    }
    FILE *file = fopen(partial, "we");
    if (file == NULL) {
        return error_set(err, "58030", "cannot write %s: %s", partial, strerror(errno));
    }
    acks_write(file, table, writes);
    bool has_failed = fflush(file) != 0 || ferror(file);
    int reason = errno;
    if (fclose(file) != 0 || has_failed || rename(partial, path) != 0) {
        error_set(err, "58030", "cannot write %s: %s", path, strerror(has_failed ? reason : errno));
        unlink(partial);
        return false;
    }
    return true;
}

bool verify_load(const char *path, char table[REPORT_VALUE_SIZE], struct write_log *writes,
                 struct error *err)
{
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        error_set(err, "58030", "cannot read %s: %s", path, strerror(errno));
        return error_hint(err, "load_test names it when a node could not be checked");
    }
    bool is_read = acks_read(file, table, writes, err);
    fclose(file);
    return is_read ? true : error_wrap(err, "%s", path);
}
