/* reparto/read_file: a whole file as text, for commands that check one.
 *
 * At most READ_FILE_MAX bytes; "-" is stdin.  Neither a directory nor a device
 * that never ends is read to no end.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

enum { READ_FILE_MAX = 64 << 20 };

/* Appends to `text`, which read_file_wipe() ends.  58P01 no such file, 42501 not allowed, 58030
 * else, with the path. */
[[nodiscard]] bool read_file(const char *path, struct text *text, struct error *err);

/* Frees; there may have been passwords. */
void read_file_wipe(struct text *text);
