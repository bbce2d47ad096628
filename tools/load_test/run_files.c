#include "load_test/run_files.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "load_test/output.h"

struct file_context { /* borrowed */
    const struct run_report *report;
    const struct run_details *details;
};

/* ---- --csv ---- */

static void write_number(FILE *out, double value)
{
    if (isfinite(value)) {
        fprintf(out, ",%.3f", value);
    } else {
        fputs(",", out); /* not measured is empty, never 0 */
    }
}

static void csv_body(FILE *out, const void *context)
{
    const struct run_report *report = ((const struct file_context *)context)->report;

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

static void log_body(FILE *out, const void *context)
{
    const struct run_report *report = ((const struct file_context *)context)->report;
    const struct run_details *details = ((const struct file_context *)context)->details;

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

static void histogram_body(FILE *out, const void *context)
{
    bool is_ok = histogram_write_hgrm(context, 1000, out);
    (void)is_ok; /* output_stream() looks at the stream */
}

static bool write_histograms(const char *path, const struct run_details *details, struct error *err)
{
    const struct {
        const char *suffix;
        const struct histogram *histogram;
    } files[] = {
        {"", details->write_due}, {".sent", details->write_sent}, {".read", details->read}};
    bool is_ok = true;

    for (size_t i = 0; is_ok && i < sizeof files / sizeof files[0]; i++) {
        struct text name = {0};
        text_appendf(&name, "%s%s", path, files[i].suffix);
        is_ok = output_stream(text_cstr(&name), histogram_body, files[i].histogram, err);
        text_done(&name);
    }
    return is_ok;
}

bool run_files_write(const struct run_files *files, const struct run_report *report,
                     const struct run_details *details, struct error *err)
{
    const struct file_context context = {report, details};

    return (files->csv == NULL || output_stream(files->csv, csv_body, &context, err)) &&
           (files->log == NULL || output_stream(files->log, log_body, &context, err)) &&
           (files->hgrm == NULL || write_histograms(files->hgrm, details, err));
}
