#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/supervisor_private.h"

/* ---- steps: building ---- */

static bool write_secret(const char *path, const char *content, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content)) {
        error_set(err, "58030", "cannot write %s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return !error_is_set(err);
}

static enum step_result step_initdb(struct job *job, struct node *node, struct error *err)
{
    char program[FILE_SIZE], password_file[FILE_SIZE + 32], option[FILE_SIZE + 48];

    snprintf(program, sizeof program, "%s/initdb", node->supervisor->bin);
    snprintf(password_file, sizeof password_file, "%s/password", node->directory);
    snprintf(option, sizeof option, "--pwfile=%s", password_file);
    if (job->child == 0 && !write_secret(password_file, node->supervisor->password, err)) {
        return STEP_FAILED;
    }
    const char *argv[] = {program,
                          "-D",
                          node->data,
                          "--data-checksums",
                          "--username=postgres",
                          "--auth=scram-sha-256",
                          option,
                          "--no-sync",
                          "--no-clean",
                          "--encoding=UTF8",
                          "--locale=C.UTF-8",
                          NULL};
    enum step_result result = job_program(job, argv, node->log_file, "initdb failed", err);
    if (result != STEP_AGAIN) {
        unlink(password_file);
    }
    return result;
}

static enum step_result step_base_backup(struct job *job, struct node *node, struct error *err)
{
    const struct node *primary = shard_primary(node->shard);
    char program[FILE_SIZE], from[2 * FILE_SIZE], signal_file[FILE_SIZE + 32];

    if (primary == NULL || primary->state != NODE_RUNNING) {
        error_set(err, "55000", "%s has no running primary to copy from", node->shard->name);
        return STEP_FAILED;
    }
    snprintf(program, sizeof program, "%s/pg_basebackup", node->supervisor->bin);
    snprintf(from, sizeof from,
             "host=127.0.0.1 port=%d user=replicator application_name=%s_copy "
             "passfile='%s/replication.pass'",
             primary->port, node->name, node->supervisor->options->directory);
    const char *argv[] = {program,
                          "-D",
                          node->data,
                          "-d",
                          from,
                          "-X",
                          "stream",
                          "--checkpoint=fast",
                          "--no-sync",
                          "--slot",
                          node->name,
                          "--create-slot",
                          "--no-password",
                          NULL};
    enum step_result result = job_program(job, argv, node->log_file, "the base backup failed", err);
    if (result != STEP_DONE) {
        return result;
    }
    snprintf(signal_file, sizeof signal_file, "%s/standby.signal", node->data);
    return write_secret(signal_file, "", err) ? STEP_DONE : STEP_FAILED;
}

static enum step_result step_bootstrap(struct job *job, struct node *node, struct error *err)
{
    return job_work(job, work_bootstrap, node, err);
}

static enum step_result step_await_streaming(struct job *job, struct node *node, struct error *err)
{
    const struct node *primary = shard_primary(node->shard);

    if (primary == NULL || primary->state != NODE_RUNNING || node->is_cut) {
        job_tell(job, "%s runs; it streams when %s", node->name,
                 node->is_cut ? "its link is healed" : "the primary is back");
        return STEP_DONE;
    }
    return job_work(job, work_await_streaming, node, err);
}

static enum step_result step_remove_data(struct job *job, struct node *node, struct error *err)
{
    return job_work(job, work_remove_data, node, err);
}

static enum step_result step_announce(struct job *job, struct node *node, struct error *)
{
    supervisor_tell(job->supervisor, json_pack("{s:s, s:s, s:s, s:s, s:i}", "event", "node", "node",
                                               node->name, "role", lab_role_name(node->role),
                                               "host", "127.0.0.1", "port", node->port));
    return STEP_DONE;
}

/* ---- steps: starting ---- */

/* The collector's log of today has what start.log has not. */
static void tell_why_it_ended(const struct node *node, struct error *err)
{
    char name[64], path[2 * FILE_SIZE], line[300];
    time_t now = time(NULL);
    struct tm day;

    log_tail(node->log_file, line, sizeof line);
    if (line[0] == '\0' && gmtime_r(&now, &day) != NULL &&
        strftime(name, sizeof name, "postgresql-%Y-%m-%d.log", &day) > 0) {
        snprintf(path, sizeof path, "%s/%s", node->log, name);
        log_tail(path, line, sizeof line);
    }
    error_set(err, "57P03", "PostgreSQL ended at once: %s",
              line[0] != '\0' ? line : "it was killed, or said nothing");
    if (strstr(line, "unrecognized configuration parameter") != NULL ||
        strstr(line, "invalid value for parameter") != NULL) {
        error_hint(err, "correct or leave out that --settings");
    }
    if (strstr(line, "No space left") != NULL) {
        error_hint(err, "the disk is full: free some space, or choose another --dir");
    }
    error_hint(err, "its logs are in %s", node->log);
}

static enum step_result step_start(struct job *job, struct node *node, struct error *err)
{
    struct process_seen seen[PROCESS_SEEN_MAX];

    if (job->counter == 0) {
        if (node_processes(node, seen) > 0) { /* what a postmaster that was killed left */
            node_kill(node);
            return STEP_AGAIN;
        }
        if ((node->role == LAB_REPLICA && !node_start_relay(node, err)) ||
            (truncate(node->log_file, 0) != 0 && errno != ENOENT) || !node_spawn(node, err)) {
            return STEP_FAILED;
        }
        job->counter = 1;
        return STEP_AGAIN;
    }
    if (node->state == NODE_STOPPED) {
        tell_why_it_ended(node, err);
        return STEP_FAILED;
    }
    if (!node_is_ready(node)) {
        return STEP_AGAIN;
    }
    node_input(node, NODE_READY);
    return STEP_DONE;
}

static enum step_result step_become_replica(struct job *job, struct node *node, struct error *err)
{
    const struct node *primary = shard_primary(node->shard);

    job_tell(job, "%s (%s) was rebuilt as a replica of %s by a new base backup", node->name,
             lab_role_name(node->role), primary != NULL ? primary->name : "nobody");
    node->role = LAB_REPLICA;
    return supervisor_write_state(job->supervisor, err) ? STEP_DONE : STEP_FAILED;
}

static enum step_result step_tell_started(struct job *job, struct node *node, struct error *)
{
    job_tell(job, "%s runs as %s at 127.0.0.1:%d", node->name, lab_role_name(node->role),
             node->port);
    return STEP_DONE;
}

void plan_build_shard(struct job *job)
{
    struct shard *shard = job->shard;
    struct node *primary = &shard->nodes[0];

    job_add(job, step_initdb, primary, "initdb", 120);
    job_add(job, step_start, primary, "start", 60);
    job_add(job, step_bootstrap, primary, "create users and database", 60);
    job_add(job, step_announce, primary, "announce", 1);
    for (size_t i = 1; i < shard->node_count; i++) {
        struct node *replica = &shard->nodes[i];
        job_add(job, step_base_backup, replica, "base backup", 120);
        job_add(job, step_start, replica, "start", 60);
        job_add(job, step_await_streaming, replica, "connect to the primary", 60);
        job_add(job, step_announce, replica, "announce", 1);
    }
}

bool plan_start(struct job *job, struct error *err)
{
    struct node *node = job->node, *primary = shard_primary(job->shard);

    if (node->role == LAB_PRIMARY && job->is_forced) {
        return error_set(err, "22023", "%s is the primary: there is nothing to rebuild it from",
                         node->name);
    }
    if (node->state != NODE_STOPPED) {
        error_set(err, "55000", "%s is %s, not stopped", node->name,
                  node_machine.state_names[node->state]);
        return error_hint(err,
                          node->state == NODE_FROZEN ? "thaw it: reparto lab thaw %s"
                                                     : "nothing to do for %s",
                          node->name);
    }
    if (node->role == LAB_FORMER || job->is_forced) {
        if (primary == NULL || primary->state != NODE_RUNNING) {
            error_set(err, "55000", "%s has to be copied from the primary, which does not run",
                      node->name);
            return error_hint(err, "start the primary first: reparto lab status");
        }
        job_add(job, step_remove_data, node, "remove the old data", 60);
        job_add(job, step_base_backup, node, "base backup", 600);
        job_add(job, step_become_replica, node, "change role", 5);
    }
    job_add(job, step_start, node, "start", 120);
    if (node->role != LAB_PRIMARY) {
        job_add(job, step_await_streaming, node, "connect to the primary", 60);
    }
    job_add(job, step_tell_started, node, "tell", 1);
    return true;
}

/* ---- promoting ---- */

static enum step_result step_check_promotable(struct job *job, struct node *node, struct error *err)
{
    return job_work(job, work_check_promotable, node, err);
}

static enum step_result step_promote(struct job *job, struct node *node, struct error *err)
{
    return job_work(job, work_promote, node, err);
}

/* The replicas reach their primary through their relays, so these are all that moves. */
static enum step_result step_switch(struct job *job, struct node *node, struct error *err)
{
    struct node *old = shard_primary(node->shard);

    if (old != NULL) {
        old->role = LAB_FORMER;
        if (old->state == NODE_STOPPED) {
            job_tell(job, "%s is out; 'reparto lab start %s' rebuilds it as a replica", old->name,
                     old->name);
        }
        if (old->state != NODE_STOPPED) {
            job_tell(job, "WARNING: %s is %s and would take writes too: a split brain", old->name,
                     node_machine.state_names[old->state]);
        }
    }
    node->role = LAB_PRIMARY;
    node_stop_relay(node);
    node->is_cut = false;
    node->delay_ms = 0;
    for (size_t i = 0; i < node->shard->node_count; i++) {
        struct node *other = &node->shard->nodes[i];
        if (other->role == LAB_REPLICA && !node_start_relay(other, err)) {
            return STEP_FAILED;
        }
    }
    return supervisor_write_state(job->supervisor, err) ? STEP_DONE : STEP_FAILED;
}

static enum step_result step_await_all(struct job *job, struct node *node, struct error *err)
{
    return job_work(job, work_await_all_streaming, node, err);
}

bool plan_promote(struct job *job, struct error *err)
{
    struct node *node = job->node;
    const struct node *old = shard_primary(job->shard);

    if (node->role == LAB_PRIMARY) {
        return error_set(err, "55000", "%s is the primary already", node->name);
    }
    if (node->role != LAB_REPLICA || node->state != NODE_RUNNING) {
        error_set(err, "55000", "%s is a %s and %s: only a running replica can be promoted",
                  node->name, lab_role_name(node->role), node_machine.state_names[node->state]);
        return error_hint(err, "see 'reparto lab status'; start or thaw it first");
    }
    if (old != NULL && old->state != NODE_STOPPED && !job->is_forced) {
        error_set(err, "55000", "the primary %s is %s: two primaries would both take writes",
                  old->name, node_machine.state_names[old->state]);
        return error_hint(err, "first: reparto lab kill %s; or --force, to see a split brain",
                          old->name);
    }
    if (!job->is_forced) {
        job_add(job, step_check_promotable, node, "compare the replicas", 60);
    }
    job_add(job, step_promote, node, "promote", 90);
    job_add(job, step_switch, node, "switch roles", 5);
    job_add(job, step_await_all, node, "replicas follow", 60);
    return true;
}

/* ---- freezing, thawing, killing ---- */

/* Stops all, postmaster first so that nothing new is forked, until two scans in a row see
 * nothing else: what was forked just before may be missed by one. */
static enum step_result step_freeze(struct job *job, struct node *node, struct error *err)
{
    struct process_seen seen[PROCESS_SEEN_MAX];
    bool are_all_stopped = true;

    if (node->pid == 0) {
        error_set(err, "55000", "%s ended meanwhile", node->name);
        return STEP_FAILED;
    }
    kill(node->pid, SIGSTOP);
    size_t count = node_processes(node, seen);
    for (size_t i = 0; i < count; i++) {
        if (seen[i].state != 'T') {
            are_all_stopped = false;
            kill(seen[i].pid, SIGSTOP);
        }
    }
    job->counter = are_all_stopped ? job->counter + 1 : 0;
    if (job->counter < 2) {
        return STEP_AGAIN;
    }
    node_input(node, NODE_FREEZE);
    job_tell(job, "%s is frozen: %zu processes stopped", node->name, count);
    return STEP_DONE;
}

static enum step_result step_freeze_receiver(struct job *job, struct node *node, struct error *err)
{
    struct process_seen seen[PROCESS_SEEN_MAX];
    size_t count = node_processes(node, seen);

    for (size_t i = 0; i < count; i++) {
        if (!process_title_has(seen[i].pid, "walreceiver")) {
            continue;
        }
        if (seen[i].state != 'T') {
            kill(seen[i].pid, SIGSTOP);
            return STEP_AGAIN;
        }
        node->is_receiver_frozen = true;
        node_log(node, "walreceiver_frozen", "pid=%d", (int)seen[i].pid);
        job_tell(job, "%s: walreceiver frozen; nothing new arrives, reads go on", node->name);
        return STEP_DONE;
    }
    error_set(err, "55000", "it has no walreceiver: it does not stream now");
    error_hint(err, "see 'reparto lab status'");
    return STEP_FAILED;
}

static enum step_result step_thaw(struct job *job, struct node *node, struct error *)
{
    struct process_seen seen[PROCESS_SEEN_MAX];
    size_t count = node_processes(node, seen);
    bool is_any_stopped = false;

    for (size_t i = 0; i < count; i++) {
        if (seen[i].state == 'T') {
            is_any_stopped = true;
            kill(seen[i].pid, SIGCONT);
        }
    }
    if (is_any_stopped) {
        return STEP_AGAIN;
    }
    node->is_receiver_frozen = false;
    if (node->state == NODE_FROZEN) {
        node_input(node, NODE_THAW);
    }
    job_tell(job, "%s runs again", node->name);
    return STEP_DONE;
}

static enum step_result step_kill(struct job *job, struct node *node, struct error *)
{
    struct process_seen seen[PROCESS_SEEN_MAX];
    size_t count = node_processes(node, seen);

    if (job->counter == 0 && node->pid > 0) {
        node_input(node, NODE_STOP);
    }
    job->counter = 1;
    if (node->state == NODE_STOPPED && count == 0) {
        job_tell(job, "%s is dead: no process of it is left", node->name);
        return STEP_DONE;
    }
    node_kill(node);
    return STEP_AGAIN;
}

static bool is_up(const struct node *node, struct error *err)
{
    if (node->state == NODE_RUNNING) {
        return true;
    }
    error_set(err, "55000", "%s is %s", node->name, node_machine.state_names[node->state]);
    return error_hint(err,
                      node->state == NODE_FROZEN ? "thaw it: reparto lab thaw %s"
                                                 : "start it: reparto lab start %s",
                      node->name);
}

bool plan_freeze(struct job *job, struct error *err)
{
    job_add(job, step_freeze, job->node, "freeze", 10);
    return is_up(job->node, err);
}

bool plan_freeze_receiver(struct job *job, struct error *err)
{
    if (job->node->role != LAB_REPLICA) {
        return error_set(err, "22023", "%s is a %s: only a replica has a walreceiver",
                         job->node->name, lab_role_name(job->node->role));
    }
    job_add(job, step_freeze_receiver, job->node, "freeze the walreceiver", 10);
    return is_up(job->node, err);
}

bool plan_thaw(struct job *job, struct error *err)
{
    if (job->node->state == NODE_STOPPED) {
        return is_up(job->node, err);
    }
    job_add(job, step_thaw, job->node, "thaw", 10);
    return true;
}

bool plan_kill(struct job *job, struct error *err)
{
    if (job->node->state == NODE_STOPPED) {
        return is_up(job->node, err);
    }
    job_add(job, step_kill, job->node, "kill", 20);
    return true;
}
