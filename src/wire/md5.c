#include "wire/md5.h"

#include <nettle/base16.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <string.h>

static const char prefix[] = "md5";
enum { PREFIX_SIZE = sizeof prefix - 1, SALT_SIZE = 4 };

static void write_text(struct md5_ctx *md5, char text[MD5_TEXT_SIZE])
{
    unsigned char digest[MD5_DIGEST_SIZE];

    md5_digest(md5, sizeof digest, digest);
    memcpy(text, prefix, PREFIX_SIZE);
    base16_encode_update(text + PREFIX_SIZE, sizeof digest, digest);
    text[MD5_TEXT_SIZE - 1] = '\0';
    explicit_bzero(digest, sizeof digest);
    explicit_bzero(md5, sizeof *md5);
}

static void add_text(struct md5_ctx *md5, const char *text)
{
    md5_update(md5, strlen(text), (const unsigned char *)text);
}

void md5_stored(const char *password, const char *user, char text[MD5_TEXT_SIZE])
{
    struct md5_ctx md5;

    md5_init(&md5);
    add_text(&md5, password);
    add_text(&md5, user);
    write_text(&md5, text);
}

void md5_answer(const char stored[MD5_TEXT_SIZE], const unsigned char salt[4],
                char text[MD5_TEXT_SIZE])
{
    struct md5_ctx md5;

    md5_init(&md5);
    add_text(&md5, stored + PREFIX_SIZE);
    md5_update(&md5, SALT_SIZE, salt);
    write_text(&md5, text);
}

bool md5_equal(const char *a, const char *b)
{
    size_t size = strlen(a); /* what is sent has a known length: no secret */
    return strlen(b) == size && memeql_sec(a, b, size) != 0;
}
