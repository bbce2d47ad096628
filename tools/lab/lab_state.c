#include "lab/lab_state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/text.h"
#include "common/options.h"

enum { SHARDS_MAX = 64, NODES_MAX = 64 };

static const char *const role_names[] = {
    [LAB_PRIMARY] = "primary", [LAB_REPLICA] = "replica", [LAB_FORMER] = "former primary"};

const char *lab_role_name(enum lab_role role)
{
    return role_names[role];
}

bool lab_directory(const char *directory, char path[LAB_PATH_SIZE], struct error *err)
{
    const char *chosen = directory != NULL ? directory : getenv("REPARTO_LAB");
    const char *temporary = getenv("TMPDIR");
    char current[PATH_MAX] = "";
    int size;

    if (chosen == NULL || chosen[0] == '\0') {
        size = snprintf(path, LAB_PATH_SIZE, "%s/reparto-lab-%u",
                        temporary != NULL && temporary[0] == '/' ? temporary : "/tmp",
                        (unsigned)getuid());
    } else if (chosen[0] == '/') {
        size = snprintf(path, LAB_PATH_SIZE, "%s", chosen);
    } else if (getcwd(current, sizeof current) == NULL) {
        return error_set(err, "58030", "cannot tell the current directory: %s", strerror(errno));
    } else {
        size = snprintf(path, LAB_PATH_SIZE, "%s/%s", strcmp(current, "/") != 0 ? current : "",
                        chosen);
    }
    if (size >= LAB_PATH_SIZE) {
        error_set(err, "22023", "the lab's directory name is longer than %d bytes",
                  LAB_PATH_SIZE - 1);
        return error_hint(err, "choose a shorter one with --dir");
    }
    while (size > 1 && path[size - 1] == '/') {
        path[--size] = '\0';
    }
    return true;
}

bool lab_is_running(const char *absolute_directory)
{
    char path[LAB_PATH_SIZE + 32];

    snprintf(path, sizeof path, "%s/" LAB_LOCK_FILE, absolute_directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    /* The supervisor and its guardian hold it exclusively as long as one of them lives. */
    bool is_held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return is_held;
}

static bool no_lab(const char *directory, struct error *err)
{
    error_set(err, "58P01", "no lab at %s", directory);
    return error_hint(err, "start one with: reparto lab up");
}

static bool malformed(const char *path, const char *why, struct error *err)
{
    error_set(err, "22023", "%s is no lab state that this version reads: %s", path, why);
    return error_hint(err, "stop the lab with 'reparto lab down' and start it again");
}

static bool read_role(const char *text, enum lab_role *role)
{
    for (size_t i = 0; i < sizeof role_names / sizeof role_names[0]; i++) {
        if (strcmp(text, role_names[i]) == 0) {
            *role = (enum lab_role)i;
            return true;
        }
    }
    return false;
}

static bool read_node(json_t *value, struct lab_node *node)
{
    const char *role;
    return json_unpack(value, "{s:s, s:s, s:s, s:i, s:s, s:s}", "name", &node->name, "role", &role,
                       "host", &node->host, "port", &node->port, "data", &node->data, "log",
                       &node->log) == 0 &&
           read_role(role, &node->role) && node->port > 0 && node->port < 65536;
}

static bool read_shard(json_t *value, struct lab_shard *shard)
{
    json_t *nodes;

    if (json_unpack(value, "{s:s, s:o}", "name", &shard->name, "nodes", &nodes) != 0 ||
        !json_is_array(nodes) || json_array_size(nodes) == 0 ||
        json_array_size(nodes) > NODES_MAX) {
        return false;
    }
    shard->nodes = calloc(json_array_size(nodes), sizeof *shard->nodes);
    if (shard->nodes == NULL) {
        return false;
    }
    shard->node_count = json_array_size(nodes);
    for (size_t i = 0; i < shard->node_count; i++) {
        if (!read_node(json_array_get(nodes, i), &shard->nodes[i])) {
            return false;
        }
    }
    return true;
}

static bool read_document(const char *path, struct lab_state *state, struct error *err)
{
    json_t *shards;
    int format = 0, pid = 0;

    if (json_unpack(state->document, "{s:i}", "format", &format) != 0 || format != 1) {
        return malformed(path, "\"format\" is not 1", err);
    }
    if (json_unpack(state->document, "{s:s, s:i, s:s, s:s, s:s, s:s, s:o}", "directory",
                    &state->directory, "supervisor_pid", &pid, "database", &state->database, "user",
                    &state->user, "password", &state->password, "bin", &state->bin, "shards",
                    &shards) != 0) {
        return malformed(path, "a field is missing or of another type", err);
    }
    state->supervisor_pid = pid;
    size_t count = json_is_array(shards) ? json_array_size(shards) : 0;
    if (count == 0 || count > SHARDS_MAX) {
        return malformed(path, "it lists no shard, or too many", err);
    }
    state->shards = calloc(count, sizeof *state->shards);
    if (state->shards == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    state->shard_count = count;
    for (size_t i = 0; i < count; i++) {
        if (!read_shard(json_array_get(shards, i), &state->shards[i])) {
            return malformed(path, "a shard or node in it is incomplete", err);
        }
    }
    return true;
}

bool lab_state_load(const char *directory, struct lab_state *state, struct error *err)
{
    char path[LAB_PATH_SIZE], file[LAB_PATH_SIZE + 16];
    json_error_t reason;

    *state = (struct lab_state){0};
    if (!lab_directory(directory, path, err)) {
        return false;
    }
    snprintf(file, sizeof file, "%s/lab.json", path);
    if (access(path, R_OK | X_OK) != 0 && errno == EACCES) {
        error_set(err, "58030", "cannot read the lab at %s: %s", path, strerror(errno));
        return error_hint(err, "use the account that started it, or root");
    }
    if (!lab_is_running(path)) {
        return no_lab(path, err);
    }
    if (access(file, F_OK) != 0) {
        error_set(err, "57P03", "the lab at %s is still starting", path);
        return error_hint(err, "wait until 'reparto lab up' has returned");
    }
    state->document = json_load_file(file, JSON_REJECT_DUPLICATES, &reason);
    if (state->document == NULL) {
        return malformed(file, reason.text, err);
    }
    return read_document(file, state, err);
}

void lab_state_done(struct lab_state *state)
{
    for (size_t i = 0; i < state->shard_count; i++) {
        free(state->shards[i].nodes);
    }
    free(state->shards);
    json_decref(state->document);
    *state = (struct lab_state){0};
}

/* `names` is NULL-terminated; what = "shard" or "node". */
static void unknown_name(const char *what, const char *name, const char *const *names,
                         struct error *err)
{
    struct text list = {0};
    const char *nearest = options_nearest(name, names);

    for (size_t i = 0; names[i] != NULL; i++) {
        text_appendf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    error_set(err, "22023", "no %s \"%s\" in this lab", what, name);
    if (nearest != NULL) {
        error_hint(err, "did you mean %s? There are: %s", nearest, text_cstr(&list));
    }
    error_hint(err, "there are: %s", text_cstr(&list));
    text_done(&list);
}

const struct lab_shard *lab_state_shard(const struct lab_state *state, const char *name,
                                        struct error *err)
{
    const char *names[SHARDS_MAX + 1] = {0};

    for (size_t i = 0; i < state->shard_count; i++) {
        if (name == NULL || strcmp(state->shards[i].name, name) == 0) {
            return &state->shards[i];
        }
        names[i] = state->shards[i].name;
    }
    unknown_name("shard", name, names, err);
    return NULL;
}

const struct lab_node *lab_state_node(const struct lab_state *state, const char *name,
                                      struct error *err)
{
    const char *names[SHARDS_MAX * NODES_MAX + 1] = {0};
    size_t count = 0;

    for (size_t i = 0; i < state->shard_count; i++) {
        for (size_t k = 0; k < state->shards[i].node_count; k++) {
            const struct lab_node *node = &state->shards[i].nodes[k];
            if (strcmp(node->name, name) == 0) {
                return node;
            }
            names[count++] = node->name;
        }
    }
    unknown_name("node", name, names, err);
    return NULL;
}

const struct lab_node *lab_shard_primary(const struct lab_shard *shard)
{
    for (size_t i = 0; i < shard->node_count; i++) {
        if (shard->nodes[i].role == LAB_PRIMARY) {
            return &shard->nodes[i];
        }
    }
    return NULL;
}

const char *lab_state_dsn(const struct lab_state *state, const struct lab_node *node,
                          char buffer[LAB_DSN_SIZE])
{
    /* Our passwords are hexadecimal and our names plain: nothing needs quoting.  Address and
     * TLS are told too, lest the caller's PGHOSTADDR or PGSSLMODE lead elsewhere. */
    snprintf(buffer, LAB_DSN_SIZE,
             "host=%s hostaddr=%s port=%d dbname=%s user=%s password=%s sslmode=disable",
             node->host, node->host, node->port, state->database, state->user, state->password);
    return buffer;
}
