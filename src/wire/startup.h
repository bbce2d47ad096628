/* wire/startup: the first packet of a connection, which has no type byte.
 *
 * Pure.  Startup 3.x with its parameters, SSLRequest, GSSENCRequest and
 * CancelRequest with keys of 4 to 256 bytes (protocol 3.2).  "Message Formats".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    STARTUP_PACKET_MAX = 10000, /* as PostgreSQL: MAX_STARTUP_PACKET_LENGTH */
    STARTUP_KEY_MAX = 256,
    STARTUP_PARAMETER_MAX = 128,
    STARTUP_VERSION_3_0 = 3 << 16,
    STARTUP_VERSION_3_2 = (3 << 16) + 2
};

enum startup_kind { STARTUP_LOGIN, STARTUP_TLS, STARTUP_GSS, STARTUP_CANCEL };

struct startup_parameter {
    const char *name, *value; /* borrowed from the packet */
};

struct startup {
    enum startup_kind kind;
    uint32_t version;            /* asked for: major << 16 | minor */
    const char *user, *database; /* borrowed; database is the user's name when not given */
    const char *options;         /* "-c a=b …"; NULL when not given */
    const char *replication;     /* its value; NULL when not given */
    struct startup_parameter parameters[STARTUP_PARAMETER_MAX]; /* all others, without _pq_. ones */
    size_t parameter_count;
    const char *protocol_options[STARTUP_PARAMETER_MAX]; /* names "_pq_.…", to be refused */
    size_t protocol_option_count;
    uint32_t cancel_pid; /* STARTUP_CANCEL: the first 4 bytes, and the rest */
    const unsigned char *cancel_key;
    size_t cancel_key_size;
};

enum startup_result { STARTUP_OK, STARTUP_NEED_MORE, STARTUP_BAD };

/* Reads the packet at bytes[0..size); `*consumed` is its length.  STARTUP_BAD: 08P01 for what is
 * malformed, 54000 for more than STARTUP_PARAMETER_MAX parameters, 0A000 for a major version that
 * isn't 3 ("unsupported frontend protocol 4.0: server supports 3.0 to 3.2"), 28000 "no PostgreSQL
 * user name specified in startup packet". */
[[nodiscard]] enum startup_result startup_read(const char *bytes, size_t size,
                                               struct startup *startup, size_t *consumed,
                                               struct error *err);

/* Splits "-c a=b --c-d=e -cf=g" with backslash escapes, as PostgreSQL does, into name and value
 * pairs; other switches are refused (0A000), as is what is no switch or has no value (42601), an
 * empty name (42704), and more than `count_max` (54000).  `storage` keeps the text; cleared first,
 * and the pairs are valid until it changes. */
[[nodiscard]] bool startup_options(const char *options, struct buffer *storage,
                                   struct startup_parameter *parameters, size_t *count,
                                   size_t count_max, struct error *err);

/* NegotiateProtocolVersion: "we speak 3.`minor`, and don't know these". */
[[nodiscard]] bool startup_write_negotiate(struct buffer *out, uint32_t version,
                                           const struct startup *startup);

/* A client's packets. */
[[nodiscard]] bool startup_write_login(struct buffer *out, uint32_t version,
                                       const struct startup_parameter *parameters, size_t count);
[[nodiscard]] bool startup_write_request(struct buffer *out, enum startup_kind kind); /* TLS, GSS */
[[nodiscard]] bool startup_write_cancel(struct buffer *out, uint32_t pid, const unsigned char *key,
                                        size_t key_size);
