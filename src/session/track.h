/* session/track: follows what statements do to a session.
 *
 * `facts` are what a statement's text says it does (sql/effects), kept until the
 * server has done it.  Settings follow transactions and savepoints; pins are
 * set and taken back.  Nothing here does I/O.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "session/session.h"
#include "sql/effects.h"

struct facts {
    size_t share_count;
    char *sql; /* owned: the text that the spans are of */
    size_t sql_size;
    void *attached; /* owned: session/names_sql's; NULL: nothing */
    void (*free_attached)(void *attached);
    bool is_standard;   /* standard_conforming_strings, when it was read */
    bool is_unsettling; /* changes what names or settings mean, for what the client sends next */
    struct effects effects;
};

/* What the text does, if it does anything that must be followed: `*facts` is then a share, else
 * NULL. False when out of memory. */
[[nodiscard]] bool facts_read(const struct session *session, const char *sql, size_t size,
                              struct facts **facts);
struct facts *facts_share(struct facts *facts);
void facts_release(void *facts); /* NULL is allowed */

[[nodiscard]] bool facts_have(const struct facts *facts, enum effect_kind kind);

/* The name that an effect's span means ("" when it can't be told). */
void facts_name(const struct facts *facts, const struct effect *effect, char name[64]);

/* What the client knows of the server's parameters now: a share is taken. */
void track_told(struct session *session, struct variables *told);

/* The statement is being sent: what ties the session even if it fails. */
void track_sent(struct session *session, const struct facts *facts);

/* Statement `part` of the text was completed with this tag. */
void track_done(struct session *session, const struct facts *facts, unsigned part, const char *tag);

/* A CommandComplete of a statement without facts; the tag may be COMMIT or ROLLBACK. */
void track_tag(struct session *session, const char *tag);

/* ReadyForQuery 'I' that ends a transaction: what was set is kept, or undone after an error. */
void track_end(struct session *session);

/* All that is kept goes. */
void track_free(struct session *session);

/* Whether texts mean the same under both settings: a literal's date, a name's schema. */
[[nodiscard]] bool track_reads_alike(const struct variables *a, const struct variables *b);

/* The pins as words, "temp_table advisory_lock"; "" without any.  Returns `text`. */
enum { TRACK_PINS_SIZE = 128 };
const char *track_pins(unsigned pins, char text[TRACK_PINS_SIZE]);
