#include "load_test/run_files.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "load_test/output.h"

typedef void file_body(FILE *out, const struct run_report *report,
                       const struct run_details *details);

/* Opens, fills and closes; a short write shows at the latest when closing. */
static bool write_file(const char *path, file_body *body, const struct run_report *report,
                       const struct run_details *details, struct error *err)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        return output_error(path, errno, err);
    }
    errno = 0;
    body(out, report, details);
    bool has_failed = ferror(out) != 0;
    has_failed = fflush(out) != 0 || has_failed;
    int code = errno; /* the first failure's, as nothing resets it */
    if (fclose(out) != 0) {
        code = has_failed ? code : errno;
        has_failed = true;
    }
    return has_failed ? output_error(path, code != 0 ? code : EIO, err) : true;
}

/* ---- --csv ---- */

static void write_number(FILE *out, double value)
{
    if (isfinite(value)) {
        fprintf(out, ",%.3f", value);
    } else {
        fputs(",", out); /* not measured is empty, never 0 */
    }
}

static void csv_body(FILE *out, const struct run_report *report, const struct run_details *)
{
    fprintf(out, "second,writes,reads,failed,write_max_ms");
    for (size_t i = 0; i < report->replica_count; i++) {
        fprintf(out, ",visible_max_ms_%s", report->replicas[i].name);
    }
    fprintf(out, "\n");
    for (size_t i = 0; i < report->second_count; i++) {
        const struct report_second *second = &report->series[i];
        fprintf(out, "%zu,%.0f,%.0f,%.0f", i, second->writes, second->reads, second->failed);
        write_number(out, second->write_max);
        for (size_t j = 0; j < report->replica_count; j++) {
            write_number(out, second->visible_max[j]);
        }
        fprintf(out, "\n");
    }
}

/* ---- --log ---- */

static const char *state_name(const struct write_record *write)
{
    switch ((enum write_state)write->state) {
    case WRITE_SENT: return "sent";
    case WRITE_ACKED: return "acked";
    case WRITE_FAILED: return "failed";
    case WRITE_UNKNOWN: return "unknown";
    case WRITE_UNSENT: return "unsent";
    }
    return "?";
}

static int64_t since_start(const struct run_details *details, int64_t at)
{
    return (at - details->started) / 1000;
}

static void log_body(FILE *out, const struct run_report *report, const struct run_details *details)
{
    fprintf(out, "writer,sequence,state,measured,due_us,sent_us,ack_us,lsn_low,lsn_high");
    for (size_t i = 0; i < details->replica_count; i++) {
        fprintf(out, ",%s_seen_us", report->replicas[i].name);
    }
    fprintf(out, "\n");
    for (size_t i = 0; i < details->writes->count; i++) {
        const struct write_record *write = &details->writes->records[i];
        fprintf(out, "%u,%" PRIu64 ",%s,%d,%" PRId64 ",%" PRId64 ",%" PRId64, write->writer,
                write->sequence, state_name(write), write->is_measured,
                since_start(details, write->due), since_start(details, write->sent),
                since_start(details, write->acked));
        fprintf(out, ",%X/%X,%X/%X", (unsigned)(write->lsn_low >> 32), (unsigned)write->lsn_low,
                (unsigned)(write->lsn_high >> 32), (unsigned)write->lsn_high);
        for (size_t j = 0; j < details->replica_count; j++) {
            int64_t seen = details->seen[i * details->replica_count + j];
            if (seen != 0) {
                fprintf(out, ",%" PRId64, since_start(details, seen));
            } else {
                fputs(",", out);
            }
        }
        fprintf(out, "\n");
    }
}

/* ---- --hgrm ---- */

static void due_body(FILE *out, const struct run_report *, const struct run_details *details)
{
    bool is_ok = histogram_write_hgrm(details->write_due, 1000, out);
    (void)is_ok; /* write_file() looks at the stream */
}

static void sent_body(FILE *out, const struct run_report *, const struct run_details *details)
{
    bool is_ok = histogram_write_hgrm(details->write_sent, 1000, out);
    (void)is_ok;
}

static void read_body(FILE *out, const struct run_report *, const struct run_details *details)
{
    bool is_ok = histogram_write_hgrm(details->read, 1000, out);
    (void)is_ok;
}

static bool write_histograms(const char *path, const struct run_report *report,
                             const struct run_details *details, struct error *err)
{
    static const struct {
        const char *suffix;
        file_body *body;
    } files[] = {{"", due_body}, {".sent", sent_body}, {".read", read_body}};
    bool is_ok = true;

    for (size_t i = 0; is_ok && i < sizeof files / sizeof files[0]; i++) {
        struct text name = {0};
        text_appendf(&name, "%s%s", path, files[i].suffix);
        is_ok = write_file(text_cstr(&name), files[i].body, report, details, err);
        text_done(&name);
    }
    return is_ok;
}

bool run_files_write(const struct run_files *files, const struct run_report *report,
                     const struct run_details *details, struct error *err)
{
    if (files->csv != NULL && !write_file(files->csv, csv_body, report, details, err)) {
        return false;
    }
    if (files->log != NULL && !write_file(files->log, log_body, report, details, err)) {
        return false;
    }
    return files->hgrm == NULL || write_histograms(files->hgrm, report, details, err);
}
