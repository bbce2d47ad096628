#include "server/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_SIZE_MAX = 64 << 20, PATH_SIZE = CONFIG_PATH_SIZE };

static bool read_stream(FILE *file, struct text *text)
{
    char part[16384];
    size_t count;

    while ((count = fread(part, 1, sizeof part, file)) > 0) {
        text_append_bytes(text, part, count);
        if (text->has_failed || text->size > FILE_SIZE_MAX) {
            return false;
        }
    }
    explicit_bzero(part, sizeof part);
    return ferror(file) == 0;
}

static bool read_file(const char *path, struct text *text, struct error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        int reason = errno;
        error_set(err, "58P01", "%s: %s", path, strerror(reason));
        return error_hint(err, "%s",
                          reason == EACCES ? "the user that runs us must be allowed to read it"
                                           : "names are seen from the configuration's directory; "
                                             "'reparto check-config FILE' checks all of it");
    }
    errno = 0;
    bool is_ok = read_stream(file, text);
    int reason = errno;
    fclose(file);
    if (!is_ok) {
        return error_set(err, "58030", "%s: %s", path,
                         reason == 0 ? "too large" : strerror(reason));
    }
    return true;
}

static bool load_users(struct setup *setup, const char *path, struct error *err)
{
    const char *name = setup->config->settings.auth_file;
    struct text text = {0};
    char file[PATH_SIZE];

    if (name[0] == '\0') {
        return true;
    }
    bool is_ok = config_place(path, name, file, err) != NULL && read_file(file, &text, err) &&
                 auth_file_parse(text_cstr(&text), text.size, file, &setup->auth_file, err);
    if (text.bytes != NULL) {
        explicit_bzero(text.bytes, text.capacity);
    }
    text_done(&text);
    return is_ok;
}

static bool load_rules(struct setup *setup, const char *path, struct error *err)
{
    const struct settings *settings = &setup->config->settings;
    struct text text = {0};
    char file[PATH_SIZE];

    if (settings->auth_hba_file[0] == '\0') {
        return true;
    }
    if (config_place(path, settings->auth_hba_file, file, err) == NULL ||
        !read_file(file, &text, err)) {
        text_done(&text);
        return false;
    }
    setup->hba = hba_parse(text_cstr(&text), text.size, file, err);
    text_clear(&text);
    bool is_ok = setup->hba != NULL;
    if (is_ok && settings->auth_ident_file[0] != '\0') {
        is_ok = config_place(path, settings->auth_ident_file, file, err) != NULL &&
                read_file(file, &text, err) &&
                hba_parse_map(setup->hba, text_cstr(&text), text.size, file, err);
    }
    text_done(&text);
    return is_ok;
}

struct tls_paths {
    char certificate[PATH_SIZE], key[PATH_SIZE], ca[PATH_SIZE];
};

/* Where the three files are; "system" stays. */
static bool place_files(const char *path, const char *certificate, const char *key, const char *ca,
                        struct tls_paths *paths, struct tls_files *files, struct error *err)
{
    files->certificate = config_place(path, certificate, paths->certificate, err);
    files->key = files->certificate != NULL ? config_place(path, key, paths->key, err) : NULL;
    files->ca = files->key != NULL ? config_place(path, ca, paths->ca, err) : NULL;
    return files->ca != NULL;
}

static bool load_tls(struct setup *setup, const char *path, struct error *err)
{
    const struct settings *settings = &setup->config->settings;
    struct tls_paths paths;

    if (settings->client_tls_sslmode != TLS_DISABLE) {
        struct tls_files files = {
            .crl = "",
            .protocol_min = settings->client_tls_min_protocol,
            .ciphers = settings->client_tls_ciphers,
        };
        if (place_files(path, settings->client_tls_cert_file, settings->client_tls_key_file,
                        settings->client_tls_ca_file, &paths, &files, err)) {
            setup->client_tls = tls_server(&files, err);
        }
        if (setup->client_tls == NULL) {
            error_wrap(err, "TLS for clients");
            return error_hint(err, "see client_tls_cert_file, client_tls_key_file and %s",
                              "client_tls_ca_file");
        }
    }
    struct tls_files files = {
        .crl = "",
        .protocol_min = settings->server_tls_min_protocol,
        .ciphers = settings->server_tls_ciphers,
    };
    if (place_files(path, settings->server_tls_cert_file, settings->server_tls_key_file,
                    settings->server_tls_ca_file, &paths, &files, err)) {
        setup->server_tls = tls_client(&files, (enum tls_mode)settings->server_tls_sslmode, err);
    }
    if (setup->server_tls != NULL) {
        return true;
    }
    error_wrap(err, "TLS to servers");
    return error_hint(err, "see server_tls_ca_file, server_tls_cert_file and server_tls_key_file");
}

struct setup *setup_load(const char *path, uint64_t version, struct text *report, struct error *err)
{
    struct setup *setup = calloc(1, sizeof *setup);
    struct text text = {0};

    if (setup == NULL) {
        error_set(err, "53200", "no memory for the configuration");
        return NULL;
    }
    setup->share_count = 1;
    if (read_file(path, &text, err)) {
        setup->config = config_parse(text_cstr(&text), text.size, path, report, err);
    }
    text_done(&text);
    if (setup->config != NULL) {
        setup->config->version = version;
    }
    if (setup->config == NULL || !load_users(setup, path, err) || !load_rules(setup, path, err) ||
        !load_tls(setup, path, err)) {
        setup_release(setup);
        return NULL;
    }
    return setup;
}

struct setup *setup_with(const struct setup *setup, const char *path, const char *name,
                         const char *value, struct error *err)
{
    struct setup *other = calloc(1, sizeof *other);

    if (other == NULL) {
        error_set(err, "53200", "no memory for the configuration");
        return NULL;
    }
    other->share_count = 1;
    other->config = config_with(setup->config, name, value, err);
    if (other->config != NULL) {
        other->config->version = setup->config->version + 1;
    }
    if (other->config == NULL || !load_users(other, path, err) || !load_rules(other, path, err) ||
        !load_tls(other, path, err)) {
        setup_release(other);
        return NULL;
    }
    return other;
}

struct setup *setup_share(struct setup *setup)
{
    __atomic_fetch_add(&setup->share_count, 1, __ATOMIC_RELAXED);
    return setup;
}

void setup_release(struct setup *setup)
{
    if (setup == NULL || __atomic_sub_fetch(&setup->share_count, 1, __ATOMIC_ACQ_REL) > 0) {
        return;
    }
    config_release(setup->config);
    auth_file_done(&setup->auth_file);
    hba_destroy(setup->hba);
    tls_release(setup->client_tls);
    tls_release(setup->server_tls);
    free(setup);
}
