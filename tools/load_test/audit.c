#include "load_test/audit.h"

#include <assert.h>
#include <stdlib.h>

enum { SEEN_MANY = 2, WAS_LOST = 1, WAS_TWICE = 2 };

struct entry {
    uint64_t sequence;
    uint32_t record; /* place in the log */
    uint16_t writer;
    uint8_t seen;    /* rows on this node; SEEN_MANY: or more */
    uint8_t history; /* WAS_… on any node */
};

struct audit {
    const struct write_log *writes; /* borrowed */
    struct entry *entries;          /* owned; by writer and sequence */
    size_t count;
    size_t strange;
};

static_assert(sizeof(struct entry) == 16);

static int compare_keys(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    if (left->writer != right->writer) {
        return left->writer < right->writer ? -1 : 1;
    }
    return (left->sequence > right->sequence) - (left->sequence < right->sequence);
}

static bool fill(struct audit *audit, struct error *err)
{
    for (size_t i = 0; i < audit->writes->count; i++) {
        const struct write_record *record = &audit->writes->records[i];
        if (record->state != WRITE_UNSENT) {
            audit->entries[audit->count++] = (struct entry){
                .sequence = record->sequence, .record = (uint32_t)i, .writer = record->writer};
        }
    }
    qsort(audit->entries, audit->count, sizeof *audit->entries, compare_keys);
    for (size_t i = 1; i < audit->count; i++) {
        const struct entry *entry = &audit->entries[i];
        if (compare_keys(entry - 1, entry) == 0) {
            return error_set(err, "22023", "write %llu of writer %u is recorded twice",
                             (unsigned long long)entry->sequence, (unsigned)entry->writer);
        }
    }
    return true;
}

struct audit *audit_create(const struct write_log *writes, struct error *err)
{
    struct audit *audit = calloc(1, sizeof *audit);

    assert(writes->count <= UINT32_MAX);
    if (audit != NULL) {
        audit->writes = writes;
        audit->entries = calloc(writes->count + 1, sizeof *audit->entries);
    }
    if (audit == NULL || audit->entries == NULL) {
        audit_destroy(audit);
        error_set(err, "53200", "out of memory for the check of %zu writes", writes->count);
        return NULL;
    }
    if (!fill(audit, err)) {
        audit_destroy(audit);
        return NULL;
    }
    return audit;
}

void audit_destroy(struct audit *audit)
{
    if (audit == NULL) {
        return;
    }
    free(audit->entries);
    free(audit);
}

void audit_begin(struct audit *audit)
{
    audit->strange = 0;
    for (size_t i = 0; i < audit->count; i++) {
        audit->entries[i].seen = 0;
    }
}

size_t audit_row(struct audit *audit, uint64_t writer, uint64_t sequence)
{
    struct entry key = {.sequence = sequence, .writer = (uint16_t)writer};
    struct entry *entry =
        writer <= UINT16_MAX ? bsearch(&key, audit->entries, audit->count, sizeof key, compare_keys)
                             : NULL;

    if (entry == NULL) {
        audit->strange++;
        return SIZE_MAX;
    }
    if (entry->seen < SEEN_MANY) {
        entry->seen++;
    }
    return entry->record;
}

static bool is_lost(const struct audit *audit, const struct entry *entry)
{
    return entry->seen == 0 && audit->writes->records[entry->record].state == WRITE_ACKED;
}

struct audit_counts audit_end(struct audit *audit)
{
    struct audit_counts counts = {.strange = audit->strange};

    for (size_t i = 0; i < audit->count; i++) {
        struct entry *entry = &audit->entries[i];
        uint8_t state = audit->writes->records[entry->record].state;
        if (is_lost(audit, entry)) {
            counts.lost++;
            entry->history |= WAS_LOST;
        }
        if (entry->seen == SEEN_MANY) {
            counts.twice++;
            entry->history |= WAS_TWICE;
        }
        counts.unwritten += entry->seen > 0 && state == WRITE_FAILED;
        counts.unknown_there += entry->seen > 0 && (state == WRITE_UNKNOWN || state == WRITE_SENT);
    }
    return counts;
}

const struct write_record *audit_next_lost(const struct audit *audit, size_t *at)
{
    while (*at < audit->count) {
        const struct entry *entry = &audit->entries[(*at)++];
        if (is_lost(audit, entry)) {
            return &audit->writes->records[entry->record];
        }
    }
    return NULL;
}

struct audit_totals audit_totals(const struct audit *audit)
{
    struct audit_totals totals = {0};

    for (size_t i = 0; i < audit->count; i++) {
        const struct entry *entry = &audit->entries[i];
        totals.acknowledged += audit->writes->records[entry->record].state == WRITE_ACKED;
        totals.lost += (entry->history & WAS_LOST) != 0;
        totals.twice += (entry->history & WAS_TWICE) != 0;
    }
    return totals;
}
