/* A TLS context is made of files that are right, or refused with the name of the one that isn't. */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "certificates.h"
#include "net/tls.h"

static struct certificates certificates; /* of the whole program: made once */

static int make(void **)
{
    certificates_make(&certificates);
    return 0;
}

static int clean(void **)
{
    certificates_remove(&certificates);
    return 0;
}

/* The path of a file, NULL for NULL, "system" and what begins with '/' as they are. */
static const char *path_of(const char *name, char path[CERTIFICATE_PATH_SIZE])
{
    if (name == NULL || *name == '\0' || *name == '/' || strcmp(name, "system") == 0) {
        return name;
    }
    return certificate_path(&certificates, name, path);
}

static struct tls_context *context_make(bool is_server, const struct tls_files *names,
                                        enum tls_mode mode, struct error *err)
{
    char paths[4][CERTIFICATE_PATH_SIZE];
    struct tls_files files = *names;

    files.certificate = path_of(names->certificate, paths[0]);
    files.key = path_of(names->key, paths[1]);
    files.ca = path_of(names->ca, paths[2]);
    files.crl = path_of(names->crl, paths[3]);
    return is_server ? tls_server(&files, err) : tls_client(&files, mode, err);
}

static const struct {
    bool is_server;
    enum tls_mode mode;
    struct tls_files files;
    const char *sqlstate, *message; /* a part of it */
} wrong[] = {
    {true, TLS_REQUIRE, {0}, "F0000", "needs a certificate file"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt"},
     "F0000",
     "server.crt\" needs a private key file"},
    {true,
     TLS_REQUIRE,
     {.certificate = "none.crt", .key = "server.key"},
     "58P01",
     "none.crt\": No such file"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt", .key = "none.key"},
     "58P01",
     "none.key\": No such file"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.key", .key = "server.key"},
     "F0000",
     "certificate file"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt", .key = "server.crt"},
     "F0000",
     "private key file"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt", .key = "/dev/null"},
     "F0000",
     "not a regular file"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt", .key = "client.key"},
     "F0000",
     "client.key\" does not fit certificate file"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt", .key = "server.key", .ca = "none.crt"},
     "58P01",
     "none.crt"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt", .key = "server.key", .ca = "server.key"},
     "F0000",
     "server.key"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt", .key = "server.key", .ca = "system"},
     "F0000",
     "anybody can have one"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt", .key = "server.key", .protocol_min = "TLSv1.1"},
     "22023",
     "TLSv1.1"},
    {true,
     TLS_REQUIRE,
     {.certificate = "server.crt", .key = "server.key", .ciphers = "nonsense"},
     "F0000",
     "nonsense"},
    {false, TLS_VERIFY_CA, {0}, "F0000", "a CA file is needed"},
    {false, TLS_VERIFY_FULL, {.ca = ""}, "F0000", "a CA file is needed"},
    {false, TLS_VERIFY_CA, {.ca = "system"}, "F0000", "only safe with verify-full"},
    {false, TLS_REQUIRE, {.ca = "system"}, "F0000", "only safe with verify-full"},
    {false, TLS_VERIFY_CA, {.ca = "ca.crt", .crl = "none.crl"}, "58P01", "none.crl"},
    {false, TLS_REQUIRE, {.certificate = "client.crt"}, "F0000", "needs a private key"},
};

static void what_is_wrong_is_refused_with_its_file(void **)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct error err = {0};
        assert_null(context_make(wrong[i].is_server, &wrong[i].files, wrong[i].mode, &err));
        assert_string_equal(err.sqlstate, wrong[i].sqlstate);
        if (strstr(err.message, wrong[i].message) == NULL) {
            assert_string_equal(err.message, wrong[i].message); /* shows both */
        }
    }
}

static void what_is_right_is_taken(void **)
{
    static const struct {
        bool is_server;
        enum tls_mode mode;
        struct tls_files files;
    } cases[] = {
        {true, TLS_REQUIRE, {.certificate = "server.crt", .key = "server.key"}},
        {true,
         TLS_REQUIRE,
         {"server.crt", "server.key", "ca.crt", "ca.crl", "TLSv1.3", "HIGH:!aNULL"}},
        {true, TLS_REQUIRE, {"server.crt", "server.key", "", "", "", ""}},
        {false, TLS_PREFER, {0}},
        {false, TLS_VERIFY_FULL, {.ca = "system"}},
        {false, TLS_VERIFY_CA, {"client.crt", "client.key", "ca.crt", "ca.crl", "TLSv1.2", ""}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        struct tls_context *context =
            context_make(cases[i].is_server, &cases[i].files, cases[i].mode, &err);
        assert_string_equal(err.message, "");
        assert_non_null(context);
        tls_release(context);
    }
    tls_release(NULL);
}

static void a_key_that_others_can_read_is_refused(void **)
{
    const struct tls_files files = {.certificate = "server.crt", .key = "server.key"};
    bool is_root = geteuid() == 0; /* then the file is root's, whose group may read it */
    const struct {
        mode_t mode;
        bool is_fine;
    } cases[] = {{0600, true},  {0400, true},  {0640, is_root}, {0440, is_root}, {0660, false},
                 {0650, false}, {0604, false}, {0602, false},   {0644, false},   {0777, false}};
    char path[CERTIFICATE_PATH_SIZE];

    (void)certificate_path(&certificates, "server.key", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        assert_int_equal(chmod(path, cases[i].mode), 0);
        struct tls_context *context = context_make(true, &files, TLS_REQUIRE, &err);
        assert_int_equal(context != NULL ? 1 : 0, cases[i].is_fine ? 1 : 0);
        if (!cases[i].is_fine) {
            assert_non_null(strstr(err.message, "has group or world access"));
            assert_string_not_equal(err.hint, "");
        }
        tls_release(context);
    }
    assert_int_equal(chmod(path, 0600), 0);
}

/* A key with a passphrase must not make OpenSSL ask at the terminal. */
static void a_key_with_a_passphrase_is_refused_without_a_question(void **)
{
    const struct tls_files files = {.certificate = "server.crt", .key = "locked.key"};
    char path[CERTIFICATE_PATH_SIZE];
    struct error err = {0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *out = certificate_file(&certificates, "locked", ".key");

    assert_int_equal(PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(),
                                          (const unsigned char *)"secret", 6, NULL, NULL),
                     1);
    assert_int_equal(fclose(out), 0);
    EVP_PKEY_free(key);
    assert_null(context_make(true, &files, TLS_REQUIRE, &err));
    assert_string_equal(err.sqlstate, "F0000");
    assert_non_null(strstr(err.hint, "without a passphrase"));
    assert_int_equal(unlink(certificate_path(&certificates, "locked.key", path)), 0);
}

/* ---- counting ---- */

enum { THREADS = 4, SHARES = 20000 };

static void *share_and_release(void *context)
{
    for (int i = 0; i < SHARES; i++) {
        tls_release(tls_share(context));
    }
    tls_release(context);
    return NULL;
}

/* The sanitizers see a count that is wrong: freed too early, or never. */
static void a_context_is_counted_from_any_thread(void **)
{
    const struct tls_files files = {.certificate = "server.crt", .key = "server.key"};
    pthread_t threads[THREADS];
    struct error err = {0};
    struct tls_context *context = context_make(true, &files, TLS_REQUIRE, &err);

    assert_non_null(context);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, share_and_release, tls_share(context)),
                         0);
    }
    tls_release(context);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_refused_with_its_file),
        cmocka_unit_test(what_is_right_is_taken),
        cmocka_unit_test(a_key_that_others_can_read_is_refused),
        cmocka_unit_test(a_key_with_a_passphrase_is_refused_without_a_question),
        cmocka_unit_test(a_context_is_counted_from_any_thread),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
