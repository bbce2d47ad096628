/* The words of a startup packet's `options`, as PostgreSQL's command line would read them. */
#include <string.h>

#include "wire/startup.h"

struct words {
    char *at, *end; /* zero-terminated words, one behind the other */
};

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Cuts `options` at blanks into `room`, which has strlen(options) + 1 bytes; a backslash makes the
 * next byte a part of the word.  Returns the end of the last word. */
static char *split(const char *options, char *room)
{
    const char *at = options;

    for (;;) {
        while (is_blank(*at)) {
            at++;
        }
        if (*at == '\0') {
            return room;
        }
        while (*at != '\0' && !is_blank(*at)) {
            if (*at == '\\') {
                at++;
            }
            if (*at != '\0') {
                *room++ = *at++;
            }
        }
        *room++ = '\0';
    }
}

static char *next_word(struct words *words)
{
    if (words->at == words->end) {
        return NULL;
    }
    char *word = words->at;
    words->at += strlen(word) + 1;
    return word;
}

/* "name=value", with - for _ in the name, as both -c and -- have it. */
static bool read_assignment(char *word, struct startup_parameter *parameter, struct error *err)
{
    char *equals = strchr(word, '=');
    if (equals == NULL) {
        return error_set(err, "42601", "-c %.60s requires a value", word);
    }
    *equals = '\0';
    for (char *at = strchr(word, '-'); at != NULL; at = strchr(at, '-')) {
        *at = '_';
    }
    if (word[0] == '\0') {
        return error_set(err, "42704", "unrecognized configuration parameter \"\"");
    }
    *parameter = (struct startup_parameter){.name = word, .value = equals + 1};
    return true;
}

static bool refuse_word(const char *word, struct error *err)
{
    if (word[0] != '-' || word[1] == '\0' || word[1] == '-') {
        return error_set(err, "42601", "invalid command-line argument for server process: %.60s",
                         word);
    }
    error_set(err, "0A000", "startup option -%c is not supported", word[1]);
    return error_hint(err, "Settings can be given as -c name=value.");
}

static bool read_word(char *word, struct words *words, struct startup_parameter *parameter,
                      struct error *err)
{
    if (word[0] == '-' && word[1] == '-' && word[2] != '\0') {
        return read_assignment(word + 2, parameter, err);
    }
    if (word[0] != '-' || word[1] != 'c') {
        return refuse_word(word, err);
    }
    if (word[2] != '\0') {
        return read_assignment(word + 2, parameter, err);
    }
    char *next = next_word(words);
    if (next == NULL) {
        return error_set(err, "42601", "startup option -c requires name=value");
    }
    return read_assignment(next, parameter, err);
}

bool startup_options(const char *options, struct buffer *storage,
                     struct startup_parameter *parameters, size_t *count, size_t count_max,
                     struct error *err)
{
    buffer_truncate(storage, 0);
    /* Unescaping only shortens, and each word but the last has a blank behind it for its zero. */
    size_t size = strlen(options) + 1;
    char *room = buffer_reserve(storage, size);
    if (room == NULL) {
        return error_set(err, "53200", "out of memory");
    }
    struct words words = {.at = room, .end = split(options, room)};
    buffer_commit(storage, (size_t)(words.end - words.at));

    size_t found = 0;
    for (char *word = next_word(&words); word != NULL; word = next_word(&words)) {
        if (found == count_max) {
            return error_set(err, "54000", "more than %zu settings in startup options", count_max);
        }
        if (!read_word(word, &words, &parameters[found], err)) {
            return false;
        }
        found++;
    }
    *count = found;
    return true;
}
