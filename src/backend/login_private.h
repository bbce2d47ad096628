/* backend/login_private: the login's fields, states and inputs; only login*.c includes it.
 *
 * login.c makes inputs out of what the stream brings, login_rules.c is the
 * table that they run through.
 */
#pragma once

#include "backend/authenticate.h"
#include "backend/login.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "wire/frame.h"

enum login_state {
    STATE_CONNECTING,
    STATE_TLS_ASKED,     /* SSLRequest is sent; one byte is to come */
    STATE_TLS_SHAKING,   /* the stream shakes hands */
    STATE_STARTED,       /* the startup packet is sent */
    STATE_PASSWORD_SENT, /* in clear or as MD5 */
    STATE_SASL_BEGUN,    /* client-first is sent */
    STATE_SASL_PROVEN,   /* client-final is sent; the server has to prove itself */
    STATE_SASL_VERIFIED, /* it has */
    STATE_SETTLING,      /* authenticated; parameters come, until ReadyForQuery */
    STATE_READY,
    STATE_FAILED, /* `err` is set */
    STATE_COUNT
};

enum login_input {
    IN_CONNECTED,
    IN_TLS_YES,
    IN_TLS_NO,
    IN_TLS_ERROR,
    IN_TLS_STUFFED,
    IN_TLS_OTHER,
    IN_SHAKEN,
    IN_LOST,
    IN_BAD, /* malformed, too long, or no memory for it: `err` is set */
    IN_AUTH_OK,
    IN_AUTH_CLEAR,
    IN_AUTH_MD5,
    IN_AUTH_SASL,
    IN_AUTH_CONTINUE,
    IN_AUTH_FINAL,
    IN_AUTH_OTHER,
    IN_NEGOTIATE,
    IN_PARAMETER,
    IN_KEY,
    IN_NOTICE,
    IN_ERROR,
    IN_READY,
    IN_OTHER,
    IN_COUNT,
    NO_INPUT = IN_COUNT
};

struct login {
    int state;
    struct stream *stream; /* borrowed */
    struct login_plan plan;
    struct authenticate authenticate;
    struct buffer in;   /* owned: the message that is being read, and up to READY_SIZE bytes more */
    struct frame frame; /* its header, once that is there */
    struct arena texts; /* owned: of `parameters` */
    struct startup_parameter parameters[STARTUP_PARAMETER_MAX];
    unsigned char key[STARTUP_KEY_MAX];
    struct login_result result;
    bool has_tls;        /* agreed upon, or tried */
    bool has_other_mode; /* see login_other_mode() */
    struct error err;
};

struct message {
    char type;
    const char *body; /* borrowed from `in` */
    size_t size;
    uint32_t code; /* of an authentication request */
};

/* Set `err`; return STATE_FAILED. */
int login_fail_memory(struct login *login);
int login_fail_malformed(struct login *login, const char *what);
