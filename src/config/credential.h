/* config/credential: what is known about a user's password, and the users of an auth file.
 *
 * The file is PgBouncer's userlist.txt: "user" "password", where the password
 * is plain, "md5…" or "SCRAM-SHA-256$…"; quotes are doubled inside.  Texts are wiped when freed and
 * never part of an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "wire/scram.h"

enum credential_kind {
    CREDENTIAL_NONE,  /* no password: can't log in with one */
    CREDENTIAL_PLAIN, /* `text` */
    CREDENTIAL_MD5,   /* `text` is "md5…" */
    CREDENTIAL_SCRAM  /* `scram` */
};

struct credential {
    enum credential_kind kind;
    char text[1024];           /* zero-terminated; "" for SCRAM */
    struct scram_secret scram; /* for PLAIN: made at first use by credential_scram() */
    bool has_scram;
};

/* Tells the kind by its text.  22023 when it's too long or a malformed SCRAM secret. */
[[nodiscard]] bool credential_parse(const char *text, struct credential *credential,
                                    struct error *err);
void credential_wipe(struct credential *credential);

/* Makes `scram` for a PLAIN password, once (then has_scram); other kinds stay as they are.  Its
 * salt is the one that scram_secret_mock() shows for `user`, so that a login can't be told from an
 * unknown user's.  Slow on purpose: keep the result.  53200 when it can't be made. */
[[nodiscard]] bool credential_scram(struct credential *credential, const char *user,
                                    const unsigned char seed[32], struct error *err);

struct auth_user {
    char *name; /* owned by the file */
    struct credential credential;
};

struct auth_file {
    struct auth_user *users; /* owned; sorted by name */
    size_t count;
};

/* `path` is only for messages: "userlist.txt:3:7: …", SQLSTATE F0000. */
[[nodiscard]] bool auth_file_parse(const char *text, size_t size, const char *path,
                                   struct auth_file *file, struct error *err);
[[nodiscard]] const struct auth_user *auth_file_find(const struct auth_file *file,
                                                     const char *user);
void auth_file_done(struct auth_file *file); /* wipes */
