/* session/greet_private: what greet.c (the table and its handlers) and greet_input.c (bytes to
 * inputs) share.
 *
 * Nobody else includes it.
 */
#pragma once

#include "base/buffer.h"
#include "base/machine.h"
#include "session/admission.h"
#include "session/greet.h"
#include "session/password.h"

enum greet_state {
    GREET_FIRST,           /* nothing came: the first byte tells direct TLS from a packet */
    GREET_PACKET,          /* TLS and GSS may be asked for; also inside of direct TLS */
    GREET_TLS_REFUSED,     /* GSS may still be asked for */
    GREET_GSS_REFUSED,     /* TLS may still be asked for */
    GREET_LAST_PACKET,     /* nothing but a login or a cancel request */
    GREET_ANSWERING,       /* 'S' must be sent before the handshake begins */
    GREET_SHAKING,         /* the handshake behind an SSLRequest */
    GREET_SHAKING_DIRECT,  /* that of a client that began with it */
    GREET_LOOKUP,          /* the session looks for the user's credential */
    GREET_WAITS_CLEAR,     /* a cleartext password was asked for */
    GREET_WAITS_MD5,       /* an MD5 answer was */
    GREET_WAITS_MECHANISM, /* SASL was offered */
    GREET_WAITS_FIRST,     /* an empty challenge was sent: client-first-message */
    GREET_WAITS_PROOF,     /* server-first-message was sent */
    GREET_IN,              /* AuthenticationOk is written */
    GREET_CANCELLING,      /* a CancelRequest came */
    GREET_GONE,            /* `err` says why */
    GREET_STATE_COUNT
};

enum greet_input {
    IN_HELLO,  /* the first byte is TLS's */
    IN_OTHER,  /* it is not */
    IN_TLS,    /* SSLRequest */
    IN_GSS,    /* GSSENCRequest */
    IN_CANCEL, /* CancelRequest */
    IN_LOGIN,  /* startup packet; input: struct greet_bytes, all of it */
    IN_BAD,    /* bytes that can't be answered: `err` says why, and the connection ends */
    IN_WRONG,  /* bytes that are answered: `err` says why, and the client is told */
    IN_SENT,   /* nothing is left to be sent */
    IN_SECURED,
    IN_CREDENTIAL, /* input: struct credential, NULL: no such user */
    IN_REFUSED,    /* input: struct error */
    IN_ANSWER,     /* a 'p' message; input: struct greet_bytes, its body */
    IN_LOST,       /* the client is gone: `err` says how */
    GREET_INPUT_COUNT
};

struct greet_bytes {
    char *bytes; /* borrowed from `in` */
    size_t size;
};

struct greet {
    struct stream *stream;
    struct greet_plan plan;
    int state;
    struct buffer in;          /* read, and not yet taken */
    size_t taken;              /* of `in`: what the input was made of; goes after its step */
    struct greet_bytes answer; /* that input */
    char *packet;              /* owned: what `startup` borrows from; NULL before */
    size_t packet_size;
    struct startup startup;
    struct admission admission;
    struct password_check check; /* zero until begun */
    const char *method;
    struct error err; /* set on the way to GREET_GONE */
};

extern const struct machine greet_machine;

/* Looks at the stream for what the state waits for, and reads no more than that needs.  False:
 * nothing yet. */
[[nodiscard]] bool greet_next_input(struct greet *greet, enum greet_input *input);
