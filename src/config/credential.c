#include "config/credential.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char md5_prefix[] = "md5", scram_prefix[] = "SCRAM-SHA-256$";

enum { MD5_SIZE = 35, NAME_SIZE_MAX = 63, USERS_MAX = 100000 };

static bool is_md5(const char *text, size_t size)
{
    if (size != MD5_SIZE || memcmp(text, md5_prefix, sizeof md5_prefix - 1) != 0) {
        return false;
    }
    for (size_t i = sizeof md5_prefix - 1; i < size; i++) {
        bool is_digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (!is_digit) {
            return false;
        }
    }
    return true;
}

bool credential_parse(const char *text, struct credential *credential, struct error *err)
{
    size_t size = strlen(text);

    if (size >= sizeof credential->text) {
        return error_set(err, "22023", "a password of %zu bytes, more than %zu", size,
                         sizeof credential->text - 1);
    }
    if (strncmp(text, scram_prefix, sizeof scram_prefix - 1) == 0) {
        struct scram_secret secret = {0};
        if (!scram_secret_parse(text, &secret, err)) {
            return false;
        }
        *credential =
            (struct credential){.kind = CREDENTIAL_SCRAM, .scram = secret, .has_scram = true};
        explicit_bzero(&secret, sizeof secret);
        return true;
    }
    *credential = (struct credential){.kind = size == 0            ? CREDENTIAL_NONE
                                              : is_md5(text, size) ? CREDENTIAL_MD5
                                                                   : CREDENTIAL_PLAIN};
    memcpy(credential->text, text, size);
    return true;
}

bool credential_scram(struct credential *credential, const char *user, const unsigned char seed[32],
                      struct error *err)
{
    struct scram_secret mock = {0};

    if (credential->kind != CREDENTIAL_PLAIN || credential->has_scram) {
        return true;
    }
    scram_secret_mock(user, seed, &mock);
    credential->has_scram = scram_secret_make(credential->text, mock.salt, mock.salt_size,
                                              mock.iterations, &credential->scram);
    explicit_bzero(&mock, sizeof mock);
    return credential->has_scram || error_set(err, "53200", "cannot make a SCRAM secret");
}

void credential_wipe(struct credential *credential)
{
    explicit_bzero(credential, sizeof *credential);
}

/* ---- the file ---- */

struct cursor {
    const char *path;
    const char *at, *line_start, *end;
    unsigned line;
};

static bool fail(const struct cursor *cursor, struct error *err, const char *what)
{
    unsigned column = 1;

    for (const char *at = cursor->line_start; at < cursor->at; at++) {
        column += ((unsigned char)*at & 0xc0) != 0x80; /* characters */
    }
    error_set(err, "F0000", "%s:%u:%u: %s", cursor->path, cursor->line, column, what);
    return error_hint(err, "a line is \"user\" \"password\", with quotes inside doubled");
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end &&
           (*cursor->at == ' ' || *cursor->at == '\t' || *cursor->at == '\r')) {
        cursor->at++;
    }
}

/* To the beginning of the next line; false behind the last. */
static bool next_line(struct cursor *cursor)
{
    const char *end = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));

    if (end == NULL) {
        cursor->at = cursor->end;
        return false;
    }
    cursor->at = cursor->line_start = end + 1;
    cursor->line++;
    return cursor->at < cursor->end;
}

/* One "quoted" text, in place or behind blanks; the cursor ends behind its last quote.  `text` may
 * be cut short on failure. */
static bool read_quoted(struct cursor *cursor, char *text, size_t size, struct error *err)
{
    size_t length = 0;
    struct cursor start;

    skip_blanks(cursor);
    start = *cursor;
    if (cursor->at == cursor->end || *cursor->at != '"') {
        return fail(cursor, err, "expected a text in double quotes");
    }
    for (cursor->at++; cursor->at < cursor->end; cursor->at++) {
        if (*cursor->at == '\n' || *cursor->at == '\0') {
            break;
        }
        if (*cursor->at == '"') {
            if (cursor->at + 1 == cursor->end || cursor->at[1] != '"') {
                cursor->at++;
                text[length] = '\0';
                return true;
            }
            cursor->at++;
        }
        if (length + 1 == size) {
            return fail(&start, err, "the text is too long");
        }
        text[length++] = *cursor->at;
    }
    bool is_zero = cursor->at < cursor->end && *cursor->at == '\0';
    return is_zero ? fail(cursor, err, "a zero byte")
                   : fail(&start, err, "the quote is not closed on its line");
}

static bool is_entry(const struct cursor *cursor)
{
    return cursor->at < cursor->end && *cursor->at != '\n' && *cursor->at != ';' &&
           *cursor->at != '#';
}

/* Room for all users at once: nothing secret is moved and left behind. */
static size_t count_entries(struct cursor cursor)
{
    size_t count = 0;
    bool has_more = cursor.at < cursor.end;

    while (has_more) {
        skip_blanks(&cursor);
        count += is_entry(&cursor);
        has_more = next_line(&cursor);
    }
    return count;
}

static bool read_entry(struct cursor *cursor, struct auth_user *user, struct error *err)
{
    char name[NAME_SIZE_MAX + 1] = "", password[sizeof user->credential.text] = "";
    struct cursor start = *cursor;
    struct error why = {0};

    if (!read_quoted(cursor, name, sizeof name, err)) {
        return false;
    }
    if (name[0] == '\0') {
        return fail(&start, err, "the user's name is empty");
    }
    skip_blanks(cursor);
    start = *cursor;
    bool is_read = read_quoted(cursor, password, sizeof password, err);
    bool is_ok = is_read && credential_parse(password, &user->credential, &why);
    explicit_bzero(password, sizeof password);
    if (is_read && !is_ok) {
        return fail(&start, err, why.message);
    }
    if (!is_ok) {
        return false;
    }
    user->name = strdup(name);
    return user->name != NULL || error_set(err, "53200", "%s: out of memory", cursor->path);
}

/* While the file is read, in its order. */
struct entry {
    struct auth_user user;
    unsigned line;
};

struct entries {
    struct entry *items; /* owned */
    size_t count, room;
};

static void entries_done(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        free(entries->items[i].user.name);
    }
    if (entries->items != NULL) {
        explicit_bzero(entries->items, entries->room * sizeof entries->items[0]);
    }
    free(entries->items);
}

static bool read_entries(struct cursor *cursor, struct entries *entries, struct error *err)
{
    bool has_more = cursor->at < cursor->end;

    while (has_more) {
        skip_blanks(cursor);
        if (is_entry(cursor)) {
            assert(entries->count < entries->room);
            struct entry *entry = &entries->items[entries->count++];
            entry->line = cursor->line;
            if (!read_entry(cursor, &entry->user, err)) {
                return false;
            }
        }
        has_more = next_line(cursor);
    }
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = *(struct entry *const *)a, *right = *(struct entry *const *)b;
    int order = strcmp(left->user.name, right->user.name);

    return order != 0 ? order : (left->line > right->line) - (left->line < right->line);
}

/* Moves the users to `file`, by name.  Pointers are sorted, not secrets, of which qsort() would
 * leave copies behind. */
static bool sort_entries(struct entries *entries, const char *path, struct auth_file *file,
                         struct error *err)
{
    struct entry **order = calloc(entries->count + 1, sizeof(struct entry *));
    bool is_ok = true;

    if (order == NULL) {
        return error_set(err, "53200", "%s: out of memory", path);
    }
    for (size_t i = 0; i < entries->count; i++) {
        order[i] = &entries->items[i];
    }
    qsort(order, entries->count, sizeof(struct entry *), compare_entries);
    for (size_t i = 1; is_ok && i < entries->count; i++) {
        const struct entry *before = order[i - 1], *entry = order[i];
        if (strcmp(before->user.name, entry->user.name) == 0) {
            is_ok = error_set(err, "F0000", "%s:%u:1: user \"%s\" stands at line %u already", path,
                              entry->line, entry->user.name, before->line);
        }
    }
    for (size_t i = 0; is_ok && i < entries->count; i++) {
        file->users[file->count++] = order[i]->user;
        order[i]->user.name = NULL; /* moved */
    }
    free(order);
    return is_ok;
}

bool auth_file_parse(const char *text, size_t size, const char *path, struct auth_file *file,
                     struct error *err)
{
    struct cursor cursor = {path, text, text, text + size, 1};
    struct entries entries = {.room = count_entries(cursor)};
    struct auth_file read = {0};

    if (entries.room > USERS_MAX) {
        return error_set(err, "F0000", "%s: has %zu users, more than %d", path, entries.room,
                         USERS_MAX);
    }
    entries.items = calloc(entries.room + 1, sizeof entries.items[0]);
    read.users = calloc(entries.room + 1, sizeof read.users[0]);
    bool is_ok = entries.items != NULL && read.users != NULL;
    if (!is_ok) {
        error_set(err, "53200", "%s: out of memory", path);
    }
    is_ok =
        is_ok && read_entries(&cursor, &entries, err) && sort_entries(&entries, path, &read, err);
    entries_done(&entries);
    if (!is_ok) {
        auth_file_done(&read);
        return false;
    }
    *file = read;
    return true;
}

const struct auth_user *auth_file_find(const struct auth_file *file, const char *user)
{
    size_t low = 0, high = file->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(user, file->users[middle].name);
        if (order == 0) {
            return &file->users[middle];
        }
        low = order > 0 ? middle + 1 : low;
        high = order < 0 ? middle : high;
    }
    return NULL;
}

void auth_file_done(struct auth_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->users[i].name);
        credential_wipe(&file->users[i].credential);
    }
    free(file->users);
    *file = (struct auth_file){0};
}
