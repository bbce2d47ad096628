/* wire/saslprep: a password as SCRAM hashes it (RFC 4013), with PostgreSQL's liberties.
 *
 * PostgreSQL looks for prohibited characters before normalization, not after
 * it, and takes a password that isn't valid UTF-8, is prohibited or would be empty as it is.  The
 * tables of RFC 3454 and the normalization (NFKC of Unicode 3.2: newer characters are prohibited)
 * are libidn's.  One difference is left: the sequences of Unicode's Corrigendum 5, a Hangul jamo or
 * vowel behind a foreign mark, which occur in no language, are composed as before it.
 */
#pragma once

/* What to hash in place of `password`: the caller owns it, wipes it and frees it.  NULL when out
 * of memory. */
[[nodiscard]] char *saslprep_password(const char *password);
