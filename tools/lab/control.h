/* lab/control: what a command on the supervisor's control socket gets.
 *
 * One request, a line with a JSON object, and one answer a connection.  To add
 * a command: write a control_run in a file of your own and add its row to the
 * table in control.c.  A command must not block; it may keep `client` as long as
 * it answers exactly once by control_answer() before the client goes away, or
 * be a job (supervisor_private.h).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

enum { LAB_LAG_MS_MAX = 60000 };

struct client;
struct node;
struct supervisor;

struct control_call {
    struct supervisor *supervisor; /* borrowed */
    struct client *client;         /* borrowed */
    const json_t *request;         /* borrowed */
    struct node *node;             /* "node" of the request, where the command needs one */
    json_t *answer;                /* the command sets it: owned by us then */
    bool is_pending;               /* set when the answer comes later */
};

/* False with `err`: that is answered.  True: `answer` is, or `is_pending` is set. */
typedef bool control_run(struct control_call *call, struct error *err);

/* Takes the reference to `document`. */
void control_answer(struct client *client, json_t *document);
