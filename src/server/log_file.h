/* server/log_file: where the router's log goes: stderr or a file, and never a wait.
 *
 * A pipe that nobody reads, a stopped terminal or a full disk loses lines; it
 * does not stop the router.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* A descriptor to log to: of stderr (`path` ""), or of a file, which is made if need be.  -1:
 * can't, see errno. */
[[nodiscard]] int log_file_open(const char *path);

/* For struct log: write(2) that waits for no socket either. */
ssize_t log_file_write(int fd, const void *bytes, size_t size);
