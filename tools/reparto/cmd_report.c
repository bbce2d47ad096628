/* reparto report: pgBadger over the primaries' logs, with the options that fit them. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "common/options.h"
#include "lab/lab_state.h"
#include "reparto/commands.h"
#include "version.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { PATH_SIZE = 1024, LOGS_MAX = 256, ARGUMENTS_MAX = LOGS_MAX + 32, OUTPUT_MAX = 64 * 1024 };

/* What the lab and docker/ set as log_line_prefix. */
static const char lab_prefix[] = "%t [%p]: user=%u,db=%d,app=%a,client=%h ";

struct arguments {
    const char *directory, *output, *prefix;
    struct option_list logs;
};

#define AT(field) offsetof(struct arguments, field)

static const struct option_row rows[] = {
    {"dir", "DIR", OPTION_TEXT, AT(directory), 0, 0,
     "The lab's directory; default $REPARTO_LAB, else ${TMPDIR:-/tmp}/reparto-lab-UID."},
    {"log", "FILE", OPTION_LIST, AT(logs), 0, 0,
     "Read this log instead of the lab's; may be given several times."},
    {"output", "DIR", OPTION_TEXT, AT(output), 0, 0,
     "Where the reports go; made when missing (default artifacts)."},
    {"prefix", "TEXT", OPTION_TEXT, AT(prefix), 0, 0,
     "The log_line_prefix of --log, where pgBadger does not find it by itself."},
};

static const struct option_table table = {
    .program = "reparto report",
    .usage = "  reparto report [--dir DIR] [--output DIR]\n"
             "  reparto report --log FILE [--log FILE]... [--prefix TEXT] [--output DIR]\n",
    .description = "Makes a pgBadger report (HTML and text) of each shard's primary, or of any\n"
                   "PostgreSQL log, and prints where it is.  The HTML file needs no network.\n",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .epilogue = "examples:\n"
                "  reparto report\n"
                "  reparto report --output /tmp\n"
                "  reparto report --log /var/log/postgresql/postgresql-15-main.log\n"
                "\n"
                "exit status: 0 done, 1 could not run or pgBadger failed, 2 wrong usage\n",
};

struct report {
    const char *program; /* pgbadger's path */
    const char *prefix;  /* NULL: pgBadger finds it */
    char html[PATH_SIZE], text[PATH_SIZE], title[128];
    size_t log_count;
    const char *logs[LOGS_MAX]; /* borrowed */
};

/* ---- the program ---- */

static bool find_pgbadger(char path[PATH_SIZE], struct error *err)
{
    const char *search = getenv("PATH");

    while (search != NULL && *search != '\0') {
        size_t size = strcspn(search, ":");
        snprintf(path, PATH_SIZE, "%.*s/pgbadger", (int)size, search);
        if (size > 0 && access(path, X_OK) == 0) {
            return true;
        }
        search += size + (search[size] == ':');
    }
    error_set(err, "58P01", "pgbadger is not installed");
    return error_hint(err, "apt install pgbadger");
}

[[gnu::noreturn]] static void become(const char *const *argv, int output, pid_t parent)
{
    /* execv() takes char *const[] for history's sake; it changes nothing. */
    union {
        const char *const *from;
        char *const *to;
    } cast = {.from = argv};
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent && dup2(input, 0) == 0 && dup2(output, 1) == 1 &&
        dup2(output, 2) == 2) {
        execv(argv[0], cast.to);
        dprintf(2, "cannot execute it: %s\n", strerror(errno));
    }
    _exit(127);
}

static void read_all(int fd, struct text *output)
{
    char bytes[4096];

    for (;;) {
        ssize_t size = read(fd, bytes, sizeof bytes);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return;
        }
        if (output->size < OUTPUT_MAX) { /* the rest is read, so that it can end, and dropped */
            text_append_bytes(output, bytes, (size_t)size);
        }
    }
}

/* Runs argv without a shell; all that it prints goes to `output`.  Its exit
 * status, 128 + N when signal N ended it, -1 with `err` when it could not start. */
static int run_captured(const char *const *argv, struct text *output, struct error *err)
{
    int pipes[2], status = 0;
    pid_t parent = getpid();

    if (pipe2(pipes, O_CLOEXEC) != 0) {
        error_set(err, "53000", "cannot make a pipe: %s", strerror(errno));
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        become(argv, pipes[1], parent);
    }
    close(pipes[1]);
    if (child < 0) {
        close(pipes[0]);
        error_set(err, "53000", "cannot start %s: %s", argv[0], strerror(errno));
        return -1;
    }
    read_all(pipes[0], output);
    close(pipes[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- one report ---- */

static bool is_filled(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_size > 0;
}

/* The last line that is not empty: Perl programs say there why they died. */
static void last_line(const struct text *output, char *line, size_t size)
{
    const char *text = text_cstr(output);

    line[0] = '\0';
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        if (length > 0) {
            snprintf(line, size, "%.*s", (int)length, text);
        }
        text += length + (text[length] == '\n');
    }
}

/* Whether the text report says that pgBadger understood nothing of the log. */
static bool has_nothing(const char *text_path)
{
    char line[256];
    bool is_nothing = false;
    FILE *file = fopen(text_path, "re");

    while (file != NULL && !is_nothing && fgets(line, sizeof line, file) != NULL) {
        is_nothing = strncmp(line, "Parsed 0 log entries", 20) == 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return is_nothing;
}

static bool run_report(const struct report *report, struct error *err)
{
    /* By default all of pgBadger's runs share one in $TMPDIR, and a second at a time is refused. */
    char pid_file[PATH_SIZE + 8];
    const char *argv[ARGUMENTS_MAX] = {report->program,
                                       "-q",
                                       "-f",
                                       "stderr",
                                       "-a",
                                       "1",
                                       "-Z",
                                       "+00",
                                       "--exclude-appname",
                                       "reparto/monitor",
                                       "-T",
                                       report->title,
                                       "-o",
                                       report->html,
                                       "-o",
                                       report->text,
                                       "--pid-file",
                                       pid_file};
    size_t count = 18;
    struct text output = {0};
    char reason[240];

    snprintf(pid_file, sizeof pid_file, "%s.pid", report->html);
    if (report->prefix != NULL) {
        argv[count++] = "-p";
        argv[count++] = report->prefix;
    }
    for (size_t i = 0; i < report->log_count; i++) {
        argv[count++] = report->logs[i];
    }
    int status = run_captured(argv, &output, err);
    unlink(pid_file); /* still there when it was killed */
    bool is_ok = status == 0 && is_filled(report->html) && is_filled(report->text);
    if (is_ok && has_nothing(report->text)) {
        error_set(err, "22023", "pgbadger found no line of PostgreSQL in %s", report->logs[0]);
        error_hint(err, "--prefix tells the log_line_prefix that it was written with");
        is_ok = false;
    }
    if (!is_ok && !error_is_set(err)) {
        last_line(&output, reason, sizeof reason);
        fputs(text_cstr(&output), stderr);
        error_set(err, "58030", "pgbadger failed on %s (exit status %d): %s", report->logs[0],
                  status, reason[0] != '\0' ? reason : "it wrote no report and said nothing");
        error_hint(err, "is it a log of PostgreSQL, with lc_messages = 'C'? --prefix tells its "
                        "log_line_prefix");
    }
    if (!is_ok) {
        unlink(report->html); /* half a report is none */
        unlink(report->text);
    }
    text_done(&output);
    return is_ok;
}

static bool make_directory(const char *directory, struct error *err)
{
    struct stat info;

    if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
        error_set(err, "58030", "cannot make %s: %s", directory, strerror(errno));
        return error_hint(err, "choose another with --output");
    }
    if (stat(directory, &info) != 0 || !S_ISDIR(info.st_mode) || access(directory, W_OK) != 0) {
        error_set(err, "58030", "cannot write into %s: %s", directory,
                  S_ISDIR(info.st_mode) ? strerror(errno) : "it is no directory");
        return error_hint(err, "choose another with --output");
    }
    return true;
}

/* Names the files by the time in UTC and `subject`, "s0". */
static bool name_files(struct report *report, const char *directory, const char *subject,
                       struct error *err)
{
    time_t now = (time_t)(clock_utc() / 1000000);
    struct tm parts;
    char stamp[24], date[16];

    gmtime_r(&now, &parts);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &parts);
    strftime(date, sizeof date, "%Y-%m-%d", &parts);
    snprintf(report->title, sizeof report->title, "%s, run of %s UTC", subject, date);
    int size =
        snprintf(report->html, PATH_SIZE, "%s/%s-pgbadger-%s.html", directory, stamp, subject);
    snprintf(report->text, PATH_SIZE, "%s/%s-pgbadger-%s.txt", directory, stamp, subject);
    return size < PATH_SIZE || error_set(err, "22023", "--output is too long");
}

static bool check_log(const char *path, struct error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &info) != 0) {
        error_set(err, "58030", "cannot read %s: %s", path, strerror(errno));
        error_hint(err, "%s",
                   errno == EACCES ? "use the account that owns it, or root"
                                   : "check the name after --log");
    } else if (!S_ISREG(info.st_mode)) {
        error_set(err, "58030", "%s is no file", path);
    } else if (info.st_size == 0) {
        error_set(err, "58030", "%s is empty: nothing was logged", path);
        error_hint(err, "run something first: load_test");
    }
    if (fd >= 0) {
        close(fd);
    }
    return !error_is_set(err);
}

static bool make_report(struct report *report, const char *directory, const char *subject,
                        struct error *err)
{
    for (size_t i = 0; i < report->log_count; i++) {
        if (!check_log(report->logs[i], err)) {
            return false;
        }
    }
    if (!name_files(report, directory, subject, err) || !run_report(report, err)) {
        return false;
    }
    printf("%s\n%s\n", report->html, report->text);
    return fflush(stdout) == 0 ||
           error_set(err, "58030", "cannot write to stdout: %s", strerror(errno));
}

/* ---- which logs ---- */

/* Adds the node's logs to `found`, oldest first by their names. */
static void find_logs(const struct lab_node *node, glob_t *found)
{
    char pattern[PATH_SIZE];

    snprintf(pattern, sizeof pattern, "%s/postgresql-*.log", node->log);
    glob(pattern, found->gl_pathc > 0 ? GLOB_APPEND : 0, NULL, found);
}

/* Of the primary and of those that were primary before a promotion. */
static bool report_shard(struct report *report, const struct lab_shard *shard,
                         const char *directory, struct error *err)
{
    glob_t found = {0};

    for (size_t i = 0; i < shard->node_count; i++) {
        if (shard->nodes[i].role != LAB_REPLICA) {
            find_logs(&shard->nodes[i], &found);
        }
    }
    report->log_count = 0;
    for (size_t i = 0; i < found.gl_pathc && report->log_count < LOGS_MAX; i++) {
        if (is_filled(found.gl_pathv[i])) { /* a log is created before its first line */
            report->logs[report->log_count++] = found.gl_pathv[i];
        }
    }
    bool is_ok = report->log_count > 0 ||
                 error_set(err, "58P01", "the primary of %s has no log yet", shard->name);
    is_ok = is_ok && make_report(report, directory, shard->name, err);
    globfree(&found);
    return is_ok;
}

static bool report_lab(struct report *report, const struct arguments *arguments, struct error *err)
{
    struct lab_state state;
    bool is_ok =
        lab_state_load(arguments->directory, &state, err) && make_directory(arguments->output, err);

    report->prefix = lab_prefix;
    for (size_t i = 0; is_ok && i < state.shard_count; i++) {
        is_ok = report_shard(report, &state.shards[i], arguments->output, err);
    }
    lab_state_done(&state);
    return is_ok;
}

static bool report_logs(struct report *report, const struct arguments *arguments, struct error *err)
{
    report->prefix = arguments->prefix;
    report->log_count = arguments->logs.count;
    for (size_t i = 0; i < arguments->logs.count; i++) {
        report->logs[i] = arguments->logs.items[i];
    }
    return make_directory(arguments->output, err) &&
           make_report(report, arguments->output, "log", err);
}

static bool check_arguments(const struct arguments *arguments, const struct option_list *words,
                            struct error *err)
{
    if (words->count > 0) {
        error_set(err, "42601", "'%s' is too much: there are only options", words->items[0]);
        return error_hint(err, "a log is given as --log %s", words->items[0]);
    }
    if (arguments->prefix != NULL && arguments->logs.count == 0) {
        return error_set(err, "42601", "--prefix needs --log: the lab's prefix is known");
    }
    if (arguments->directory != NULL && arguments->logs.count > 0) {
        return error_set(err, "42601", "give either --dir or --log");
    }
    return true;
}

static int fail(const struct error *err, int status)
{
    error_print(err, "reparto report", stderr);
    return status;
}

int cmd_report(int argc, char **argv)
{
    struct arguments arguments = {.output = "artifacts"};
    struct option_list words = {0};
    struct error err = {0};
    char program[PATH_SIZE];

    switch (options_parse(&table, argc, argv, &arguments, &words, &err)) {
    case OPTIONS_HELP: options_help(&table, stdout); return EXIT_DONE;
    case OPTIONS_VERSION:
        printf("reparto %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT);
        return EXIT_DONE;
    case OPTIONS_BAD: return fail(&err, EXIT_USAGE);
    case OPTIONS_OK: break;
    }
    if (!check_arguments(&arguments, &words, &err)) {
        return fail(&err, EXIT_USAGE);
    }
    if (!find_pgbadger(program, &err)) {
        return fail(&err, EXIT_FAILED);
    }
    struct report report = {.program = program};
    bool is_ok = arguments.logs.count > 0 ? report_logs(&report, &arguments, &err)
                                          : report_lab(&report, &arguments, &err);
    return is_ok ? EXIT_DONE : fail(&err, EXIT_FAILED);
}
