/* common/pg: what our tools do with libpq again and again.
 *
 * Errors say where (host:port, never a password), what, and what to do.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Connects within `timeout_s` seconds with `application_name`; options in the
 * DSN (URI or key=value) win over our defaults.  The caller owns the result
 * and must PQfinish() it.  NULL with `err` (08001, 28P01, 3D000 …, with a
 * hint) when it failed. */
[[nodiscard]] PGconn *pg_connect(const char *dsn, const char *application_name, int timeout_s,
                                 struct error *err);

/* Sets `err` from a connection that could not be made, as pg_connect() does; for those who connect
 * without blocking.  Returns false.  Does not PQfinish(). */
bool pg_connect_error(const PGconn *connection, const char *dsn, struct error *err);

enum { PG_PLACE_SIZE = 160 };

/* "127.0.0.1:5433" of a DSN, without connecting; "malformed DSN" when it can't be read. */
const char *pg_place(char buffer[PG_PLACE_SIZE], const char *dsn);

/* Checks that libpq can read the DSN; 22023 with libpq's reason otherwise. */
[[nodiscard]] bool pg_check_dsn(const char *dsn, struct error *err);

/* Runs one command or query with text parameters.  The caller owns the result
 * and must PQclear() it; NULL with the server's SQLSTATE in `err` on failure. */
[[nodiscard]] PGresult *pg_query(PGconn *connection, const char *sql, int count,
                                 const char *const *values, struct error *err);

/* Runs commands without parameters whose results nobody reads. */
[[nodiscard]] bool pg_execute(PGconn *connection, const char *sql, struct error *err);

/* Sets `err` from a failed result, or from the connection when `result` is NULL or has no
 * SQLSTATE.  Returns false.  Does not clear the result. */
bool pg_error(PGconn *connection, const PGresult *result, struct error *err);
