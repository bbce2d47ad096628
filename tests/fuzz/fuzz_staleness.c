/* Any sequence of samples, promotions and questions: the bounded ring never tells less than a list
 * of all samples does, and never more than by the error that it states. */
#include <stdbool.h>
#include <stdlib.h>

#include "cluster/staleness.h"

enum { SAMPLES_MAX = 4096, PATIENCE = 300 };

struct model {
    struct {
        uint64_t lsn;
        int64_t sent, received;
    } samples[SAMPLES_MAX];
    size_t count;
    uint32_t timeline;
    uint64_t lsn;
    int64_t now;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void compare(const struct model *model, const struct staleness_ring *ring, uint64_t replay,
                    uint32_t timeline)
{
    struct staleness_replica replica = {timeline, replay, model->now};
    struct staleness result = staleness_of(ring, &replica, model->now, PATIENCE);
    int64_t gauge = 0, conservative = INT64_MAX;

    if (model->count == 0) {
        expect(result.basis == STALENESS_UNKNOWN);
        return;
    }
    if (timeline != model->timeline) {
        expect(result.why == STALENESS_OTHER_TIMELINE && result.conservative == INT64_MAX);
        return;
    }
    for (size_t i = 0; i < model->count && gauge == 0; i++) {
        if (model->samples[i].lsn > replay) {
            gauge = model->now - model->samples[i].received;
        } else {
            conservative = model->now - model->samples[i].sent;
        }
    }
    expect(result.gauge >= gauge && result.gauge - gauge <= result.error);
    expect(result.conservative >= conservative);
    expect(conservative != INT64_MAX || result.conservative == INT64_MAX);
}

static void take_sample(struct model *model, struct staleness_ring *ring, uint8_t step,
                        uint8_t growth)
{
    int64_t sent = model->now, received = sent + growth % 7;

    model->lsn += growth;
    model->now += step + 8;
    expect(staleness_ring_sample(ring, model->timeline, model->lsn, sent, received));
    if (model->count < SAMPLES_MAX) {
        model->samples[model->count].lsn = model->lsn;
        model->samples[model->count].sent = sent;
        model->samples[model->count++].received = received;
    }
}

static void promote(struct model *model, uint8_t back)
{
    model->timeline++;
    model->lsn -= back;
    model->count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1 || size / 3 >= SAMPLES_MAX) {
        return 0;
    }
    struct staleness_ring *ring = staleness_ring_create(STALENESS_ENTRIES_MIN + bytes[0] % 64);
    struct model *model = calloc(1, sizeof *model);
    expect(ring != NULL && model != NULL);
    model->timeline = 2;
    model->lsn = 1000000;
    for (size_t at = 1; at + 2 < size; at += 3) {
        uint8_t a = bytes[at + 1], b = bytes[at + 2];
        switch (bytes[at] % 16) {
        case 0:
            promote(model, a);
            take_sample(model, ring, a, b); /* the ring learns of it by the next sample */
            break;
        case 1:
            expect(!staleness_ring_sample(ring, 1, model->lsn, model->now, model->now) ||
                   model->count == 0);
            if (model->count == 0) {
                staleness_ring_reset(ring);
            }
            break;
        case 2:
            staleness_ring_reset(ring);
            model->count = 0;
            break;
        case 3:
        case 4:
        case 5: compare(model, ring, model->lsn - (uint64_t)a * b, model->timeline); break;
        case 6: compare(model, ring, model->lsn - a, model->timeline - 1); break;
        default: /* lint: not an enum */ take_sample(model, ring, a, b); break;
        }
    }
    free(model);
    staleness_ring_destroy(ring);
    return 0;
}
