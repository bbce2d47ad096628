#include "session/startup_settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/server.h"
#include "base/text.h"
#include "session/literal.h"
#include "session/track.h"

/* Whether `name` stands in a list with commas. */
static bool is_listed(const char *list, const char *name)
{
    size_t size = strlen(name);

    while (*list != '\0') {
        list += strspn(list, ", \t");
        size_t part = strcspn(list, ", \t");
        if (part == size && strncasecmp(list, name, size) == 0) {
            return true;
        }
        list += part;
    }
    return false;
}

static bool is_name(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > VARIABLE_NAME_MAX || isdigit((unsigned char)name[0])) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '.') {
            return false;
        }
    }
    return true;
}

/* Whether the servers report that value for it anyway. */
static bool is_reported(const struct session *session, const char *name, const char *value)
{
    const struct variables *welcome = session->pool->welcome;

    for (size_t i = 0; welcome != NULL && i < welcome->count; i++) {
        if (strcasecmp(welcome->list[i].name, name) == 0) {
            return strcmp(welcome->list[i].value, value) == 0;
        }
    }
    return false;
}

static bool add_statement(struct session *session, const char *name, const char *value)
{
    struct text statement = {0};

    text_appendf(&statement, "SET SESSION %s = ", name);
    literal_append(&statement, value);
    bool is_ok =
        !statement.has_failed && variables_put(session->hall->backend.variables, &session->initial,
                                               name, text_cstr(&statement));
    text_done(&statement);
    return is_ok;
}

/* To lower case; the name is short, and plain ASCII. */
static void fold(const char *name, char lower[VARIABLE_NAME_MAX + 1])
{
    size_t size = strlen(name);

    for (size_t i = 0; i <= size; i++) {
        bool is_upper = name[i] >= 'A' && name[i] <= 'Z';
        lower[i] = (char)(is_upper ? name[i] - 'A' + 'a' : name[i]);
    }
}

/* What is of interest beyond the setting. */
static void note(struct session *session, const char *name, const char *value)
{
    if (strcmp(name, "application_name") == 0) {
        free(session->application_name);
        session->application_name = strdup(value);
    }
    if (strcmp(name, "search_path") == 0 && strstr(value, "pg_temp") != NULL) {
        session->pins |= PIN_TEMP; /* what it creates may be temporary without saying so */
    }
}

static bool add(struct session *session, const char *name, const char *value, struct error *err)
{
    char lower[VARIABLE_NAME_MAX + 1];

    if (is_listed(session->hall->backend.config->settings.ignore_startup_parameters, name)) {
        return true;
    }
    if (!is_name(name)) {
        return error_set(err, "42704", "unrecognized configuration parameter \"%s\"", name);
    }
    fold(name, lower);
    note(session, lower, value);
    bool is_ok =
        session->pool->mode == POOL_SESSION
            ? variables_put(session->hall->backend.variables, &session->startup, lower, value)
            : is_reported(session, name, value) || add_statement(session, lower, value);
    return is_ok || error_set(err, "54000", "too many startup parameters");
}

/* What the configuration forces on all of a database's clients. */
static bool add_forced(struct session *session, struct error *err)
{
    const struct config_database *database = session->pool->settings;

    return (database->client_encoding[0] == '\0' ||
            add(session, "client_encoding", database->client_encoding, err)) &&
           (database->datestyle[0] == '\0' ||
            add(session, "datestyle", database->datestyle, err)) &&
           (database->timezone[0] == '\0' || add(session, "timezone", database->timezone, err));
}

bool startup_settings_read(struct session *session, const struct startup *startup,
                           struct error *err)
{
    struct startup_parameter options[STARTUP_PARAMETER_MAX];
    struct buffer storage = {0};
    size_t count = 0;
    bool is_ok = startup->options == NULL || startup_options(startup->options, &storage, options,
                                                             &count, STARTUP_PARAMETER_MAX, err);

    for (size_t i = 0; is_ok && i < count; i++) {
        is_ok = add(session, options[i].name, options[i].value, err);
    }
    buffer_done(&storage);
    for (size_t i = 0; is_ok && i < startup->parameter_count; i++) {
        is_ok = add(session, startup->parameters[i].name, startup->parameters[i].value, err);
    }
    if (!is_ok || !add_forced(session, err)) {
        return false;
    }
    session->settings = variables_share(session->initial);
    session->committed = variables_share(session->initial);
    return true;
}

bool startup_settings_known(struct session *session)
{
    struct pool *pool = session->pool;

    if (!pool->has_welcome) {
        return false;
    }
    if (session->initial == NULL) {
        track_told(session, pool->welcome);
        return true;
    }
    for (size_t i = 0; i < POOL_GREETING_MAX; i++) {
        if (pool->greetings[i].told != NULL && pool->greetings[i].initial == session->initial) {
            track_told(session, pool->greetings[i].told);
            return true;
        }
    }
    return false;
}

void startup_settings_remember(struct session *session)
{
    struct pool *pool = session->pool;
    struct pool_greeting *greeting = &pool->greetings[pool->greeting_next];

    if (session->initial == NULL || pool->mode == POOL_SESSION) {
        return;
    }
    variables_release(greeting->initial);
    variables_release(greeting->told);
    greeting->initial = variables_share(session->initial);
    greeting->told = variables_share(session->told);
    pool->greeting_next = (pool->greeting_next + 1) % POOL_GREETING_MAX;
}
