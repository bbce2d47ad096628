#include "load_test/target.h"

#include <assert.h>
#include <ctype.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pg.h"
#include "lab/lab_state.h"

/* Metrics carry a node's name between dots ("visible.r1.p99"), so not every application_name will
 * do as one. */
static bool is_plain_name(const char *name)
{
    size_t size = 0;

    for (; name[size] != '\0'; size++) {
        if (!isalnum((unsigned char)name[size]) && name[size] != '_' && name[size] != '-') {
            return false;
        }
    }
    return size > 0 && size < REPORT_NAME_SIZE;
}

/* The application_name of a DSN when it has one that can name a node; false: `name` is untouched.
 */
static bool name_from_dsn(const char *dsn, char name[REPORT_NAME_SIZE])
{
    bool is_found = false;
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);

    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
         option++) {
        if (strcmp(option->keyword, "application_name") == 0 && option->val != NULL &&
            is_plain_name(option->val)) {
            snprintf(name, REPORT_NAME_SIZE, "%s", option->val);
            is_found = true;
        }
    }
    PQconninfoFree(options);
    return is_found;
}

static bool fill_node(struct target_node *node, const char *dsn, const char *name,
                      struct error *err)
{
    if (!pg_check_dsn(dsn, err)) {
        return error_wrap(err, "%s", name);
    }
    snprintf(node->name, sizeof node->name, "%s", name);
    static_assert(sizeof node->place >= PG_PLACE_SIZE);
    pg_place(node->place, dsn);
    node->dsn = strdup(dsn);
    return node->dsn != NULL ? true : error_set(err, "53200", "out of memory");
}

static bool resolve_given(struct target *target, const char *primary, const char *const *replicas,
                          size_t replica_count, struct error *err)
{
    char name[REPORT_NAME_SIZE] = "p";

    (void)name_from_dsn(primary, name);
    if (!fill_node(&target->primary, primary, name, err)) {
        return false;
    }
    for (size_t i = 0; i < replica_count; i++) {
        snprintf(name, sizeof name, "r%zu", i + 1);
        (void)name_from_dsn(replicas[i], name);
        if (!fill_node(&target->replicas[i], replicas[i], name, err)) {
            return false;
        }
        target->replica_count++;
    }
    return true;
}

static bool resolve_shard(struct target *target, const struct lab_state *state,
                          const struct lab_shard *shard, struct error *err)
{
    char dsn[LAB_DSN_SIZE];
    const struct lab_node *primary = lab_shard_primary(shard);

    if (primary == NULL) {
        error_set(err, "08001", "shard %s of the lab has no primary", shard->name);
        return error_hint(err, "'reparto lab status' shows its nodes, 'reparto lab promote' makes "
                               "one of them the primary");
    }
    if (!fill_node(&target->primary, lab_state_dsn(state, primary, dsn), primary->name, err)) {
        return false;
    }
    for (size_t i = 0; i < shard->node_count; i++) {
        const struct lab_node *node = &shard->nodes[i];
        if (node->role != LAB_REPLICA) {
            continue;
        }
        if (target->replica_count == REPORT_REPLICA_MAX) {
            return error_set(err, "54000", "shard %s has more than %d replicas", shard->name,
                             REPORT_REPLICA_MAX);
        }
        if (!fill_node(&target->replicas[target->replica_count], lab_state_dsn(state, node, dsn),
                       node->name, err)) {
            return false;
        }
        target->replica_count++;
    }
    return true;
}

static bool resolve_lab(struct target *target, const char *lab_dir, const char *name,
                        struct error *err)
{
    struct lab_state state = {0};
    bool is_done = false;

    if (!lab_state_load(lab_dir, &state, err)) {
        error_hint(err, "start one with 'reparto lab up', or name the servers: --primary DSN "
                        "--replica DSN");
    } else {
        const struct lab_shard *shard = lab_state_shard(&state, name, err);
        is_done = shard != NULL && resolve_shard(target, &state, shard, err);
    }
    lab_state_done(&state);
    return is_done;
}

/* Two nodes of one name would be one in the report; one server given twice would be counted twice.
 */
static bool check_distinct(const struct target *target, struct error *err)
{
    for (size_t i = 0; i < target->replica_count; i++) {
        const struct target_node *node = &target->replicas[i];
        for (size_t j = 0; j <= i; j++) {
            const struct target_node *other = j == 0 ? &target->primary : &target->replicas[j - 1];
            if (strcmp(node->place, other->place) == 0) {
                return error_set(err, "22023", "%s and %s are the same server, %s", other->name,
                                 node->name, node->place);
            }
            if (strcmp(node->name, other->name) == 0) {
                error_set(err, "22023", "two servers are called %s: %s and %s", node->name,
                          other->place, node->place);
                return error_hint(err, "the name is a DSN's application_name, else p, r1, r2 in "
                                       "their order: give each its own");
            }
        }
    }
    return true;
}

bool target_resolve(struct target *target, const char *primary, const char *const *replicas,
                    size_t replica_count, const char *lab_dir, const char *shard, struct error *err)
{
    memset(target, 0, sizeof *target);
    if (primary == NULL && replica_count > 0) {
        error_set(err, "42601", "--replica without --primary");
        return error_hint(err, "name all servers, or none to use the running lab");
    }
    if (primary != NULL && (lab_dir != NULL || shard != NULL)) {
        error_set(err, "42601", "--primary and %s exclude each other",
                  shard != NULL ? "--shard" : "--lab");
        return error_hint(err, "the servers are either named or those of a lab");
    }
    if (replica_count > REPORT_REPLICA_MAX) {
        return error_set(err, "54000", "%zu replicas are more than %d", replica_count,
                         REPORT_REPLICA_MAX);
    }
    bool is_resolved = primary != NULL
                           ? resolve_given(target, primary, replicas, replica_count, err)
                           : resolve_lab(target, lab_dir, shard, err);
    return is_resolved && check_distinct(target, err);
}

void target_done(struct target *target)
{
    free(target->primary.dsn);
    for (size_t i = 0; i < REPORT_REPLICA_MAX; i++) {
        free(target->replicas[i].dsn);
    }
    memset(target, 0, sizeof *target);
}
