#include "load_test/record.h"

#include <stdlib.h>

/* Room for one more of `size` bytes; NULL when out of memory. */
static void *grow(void *array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    size_t more = *capacity == 0 ? 1024 : *capacity * 2;
    void *grown = reallocarray(array, more, size);
    if (grown != NULL) {
        *capacity = more;
    }
    return grown;
}

struct write_record *write_log_append(struct write_log *log, size_t limit)
{
    if (log->count >= limit) {
        return NULL;
    }
    struct write_record *records =
        grow(log->records, &log->capacity, log->count, sizeof *log->records);
    if (records == NULL) {
        return NULL;
    }
    log->records = records;
    records[log->count] = (struct write_record){0};
    return &records[log->count++];
}

void write_log_done(struct write_log *log)
{
    free(log->records);
    *log = (struct write_log){0};
}

bool replay_log_append(struct replay_log *log, struct replay_sample sample)
{
    struct replay_sample *samples =
        grow(log->samples, &log->capacity, log->count, sizeof *log->samples);
    if (samples == NULL) {
        return false;
    }
    log->samples = samples;
    samples[log->count++] = sample;
    return true;
}

void replay_log_done(struct replay_log *log)
{
    free(log->samples);
    *log = (struct replay_log){0};
}
