/* config/address: IPv4 and IPv6 addresses and networks as text, without the system's help.
 *
 * Pure: no name is looked up.  An IPv4 address mapped into IPv6
 * (::ffff:a.b.c.d) is that IPv4 address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/hba.h"

struct address_network {
    struct hba_address address, mask; /* of the same size */
};

[[nodiscard]] bool address_parse(const char *text, struct hba_address *address);

/* "10.0.0.0/8", or an address alone with `has_prefix` false and a mask of all ones. */
[[nodiscard]] bool address_parse_network(const char *text, struct address_network *network,
                                         bool *has_prefix);
[[nodiscard]] bool address_is_in(const struct hba_address *address,
                                 const struct address_network *network);

/* ::ffff:a.b.c.d as a.b.c.d; others as they are. */
[[nodiscard]] struct hba_address address_unmapped(const struct hba_address *address);
