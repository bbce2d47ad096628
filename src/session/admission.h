/* session/admission: which rule holds for a client, and what it must show by it.
 *
 * The listener's TLS mode, the hba table or auth_type, certificates, Unix
 * users.  It asks the kernel who is at a Unix socket, and sends nothing.
 * Refusals are 28000 in PostgreSQL's wording, with auth_hba_file in
 * pg_hba.conf's place.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "config/hba.h"
#include "net/stream.h"
#include "session/greet.h"
#include "wire/startup.h"

struct admission {
    const struct greet_plan *plan; /* borrowed, as all here */
    const struct stream *stream;
    const struct startup *startup;
    struct hba_result rule; /* by admission_find() */
};

/* Whether an SSLRequest or direct TLS can be served: not on a Unix socket, nor inside of TLS. */
[[nodiscard]] bool admission_has_tls(const struct greet_plan *plan, const struct stream *stream);

/* Finds the rule.  False: it, or the lack of one, of TLS or of a certificate keeps the client out.
 */
[[nodiscard]] bool admission_find(struct admission *admission, struct error *err);

/* Method peer: whether the Unix user may be the startup packet's. */
[[nodiscard]] bool admission_peer(const struct admission *admission, struct error *err);

/* To be asked when all else is shown: whether the certificate's name may be the user's, where the
 * rule wants that. */
[[nodiscard]] bool admission_name(const struct admission *admission, struct error *err);
