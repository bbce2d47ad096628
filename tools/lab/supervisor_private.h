/* lab/supervisor_private: what the files of the supervisor share.
 *
 *     supervisor.c  the process: children, signals, start and end
 *     node.c        one PostgreSQL server and the relay of its replication link
 *     job.c         runs the steps of a long operation without blocking
 *     plan.c        which steps: build a shard, promote, start, stop, freeze
 *     work.c        what talks SQL, in a process of its own
 *     control.c     the control socket and its command table
 *
 * All memory lives as long as the supervisor, jobs and clients aside.
 */
#pragma once

#include <jansson.h>

#include "base/list.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/text.h"
#include "lab/lab_loop.h"
#include "lab/lab_state.h"
#include "lab/launch.h"
#include "lab/process.h"

enum { NAME_SIZE = 32, FILE_SIZE = LAB_PATH_SIZE + 64, PASSWORD_SIZE = 40 };

enum node_state {
    NODE_STOPPED,  /* no process of it is there */
    NODE_STARTING, /* the postmaster was started and isn't ready yet */
    NODE_RUNNING,  /* accepts connections */
    NODE_FROZEN,   /* every process of it is stopped (SIGSTOP) */
    NODE_STOPPING, /* told to end */
    NODE_STATE_COUNT
};

enum node_input {
    NODE_START,
    NODE_READY,
    NODE_FREEZE,
    NODE_THAW,
    NODE_STOP,
    NODE_EXIT,
    NODE_INPUT_COUNT
};

extern const struct machine node_machine;

struct node {
    struct supervisor *supervisor; /* borrowed */
    struct shard *shard;           /* borrowed */
    char name[NAME_SIZE];
    enum lab_role role;
    int state; /* enum node_state */
    pid_t pid; /* the postmaster; 0 while stopped */
    bool is_receiver_frozen;
    int port, port_fd; /* port_fd: keeps the port from other labs while the server is down */
    int relay_listener, relay_port; /* the replica's way to its primary */
    pid_t relay_pid;                /* 0: none */
    int relay_control;              /* -1: none */
    bool is_cut;
    long delay_ms;
    char directory[FILE_SIZE], data[FILE_SIZE], log[FILE_SIZE], log_file[FILE_SIZE];
};

struct shard {
    char name[NAME_SIZE];
    struct node *nodes; /* owned */
    size_t node_count;
    struct job *job; /* borrowed; the one that works on this shard, or NULL */
};

struct supervisor {
    const struct lab_options *options; /* borrowed */
    struct lab_loop *loop;             /* owned */
    struct log log;
    char version[64];        /* "PostgreSQL 15.18" */
    char bin[LAB_PATH_SIZE]; /* directory of its programs */
    char password[PASSWORD_SIZE], replication_password[PASSWORD_SIZE];
    struct shard *shards; /* owned */
    size_t shard_count;
    struct list jobs;
    int job_timer;                         /* -1: no job runs */
    size_t builds_waiting, builds_running; /* shards, while the lab starts */
    int64_t started;                       /* clock_now() */
    int events_fd;                         /* to `lab up`; -1 when it has been told the end */
    int signal_fd, control_fd;
    struct list clients;
    struct monitor *monitor; /* owned; NULL until all streams, or when it could not start */
    bool is_ready, is_ending;
    pid_t guardian;
};

/* ---- node.c ---- */

[[gnu::format(printf, 3, 4)]] void node_log(const struct node *node, const char *event,
                                            const char *format, ...);
void node_input(struct node *node, enum node_input input);
[[nodiscard]] struct node *shard_primary(const struct shard *shard); /* or NULL */

/* Reserves the port (`port` 0: the next free one from `*next`) and the relay's listener. */
[[nodiscard]] bool node_reserve(struct node *node, int port, int *next, struct error *err);
[[nodiscard]] bool node_write_settings(const struct node *node, struct error *err);
[[nodiscard]] bool node_spawn(struct node *node, struct error *err);
[[nodiscard]] bool node_is_ready(const struct node *node); /* by postmaster.pid, as pg_ctl does */
[[nodiscard]] size_t node_processes(const struct node *node,
                                    struct process_seen seen[PROCESS_SEEN_MAX]);
void node_kill(const struct node *node);    /* SIGKILL to all of its processes */
void node_release_memory(const char *data); /* the System V segment that a killed server left */

/* (Re)starts the relay towards the shard's primary with the node's delay and cut. */
[[nodiscard]] bool node_start_relay(struct node *node, struct error *err);
void node_stop_relay(struct node *node);
[[nodiscard]] bool node_set_delay(struct node *node, long delay_ms, struct error *err);
void node_set_cut(struct node *node, bool is_cut);

/* The line in `log_file` that best tells why it failed: the last that names a cause we
 * know, else the last that tells a failure; "" when there is none. */
void log_tail(const char *log_file, char *line, size_t size);

/* ---- job.c ---- */

enum step_result { STEP_AGAIN, STEP_DONE, STEP_FAILED };

struct job;
typedef enum step_result step_run(struct job *job, struct node *node, struct error *err);
typedef void job_finish(struct job *job, const struct error *err); /* err NULL: all done */

struct step {
    step_run *run;
    struct node *node; /* borrowed */
    const char *what;  /* "base backup" */
    int timeout_s;
};

enum { STEPS_MAX = 512 };

struct job {
    struct list_link link;
    struct supervisor *supervisor;
    struct shard *shard;
    const char *name;  /* borrowed: "promote" */
    struct node *node; /* what it is about; NULL: the shard */
    struct step steps[STEPS_MAX];
    size_t count, at;
    bool is_entered;  /* the present step ran once */
    int64_t deadline; /* of the present step */
    int64_t counter;  /* the step's own */
    pid_t child;      /* 0: none */
    bool is_child_done;
    int child_status;
    int pipe; /* the worker's result; -1: none */
    struct text output;
    struct text told; /* what the client is told at the end, one line each */
    bool is_forced;
    job_finish *finish;
    void *context; /* of finish */
};

/* One job a shard: 55006 while another runs.  The job is freed after `finish`. */
[[nodiscard]] struct job *job_create(struct supervisor *supervisor, struct shard *shard,
                                     const char *name, struct node *node, struct error *err);
void job_add(struct job *job, step_run *run, struct node *node, const char *what, int timeout_s);
void job_begin(struct job *job, job_finish *finish, void *context);
void jobs_advance(struct supervisor *supervisor);
void jobs_abort(struct supervisor *supervisor);
[[nodiscard]] bool jobs_child_exited(struct supervisor *supervisor, pid_t pid, int status);
[[gnu::format(printf, 2, 3)]] void job_tell(struct job *job, const char *format, ...);

/* Steps that run a child: the first call starts it, later ones look whether it has ended. */
[[nodiscard]] enum step_result job_program(struct job *job, const char *const *argv,
                                           const char *log, const char *hint, struct error *err);
typedef bool work_run(struct node *node, struct text *told, struct error *err);
[[nodiscard]] enum step_result job_work(struct job *job, work_run *run, struct node *node,
                                        struct error *err);

/* ---- work.c: run in a child, may block ---- */

work_run work_bootstrap, work_await_streaming, work_await_all_streaming, work_promote,
    work_remove_data, work_check_promotable;

/* ---- plan.c ---- */

void plan_build_shard(struct job *job);
[[nodiscard]] bool plan_promote(struct job *job, struct error *err);
[[nodiscard]] bool plan_start(struct job *job, struct error *err);
[[nodiscard]] bool plan_freeze(struct job *job, struct error *err);
[[nodiscard]] bool plan_freeze_receiver(struct job *job, struct error *err);
[[nodiscard]] bool plan_thaw(struct job *job, struct error *err);
[[nodiscard]] bool plan_kill(struct job *job, struct error *err);

/* ---- control.c ---- */

[[nodiscard]] bool control_open(struct supervisor *supervisor, struct error *err);
void control_close(struct supervisor *supervisor);

/* ---- supervisor.c ---- */

[[nodiscard]] bool supervisor_write_state(struct supervisor *supervisor, struct error *err);
[[nodiscard]] struct node *supervisor_node(const struct supervisor *supervisor, const char *name);
void supervisor_end(struct supervisor *supervisor);

/* Tells `lab up` what happens; dropped when it does not read. */
void supervisor_tell(struct supervisor *supervisor, json_t *event); /* takes the reference */
