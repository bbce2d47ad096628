#include "reparto/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cannot_read(const char *path, int code, struct error *err)
{
    const char *sqlstate = code == ENOENT ? "58P01" : code == EACCES ? "42501" : "58030";

    return error_set(err, sqlstate, "cannot read %s: %s", path, strerror(code));
}

static bool read_all(int fd, const char *path, struct text *text, struct error *err)
{
    char bytes[16384];
    ssize_t size = 1;

    while (size > 0) {
        size = read(fd, bytes, sizeof bytes);
        if (size < 0 && errno == EINTR) {
            size = 1;
            continue;
        }
        if (size < 0) {
            return cannot_read(path, errno, err);
        }
        text_append_bytes(text, bytes, (size_t)size);
        if (text->size > READ_FILE_MAX) {
            return error_set(err, "58030", "%s: has more than %d bytes", path, READ_FILE_MAX);
        }
    }
    explicit_bzero(bytes, sizeof bytes);
    return !text->has_failed || error_set(err, "53200", "%s: out of memory", path);
}

bool read_file(const char *path, struct text *text, struct error *err)
{
    if (strcmp(path, "-") == 0) {
        return read_all(STDIN_FILENO, "stdin", text, err);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return cannot_read(path, errno, err);
    }
    bool is_ok = read_all(fd, path, text, err);
    close(fd);
    return is_ok;
}

void read_file_wipe(struct text *text)
{
    if (text->bytes != NULL) {
        explicit_bzero(text->bytes, text->capacity);
    }
    text_done(text);
}
