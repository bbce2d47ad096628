/* load_test/report: everything that one run measured.
 *
 * The one data model: the text, the JSON, `--expect` and `compare` all read
 * it, by the names of the metric table (report_metric()).  Every measured
 * figure is a double, and NAN means "not measured": a NULL of the server or a
 * replica without samples never becomes 0.  Times are milliseconds unless the
 * name says seconds.  Plain data apart from the series, which it owns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/text.h"

enum {
    REPORT_REPLICA_MAX = 16,
    REPORT_NAME_SIZE = 64,
    REPORT_VALUE_SIZE = 160,
    REPORT_SETTING_MAX = 40,
    REPORT_DELAY_COUNT = 6, /* columns of "a read sent t after the commit finds it" */
    REPORT_FINDING_MAX = 48,
    REPORT_FINDING_SIZE = 300,
    REPORT_ERROR_MAX = 24,
};

enum report_language { REPORT_ENGLISH, REPORT_SPANISH };

/* t of each column, in ms: 0 (answered by probes), 0.5, 1, 2, 5, 10. */
extern const double report_delays_ms[REPORT_DELAY_COUNT];

struct report_quantiles { /* ms; all NAN while count is 0; INFINITY: beyond the end of the run */
    double count, p50, p90, p99, p999, max;
};

struct report_replica {
    char name[REPORT_NAME_SIZE];
    char place[REPORT_VALUE_SIZE];     /* host:port */
    char sync_state[REPORT_NAME_SIZE]; /* of pg_stat_replication: async, sync, quorum, potential */
    double reads, reads_failed;        /* in the measured time */
    struct report_quantiles visible;   /* acknowledged -> proven visible, at most */
    struct report_quantiles applied;   /* commit timestamp -> seen applied */
    double unseen;                     /* measured writes not proven visible before the end */
    double stale;                      /* share of writes proven not visible after the ack, 0..1 */
    double samples_per_s;              /* replay positions read */
    double width_p50, width_p90;       /* of the proven interval: the resolution */
    double probes;                     /* reads sent at once after an acknowledgement */
    double missed;                     /* share of them that did not find the row, 0..1 */
    double found[REPORT_DELAY_COUNT];  /* share visible t after the ack, 0..1; at least */
    double replay_lag_samples, replay_lag_given; /* of pg_stat_replication; given: not NULL */
    double replay_lag_p50, replay_lag_max;
    double is_checked;  /* 1: its rows were counted after the run; 0: not */
    double lost, twice; /* acknowledged writes missing there, rows there twice */
};

struct report_setting {
    char name[REPORT_NAME_SIZE];   /* "synchronous_commit", "seed", "writers" … */
    char value[REPORT_VALUE_SIZE]; /* without line breaks */
};

struct report_error { /* failures, counted by SQLSTATE */
    char sqlstate[6];
    char message[120]; /* the first one's */
    double writes, reads;
};

struct report_second {
    double writes, reads, failed;           /* acknowledged, answered, failed in that second */
    double write_max;                       /* slowest acknowledgement since due; NAN: none */
    double visible_max[REPORT_REPLICA_MAX]; /* slowest "at most" of writes acked in it; NAN: none */
};

enum report_severity { REPORT_NOTE, REPORT_SLOW, REPORT_FAIL };

/* A sentence of the verdict, in the report's language; failures are printed first.  Without a text
 * it only has an exit code: for what the report says by itself, as that it was interrupted. */
struct report_finding {
    enum report_severity severity;
    int exit_code; /* 0 for notes */
    char text[REPORT_FINDING_SIZE];
};

struct run_report {
    enum report_language language;
    bool is_interrupted;
    bool is_open_loop;
    char version[REPORT_VALUE_SIZE]; /* of load_test: "0.1.0 (abcdef)" */
    char started[REPORT_NAME_SIZE];  /* UTC, ISO */
    char primary_name[REPORT_NAME_SIZE];
    char primary_place[REPORT_VALUE_SIZE];
    char server_version[REPORT_VALUE_SIZE]; /* "15.18" */
    char table[REPORT_VALUE_SIZE];          /* schema.name of the run's table */
    bool is_table_kept;

    double seconds; /* measured time, until the last measured write was settled */
    double warmup_seconds;
    double writes_asked; /* per second; NAN in a closed loop */
    double writes_done, writes_rate, writes_failed, writes_unknown, writes_unsent;
    double reads_done, reads_rate, reads_failed, reads_moved; /* moved: asked another replica */
    double primary_reads;                                     /* reads answered by the primary */
    struct report_quantiles write_due; /* in a closed loop the same as write_sent */
    struct report_quantiles write_sent;
    struct report_quantiles read; /* since sent */

    double writes_late, late_share; /* sent late by this tool with a connection free */
    double cpu;                     /* of a core: the whole tool */
    double cpu_thread;              /* of a core: its busiest thread */
    double clock_error_ms;          /* ± of "commit timestamp -> applied"; NAN: not measured */
    double connections_max, connections_limit, longest_query_s, idle_in_transaction_max;

    double acknowledged;  /* writes, warm-up and calibration included: what was counted */
    double lost, twice;   /* over all nodes; NAN when nothing was checked */
    double unwritten;     /* rows of failed writes that are there all the same */
    double unknown_there; /* writes of unknown outcome whose row is on the primary */
    double primary_checked, primary_lost, primary_twice;
    double verify_seconds;

    size_t replica_count;
    struct report_replica replicas[REPORT_REPLICA_MAX];
    size_t setting_count;
    struct report_setting settings[REPORT_SETTING_MAX];
    size_t error_count;
    struct report_error errors[REPORT_ERROR_MAX];
    size_t finding_count;
    struct report_finding findings[REPORT_FINDING_MAX];
    size_t second_count;
    struct report_second *series; /* owned; NULL when there is none */
};

/* Everything NAN, empty or false; counts 0.  report_done() frees the series. */
void report_init(struct run_report *report);
void report_done(struct run_report *report);

/* Fills the quantiles, in ms, from a histogram with `units_per_ms` of its units in a millisecond.
 * `beyond` more values are INFINITY: not over when the run was; they count in the ranks. */
void report_quantiles_fill(struct report_quantiles *quantiles, const struct histogram *histogram,
                           double units_per_ms, uint64_t beyond);

/* Adds or replaces a setting; too many are an assertion, for their list is ours. */
[[gnu::format(printf, 3, 4)]] void report_set(struct run_report *report, const char *name,
                                              const char *format, ...);
/* Borrowed; NULL when it isn't there. */
[[nodiscard]] const char *report_setting(const struct run_report *report, const char *name);

/* Adds a line to the verdict; more than fit are dropped, but the exit code counts. */
[[gnu::format(printf, 4, 5)]] void report_add_finding(struct run_report *report,
                                                      enum report_severity severity, int exit_code,
                                                      const char *format, ...);

/* 0, or the most serious exit code of the findings: 4 before 1 before 3. */
[[nodiscard]] int report_exit_code(const struct run_report *report);

enum report_tool { REPORT_TOOL_FREE, REPORT_TOOL_BUSY, REPORT_TOOL_LATE };

/* Was this tool the limit?  BUSY: a thread had no time left.  LATE: it had, but sent more than 1 %
 * of the writes late with a connection free: others had the cores.  */
[[nodiscard]] enum report_tool report_tool(const struct run_report *report);

/* The figure of that name: "writes.rate", "write.p99" (since due), "write_sent.p99", "read.p99",
 * "visible.p99" (the worst replica), "visible.r1.p99", "missed.r1", "stale.r2" …  False when no
 * figure has that name; *value is NAN when it was not measured. */
[[nodiscard]] bool report_metric(const struct run_report *report, const char *name, double *value);

/* All names, for "did you mean" and for loops: the `index`th name of this report, or NULL after
 * the last.  Replica metrics carry the replica's name.  Written into `buffer`. */
enum { REPORT_METRIC_SIZE = 2 * REPORT_NAME_SIZE };
[[nodiscard]] const char *report_metric_name(const struct run_report *report, size_t index,
                                             char buffer[REPORT_METRIC_SIZE]);

/* What its number means: "ms", "/s", "share", "count", "s", "cores"; "" for no such metric. */
[[nodiscard]] const char *report_metric_unit(const char *name);

/* report_text.c: what a person reads of a report, in report->language, 80 columns; `use_color`
 * only for a terminal.  Several repetitions are pages, then one DATA block (report_to_saved). */
void report_write_page(const struct run_report *report, bool use_color, struct text *out);

/* report_saved.c: the page, the spread over the repetitions in `all` when there are several
 * (`report` is the last of them), and unless `is_page_only` the DATA block of saved.h after it. */
struct saved;
void report_write_text(const struct run_report *report, const struct saved *all, bool is_page_only,
                       bool use_color, struct text *out);

/* report_json.c: as docs/load_test.schema.json says.  Appends one object and a line break.  `all`
 * as above. */
void report_write_json(const struct run_report *report, const struct saved *all, struct text *out);
