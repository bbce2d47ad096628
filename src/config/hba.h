/* config/hba: who may log in from where, and how, as in pg_hba.conf.
 *
 * Pure: addresses come as bytes.  Types local, host, hostssl, hostnossl;
 * databases and users with all, sameuser, lists, @-less names, /regular expressions (POSIX) and
 * "quoted" ones; CIDR or address and mask, all, samehost and samenet are refused;
 * methods trust, reject, scram-sha-256, md5 (does SCRAM where the stored password allows only
 * that), password, cert, peer; options map= (with the identity map),
 * clientcert=verify-ca|verify-full. The first matching line decides; none: reject.
 * "replication" is read and matches no database: such connections are judged by
 * the database that they name.  At most 1 MB; expressions are limited (hba_pattern.h), as clients
 * choose what they match.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/report.h"

enum hba_method { HBA_REJECT, HBA_TRUST, HBA_SCRAM, HBA_MD5, HBA_PASSWORD, HBA_CERT, HBA_PEER };

enum hba_client_certificate { HBA_CERTIFICATE_ANY, HBA_CERTIFICATE_CA, HBA_CERTIFICATE_FULL };

struct hba_address {
    unsigned size; /* 4 or 16 bytes, as in a sockaddr_in or sockaddr_in6; ::ffff:a.b.c.d is IPv4 */
    unsigned char bytes[16];
};

struct hba; /* opaque: the parsed lines */

struct hba_result {
    enum hba_method method;
    enum hba_client_certificate certificate;
    const char *map; /* borrowed from the rules; NULL: none */
    unsigned line;   /* which line decided; 0: none did */
};

/* `path` is for messages "path:line:column: …" with a hint; F0000. */
[[nodiscard]] struct hba *hba_parse(const char *text, size_t size, const char *path,
                                    struct error *err);
void hba_destroy(struct hba *hba); /* NULL is allowed */

/* The same, with each problem in `report` (initialized with path, text and size). */
[[nodiscard]] struct hba *hba_parse_reported(struct report *report, struct error *err);
[[nodiscard]] bool hba_parse_map_reported(struct hba *hba, struct report *report,
                                          struct error *err);

/* `address` NULL: a Unix socket. */
[[nodiscard]] struct hba_result hba_find(const struct hba *hba, const struct hba_address *address,
                                         bool has_tls, const char *database, const char *user);

/* Whether `system_name` (of a certificate or a Unix user) may be `user` by the identity map `map`
 * ("map system-user database-user" lines, regular expressions with /, \1); map NULL: the names must
 * be equal. */
[[nodiscard]] bool hba_maps(const struct hba *hba, const char *map, const char *system_name,
                            const char *user);

/* Adds the lines of an identity map file to the rules. */
[[nodiscard]] bool hba_parse_map(struct hba *hba, const char *text, size_t size, const char *path,
                                 struct error *err);
