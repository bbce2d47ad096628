/* server/pid_file: a file with our process id, for scripts.
 *
 * Whoever writes it is alone, or follows the process that is in it.  It is no
 * lock: two that start in the same moment may both succeed.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Writes it, whole or not at all.  55006: another process that lives is in it, unless `may_replace`
 * (we follow it: a restart). */
[[nodiscard]] bool pid_file_write(const char *path, bool may_replace, struct error *err);

/* Unless another process is in it by now. */
void pid_file_remove(const char *path);
