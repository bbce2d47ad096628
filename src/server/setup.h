/* server/setup: all that a configuration file leads to, read and ready.
 *
 * The configuration, the auth file, the hba rules and the TLS contexts, which
 * belong together: either all of them are good, or none is taken on.  Immutable,
 * shared by count among threads.  Reads files; nothing else does.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "config/config.h"
#include "config/credential.h"
#include "config/hba.h"
#include "net/tls.h"

struct setup {
    struct config *config;
    struct auth_file auth_file;                  /* no users when there is no file */
    struct hba *hba;                             /* NULL: the configuration's auth_type decides */
    struct tls_context *client_tls, *server_tls; /* NULL: no TLS on that side */
    int share_count;                             /* atomic */
};

/* NULL and `err`, which names the file; `report` (may be NULL) gets all that is wrong with the
 * configuration, each with its line.  File names in it are relative to its own directory. */
[[nodiscard]] struct setup *setup_load(const char *path, uint64_t version, struct text *report,
                                       struct error *err);
/* The same with one setting changed (config_with()); the files that it names are read again. */
[[nodiscard]] struct setup *setup_with(const struct setup *setup, const char *path,
                                       const char *name, const char *value, struct error *err);
struct setup *setup_share(struct setup *setup);
void setup_release(struct setup *setup); /* NULL is allowed */
