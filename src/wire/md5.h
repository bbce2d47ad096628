/* wire/md5: PostgreSQL's MD5 password hashes, for servers and users that still have them.
 *
 * "md5" + md5(password + user) is what is stored; what is sent is
 * "md5" + md5(that, without its prefix, + salt).
 */
#pragma once

#include <stdbool.h>

enum { MD5_TEXT_SIZE = 36 }; /* "md5", 32 digits, a zero */

void md5_stored(const char *password, const char *user, char text[MD5_TEXT_SIZE]);
void md5_answer(const char stored[MD5_TEXT_SIZE], const unsigned char salt[4],
                char text[MD5_TEXT_SIZE]);

/* In constant time. */
[[nodiscard]] bool md5_equal(const char *a, const char *b);
