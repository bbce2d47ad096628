/* wire/scram_text: what SCRAM messages are made of: attributes, base64, and HMACs over both.
 *
 * Only for scram_*.c.  Pure; nothing is allocated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "wire/scram.h"

struct scram_span {
    const char *bytes; /* borrowed from the message */
    size_t size;
};

/* Goes over "a=1,b=2". */
struct scram_reader {
    const char *at, *end; /* borrowed: the message, from the next attribute on */
    bool has_more;
};

void scram_read_begin(struct scram_reader *reader, const char *text, size_t size);

/* The next attribute; false when there is none, or what is there isn't one. */
[[nodiscard]] bool scram_read_any(struct scram_reader *reader, char *name,
                                  struct scram_span *value);

/* The same, but it must have this name. */
[[nodiscard]] bool scram_read(struct scram_reader *reader, char name, struct scram_span *value);
[[nodiscard]] bool scram_read_end(const struct scram_reader *reader);

/* Whether it is as long as its copy, and all the same. */
[[nodiscard]] bool scram_span_is(const struct scram_span *span, const char *text);

/* Whether `span` is a nonce: printable, and not empty. */
[[nodiscard]] bool scram_span_is_nonce(const struct scram_span *span);

/* Base64 of at most `bytes_max` bytes; strictly: padded, without blanks, no stray bits. */
[[nodiscard]] bool scram_decode(const struct scram_span *text, unsigned char *bytes,
                                size_t bytes_max, size_t *size);

enum { SCRAM_ENCODED_MAX = 200 }; /* base64 of what we ever write, and a zero */

/* Zero-terminated.  Returns `text`. */
const char *scram_encode(const void *bytes, size_t size, char text[SCRAM_ENCODED_MAX]);

/* 1 to `max`, in decimal. */
[[nodiscard]] bool scram_read_number(const struct scram_span *text, unsigned max, unsigned *number);

/* "malformed SCRAM message: …", 08P01; false.  Messages with a zero inside are malformed too. */
bool scram_malformed(struct error *err, const char *what);
[[nodiscard]] bool scram_check_text(const char *message, size_t size, struct error *err);

void scram_hmac(const unsigned char key[SCRAM_KEY_SIZE], const char *text,
                unsigned char mac[SCRAM_KEY_SIZE]);
void scram_hash(const unsigned char key[SCRAM_KEY_SIZE], unsigned char hash[SCRAM_KEY_SIZE]);

/* The HMAC of "client-first-bare,server-first,client-final-without-proof". */
void scram_sign(const unsigned char key[SCRAM_KEY_SIZE], const char *client_first_bare,
                const struct scram_span *server_first, const struct scram_span *client_final,
                unsigned char signature[SCRAM_KEY_SIZE]);

/* a ^= b */
void scram_xor(unsigned char a[SCRAM_KEY_SIZE], const unsigned char b[SCRAM_KEY_SIZE]);

/* What the "c=" attribute says: base64 of the GS2 header and, with channel binding, our end point.
 */
const char *scram_binding(const char *gs2, const unsigned char *end_point, size_t end_point_size,
                          char text[SCRAM_ENCODED_MAX]);
