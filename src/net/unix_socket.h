/* net/unix_socket: the file of a Unix socket to listen on, and who owns it.
 *
 * As PostgreSQL does it, so that both respect each other: DIRECTORY/.s.PGSQL.PORT,
 * and a lock file beside it, whose first line is the pid of the process that
 * listens.  What a dead one left is removed; what somebody answers at is not.
 */
#pragma once

#include <stdbool.h>
#include <sys/un.h>

#include "base/error.h"

/* The socket's address; false and `err` (22023) when the path is too long. */
[[nodiscard]] bool unix_socket_name(struct sockaddr_un *address, const char *directory,
                                    unsigned port, struct error *err);

/* Locks the name and binds a new socket to it, with that mode; it does not listen yet.  -1 and
 * `err`: F0001 when another process has it, 58030, 42501. */
[[nodiscard]] int unix_socket_bind(const struct sockaddr_un *address, unsigned mode,
                                   struct error *err);

/* From now on the name is this process's: it was handed over by the one that had it. */
[[nodiscard]] bool unix_socket_take_over(const struct sockaddr_un *address, struct error *err);

/* Removes socket and lock. */
void unix_socket_remove(const struct sockaddr_un *address);
