#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/supervisor_private.h"

enum { OUTPUT_MAX = 64 * 1024, DISK_FREE_MIN = 1024 * 1024 };

static void tick(void *context)
{
    jobs_advance(context);
}

struct job *job_create(struct supervisor *supervisor, struct shard *shard, const char *name,
                       struct node *node, struct error *err)
{
    if (shard->job != NULL) {
        error_set(err, "55006", "%s is busy: %s %s is under way", shard->name, shard->job->name,
                  shard->job->node != NULL ? shard->job->node->name : shard->name);
        error_hint(err, "wait until it has ended and repeat");
        return NULL;
    }
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        error_set(err, "53200", "out of memory");
        return NULL;
    }
    *job = (struct job){
        .supervisor = supervisor, .shard = shard, .name = name, .node = node, .pipe = -1};
    return job;
}

void job_add(struct job *job, step_run *run, struct node *node, const char *what, int timeout_s)
{
    assert(job->count < STEPS_MAX); /* far more than the limits of shards and replicas need */
    job->steps[job->count++] = (struct step){run, node, what, timeout_s};
}

void job_begin(struct job *job, job_finish *finish, void *context)
{
    struct supervisor *supervisor = job->supervisor;

    job->finish = finish;
    job->context = context;
    job->shard->job = job;
    list_push_last(&supervisor->jobs, &job->link);
    if (supervisor->job_timer < 0) {
        supervisor->job_timer = lab_loop_every(supervisor->loop, 10 * CLOCK_MS, tick, supervisor);
        assert(supervisor->job_timer >= 0);
    }
}

void job_tell(struct job *job, const char *format, ...)
{
    char line[400];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_appendf(&job->told, "%s\n", line);
}

static void drop_child(struct job *job)
{
    if (job->child > 0 && !job->is_child_done) {
        kill(-job->child, SIGKILL); /* its group: pg_basebackup has a child of its own */
    }
    if (job->pipe >= 0) {
        lab_loop_forget(job->supervisor->loop, job->pipe);
        close(job->pipe);
        job->pipe = -1;
    }
    job->child = 0;
    job->is_child_done = false;
    text_done(&job->output);
}

static void end_job(struct job *job, const struct error *err)
{
    struct supervisor *supervisor = job->supervisor;

    drop_child(job);
    list_remove(&supervisor->jobs, &job->link);
    job->shard->job = NULL;
    job->finish(job, err);
    text_done(&job->told);
    free(job);
    if (list_is_empty(&supervisor->jobs)) {
        lab_loop_cancel(supervisor->loop, supervisor->job_timer);
        supervisor->job_timer = -1;
    }
}

static void enter_step(struct job *job)
{
    const struct step *step = &job->steps[job->at];

    job->is_entered = true;
    job->counter = 0;
    job->deadline = clock_now() + step->timeout_s * CLOCK_SECOND;
    if (!job->supervisor->is_ready) {
        supervisor_tell(job->supervisor,
                        json_pack("{s:s, s:s, s:s}", "event", "step", "node",
                                  step->node != NULL ? step->node->name : job->shard->name, "what",
                                  step->what));
    }
}

/* Runs steps until one has to wait.  True while the job lives. */
static bool advance(struct job *job)
{
    struct error err = {0};

    while (job->at < job->count) {
        const struct step *step = &job->steps[job->at];
        const char *name = step->node != NULL ? step->node->name : job->shard->name;
        if (!job->is_entered) {
            enter_step(job);
        }
        enum step_result result = step->run(job, step->node, &err);
        if (result == STEP_AGAIN && clock_now() > job->deadline) {
            error_set(&err, "57014", "not done after %d s", step->timeout_s);
            error_hint(&err, "the machine may be overloaded; 'reparto lab status' and the logs "
                             "in the lab's directory tell more");
            result = STEP_FAILED;
        }
        if (result == STEP_AGAIN) {
            return true;
        }
        if (result == STEP_FAILED) {
            error_wrap(&err, "%s: %s", name, step->what);
            end_job(job, &err);
            return false;
        }
        drop_child(job);
        job->is_entered = false;
        job->at++;
    }
    end_job(job, NULL);
    return false;
}

void jobs_advance(struct supervisor *supervisor)
{
    struct list_link *link = list_first(&supervisor->jobs);

    while (link != NULL) {
        bool is_alive = advance(LIST_MEMBER(link, struct job, link));
        /* The end of one may have begun or aborted others: look anew. */
        link = is_alive ? list_next(&supervisor->jobs, link) : list_first(&supervisor->jobs);
    }
}

void jobs_abort(struct supervisor *supervisor)
{
    struct error err = {0};

    error_set(&err, "57P01", "the lab is being stopped");
    while (!list_is_empty(&supervisor->jobs)) {
        end_job(LIST_MEMBER(list_first(&supervisor->jobs), struct job, link), &err);
    }
}

bool jobs_child_exited(struct supervisor *supervisor, pid_t pid, int status)
{
    for (struct list_link *link = list_first(&supervisor->jobs); link != NULL;
         link = list_next(&supervisor->jobs, link)) {
        struct job *job = LIST_MEMBER(link, struct job, link);
        if (job->child == pid) {
            job->is_child_done = true;
            job->child_status = status;
            return true;
        }
    }
    return false;
}

/* ---- children ---- */

/* The log is on that disk too, so it may not tell. */
static bool is_disk_full(const char *directory)
{
    struct statvfs disk;
    return statvfs(directory, &disk) == 0 && disk.f_bavail * disk.f_frsize < DISK_FREE_MIN;
}

enum step_result job_program(struct job *job, const char *const *argv, const char *log,
                             const char *hint, struct error *err)
{
    char line[300];

    if (job->child == 0) {
        job->child = process_start(&(struct process_setup){.log = log}, argv, err);
        return job->child > 0 ? STEP_AGAIN : STEP_FAILED;
    }
    if (!job->is_child_done) {
        return STEP_AGAIN;
    }
    if (WIFEXITED(job->child_status) && WEXITSTATUS(job->child_status) == 0) {
        return STEP_DONE;
    }
    log_tail(log, line, sizeof line);
    if (is_disk_full(job->supervisor->options->directory)) {
        snprintf(line, sizeof line, "No space left on the disk of %s",
                 job->supervisor->options->directory);
    }
    error_set(err, "58030", "%s", line[0] != '\0' ? line : "it was killed, or said nothing");
    if (strstr(line, "No space left") != NULL) {
        error_hint(err, "the disk is full: free some space, or choose another --dir");
    }
    error_hint(err, "%s; its log was %s", hint, log);
    return STEP_FAILED;
}

/* In the child: {"ok": …, "told": …, "sqlstate", "message", "hint"} into descriptor 3. */
[[gnu::noreturn]] static void work(work_run *run, struct node *node)
{
    struct text told = {0};
    struct error err = {0};
    bool is_ok = run(node, &told, &err);
    json_t *result = json_pack("{s:b, s:s, s:s, s:s, s:s}", "ok", is_ok, "told", text_cstr(&told),
                               "sqlstate", err.sqlstate, "message", err.message, "hint", err.hint);

    _exit(result != NULL && json_dumpfd(result, 3, JSON_COMPACT) == 0 ? 0 : 1);
}

static void read_output(void *context, int fd, short)
{
    struct job *job = context;
    char bytes[4096];
    ssize_t size = read(fd, bytes, sizeof bytes);

    if (size > 0 && job->output.size < OUTPUT_MAX) {
        text_append_bytes(&job->output, bytes, (size_t)size);
        return;
    }
    lab_loop_forget(job->supervisor->loop, fd);
    close(fd);
    job->pipe = -1;
}

static enum step_result start_work(struct job *job, work_run *run, struct node *node,
                                   struct error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        error_set(err, "53000", "cannot open a pipe: %s", strerror(errno));
        return STEP_FAILED;
    }
    pid_t pid = process_fork(
        &(struct process_setup){.log = node->log_file, .fds = &ends[1], .fd_count = 1}, err);
    if (pid == 0) {
        work(run, node);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return STEP_FAILED;
    }
    job->child = pid;
    job->pipe = ends[0];
    if (!lab_loop_watch(job->supervisor->loop, ends[0], POLLIN, read_output, job)) {
        error_set(err, "53000", "too many descriptors");
        return STEP_FAILED;
    }
    return STEP_AGAIN;
}

enum step_result job_work(struct job *job, work_run *run, struct node *node, struct error *err)
{
    const char *told, *sqlstate, *message, *hint;
    int is_ok;

    if (job->child == 0) {
        return start_work(job, run, node, err);
    }
    if (!job->is_child_done || job->pipe >= 0) {
        return STEP_AGAIN;
    }
    json_t *result = json_loadb(text_cstr(&job->output), job->output.size, 0, NULL);
    if (result == NULL ||
        json_unpack(result, "{s:b, s:s, s:s, s:s, s:s}", "ok", &is_ok, "told", &told, "sqlstate",
                    &sqlstate, "message", &message, "hint", &hint) != 0) {
        json_decref(result);
        error_set(err, "58000", "its helper process was killed");
        return STEP_FAILED;
    }
    text_append(&job->told, told);
    if (!is_ok) {
        error_set(err, sqlstate, "%s", message);
        if (hint[0] != '\0') {
            error_hint(err, "%s", hint);
        }
    }
    json_decref(result);
    return is_ok ? STEP_DONE : STEP_FAILED;
}
