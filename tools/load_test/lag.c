#include "load_test/lag.h"

#include <stdlib.h>

struct place {
    uint64_t lsn;
    size_t index; /* of the write */
};

bool lag_is_known(const struct write_record *write)
{
    return write->state == WRITE_ACKED && write->lsn_low != 0 && write->lsn_high != 0;
}

static int compare_places(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    return (a->lsn > b->lsn) - (a->lsn < b->lsn);
}

/* Sorts the known writes by one of their LSNs.  Returns how many there are. */
static size_t sort_writes(const struct write_log *writes, bool by_high, struct place *places)
{
    size_t count = 0;
    for (size_t i = 0; i < writes->count; i++) {
        const struct write_record *write = &writes->records[i];
        if (lag_is_known(write)) {
            places[count++] =
                (struct place){.lsn = by_high ? write->lsn_high : write->lsn_low, .index = i};
        }
    }
    qsort(places, count, sizeof *places, compare_places);
    return count;
}

static void match_seen(const struct write_log *writes, const struct replay_log *samples,
                       const struct place *places, size_t count, struct lag_interval *intervals)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct lag_interval *interval = &intervals[places[i].index];
        while (at < samples->count && samples->samples[at].lsn < places[i].lsn) {
            at++;
        }
        if (at == samples->count) {
            return; /* nor are the writes after this one */
        }
        int64_t acked = writes->records[places[i].index].acked;
        interval->seen = samples->samples[at].answered;
        interval->at_most = interval->seen > acked ? interval->seen - acked : 0;
    }
}

static void match_stale(const struct write_log *writes, const struct replay_log *samples,
                        const struct place *places, size_t count, struct lag_interval *intervals)
{
    size_t at = 0; /* the first sample beyond lsn_low; the one before it is the last proof */
    for (size_t i = 0; i < count; i++) {
        while (at < samples->count && samples->samples[at].lsn <= places[i].lsn) {
            at++;
        }
        int64_t acked = writes->records[places[i].index].acked;
        if (at > 0 && samples->samples[at - 1].asked > acked) {
            intervals[places[i].index].at_least = samples->samples[at - 1].asked - acked;
        }
    }
}

bool lag_match(const struct write_log *writes, const struct replay_log *samples,
               struct lag_interval *intervals)
{
    struct place *places = calloc(writes->count + 1, sizeof *places);
    if (places == NULL) {
        return false;
    }
    for (size_t i = 0; i < writes->count; i++) {
        intervals[i] = (struct lag_interval){.at_most = INT64_MAX};
    }
    size_t count = sort_writes(writes, true, places);
    match_seen(writes, samples, places, count, intervals);
    count = sort_writes(writes, false, places);
    match_stale(writes, samples, places, count, intervals);
    free(places);
    return true;
}
