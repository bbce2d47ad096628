/* load_test/catalogue: every text of the report, in English and Spanish.
 *
 * A text has places {1}..{9} for strings, so that each language may order them
 * its own way; numbers are formatted before.  Pure: it knows nothing of what
 * the texts are about.
 */
#pragma once

#include <stddef.h>

#include "base/text.h"
#include "load_test/report.h"

enum catalogue_text {
    /* heading */
    TEXT_TITLE, /* {1} version {2} seed {3} loop {4} warm-up {5} seconds */
    TEXT_OPEN_LOOP,
    TEXT_CLOSED_LOOP,
    TEXT_STARTED,
    TEXT_PRIMARY,
    TEXT_REPLICA,
    TEXT_NO_REPLICA,
    TEXT_ASKED,
    TEXT_ASKED_OPEN,   /* {1} writes/s {2} writers {3} readers {4} their pace */
    TEXT_ASKED_CLOSED, /* {1} writers {2} readers {3} their pace */
    TEXT_UNPACED,
    TEXT_PACED, /* {1} reads/s */
    TEXT_TABLE_KEPT,
    /* verdict */
    TEXT_PASS,
    TEXT_NOTE,
    TEXT_SLOW,
    TEXT_FAIL,
    TEXT_INTERRUPTED,
    TEXT_INTERRUPTED_AFTER, /* {1} seconds */
    TEXT_PASS_CHECKED,
    TEXT_PASS_UNCHECKED,
    TEXT_NOTHING_WRITTEN,
    /* throughput */
    TEXT_THROUGHPUT,
    TEXT_DONE,
    TEXT_PER_SECOND,
    TEXT_FAILED,
    TEXT_UNKNOWN,
    TEXT_UNSENT,
    TEXT_WRITES,
    TEXT_READS,
    TEXT_SHARE_OF_ASKED, /* {1} per cent {2} writes/s */
    TEXT_READS_MOVED,    /* {1} count */
    /* latency */
    TEXT_LATENCY,
    TEXT_MAX,
    TEXT_WRITE_DUE,
    TEXT_WRITE_SENT,
    TEXT_READ_SENT,
    /* replication lag */
    TEXT_LAG,
    TEXT_VISIBLE,
    TEXT_APPLIED,
    TEXT_APPLIED_CLOCK, /* {1} ± ms */
    TEXT_APPLIED_OFF,
    TEXT_APPLIED_NONE,
    TEXT_UNSEEN,     /* {1} writes {2} replica */
    TEXT_STALE,      /* {1} list of replicas with their share */
    TEXT_RESOLUTION, /* {1} p50 ms {2} p90 ms {3} times/s */
    TEXT_LAG_NONE,
    TEXT_FOUND,
    TEXT_FOUND_NONE,
    TEXT_PROBES, /* {1} count */
    /* checks */
    TEXT_CHECKED,
    TEXT_COUNTED,      /* {1} writes {2} nodes {3} lost {4} twice {5} seconds */
    TEXT_COUNTED_NODE, /* {1} node {2} lost {3} twice */
    TEXT_NOT_CHECKED,  /* {1} nodes */
    TEXT_COUNTED_NONE,
    TEXT_UNKNOWN_THERE, /* {1} writes {2} of them there */
    TEXT_UNWRITTEN,     /* {1} writes */
    TEXT_REPLAY_LAG,    /* {1} replica {2} given {3} samples {4} p50 {5} max */
    TEXT_CONNECTIONS,   /* {1} most {2} limit {3} longest query {4} idle in transaction */
    TEXT_TOOL,          /* {1} % of a core {2} % busiest thread {3} verdict */
    TEXT_TOOL_ON_TIME,  /* {1} % of a core {2} % busiest thread {3} % on time {4} verdict */
    TEXT_NOT_THE_LIMIT,
    TEXT_WAS_THE_LIMIT,
    TEXT_CORES_TAKEN,
    /* the rest */
    TEXT_ERRORS,
    TEXT_FIRST_MESSAGE,
    TEXT_SETTINGS,
    TEXT_AND,
    TEXT_NEVER,
    CATALOGUE_COUNT,
};

/* The text with its places unfilled. */
[[nodiscard]] const char *catalogue_text(enum report_language language, enum catalogue_text id);

/* Appends the text, places filled from values[0..count). */
void catalogue_append(struct text *out, enum report_language language, enum catalogue_text id,
                      const char *const *values, size_t count);
