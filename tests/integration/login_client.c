/* Logs in at a server as told on stdin, one `name=value` a line, and tells in JSON how it went.
 *
 *     address=127.0.0.1  (or a directory with a Unix socket)   port  host  user  database
 *     password=…  (plain, md5…, SCRAM-SHA-256$…)   key_password=…  (makes the secret's client key)
 *     mode=disable|…|verify-full   ca  certificate  key   version=3.2   known=1 (log in twice)
 *     query=…  (its last column of text)   cancel=1  (cancels the query at its first notice)
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "backend/cancel.h"
#include "backend/login.h"
#include "base/clock.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/notice.h"

enum { WORD_MAX = 16, LIMIT_SECONDS = 20 };

struct client {
    char *names[WORD_MAX], *values[WORD_MAX];
    size_t word_count;
    struct loop *loop;
    struct stream stream;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un local;
    } address;
    unsigned address_size;
    struct login_plan plan;
    struct credential credential;
    struct scram_secret known;
    struct login *login;
    enum login_status status;
    struct error err;
    struct cancel *cancel;
    bool is_cancelled;
    int64_t deadline;
};

static void die(const char *what)
{
    fprintf(stderr, "login_client: %s\n", what);
    exit(2);
}

static const char *word(const struct client *client, const char *name, const char *otherwise)
{
    for (size_t i = 0; i < client->word_count; i++) {
        if (strcmp(client->names[i], name) == 0) {
            return client->values[i];
        }
    }
    return otherwise;
}

static void read_words(struct client *client)
{
    char line[4096];

    while (client->word_count < WORD_MAX && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *equals = strchr(line, '=');
        if (equals == NULL) {
            die("a line without =");
        }
        *equals = '\0';
        client->names[client->word_count] = strdup(line);
        client->values[client->word_count++] = strdup(equals + 1);
    }
}

static enum tls_mode read_mode(const char *text)
{
    static const char *const names[] = {"disable", "allow",     "prefer",
                                        "require", "verify-ca", "verify-full"};
    for (size_t i = 0; i < 6; i++) {
        if (strcmp(names[i], text) == 0) {
            return (enum tls_mode)i;
        }
    }
    die("unknown mode");
    return TLS_DISABLE;
}

static void set_address(struct client *client)
{
    const char *address = word(client, "address", "127.0.0.1");
    const char *port = word(client, "port", "5432");

    client->plan.is_local = address[0] == '/';
    if (client->plan.is_local) {
        client->address.local.sun_family = AF_UNIX;
        snprintf(client->address.local.sun_path, sizeof client->address.local.sun_path,
                 "%s/.s.PGSQL.%s", address, port);
        client->address_size = sizeof client->address.local;
        return;
    }
    client->address.in.sin_family = AF_INET;
    client->address.in.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, address, &client->address.in.sin_addr) != 1) {
        die("malformed address");
    }
    client->address_size = sizeof client->address.in;
}

static void set_credential(struct client *client)
{
    const char *password = word(client, "password", NULL);
    const char *key_password = word(client, "key_password", NULL);
    struct scram_secret *scram = &client->credential.scram, made;

    if (password == NULL) {
        return;
    }
    if (!credential_parse(password, &client->credential, &client->err)) {
        die(client->err.message);
    }
    if (key_password != NULL) {
        if (!scram_secret_make(key_password, scram->salt, scram->salt_size, scram->iterations,
                               &made)) {
            die("out of memory");
        }
        *scram = made;
    }
    client->plan.credential = &client->credential;
}

static void set_plan(struct client *client)
{
    const struct tls_files files = {.certificate = word(client, "certificate", ""),
                                    .key = word(client, "key", ""),
                                    .ca = word(client, "ca", ""),
                                    .crl = "",
                                    .protocol_min = "TLSv1.2",
                                    .ciphers = ""};
    set_address(client);
    set_credential(client);
    client->plan.host = word(client, "host", "localhost");
    client->plan.user = word(client, "user", "postgres");
    client->plan.database = word(client, "database", NULL);
    client->plan.tls_mode = read_mode(word(client, "mode", "disable"));
    client->plan.wants_3_2 = word(client, "version", NULL) != NULL;
    if (client->plan.tls_mode != TLS_DISABLE) {
        client->plan.tls = tls_client(&files, client->plan.tls_mode, &client->err);
        if (client->plan.tls == NULL) {
            die(client->err.message);
        }
    }
}

/* ---- logging in ---- */

static void on_stream(void *)
{
    /* the loops below look at the stream after each turn */
}

static void turn(struct client *client)
{
    if (clock_now() >= client->deadline) {
        die("not within the time limit");
    }
    loop_turn(client->loop, client->deadline);
}

static void attempt(struct client *client)
{
    client->err = (struct error){0};
    client->status = LOGIN_FAILED;
    if (!stream_connect(&client->stream, client->loop, &client->address.any, client->address_size,
                        on_stream, client, &client->err)) {
        return;
    }
    client->login = login_create(&client->stream, &client->plan);
    while ((client->status = login_step(client->login, &client->err)) == LOGIN_MORE) {
        turn(client);
    }
}

static void leave(struct client *client)
{
    login_destroy(client->login);
    client->login = NULL;
    stream_close(&client->stream);
}

/* With the second attempt that the mode may ask for. */
static int log_in(struct client *client)
{
    enum tls_mode other;

    attempt(client);
    if (client->status == LOGIN_READY || client->login == NULL ||
        !login_other_mode(client->login, &other)) {
        return 1;
    }
    leave(client);
    client->plan.tls_mode = other;
    attempt(client);
    return 2;
}

/* ---- a query ---- */

static void on_cancelled(void *owner, const struct error *err)
{
    struct client *client = owner;

    client->is_cancelled = err == NULL;
    if (err != NULL) {
        die(err->message);
    }
}

static void start_cancel(struct client *client)
{
    const struct login_result *result = login_result(client->login);
    const struct cancel_plan plan = {.address = &client->address.any,
                                     .address_size = client->address_size,
                                     .host = client->plan.host,
                                     .tls_mode = client->plan.tls_mode,
                                     .tls =
                                         stream_has_tls(&client->stream) ? client->plan.tls : NULL,
                                     .pid = result->pid,
                                     .key = result->key,
                                     .key_size = result->key_size,
                                     .deadline = client->deadline};
    client->cancel = cancel_start(client->loop, &plan, on_cancelled, client, &client->err);
    if (client->cancel == NULL) {
        die(client->err.message);
    }
}

static void take_message(struct client *client, const struct frame *frame, const char *body,
                         json_t *answer)
{
    struct message_reader reader;
    struct notice notice;

    if (frame->type == 'D') {
        message_read_begin(&reader, body, frame->body_size);
        for (unsigned left = message_read_u16(&reader); left > 0; left--) {
            size_t size = message_read_u32(&reader);
            json_object_set_new(answer, "value",
                                json_stringn(message_read_bytes(&reader, size), size));
        }
    }
    if (frame->type == 'E' && notice_read(body, frame->body_size, &notice)) {
        json_object_set_new(answer, "query_sqlstate", json_string(notice.sqlstate));
    }
    if (frame->type == 'N' && word(client, "cancel", NULL) != NULL && client->cancel == NULL) {
        start_cancel(client);
    }
}

static void run_query(struct client *client, const char *sql, json_t *answer)
{
    struct buffer in = {0};
    bool is_ready = false;

    if (!message_write_string(stream_out(&client->stream), 'Q', sql)) {
        die("out of memory");
    }
    stream_flush(&client->stream);
    while (!is_ready || (client->cancel != NULL && !client->is_cancelled)) {
        char bytes[4096];
        struct frame frame;
        ssize_t count = stream_read(&client->stream, bytes, sizeof bytes);
        if (count < 0 || !buffer_append(&in, bytes, (size_t)count)) {
            die(stream_error(&client->stream));
        }
        while (frame_read(buffer_bytes(&in), buffer_size(&in), &frame, &client->err) == FRAME_OK &&
               buffer_size(&in) >= FRAME_HEADER_SIZE + frame.body_size) {
            take_message(client, &frame, buffer_bytes(&in) + FRAME_HEADER_SIZE, answer);
            is_ready = is_ready || frame.type == 'Z';
            buffer_consume(&in, FRAME_HEADER_SIZE + frame.body_size);
        }
        if (count == 0) {
            turn(client);
        }
    }
    buffer_done(&in);
}

/* ---- the answer ---- */

static void tell_result(const struct client *client, json_t *answer)
{
    const struct login_result *result = login_result(client->login);
    json_t *parameters = json_object();

    for (size_t i = 0; i < result->parameter_count; i++) {
        json_object_set_new(parameters, result->parameters[i].name,
                            json_string(result->parameters[i].value));
    }
    const char *tls = stream_tls_version(&client->stream);
    json_object_set_new(answer, "parameters", parameters);
    json_object_set_new(answer, "pid", json_integer(result->pid));
    json_object_set_new(answer, "key_size", json_integer((json_int_t)result->key_size));
    json_object_set_new(answer, "version", json_integer(result->version & 0xffff));
    json_object_set_new(answer, "has_made_secret", json_boolean(result->made_secret != NULL));
    json_object_set_new(answer, "tls", tls != NULL ? json_string(tls) : json_null());
}

/* Logs in, and with known=1 again with what the first login made. */
static void run(struct client *client, json_t *answer)
{
    int attempts = log_in(client);

    if (client->status == LOGIN_READY && word(client, "known", NULL) != NULL) {
        if (login_result(client->login)->made_secret == NULL) {
            die("no secret was made");
        }
        client->known = *login_result(client->login)->made_secret;
        client->plan.known_secret = &client->known;
        leave(client);
        attempts += log_in(client);
    }
    json_object_set_new(answer, "attempts", json_integer(attempts));
    json_object_set_new(answer, "is_ready", json_boolean(client->status == LOGIN_READY));
    json_object_set_new(answer, "sqlstate", json_string(client->err.sqlstate));
    json_object_set_new(answer, "message", json_string(client->err.message));
    json_object_set_new(answer, "hint", json_string(client->err.hint));
    if (client->status != LOGIN_READY) {
        return;
    }
    tell_result(client, answer);
    if (word(client, "query", NULL) != NULL) {
        run_query(client, word(client, "query", NULL), answer);
        json_object_set_new(answer, "is_cancelled", json_boolean(client->is_cancelled));
    }
}

int main(void)
{
    struct client client = {.deadline = clock_now() + LIMIT_SECONDS * CLOCK_SECOND};
    json_t *answer = json_object();

    client.loop = loop_create(&client.err);
    read_words(&client);
    set_plan(&client);
    run(&client, answer);
    json_dumpf(answer, stdout, JSON_COMPACT);
    puts("");
    json_decref(answer);
    cancel_destroy(client.cancel);
    leave(&client);
    tls_release(client.plan.tls);
    loop_destroy(client.loop);
    for (size_t i = 0; i < client.word_count; i++) {
        free(client.names[i]);
        free(client.values[i]);
    }
    return 0;
}
