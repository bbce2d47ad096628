#include "session/session_log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/clock.h"

enum { SUBJECT_SIZE = 320, WORDS_SIZE = 640, NAME_MAX_SHOWN = 63 };

struct line {
    struct log_context context;
    char subject[SUBJECT_SIZE], words[WORDS_SIZE];
};

/* "10.0.0.7:5501", "unix:6432" */
static void write_address(const struct session *session, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "unix";
    unsigned port = (unsigned)session->hall->backend.config->settings.listen_port;

    if (session->address_size > 0 && session->address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)&session->address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        port = ntohs(in->sin_port);
    } else if (session->address_size > 0) {
        const struct sockaddr_in6 *in6 = (const void *)&session->address;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        port = ntohs(in6->sin6_port);
    }
    snprintf(text, size, "%s:%u", host, port);
}

static const char *name_of(const char *name, const char *none)
{
    return name == NULL ? none : name;
}

/* Ids are a worker's own; PgBouncer's is an address. */
static unsigned long whole_id(const struct session *session)
{
    return session->id << 6 | session->hall->backend.worker;
}

static const struct log_context *begin(struct line *line, const struct session *session)
{
    const struct log *log = session->hall->backend.log;
    char address[INET6_ADDRSTRLEN + 8];

    line->context = (struct log_context){.log = log, .session_id = session->id};
    if (log->format == LOG_PGBOUNCER) {
        write_address(session, address, sizeof address);
        snprintf(line->subject, sizeof line->subject, "C-0x%lx: %.*s/%.*s@%s", whole_id(session),
                 NAME_MAX_SHOWN, name_of(session->database, "(nodb)"), NAME_MAX_SHOWN,
                 name_of(session->user, "(nouser)"), address);
        line->context.subject = line->subject;
        line->context.words = line->words;
    }
    return &line->context;
}

static const char *tls_of(const struct session *session)
{
    return stream_has_tls(&session->stream) ? stream_tls_version(&session->stream) : NULL;
}

void session_log_login(const struct session *session)
{
    struct line line;
    const char *tls = tls_of(session);

    if (!session->hall->backend.config->settings.log_connections) {
        return;
    }
    snprintf(line.words, sizeof line.words, "login attempt: db=%.*s user=%.*s tls=%s",
             NAME_MAX_SHOWN, session->database, NAME_MAX_SHOWN, session->user, name_of(tls, "no"));
    log_event(LOG_INFO, begin(&line, session), "client_logged_in",
              "database=%s user=%s method=%s tls=%s", session->database, session->user,
              greet_method(session->greet), name_of(tls, "off"));
}

/* "(age=5)", as PgBouncer wrote it once: pgBadger does not know the "s" of today. */
void session_log_end(const struct session *session, const char *reason)
{
    struct line line;
    int64_t age = loop_now(session->hall->backend.loop) - session->began_at;

    if (session->user == NULL || !session->hall->backend.config->settings.log_disconnections) {
        return;
    }
    snprintf(line.words, sizeof line.words, "closing because: %s (age=%lld)", reason,
             (long long)(age / CLOCK_SECOND));
    log_event(LOG_INFO, begin(&line, session), "client_closed", "database=%s user=%s reason=\"%s\"",
              session->database, session->user, reason);
}

void session_log_refusal(const struct session *session, const struct error *error)
{
    struct line line;

    if (!session->hall->backend.config->settings.log_pooler_errors) {
        return;
    }
    snprintf(line.words, sizeof line.words, "pooler error: %s", error->message);
    log_event(LOG_WARN, begin(&line, session), "client_refused",
              "database=%s user=%s sqlstate=%s error=\"%s\"", name_of(session->database, ""),
              name_of(session->user, ""), error->sqlstate, error->message);
}

void session_log_failed_login(const struct session *session, const struct error *error)
{
    struct line line;

    if (!session->hall->backend.config->settings.log_pooler_errors || !error_is_set(error)) {
        return;
    }
    snprintf(line.words, sizeof line.words, "pooler error: %s", error->message);
    log_event(LOG_WARN, begin(&line, session), "client_login_failed", "sqlstate=%s error=\"%s\"",
              error->sqlstate, error->message);
}
