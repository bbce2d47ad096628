/* reparto check-config: whether a configuration, and the files that it names, can be used. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/options.h"
#include "config/config.h"
#include "config/hba.h"
#include "net/tls.h"
#include "reparto/commands.h"
#include "reparto/read_file.h"
#include "version.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct arguments {
    bool is_json, is_alone;
};

#define AT(field) offsetof(struct arguments, field)

static const struct option_row rows[] = {
    {"json", NULL, OPTION_FLAG, AT(is_json), 0, 0,
     "One JSON document on stdout, with every problem and its place."},
    {"no-files", NULL, OPTION_FLAG, AT(is_alone), 0, 0,
     "Do not read the files that it names: they are on another machine."},
};

static const struct option_table table = {
    .program = "reparto check-config",
    .usage = "  reparto check-config FILE [--json] [--no-files]\n"
             "  reparto --check-config FILE\n",
    .description =
        "Reads a configuration and what it names (users, rules, maps, certificates), and\n"
        "says what is wrong with them: each problem with its line, a caret and a hint.\n"
        "Nothing is started, no server is asked.\n",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .epilogue =
        "examples:\n"
        "  reparto check-config /etc/reparto/reparto.yaml\n"
        "  reparto check-config --no-files --json docs/reparto.yaml\n"
        "\n"
        "exit status: 0 it can be used (there may be warnings), 1 it can't, 2 wrong usage\n",
};

/* What was found in all files. */
struct outcome {
    const char *path; /* of the configuration */
    struct text out;  /* as a person reads it */
    json_t *problems;
    size_t error_count, warning_count;
};

static void take_report(struct outcome *outcome, const struct report *report)
{
    report_print(report, &outcome->out);
    outcome->error_count += report->error_count;
    outcome->warning_count += report->warning_count;
    for (size_t i = 0; i < report->count; i++) {
        const struct report_problem *problem = &report->problems[i];
        json_array_append_new(outcome->problems,
                              json_pack("{s:s, s:i, s:i, s:s, s:s, s:s}", "file", report->path,
                                        "line", (int)problem->place.line, "column",
                                        (int)problem->place.column, "severity",
                                        problem->is_error ? "error" : "warning", "message",
                                        problem->message, "hint", problem->hint));
    }
}

/* An error of a reader that reports no places apart from its message. */
static void take_error(struct outcome *outcome, const char *path, const struct error *err)
{
    struct report report;
    size_t size = strlen(path);
    bool is_named = strncmp(err->message, path, size) == 0 && err->message[size] == ':';

    if (is_named) { /* the message has "path:line:column: " already */
        text_appendf(&outcome->out, "%s\n", err->message);
        text_appendf(&outcome->out, err->hint[0] != '\0' ? "      hint: %s\n" : "%s", err->hint);
        outcome->error_count++;
        json_array_append_new(outcome->problems,
                              json_pack("{s:s, s:i, s:i, s:s, s:s, s:s}", "file", path, "line", 0,
                                        "column", 0, "severity", "error", "message", err->message,
                                        "hint", err->hint));
        return;
    }
    report_init(&report, path, NULL, 0);
    report_error(&report, (struct report_place){0}, err->hint, "%s", err->message);
    take_report(outcome, &report);
    report_done(&report);
}

/* ---- the files that it names ---- */

/* Reads a file named by a setting, and tells its path; false: it has none, or it was reported. */
static bool read_named(const char *name, char path[CONFIG_PATH_SIZE], struct text *text,
                       struct outcome *outcome)
{
    struct error err = {0};

    if (name[0] == '\0') {
        return false;
    }
    if (config_place(outcome->path, name, path, &err) != NULL && read_file(path, text, &err)) {
        return true;
    }
    take_error(outcome, name, &err);
    return false;
}

static void check_users(const struct config *config, struct outcome *outcome)
{
    char path[CONFIG_PATH_SIZE];
    struct text text = {0};
    struct auth_file file = {0};
    struct error err = {0};
    struct report report;
    const char *name = config->settings.auth_file;

    report_init(&report, outcome->path, NULL, 0);
    if (name[0] == '\0') {
        config_check_users(config, NULL, &report);
    } else if (read_named(name, path, &text, outcome)) {
        if (auth_file_parse(text_cstr(&text), text.size, path, &file, &err)) {
            config_check_users(config, &file, &report);
        } else {
            take_error(outcome, path, &err);
        }
    }
    take_report(outcome, &report);
    report_done(&report);
    auth_file_done(&file);
    read_file_wipe(&text);
}

static void check_rules(const struct settings *settings, struct outcome *outcome)
{
    char path[CONFIG_PATH_SIZE];
    struct text rules = {0}, maps = {0};
    struct error err = {0}, map_err = {0};
    struct report report;
    struct hba *hba = NULL;

    if (read_named(settings->auth_hba_file, path, &rules, outcome)) {
        report_init(&report, path, text_cstr(&rules), rules.size);
        hba = hba_parse_reported(&report, &err);
        take_report(outcome, &report);
        report_done(&report);
    }
    if (hba != NULL && read_named(settings->auth_ident_file, path, &maps, outcome)) {
        report_init(&report, path, text_cstr(&maps), maps.size);
        if (!hba_parse_map_reported(hba, &report, &map_err) && report.error_count == 0) {
            take_error(outcome, path, &map_err);
        }
        take_report(outcome, &report);
        report_done(&report);
    }
    hba_destroy(hba);
    text_done(&rules);
    text_done(&maps);
}

struct tls_paths {
    char certificate[CONFIG_PATH_SIZE], key[CONFIG_PATH_SIZE], ca[CONFIG_PATH_SIZE];
};

static bool place_all(const char *path, const char *certificate, const char *key, const char *ca,
                      struct tls_paths *paths, struct tls_files *files, struct error *err)
{
    files->certificate = config_place(path, certificate, paths->certificate, err);
    files->key = files->certificate != NULL ? config_place(path, key, paths->key, err) : NULL;
    files->ca = files->key != NULL ? config_place(path, ca, paths->ca, err) : NULL;
    return files->ca != NULL;
}

/* Loads keys and certificates as the router does. */
static void check_client_tls(const struct settings *settings, struct outcome *outcome)
{
    struct tls_paths paths;
    struct tls_files files = {.crl = "",
                              .protocol_min = settings->client_tls_min_protocol,
                              .ciphers = settings->client_tls_ciphers};
    struct tls_context *context = NULL;
    struct error err = {0};

    if (settings->client_tls_sslmode == TLS_DISABLE) {
        return;
    }
    if (place_all(outcome->path, settings->client_tls_cert_file, settings->client_tls_key_file,
                  settings->client_tls_ca_file, &paths, &files, &err)) {
        context = tls_server(&files, &err);
    }
    if (context == NULL) {
        error_wrap(&err, "TLS for clients");
        take_error(outcome, outcome->path, &err);
    }
    tls_release(context);
}

static void check_server_tls(const struct settings *settings, struct outcome *outcome)
{
    struct tls_paths paths;
    struct tls_files files = {.crl = "",
                              .protocol_min = settings->server_tls_min_protocol,
                              .ciphers = settings->server_tls_ciphers};
    struct tls_context *context = NULL;
    struct error err = {0};

    if (place_all(outcome->path, settings->server_tls_cert_file, settings->server_tls_key_file,
                  settings->server_tls_ca_file, &paths, &files, &err)) {
        context = tls_client(&files, (enum tls_mode)settings->server_tls_sslmode, &err);
    }
    if (context == NULL) {
        error_wrap(&err, "TLS to servers");
        take_error(outcome, outcome->path, &err);
    }
    tls_release(context);
}

/* ---- the command ---- */

static void check(const char *path, bool is_alone, struct outcome *outcome)
{
    struct text text = {0};
    struct error err = {0};
    struct report report;

    if (!read_file(path, &text, &err)) {
        take_error(outcome, path, &err);
        read_file_wipe(&text);
        return;
    }
    report_init(&report, path, text_cstr(&text), text.size);
    struct config *config = config_parse_reported(text_cstr(&text), text.size, &report, &err);
    take_report(outcome, &report);
    report_done(&report);
    read_file_wipe(&text);
    if (config != NULL && !is_alone) {
        check_users(config, outcome);
        check_rules(&config->settings, outcome);
        check_client_tls(&config->settings, outcome);
        check_server_tls(&config->settings, outcome);
    }
    config_release(config);
}

static int print_outcome(const char *path, struct outcome *outcome, bool is_json)
{
    bool is_ok = outcome->error_count == 0;

    if (is_json) {
        json_t *document = json_pack("{s:s, s:b, s:i, s:i, s:O}", "file", path, "ok", is_ok,
                                     "errors", (int)outcome->error_count, "warnings",
                                     (int)outcome->warning_count, "problems", outcome->problems);
        json_dumpf(document, stdout, JSON_INDENT(2));
        fputs("\n", stdout);
        json_decref(document);
    } else {
        fputs(text_cstr(&outcome->out), stderr);
        fprintf(stderr, "%s: %s, %zu errors, %zu warnings\n", path,
                is_ok ? "can be used" : "can't be used", outcome->error_count,
                outcome->warning_count);
    }
    return is_ok ? EXIT_DONE : EXIT_FAILED;
}

static int fail(const struct error *err, int status)
{
    error_print(err, "reparto check-config", stderr);
    return status;
}

int cmd_check_config(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct option_list words = {0};
    struct error err = {0};

    switch (options_parse(&table, argc, argv, &arguments, &words, &err)) {
    case OPTIONS_HELP: options_help(&table, stdout); return EXIT_DONE;
    case OPTIONS_VERSION:
        printf("reparto %s (%s)\n", REPARTO_VERSION, REPARTO_COMMIT);
        return EXIT_DONE;
    case OPTIONS_BAD: return fail(&err, EXIT_USAGE);
    case OPTIONS_OK: break;
    }
    if (words.count != 1) {
        error_set(&err, "42601", "expected one FILE, not %zu", words.count);
        error_hint(&err, "'reparto check-config --help' tells more");
        return fail(&err, EXIT_USAGE);
    }
    struct outcome outcome = {.path = words.items[0], .problems = json_array()};
    check(words.items[0], arguments.is_alone, &outcome);
    int status = print_outcome(words.items[0], &outcome, arguments.is_json);
    json_decref(outcome.problems);
    text_done(&outcome.out);
    return status;
}
