/* wire/tls_mode: how much TLS a connection wants, as libpq's sslmode.
 *
 * On the client's side of the router REQUIRE refuses clients without TLS and
 * VERIFY_CA and VERIFY_FULL also ask for their certificate.
 */
#pragma once

enum tls_mode { TLS_DISABLE, TLS_ALLOW, TLS_PREFER, TLS_REQUIRE, TLS_VERIFY_CA, TLS_VERIFY_FULL };
